import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.checks import Error

from herokuify.storage import S3MediaStorage, S3PublicMediaStorage
from tests.checks.conftest import (
    CACHED_MANIFEST,
    KEY,
    LOCAL_MEDIA,
    LOCAL_STATIC,
    MEDIA,
    SECRET,
    Found,
    ids,
    only,
    storages,
)
from tests.project import Project
from tests.testapp.models import Document

ALL = storages()
LOCAL = storages(LOCAL_STATIC, LOCAL_MEDIA)

FAULTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no bucket": (
        {"AWS_STORAGE_BUCKET_NAME": None},
        ["AWS_STORAGE_BUCKET_NAME is not set", "heroku config:set AWS_STORAGE_BUCKET_NAME=…"],
    ),
    "no key": (
        {"AWS_ACCESS_KEY_ID": None},
        ["AWS_ACCESS_KEY_ID is not set", "heroku config:set AWS_ACCESS_KEY_ID=…"],
    ),
    "no secret": (
        {"AWS_SECRET_ACCESS_KEY": None},
        ["AWS_SECRET_ACCESS_KEY is not set", "heroku config:set AWS_SECRET_ACCESS_KEY=…"],
    ),
    "relative": (
        {"STATIC_URL": "/static/"},
        ["STATIC_URL is '/static/'", "STATIC_URL = get_static_url("],
    ),
    "no url": ({"STATIC_URL": None}, ["STATIC_URL is not set", "STATIC_URL = get_static_url("]),
    "None": (
        {"STATIC_URL": "https://None.s3.amazonaws.com/static/"},
        ["STATIC_URL", "STATIC_URL = get_static_url(", "AWS_STORAGE_BUCKET_NAME"],
    ),
    "other bucket": (
        {"STATIC_URL": "https://other.s3.amazonaws.com/static/"},
        ["STATIC_URL", "'other/static'", "'my-bucket/static'"],
    ),
    "no slash": ({"STATIC_URL": "https://cdn.example.com"}, ["STATIC_URL", "end with a slash"]),
    "unsigned media": (
        {"AWS_QUERYSTRING_AUTH": False, "MEDIA_URL": "/media/"},
        ["MEDIA_URL is '/media/'", "MEDIA_URL = get_media_url("],
    ),
    "headers": ({"AWS_HEADERS": {"Cash-Control": "x"}}, ["AWS_HEADERS", "'Cash-Control'"]),
    "pattern": ({"AWS_EXTRA_HEADERS": [("*.js", {})]}, ["AWS_EXTRA_HEADERS[0]", "'*.js'"]),
    "roots": ({"COMPRESS_ROOT": "/elsewhere"}, ["COMPRESS_ROOT", "/elsewhere", "STATIC_ROOT"]),
    "no root": (
        {"STATIC_ROOT": None, "COMPRESS_ROOT": None},
        ["STATIC_ROOT is not set", "STATIC_ROOT = BASE_DIR"],
    ),
    "root below a file": (
        {"STATIC_ROOT": f"{__file__}/static", "COMPRESS_ROOT": f"{__file__}/static"},
        [
            "CachedS3ManifestStaticStorage, can't be instantiated",
            f"{__file__}/static/staticfiles.json",
        ],
    ),
    # These errors of django-storages and Django lack the word "ImproperlyConfigured".
    "unknown option": (
        {"STORAGES": storages(media={"BACKEND": MEDIA, "OPTIONS": {"bukket": SECRET}})},
        ["'bukket'", 'STORAGES["default"]'],
    ),
    "invalid CloudFront key": (
        {"AWS_CLOUDFRONT_KEY_ID": "id", "AWS_CLOUDFRONT_KEY": SECRET.encode()},
        ["AWS_CLOUDFRONT_KEY is not a private RSA key", "heroku config:set AWS_CLOUDFRONT_KEY="],
    ),
    "no class": ({"STORAGES": {**ALL, "other": {}}}, ['STORAGES["other"]: it names no class']),
    "not a dict": ({"STORAGES": {**ALL, "other": MEDIA}}, ['STORAGES["other"]: it names no class']),
    "no such class": (
        {"STORAGES": storages(media="herokuify.storage.S3MediaStore")},
        ['STORAGES["default"]: ', "S3MediaStore"],
    ),
    "no such module": (
        {"COMPRESS_STORAGE": "herokuify.storages.X"},
        ["COMPRESS_STORAGE: ", "herokuify.storages"],
    ),
}


class TestStorages:
    def test_correct_settings_are_fine(self, found: Found) -> None:
        assert found() == []

    @pytest.mark.parametrize(("changes", "parts"), FAULTS.values(), ids=FAULTS)
    def test_mistakes_are_errors(
        self, found: Found, changes: dict[str, Any], parts: list[str]
    ) -> None:
        messages = [
            message
            for message in found(tags=("staticfiles",), **changes)
            if message.id == "herokuify.E002"
        ]
        assert messages
        for message in messages:
            assert isinstance(message, Error)
            assert message.msg.count("ImproperlyConfigured") == 1
        texts = [f"{message.msg} {message.hint}" for message in messages]
        assert any(all(part in text for part in parts) for text in texts)

    def test_mistake_that_storages_share_is_reported_once(self, found: Found) -> None:
        only(found(AWS_HEADERS={"Cash-Control": "x"}), "E002")

    def test_every_mistake_is_reported(self, found: Found) -> None:
        faulty = {
            **ALL,
            "one": {"BACKEND": "herokuify.storage.S3StaticStorage", "OPTIONS": {"location": "x"}},
            "two": {"BACKEND": MEDIA, "OPTIONS": {"access_key": ""}},
            "three": {"BACKEND": "nowhere.Storage"},
        }
        text = " ".join(message.msg for message in found(STORAGES=faulty))
        assert "'my-bucket/x'" in text
        assert "AWS_ACCESS_KEY_ID is not set" in text
        assert "nowhere" in text

    def test_compressors_storage_is_checked(self, found: Found) -> None:
        messages = found(
            STORAGES=LOCAL,
            STATIC_URL="/static/",
            COMPRESS_STORAGE="herokuify.storage.CachedS3StaticStorage",
        )
        assert "CachedS3StaticStorage" in only(messages, "E002")

    def test_local_storages_need_no_bucket(self, found: Found) -> None:
        local = "compressor.storage.CompressorFileStorage"
        nothing = {"STORAGES": LOCAL, "COMPRESS_STORAGE": local, "STATIC_URL": "/static/"}
        assert found(AWS_STORAGE_BUCKET_NAME=None, **nothing) == []

    def test_other_backends_are_ignored(self, found: Found) -> None:
        other = {"BACKEND": "tests.checks.test_storages.storages"}
        assert found(STORAGES={**ALL, "other": other}) == []


class TestLocations:
    @pytest.mark.parametrize("location", ["static/uploads", "static", "static/x/"])
    def test_media_in_the_static_location_is_an_error(self, found: Found, location: str) -> None:
        media = {"BACKEND": MEDIA, "OPTIONS": {"location": location}}
        text = only(found(STORAGES=storages(media=media), tags=("staticfiles",)), "E004")
        assert 'STORAGES["default"]' in text
        assert "in the public location 'static'" in text
        assert "separate locations" in text

    def test_media_in_a_public_cube_is_an_error(self, found: Found) -> None:
        media = {"BACKEND": MEDIA, "OPTIONS": {"location": "cube/public/media"}}
        messages = found(
            AWS_LOCATION="cube",
            AWS_PUBLIC_LOCATION="cube/public",
            STATIC_URL="https://my-bucket.s3.amazonaws.com/cube/public/static/",
            STORAGES=storages(media=media),
        )
        assert "'cube/public'" in only(messages, "E004")

    def test_media_in_a_public_bucket_is_an_error(self, found: Found) -> None:
        static = {"BACKEND": CACHED_MANIFEST, "OPTIONS": {"location": ""}}
        messages = found(
            STATIC_URL="https://my-bucket.s3.amazonaws.com/",
            STORAGES={**storages(static), "compressor": static},
        )
        assert "which is all public" in only(messages, "E004")

    @pytest.mark.parametrize(
        "options",
        [
            {"location": "statics"},
            {"location": "static", "bucket_name": "other"},
            {"location": "static", "endpoint_url": "https://objects.example.com"},
            {"location": ""},
        ],
        ids=str,
    )
    def test_separate_locations_are_fine(self, found: Found, options: dict[str, str]) -> None:
        assert found(STORAGES=storages(media={"BACKEND": MEDIA, "OPTIONS": options})) == []


ACLS: dict[str, tuple[dict[str, Any], str]] = {
    "default": (
        {"AWS_DEFAULT_ACL": "public-read"},
        "AWS_DEFAULT_ACL gives objects the ACL 'public-read'",
    ),
    "private": ({"AWS_DEFAULT_ACL": "private"}, "AWS_DEFAULT_ACL gives objects the ACL 'private'"),
    "option": (
        {"STORAGES": storages(media={"BACKEND": MEDIA, "OPTIONS": {"default_acl": "private"}})},
        "default_acl gives objects the ACL 'private'",
    ),
    "parameters": (
        {"AWS_S3_OBJECT_PARAMETERS": {"ACL": "private"}},
        "AWS_S3_OBJECT_PARAMETERS gives objects the ACL 'private'",
    ),
    "header": (
        {"AWS_HEADERS": {"x-amz-acl": "private"}},
        "AWS_HEADERS gives objects the ACL 'private'",
    ),
    "grant": (
        {"AWS_EXTRA_HEADERS": [(".*", {"x-amz-grant-read": "id=1234"})]},
        "AWS_EXTRA_HEADERS gives objects the ACL 'id=1234'",
    ),
}


class TestAcls:
    @pytest.mark.parametrize(("changes", "part"), ACLS.values(), ids=ACLS)
    def test_are_reported_on_s3(self, found: Found, changes: dict[str, Any], part: str) -> None:
        text = only(found(tags=("staticfiles",), **changes), "W006")
        assert part in text
        assert f"Delete {part.split(maxsplit=1)[0]}" in text

    @pytest.mark.parametrize(
        "changes",
        [
            {"AWS_DEFAULT_ACL": "bucket-owner-full-control"},
            {"AWS_DEFAULT_ACL": None},
            {"AWS_HEADERS": {"Cache-Control": "no-cache"}},
            # Other services may have ACLs and no policies.
            {
                "AWS_DEFAULT_ACL": "public-read",
                "AWS_S3_ENDPOINT_URL": "https://objects.example.com",
                "STATIC_URL": "https://objects.example.com/my-bucket/static/",
            },
        ],
        ids=str,
    )
    def test_needed_ones_are_fine(self, found: Found, changes: dict[str, Any]) -> None:
        assert found(**changes) == []

    def test_the_setting_does_not_reach_media(self, found: Found) -> None:
        local = {"COMPRESS_STORAGE": "compressor.storage.CompressorFileStorage"}
        changes = {"STORAGES": storages(LOCAL_STATIC), "STATIC_URL": "/static/", **local}
        assert found(AWS_DEFAULT_ACL="public-read", **changes) == []


SETTINGS = """
from herokuify.aws import *
SECRET_KEY = "x"
USE_TZ = True
INSTALLED_APPS = ["herokuify", "django.contrib.staticfiles"]
STATIC_URL = {url}
STATIC_ROOT = "static"
STORAGES = {{
    "default": {{"BACKEND": "herokuify.storage.S3MediaStorage"}},
    "staticfiles": {{"BACKEND": "herokuify.storage.S3StaticStorage"}},
}}
"""
VARIABLES = {
    "AWS_STORAGE_BUCKET_NAME": "my-bucket",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": SECRET,
}


class TestCommands:
    @pytest.mark.parametrize(
        "arguments",
        [
            ("check",),
            ("check", "--tag", "herokuify"),
            ("check", "--tag", "staticfiles"),
            ("collectstatic", "--noinput"),
        ],
        ids=" ".join,
    )
    def test_stop_with_an_error(
        self, make_project: Callable[..., Project], arguments: tuple[str, ...]
    ) -> None:
        project = make_project(SETTINGS.format(url='"/static/"'), env=VARIABLES)
        result = project.manage(*arguments, sockets=False)
        assert result.returncode == 1
        assert result.stderr.count("herokuify.E002") == 1
        assert "ImproperlyConfigured" in result.stderr
        assert "STATIC_URL = get_static_url()" in result.stderr
        assert "Traceback" not in result.stderr
        assert SECRET not in result.stdout + result.stderr

    def test_pass_without_errors(self, make_project: Callable[..., Project]) -> None:
        project = make_project(SETTINGS.format(url="get_static_url()"), env=VARIABLES)
        assert "no issues" in project.manage("check", sockets=False).stdout


def test_all_mistakes_are_reported(found: Found) -> None:
    """No message hides another."""
    messages = found(
        "dyno", AWS_DEFAULT_ACL="public-read", STATIC_URL="/static/", DEBUG=True, ALLOWED_HOSTS=[]
    )
    assert set(ids(messages)) >= {"E002", "E010", "W006"}


PUBLIC_MEDIA = "herokuify.storage.S3PublicMediaStorage"


def public(**options: Any) -> dict[str, Any]:
    return {"BACKEND": PUBLIC_MEDIA, "OPTIONS": options}


def private(**options: Any) -> dict[str, Any]:
    return {"BACKEND": MEDIA, "OPTIONS": options}


class TestPublicMedia:
    """Private, public and static files must be in separate locations."""

    def test_is_fine(self, found: Found) -> None:
        assert found(STORAGES={**storages(), "public": public()}) == []
        assert found(STORAGES=storages(media=PUBLIC_MEDIA)) == []
        plain = "herokuify.storage.S3BotoStorage"
        assert found(STORAGES=storages(media=plain)) == []

    @pytest.mark.parametrize(
        ("media", "pictures", "wanted"),
        [
            (private(location="pictures"), public(location="pictures"), "E004"),
            (private(location="pictures/"), public(location="pictures/"), "E004"),
            (private(location="pictures/private"), public(location="pictures"), "E004"),
            (private(location="media"), public(location="media/public"), "W017"),
            (private(location="media/static"), public(), None),
            (private(location="a"), public(location="ab"), None),
            # Another bucket, and the same one with another spelling of its endpoint.
            (private(location="pictures", bucket_name="b"), public(location="pictures"), None),
            (
                private(location="x/y", endpoint_url="https://s3.example.com"),
                public(location="x", endpoint_url="https://S3.example.com:443/"),
                "E004",
            ),
            (MEDIA, public(location="static"), "E014"),
            (MEDIA, public(location="static/pictures"), "E014"),
            (MEDIA, public(location="my"), None),
            (private(location=""), public(), "W017"),
        ],
        ids=str,
    )
    def test_locations_must_be_separate(
        self, found: Found, media: Any, pictures: Any, wanted: str | None
    ) -> None:
        messages = found(STORAGES={**storages(media=media), "pictures": pictures})
        assert wanted in ids(messages) if wanted else messages == []

    def test_whole_bucket_is_an_error(self, found: Found) -> None:
        told = ids(found(STORAGES={**storages(), "pictures": public(location="")}))
        assert set(told) == {"E004", "E014"}

    def test_storages_of_fields_are_checked(
        self, found: Found, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        field = Document._meta.get_field("file")
        keys = {"bucket_name": "my-bucket", "access_key": "key", "secret_key": "secret"}
        nested = S3PublicMediaStorage(location="media/open", **keys)
        monkeypatch.setattr(field, "storage", nested)
        text = only(found(STORAGES=storages()), "W017")
        assert "testapp.Document.file keeps public files under 'media/open'" in text
        monkeypatch.setattr(field, "storage", S3MediaStorage(location="static/invoices", **keys))
        assert ids(found(STORAGES=storages())) == ["E004"]

    def test_overwriting_is_reported(self, found: Found) -> None:
        pictures = public(file_overwrite=True)
        text = only(found(STORAGES={**storages(), "pictures": pictures}), "W004")
        assert 'file_overwrite is true for STORAGES["pictures"]' in text
        # Public uploads ignore the setting.
        assert found(STORAGES=storages(media=PUBLIC_MEDIA), AWS_S3_FILE_OVERWRITE=True) == []


MODELS = """
from django.core.files.storage import storages
from django.db import models
from herokuify.storage import S3MediaStorage

def make():
    return S3MediaStorage(location="static/of-a-callable")

class OtherEndpoint(S3MediaStorage):
    endpoint_url = "https://s3.dualstack.us-east-1.amazonaws.com"
    location = "/static/of-a-class/".strip("/")

class Base(models.Model):
    inherited = models.FileField(storage=S3MediaStorage(location="static/inherited"))
    class Meta:
        abstract = True

class Child(Base):
    called = models.FileField(storage=make)
    aliased = models.ImageField(storage=lambda: storages["invoices"])
    classed = models.FileField(storage=OtherEndpoint())
    folder = models.FileField(
        upload_to="static/%Y", storage=S3MediaStorage(location="", bucket_name="my-bucket")
    )
    good = models.FileField(upload_to="statics/%Y", storage=S3MediaStorage(location=""))
    case = models.FileField(storage=S3MediaStorage(location="Static/x"))
    elsewhere = models.FileField(storage=S3MediaStorage(bucket_name="b2", location="static/x"))
    dated = models.FileField(upload_to="static%Y", storage=S3MediaStorage(location=""))
    default = models.FileField()
"""


def test_field_with_private_files_in_a_public_location_is_an_error(
    make_project: Callable[..., Project],
) -> None:
    """However the storage is given; other fields are not reported."""
    settings = f"""
SECRET_KEY = "x" * 60
from herokuify.aws import *
STATIC_URL = get_static_url()
STATIC_ROOT = "staticfiles"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
SILENCED_SYSTEM_CHECKS = ["fields.E210"]
INSTALLED_APPS = ["herokuify", "django.contrib.staticfiles", "docs", "shop"]
STORAGES = {{
    "default": {{"BACKEND": {MEDIA!r}}},
    "staticfiles": {{"BACKEND": "herokuify.storage.S3StaticStorage"}},
    "invoices": {{"BACKEND": {MEDIA!r}, "OPTIONS": {{"location": "static/aliased"}}}},
}}
"""
    other = "from shop.models import Base\nclass Other(Base):\n    pass\n"
    files = {
        **{f"{app}/__init__.py": "" for app in ("shop", "docs")},
        "shop/models.py": MODELS,
        "docs/models.py": other,
    }
    keys = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    result = make_project(settings, files).manage(
        "check", env={**keys, "AWS_STORAGE_BUCKET_NAME": "my-bucket"}, sockets=False
    )
    found = re.findall(r"\(herokuify.E004\) ImproperlyConfigured: (\S+) ", result.stderr)
    # A storage that two fields share is reported for the first.
    assert sorted(found) == [
        'STORAGES["invoices"]',
        "docs.Other.inherited",
        "shop.Child.called",
        "shop.Child.classed",
        "shop.Child.folder",
    ], result.stderr


def test_module_in_place_of_a_class_is_an_error(found: Found) -> None:
    """import_string() may return a module: a package's on every Django, any from 6.2 on."""
    import herokuify.storage  # noqa: F401

    text = only(found(STORAGES=storages(media="herokuify.storage")), "E002")
    assert "'herokuify.storage' is a module, not a class" in text
