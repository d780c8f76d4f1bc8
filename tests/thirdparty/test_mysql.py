"""Databases by the variables of JawsDB and ClearDB, with mysqlclient on MariaDB."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError
from django.db.utils import ConnectionHandler

from herokuify.db import get_db_config
from tests.services.daemons import ELSEWHERE, MariaDb

DYNO = {"DYNO": "web.1", "PORT": "5000"}


@pytest.fixture(autouse=True)
def unblocked(django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield


def cipher(variable: str, url: str, **arguments: Any) -> str:
    """Return the TLS cipher of a connection, or "" without TLS."""
    config = get_db_config({**DYNO, variable: url}, **arguments)
    connection = ConnectionHandler(config)["default"]
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW STATUS LIKE 'Ssl_cipher'")
            return str(cursor.fetchone()[1])
    finally:
        connection.close()


@pytest.mark.parametrize("variable", ["JAWSDB_URL", "JAWSDB_MARIA_URL", "CLEARDB_DATABASE_URL"])
@pytest.mark.parametrize(
    "query", ["?ssl-mode=REQUIRED", "?reconnect=true&ssl_mode=required", "?sslmode=REQUIRED"]
)
def test_tls_by_the_url(mariadb: MariaDb, variable: str, query: str) -> None:
    assert cipher(variable, mariadb.url() + query)


def test_tls_is_used_only_on_request(mariadb: MariaDb) -> None:
    for url in (mariadb.url(), mariadb.url() + "?ssl-mode=DISABLED"):
        with pytest.raises(OperationalError, match="Access denied"):
            cipher("JAWSDB_URL", url)
    assert cipher("JAWSDB_URL", mariadb.url(), ssl_require=True)


def test_certificate_is_verified(mariadb: MariaDb) -> None:
    for name in ("ssl-ca", "ssl_ca"):
        query = f"?ssl-mode=VERIFY_IDENTITY&{name}={mariadb.certificate}"
        assert cipher("JAWSDB_URL", mariadb.url() + query)
        with pytest.raises(OperationalError, match="(?i)host|SSL"):
            cipher("JAWSDB_URL", mariadb.url(ELSEWHERE) + query)
    with pytest.raises(OperationalError, match="self.signed certificate"):
        cipher("JAWSDB_URL", mariadb.url() + "?ssl-mode=VERIFY_IDENTITY")
