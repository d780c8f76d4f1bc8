"""Daphne serves a site whose database is configured by get_db_config()."""

from collections.abc import Callable

from tests.project import Project
from tests.services.daemons import Postgres
from tests.services.test_connections import (
    CLIENTS,
    LIMIT,
    RELEASE,
    REQUESTS,
    count_connections,
    load,
)
from tests.web_dyno import serving


def test_stays_within_the_limit_of_connections(
    postgres: Postgres, limited: str, make_limited: Callable[[str], Project]
) -> None:
    command = ["daphne", "-p", "{port}", "asgi:application"]
    with serving(make_limited(""), command, "/fine", DATABASE_URL=limited) as dyno:
        assert CLIENTS > LIMIT
        assert load(dyno) == {200: REQUESTS}, "\n".join(dyno.lines()[-30:])
        assert count_connections(postgres, limited) <= LIMIT - RELEASE
