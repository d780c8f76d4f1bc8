"""Two builds of a commit are byte-identical, wherever and whenever they run."""

import os
from pathlib import Path

import pytest

from tests.projects import shop
from tests.projects.conftest import MakeSite
from tests.servers import S3Server

pytestmark = pytest.mark.ends

CDN = 'STATIC_URL = "https://cdn.example.com/assets/"\n'
YEAR = 365 * 24 * 3600  # seconds


@pytest.mark.parametrize(
    ("app", "storages"),
    [
        pytest.param(shop.HEROKUIFY, shop.HASHED_STORAGES, id="hashed"),
        pytest.param("", shop.HASHED_STORAGES, id="hashed-alone", marks=pytest.mark.once),
        pytest.param(shop.HEROKUIFY, shop.PLAIN_STORAGES, id="plain", marks=pytest.mark.once),
    ],
)
def test_builds_are_identical(app: str, storages: str, make_shop: MakeSite, moto: S3Server) -> None:
    settings = shop.DJANGO + app + shop.FRAGMENTS + storages
    here = make_shop(moto, settings)
    # Another host, bucket, location, folder, time, and order of sets and dicts.
    there = make_shop(
        moto,
        settings + CDN,
        folder="some/where/else",
        env={"AWS_LOCATION": "app", "PYTHONHASHSEED": "7"},
    )
    age(there.project.folder / "shop", YEAR)
    for site in (here, there):
        site.build()
    first, second = here.local(), there.local()
    assert first.keys() == second.keys()
    assert "CACHE/manifest.json" in first
    assert [name for name in first if first[name] != second[name]] == []
    assert here.remote("static/") == there.remote("app/static/")


def age(folder: Path, seconds: float) -> None:
    """Make files look older, each by a different time."""
    for number, path in enumerate(sorted(folder.rglob("*"))):
        then = path.stat().st_mtime - seconds - 60 * number
        os.utime(path, (then, then))
