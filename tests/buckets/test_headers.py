"""`manage.py herokuify headers`: existing uploads get the headers of new ones."""

import io
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from pytest_django import Settings

from herokuify.buckets.headers import header_changes
from herokuify.s3 import rewrite as rewriting
from herokuify.storage import S3MediaStorage
from tests.servers import S3Server, client_of
from tests.storage.helpers import on_moto

pytestmark = pytest.mark.no_django

MEDIA = "herokuify.storage.S3MediaStorage"
HEADERS = ("CacheControl", "ContentDisposition", "ContentEncoding", "ContentType", "Metadata")


def run(*arguments: str) -> str:
    output = io.StringIO()
    call_command("herokuify", "headers", *arguments, stdout=output)
    return output.getvalue()


def head(server: S3Server, bucket: str, key: str) -> dict[str, Any]:
    answer: Any = client_of(server).head_object(Bucket=bucket, Key=key)
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


@pytest.fixture
def earlier(aws: S3Server, bucket: str, name_storages: Any, settings: Settings) -> dict[str, Any]:
    """Objects that other tools have uploaded, with the response to HEAD for each."""
    settings.AWS_HEADERS = {"Cache-Control": "private, max-age=60", "x-amz-meta-site": "shop"}
    secret = {"BACKEND": MEDIA, "OPTIONS": {"location": "media/secret", "headers": {}}}
    name_storages(default=MEDIA, secret=secret, staticfiles="herokuify.storage.S3StaticStorage")
    put = client_of(aws).put_object
    put(Bucket=bucket, Key="media/old.html", Body=b"<script>", ContentType="text/html")
    put(
        Bucket=bucket,
        Key="media/photos/a b.png",
        Body=b"png",
        ContentType="binary/octet-stream",
        CacheControl="max-age=31536000",
        ContentLanguage="de",
        Metadata={"owner": "ada", "site": "old"},
        Tagging="kind=photo",
    )
    put(
        Bucket=bucket,
        Key="media/report.svg",
        Body=b"gz",
        ContentType="image/svg+xml",
        ContentEncoding="gzip",
        ContentDisposition='attachment; filename="r.svg"',
    )
    put(Bucket=bucket, Key="media/folder/", Body=b"")
    put(Bucket=bucket, Key="media/secret/x.txt", Body=b"x", ContentType="text/plain")
    for key in ("static/old.html", "mediaeval/old.html", "old.html", "media/.herokuify/s/i.gz"):
        put(Bucket=bucket, Key=key, Body=b"<script>", ContentType="text/html")
    listed: Any = client_of(aws).list_objects_v2(Bucket=bucket)
    return {item["Key"]: head(aws, bucket, item["Key"]) for item in listed["Contents"]}


def test_shows_and_applies_changes(earlier: dict[str, Any], aws: S3Server, bucket: str) -> None:
    shown = run()
    assert f's3://{bucket}/media/ (STORAGES["default"])' in shown
    assert "old.html\n    CacheControl: private, max-age=60 (was none)" in shown
    assert "ContentDisposition: attachment (was none)" in shown
    assert "ContentType: image/png (was binary/octet-stream)" in shown
    assert "3 checked, 3 to change; nothing has been changed" in shown
    assert {key: head(aws, bucket, key) for key in earlier} == earlier

    assert "3 checked, 3 changed." in run("--apply")
    changed = {key for key, before in earlier.items() if head(aws, bucket, key) != before}
    assert changed == {"media/old.html", "media/photos/a b.png", "media/report.svg"}
    # A new upload has the same headers.
    storage: Any = storages["default"]
    fresh = storage.save("new.html", ContentFile(b"<script>"))
    page, new = head(aws, bucket, "media/old.html"), head(aws, bucket, f"media/{fresh}")
    new["Metadata"].pop("herokuify-save", None)
    assert [page.get(name) for name in HEADERS] == [new.get(name) for name in HEADERS]
    photo = head(aws, bucket, "media/photos/a b.png")
    assert photo["ContentLanguage"] == "de"
    assert photo["Metadata"] == {"owner": "ada", "site": "shop"}
    tags = client_of(aws).get_object_tagging(Bucket=bucket, Key="media/photos/a b.png")["TagSet"]
    assert tags == [{"Key": "kind", "Value": "photo"}]
    drawing = head(aws, bucket, "media/report.svg")
    assert drawing["ContentDisposition"] == 'attachment; filename="r.svg"'
    assert drawing["ContentEncoding"] == "gzip"
    with storage.open("photos/a b.png") as file:
        assert file.read() == b"png"
    # Another run has nothing to do, not even for the new upload.
    assert "4 checked; there is nothing to do." in run("--apply")


def test_rewriting_keeps_acl_and_tags(aws: S3Server, bucket: str, monkeypatch: Any) -> None:
    """The ACL and tags are kept, even if an object is copied in parts."""
    client = client_of(aws)
    put: Any = client.put_object
    body = bytes(11 * 1024 * 1024)
    put(Bucket=bucket, Key="a", Body=body, ACL="public-read", Metadata={"m": "1"}, Tagging="t=1")
    before: Any = client.get_object_acl(Bucket=bucket, Key="a")["Grants"]
    monkeypatch.setattr(rewriting, "PART_SIZE", 5 * 1024 * 1024)
    for number, largest in enumerate((2**40, 5 * 1024 * 1024)):
        monkeypatch.setattr(rewriting, "LARGEST_COPY", largest)
        changes = {"CacheControl": f"max-age={number}"}
        rewriting.rewrite(client, bucket, "a", head(aws, bucket, "a"), changes)
        after = head(aws, bucket, "a")
        assert after["CacheControl"] == f"max-age={number}"
        assert after["Metadata"] == {"m": "1"}
        assert client.get_object(Bucket=bucket, Key="a")["Body"].read() == body
        grants: Any = client.get_object_acl(Bucket=bucket, Key="a")["Grants"]
        assert sorted(map(str, grants)) == sorted(map(str, before))
        tags = client.get_object_tagging(Bucket=bucket, Key="a")["TagSet"]
        assert tags == [{"Key": "t", "Value": "1"}]
    assert after["ETag"].endswith('-3"')
    assert not client.list_multipart_uploads(Bucket=bucket).get("Uploads")


@on_moto
def test_rewriting_keeps_storage_class_and_encryption(aws: S3Server, bucket: str) -> None:
    client = client_of(aws)
    kept = {"StorageClass": "STANDARD_IA", "ServerSideEncryption": "AES256"}
    client.put_object(Bucket=bucket, Key="a", Body=b"x", **kept)  # type: ignore[arg-type]
    rewriting.rewrite(client, bucket, "a", head(aws, bucket, "a"), {"CacheControl": "no-store"})
    after = head(aws, bucket, "a")
    assert {name: after[name] for name in kept} == kept
    assert after["CacheControl"] == "no-store"


@on_moto
def test_new_uploads_need_no_change(aws: S3Server, bucket: str, settings: Settings) -> None:
    """New uploads need no change, whatever the storage's options."""
    for options in (
        {"gzip": True},
        {"extra_headers": [(r".*", {"Expires": "Thu, 31 Dec 2037 23:55:55 GMT"})]},
        {"headers": {"x-amz-meta-Kind": "a", "Content-Language": "de"}},
        {"attachment_types": ["text/css"]},
        {"object_parameters": {"CacheControl": "max-age=1"}},
    ):
        storage = S3MediaStorage(**options)
        for name in ("a.css", "a.html", "a.svgz", "a", "a.tar.gz"):
            saved = storage.save(name, ContentFile(b"a" * 2000))
            found = head(aws, bucket, storage.key_of(saved))
            assert header_changes(storage, saved, found) == {}


def test_without_a_storage_for_uploads_is_an_error(name_storages: Any) -> None:
    name_storages()
    with pytest.raises(CommandError, match="no herokuify storage for uploads"):
        run()
