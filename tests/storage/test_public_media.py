"""S3PublicMediaStorage: uploads that anyone may read."""

import io
import json
from typing import Any
from urllib.request import Request, urlopen

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.management import call_command
from pytest_django import Settings

from herokuify.storage import S3MediaStorage, S3PublicMediaStorage, S3StaticStorage
from tests.servers import S3Server, client_of
from tests.storage.helpers import NAMES, on_ceph, status
from tests.storages import Connect

HERE = "herokuify.storage."
KEYS: dict[str, Any] = {"bucket_name": "my-bucket", "region_name": "eu-west-1"}


@pytest.mark.usefixtures("no_sockets")
class TestUrl:
    def test_does_not_depend_on_media_url(self, settings: Settings) -> None:
        settings.MEDIA_URL = "/media/"
        settings.AWS_QUERYSTRING_AUTH = True
        storage = S3PublicMediaStorage(**KEYS)
        storage.check_configuration()
        base = "https://my-bucket.s3.eu-west-1.amazonaws.com/public-media/"
        assert storage.base_url == base
        assert storage.url("a b/ü.png") == f"{base}a%20b/%C3%BC.png"
        for option, start in [
            ({"location": "x/y"}, "https://my-bucket.s3.eu-west-1.amazonaws.com/x/y/"),
            ({"custom_domain": "cdn.example.com"}, "https://cdn.example.com/public-media/"),
            (
                {"endpoint_url": "http://minio:9000", "public_endpoint_url": "http://here:9000"},
                "http://here:9000/my-bucket/public-media/",
            ),
        ]:
            given = S3PublicMediaStorage(**{**KEYS, **option})
            assert given.base_url == start
            assert given.url("a.png") == f"{start}a.png"

    def test_settings(self, settings: Settings) -> None:
        settings.AWS_S3_CUSTOM_DOMAIN = "cdn.example.com"
        settings.AWS_LOCATION = "app"
        url = "https://cdn.example.com/app/public-media/a.png"
        assert S3PublicMediaStorage(**KEYS).url("a.png") == url
        settings.AWS_PUBLIC_LOCATION = "cube/public"
        assert S3PublicMediaStorage(**KEYS).location == "cube/public/public-media"

    def test_settings_of_private_media_are_ignored(self, settings: Settings) -> None:
        settings.AWS_S3_FILE_OVERWRITE = True
        settings.AWS_DEFAULT_ACL = "public-read"
        storage = S3PublicMediaStorage(**KEYS)
        assert not storage.file_overwrite
        assert "ACL" not in storage.parameters_for("a.png")

    def test_headers(self, settings: Settings) -> None:
        storage = S3PublicMediaStorage(**KEYS)
        assert storage.parameters_for("a.png")["CacheControl"] == "public, max-age=86400"
        assert "ContentDisposition" not in storage.parameters_for("a.png")
        # A stranger may have uploaded it, and anyone can open it.
        for name in ("a.html", "a.svg", "a.js"):
            assert storage.parameters_for(name)["ContentDisposition"] == "attachment"
        shown = S3PublicMediaStorage(**KEYS, attachment_types=[])
        assert "ContentDisposition" not in shown.parameters_for("a.svg")
        replaced = S3PublicMediaStorage(**KEYS, file_overwrite=True)
        assert replaced.parameters_for("a.png")["CacheControl"] == "public, max-age=300"
        settings.AWS_HEADERS = {"Cache-Control": "max-age=5"}
        assert S3PublicMediaStorage(**KEYS).parameters_for("a.png")["CacheControl"] == "max-age=5"


# Only Ceph obeys policies. Both ways to set one up; the bucket also holds private files.
@on_ceph
@pytest.mark.parametrize("way", ["auto-create", "apply"])
def test_anyone_may_read_it_and_nothing_else(
    way: str,
    s3: S3Server,
    bucket_name: str,
    connect: Connect,
    name_storages: Any,
    settings: Settings,
) -> None:
    settings.ALLOWED_HOSTS = ["a.example"]
    connect(s3, bucket_name, AWS_AUTO_CREATE_BUCKET=way == "auto-create")
    name_storages(default=f"{HERE}S3MediaStorage", pictures=f"{HERE}S3PublicMediaStorage")
    if way == "apply":
        call_command("herokuify", "bucket", "--apply", stdout=io.StringIO())
    private, public = storages["default"], storages["pictures"]
    for name in NAMES:
        saved = public.save(name, ContentFile(b"x"))
        with urlopen(Request(public.url(saved), headers={"Origin": "https://a.example"})) as page:
            assert page.read() == b"x"
            assert page.headers["Cache-Control"] == "public, max-age=86400"
            assert page.headers["Access-Control-Allow-Origin"]
    assert public.save("a b.txt", ContentFile(b"1")) != public.save("a b.txt", ContentFile(b"2"))
    hidden = private.save("a.txt", ContentFile(b"x"))
    assert status(private.url(hidden).partition("?")[0]) == 403
    assert status(public.base_url) == 403  # no listing
    policy = json.loads(client_of(s3).get_bucket_policy(Bucket=bucket_name)["Policy"])
    assert policy["Statement"][0]["Resource"] == [f"arn:aws:s3:::{bucket_name}/public-media/*"]


def test_deconstructs_under_its_public_name() -> None:
    path, _, options = S3PublicMediaStorage(location="p").deconstruct()  # type: ignore[attr-defined]
    assert (path, options) == ("herokuify.storage.S3PublicMediaStorage", {"location": "p"})
    assert S3PublicMediaStorage() != S3MediaStorage()
    assert not issubclass(S3PublicMediaStorage, S3StaticStorage)


# Each way to upload: one request, in parts, and open() for writing.
@pytest.mark.parametrize("kind", ["S3MediaStorage", "S3PublicMediaStorage"])
def test_headers_of_the_options_reach_every_file(
    kind: str, aws: S3Server, bucket: str, name_storages: Any
) -> None:
    headers = {"Cache-Control": "max-age=60"}
    name_storages(default={"BACKEND": HERE + kind, "OPTIONS": {"headers": headers}})
    storage = storages["default"]
    large = bytes(9 * 2**20)
    names = [
        storage.save("small.txt", ContentFile(b"x")),
        storage.save("large.bin", ContentFile(large)),
        *("written.txt", "written.bin"),
    ]
    for name, body in [("written.txt", b"x"), ("written.bin", large)]:
        with storage.open(name, "wb") as file:
            file.write(body)
    for name in names:
        head = client_of(aws).head_object(Bucket=bucket, Key=storage.key_of(name))  # type: ignore[attr-defined]
        assert head["CacheControl"] == "max-age=60"
