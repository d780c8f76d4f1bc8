"""Configuration faults, as Heroku's build log shows them and its buildpack reads them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from tests.projects import shop
from tests.projects.conftest import MakeSite
from tests.projects.heroku import SECRETS, assert_improperly_configured
from tests.projects.site import Site, tree
from tests.servers import S3Server

STORAGES = shop.storages(shop.CACHED_MANIFEST) + shop.compress_storage(shop.CACHED_MANIFEST)
WITHOUT_COMPRESSOR = (
    'INSTALLED_APPS.remove("compressor"); del STATICFILES_FINDERS, COMPRESS_STORAGE\n'
)
UNSET = ""  # as good as absent, for herokuify as for a person


@dataclass(frozen=True)
class Fault:
    """What is wrong, and what the error must name."""

    names: str
    env: Mapping[str, str] = field(default_factory=dict)
    settings: str = ""
    storages: str = STORAGES


NO_BUCKET = {"AWS_STORAGE_BUCKET_NAME": UNSET}
NO_KEYS = {"AWS_ACCESS_KEY_ID": UNSET, "AWS_SECRET_ACCESS_KEY": UNSET}
FAULTS = {
    "no bucket": Fault("AWS_STORAGE_BUCKET_NAME", env=NO_BUCKET),
    "no bucket, url by hand": Fault(
        "get_static_url()",
        env=NO_BUCKET,
        settings='STATIC_URL = f"https://{AWS_STORAGE_BUCKET_NAME}.s3.amazonaws.com/static/"',
    ),
    "no bucket, media only": Fault(
        "AWS_STORAGE_BUCKET_NAME",
        env=NO_BUCKET,
        storages=shop.storages("django.contrib.staticfiles.storage.StaticFilesStorage"),
    ),
    "no secret": Fault("AWS_SECRET_ACCESS_KEY", env={"AWS_SECRET_ACCESS_KEY": UNSET}),
    "no key": Fault("AWS_ACCESS_KEY_ID", env={"AWS_ACCESS_KEY_ID": UNSET}),
    "a token alone": Fault(
        "AWS_ACCESS_KEY_ID",
        env={**NO_KEYS, "AWS_SESSION_TOKEN": SECRETS["AWS_SESSION_TOKEN"]},
    ),
    "half of Bucketeer": Fault(
        "BUCKETEER_BUCKET_NAME",
        env={
            **NO_KEYS,
            **NO_BUCKET,
            "BUCKETEER_AWS_ACCESS_KEY_ID": SECRETS["BUCKETEER_AWS_ACCESS_KEY_ID"],
            "BUCKETEER_AWS_SECRET_ACCESS_KEY": SECRETS["BUCKETEER_AWS_SECRET_ACCESS_KEY"],
        },
    ),
    "no boolean": Fault("AWS_AUTO_CREATE_BUCKET", env={"AWS_AUTO_CREATE_BUCKET": "maybe"}),
    "unknown header": Fault("Cash-Control", settings='AWS_HEADERS = {"Cash-Control": "none"}'),
    "bad pattern": Fault("AWS_EXTRA_HEADERS", settings='AWS_EXTRA_HEADERS = [("*.js", {})]'),
    "relative url": Fault("get_static_url()", settings='STATIC_URL = "/static/"'),
    "no url": Fault("STATIC_URL", settings=WITHOUT_COMPRESSOR + "STATIC_URL = None"),
    "no slash": Fault(
        "STATIC_URL", settings=WITHOUT_COMPRESSOR + 'STATIC_URL = STATIC_URL.rstrip("/")'
    ),
    # compressor is the first to say so.
    "no slash with compressor": Fault(
        "trailing slash", settings='STATIC_URL = STATIC_URL.rstrip("/")'
    ),
    "another bucket": Fault(
        "elsewhere", settings='STATIC_URL = "https://elsewhere.s3.amazonaws.com/static/"'
    ),
    "another location": Fault(
        "assets", settings='STATIC_URL = STATIC_URL.replace("/static/", "/assets/")'
    ),
    "no root": Fault("STATIC_ROOT", settings="STATIC_ROOT = None"),
    "roots apart": Fault("COMPRESS_ROOT", settings='COMPRESS_ROOT = BASE_DIR / "elsewhere"'),
    "old and new names": Fault(
        "STORAGES", settings=shop.QUIET + f"STATICFILES_STORAGE = {shop.CACHED_MANIFEST!r}"
    ),
}
# Faults that show only when S3 is asked.
REFUSALS = {
    "bucket is missing": Fault("AWS_AUTO_CREATE_BUCKET", env={"AWS_AUTO_CREATE_BUCKET": "false"}),
    "private files in the public location": Fault(
        "locations apart",
        settings='STORAGES["default"]["OPTIONS"] = {"location": "static/uploads"}',
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_collectstatic(name: str, make_site: MakeSite, moto: S3Server) -> None:
    site = faulty_site(FAULTS[name], make_site, moto)
    assert_improperly_configured(site.collectstatic(), FAULTS[name].names)
    assert not tree(site.static_root)


# What no system check says in time.
@pytest.mark.parametrize("name", ["no bucket", "no bucket, url by hand", "relative url"])
def test_compress(name: str, make_site: MakeSite, moto: S3Server) -> None:
    site = faulty_site(FAULTS[name], make_site, moto)
    assert_improperly_configured(site.compress(), FAULTS[name].names)


@pytest.mark.parametrize("name", REFUSALS)
@pytest.mark.parametrize("app", [shop.HEROKUIFY, ""], ids=["app", "alone"])
def test_refusals(name: str, app: str, make_site: MakeSite, moto: S3Server) -> None:
    site = faulty_site(REFUSALS[name], make_site, moto, app)
    assert_improperly_configured(site.collectstatic(), REFUSALS[name].names)
    assert "staticfiles.json" not in tree(site.static_root)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("AWS_ACCESS_KEY_ID", "AKIAUNKNOWN"), ("AWS_SECRET_ACCESS_KEY", "marked/secret+1")],
)
@pytest.mark.parametrize("app", [shop.HEROKUIFY, ""], ids=["app", "alone"])
def test_wrong_credentials(
    variable: str, value: str, app: str, make_site: MakeSite, ceph: S3Server
) -> None:
    site = faulty_site(Fault(variable, env={variable: value}), make_site, ceph, app)
    assert_improperly_configured(site.collectstatic(), variable)
    assert "staticfiles.json" not in tree(site.static_root)


def faulty_site(
    fault: Fault, make_site: MakeSite, server: S3Server, app: str = shop.HEROKUIFY
) -> Site:
    settings = shop.DJANGO + app + shop.FRAGMENTS + fault.storages + fault.settings
    # moto takes any key.
    keys = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} if server.name == "moto" else set()
    return make_site(server, settings, env={name: SECRETS[name] for name in keys} | dict(fault.env))
