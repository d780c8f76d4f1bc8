"""What visitors can read, and whether the release is complete; only Ceph checks policies."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.management import call_command
from pytest_django import Settings

from herokuify.doctor import published
from tests import replay
from tests.doctor.conftest import (
    HOST,
    MANIFEST,
    MEDIA,
    PUBLIC,
    STATIC,
    Diagnose,
    allow_fonts,
    contents,
    deny,
    policy,
)
from tests.replay import Document, Proxy
from tests.servers import S3Server, client_of
from tests.storage.helpers import on_ceph
from tests.storages import Connect

pytestmark = pytest.mark.no_django

APPLY = "herokuify bucket --apply"


@on_ceph
class TestPublicAccess:
    def test_private_static_files_fail(
        self, aws: S3Server, bucket: str, s3_storages: None, diagnose: Diagnose
    ) -> None:
        found = diagnose()
        assert found.failed == ["static.public"]
        public = found.of("static.public")
        assert "403 AccessDenied" in public.message
        assert APPLY in public.hint
        assert "CDN" not in public.hint
        assert found.of("static.cors").state == "skipped"

    def test_public_media_fails(self, ready: S3Server, bucket: str, diagnose: Diagnose) -> None:
        policy(ready, bucket, {**PUBLIC, "Resource": ["static/*", "media/*"]})
        found = diagnose()
        assert found.failed == ["media.private"]
        private = found.of("media.private")
        assert "Media files are public" in private.message
        assert APPLY in private.hint
        assert "Signature" not in private.text

    @pytest.mark.parametrize("is_public", [False, True])
    def test_media_without_signatures_must_be_public(
        self, ready: S3Server, bucket: str, settings: Settings, diagnose: Diagnose, is_public: bool
    ) -> None:
        settings.AWS_QUERYSTRING_AUTH = False
        if is_public:
            policy(ready, bucket, {**PUBLIC, "Resource": ["static/*", "media/*"]})
        found = diagnose()
        assert ("media.url" in found.failed) == (not is_public)
        if not is_public:
            assert "AWS_QUERYSTRING_AUTH" in found.of("media.url").hint


@pytest.mark.usefixtures("s3_storages")
class TestSignedUrls:
    @pytest.mark.parametrize(
        ("answer", "part", "hint"),
        [
            (replay.Fault.DROPPED, "could not be reached", "AWS_S3_ENDPOINT_URL"),
            (Document("RFC 9110, '200 OK'", b"Hello"), "something else", "AWS_S3_REGION_NAME"),
            (replay.WRONG_SECRET, "403 SignatureDoesNotMatch", "AWS_S3_REGION_NAME"),
        ],
        ids=["dropped", "200", "403"],
    )
    def test_that_fail_are_explained(
        self, proxied: Proxy, diagnose: Diagnose, answer: Any, part: str, hint: str
    ) -> None:
        proxied.rule = lambda request: answer if "X-Amz-Signature" in request.query else None
        url = diagnose().of("media.url")
        assert url.state == "failed"
        assert part in url.message
        assert hint in url.hint
        assert "X-Amz" not in url.text


@on_ceph
class TestFonts:
    def test_missing_rule_fails(self, ready: S3Server, bucket: str, diagnose: Diagnose) -> None:
        client_of(ready).delete_bucket_cors(Bucket=bucket)
        found = diagnose()
        assert found.failed == ["static.cors"]
        assert f"https://{HOST}" in found.of("static.cors").message
        assert APPLY in found.of("static.cors").hint

    def test_missing_origins_are_named(
        self, ready: S3Server, bucket: str, settings: Settings, diagnose: Diagnose
    ) -> None:
        settings.ALLOWED_HOSTS = [HOST, ".example.org", "localhost"]
        settings.CSRF_TRUSTED_ORIGINS = ["https://*.example.net"]
        allow_fonts(ready, bucket, f"https://{HOST}", "https://*.example.org")
        cors = diagnose().of("static.cors")
        assert cors.state == "failed"
        assert "https://example.org, " in cors.message
        assert "https://www.example.net:" in cors.message
        assert HOST not in cors.message
        assert "www.example.org" not in cors.message

    @pytest.mark.parametrize(
        ("hosts", "state"), [([], "skipped"), (["127.0.0.1"], "skipped"), (["*"], "failed")]
    )
    def test_depend_on_allowed_hosts(
        self,
        ready: S3Server,
        settings: Settings,
        diagnose: Diagnose,
        hosts: list[str],
        state: str,
    ) -> None:
        settings.ALLOWED_HOSTS = hosts
        assert diagnose().of("static.cors").state == state

    def test_rule_for_any_site_is_fine(
        self, ready: S3Server, bucket: str, settings: Settings, diagnose: Diagnose
    ) -> None:
        settings.ALLOWED_HOSTS = ["*"]
        allow_fonts(ready, bucket, "*")
        assert diagnose().of("static.cors").state == "ok"


class TestAnotherHost:
    """A CDN, or a mistake: any host in STATIC_URL that isn't S3's counts as a CDN."""

    @pytest.fixture
    def behind(
        self, connect: Connect, moto: S3Server, moto_bucket: str, proxy: Proxy, s3_storages: None
    ) -> Proxy:
        policy(moto, moto_bucket, PUBLIC)
        url = proxy.url.replace("127.0.0.1", "localhost")
        connect(moto, moto_bucket, STATIC_URL=f"{url}/{moto_bucket}/static/")
        return proxy

    @pytest.mark.parametrize(
        ("answer", "part", "hint"),
        [
            (
                replay.Answer(replay.ERRORS, 404, "NoSuchKey", "No."),
                "STATIC_URL is wrong",
                "get_static_url()",
            ),
            (
                Document("RFC 9110, '200 OK'", b"<h1>Hello</h1>"),
                "something other than the file",
                "get_static_url()",
            ),
            (replay.ACCESS_DENIED, "not public", "or have the CDN read s3://"),
            (replay.INTERNAL_ERROR, "500 InternalError", "get_static_url()"),
            (replay.Fault.DROPPED, "could not be reached", "Check the host in STATIC_URL"),
        ],
        ids=["404", "200", "403", "500", "dropped"],
    )
    def test_that_is_wrong_fails(
        self, behind: Proxy, diagnose: Diagnose, answer: Any, part: str, hint: str
    ) -> None:
        behind.rule = lambda request: answer
        found = diagnose()
        public = found.of("static.public")
        assert public.state == "failed"
        assert part in public.message
        assert hint in public.hint
        assert found.of("static.cors").state == "skipped"

    def test_without_cors_fails(self, behind: Proxy, diagnose: Diagnose) -> None:
        page = Document("RFC 9110, '200 OK'", b"")
        behind.rule = lambda request: page if "origin" in request.headers else None
        found = diagnose()
        assert found.states("static.public", "static.cors") == ["ok", "failed"]
        assert "A CDN must pass on" in found.of("static.cors").hint
        another = Document(
            "Fetch Standard, 'CORS check'",
            b"",
            headers={"Access-Control-Allow-Origin": "https://www.example.net"},
        )
        behind.rule = lambda request: another if "origin" in request.headers else None
        assert diagnose().of("static.cors").state == "failed"
        dropped = replay.Fault.DROPPED
        behind.rule = lambda request: dropped if "origin" in request.headers else None
        assert "could not be reached" in diagnose().of("static.cors").message

    def test_with_another_scheme_fails(
        self, behind: Proxy, name_storages: Callable[..., None], diagnose: Diagnose
    ) -> None:
        options = {"base_url": "ftp://files.example.com/static/"}
        name_storages(staticfiles={"BACKEND": STATIC, "OPTIONS": options})
        public = diagnose().of("static.public")
        assert (public.state, public.hint) == ("failed", "Fix STATIC_URL.")

    def test_without_a_scheme_is_https(
        self, behind: Proxy, settings: Settings, diagnose: Diagnose
    ) -> None:
        settings.STATIC_URL = settings.STATIC_URL.removeprefix("http:")
        public = diagnose().of("static.public")
        assert "https://localhost" in public.message  # the proxy has no TLS

    def test_with_an_untrusted_certificate_fails(
        self,
        connect: Connect,
        moto: S3Server,
        moto_bucket: str,
        s3_storages: None,
        tls_url: str,
        diagnose: Diagnose,
    ) -> None:
        connect(moto, moto_bucket, STATIC_URL=f"{tls_url}/static/")
        public = diagnose().of("static.public")
        assert public.state == "failed"
        assert "Browsers don't trust the TLS certificate" in public.message
        assert "AWS_S3_CUSTOM_DOMAIN" in public.hint


@pytest.fixture
def release(
    ready: S3Server,
    settings: Settings,
    name_storages: Callable[..., None],
    local_root: Path,
    tmp_path: Path,
) -> S3Server:
    """A published release: a style sheet, a script and a font."""
    source = tmp_path / "source"
    for name, text in {"a.css": "a{}" * 500, "b.js": "1", "f.woff2": "f"}.items():
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text(text)
    settings.STATICFILES_DIRS = [str(source)]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.COMPRESS_STORAGE = MANIFEST
    name_storages(default=MEDIA, staticfiles=MANIFEST)
    collect()
    return ready


def collect() -> None:
    call_command("collectstatic", interactive=False, verbosity=0)


def hashed(name: str) -> str:
    storage: Any = storages["staticfiles"]
    return str(storage.hashed_files[name])


class TestFiles:
    def test_complete_release_is_fine(
        self, release: S3Server, bucket: str, diagnose: Diagnose
    ) -> None:
        before = contents(release, bucket)
        found = diagnose()
        assert found.failed == []
        assert "All 3 files" in found.of("static.files").message
        assert found.of("static.headers").state == "ok"
        assert contents(release, bucket) == before

    def test_missing_file_fails(self, release: S3Server, bucket: str, diagnose: Diagnose) -> None:
        gone = hashed("b.js")
        client_of(release).delete_object(Bucket=bucket, Key=f"static/{gone}")
        found = diagnose()
        assert found.failed == ["static.files"]
        files = found.of("static.files")
        assert files.message.startswith("1 of ")
        assert gone in files.message
        assert files.hint == "python manage.py collectstatic --noinput"
        collect()
        assert diagnose().failed == []

    def test_missing_bundle_fails(
        self, release: S3Server, local_root: Path, diagnose: Diagnose
    ) -> None:
        folder = local_root / "CACHE"
        folder.mkdir()
        bundle = "CACHE/css/output.0123456789ab.css"
        manifest = {"0" * 64: f'<link rel="stylesheet" href="/{bundle}">'}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        (folder / "herokuify-bundles.json").write_text(json.dumps([bundle]))
        files = diagnose().of("static.files")
        assert files.state == "failed"
        assert bundle in files.message
        (folder / "manifest.json").write_text("{")
        files = diagnose().of("static.files")
        assert files.state == "failed"
        assert "python manage.py compress" in files.hint

    @pytest.mark.parametrize("dyno", [False, True])
    def test_missing_manifest_fails_on_a_dyno(
        self,
        release: S3Server,
        local_root: Path,
        diagnose: Diagnose,
        monkeypatch: pytest.MonkeyPatch,
        dyno: bool,
    ) -> None:
        storage: Any = storages["staticfiles"]
        (local_root / storage.manifest_name).unlink()
        storage.reload_manifests()
        monkeypatch.delenv("CI", raising=False)  # which would be another stage
        if dyno:
            monkeypatch.setenv("DYNO", "web.1")
        files = diagnose().of("static.files")
        assert files.state == ("failed" if dyno else "skipped")
        if dyno:
            assert "DISABLE_COLLECTSTATIC" in files.hint

    def test_long_listing_is_a_warning(
        self, release: S3Server, diagnose: Diagnose, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(published, "LISTING_SECONDS", -1.0)
        assert diagnose().of("static.files").state == "warning"

    def test_cors_fails_only_with_fonts(
        self, release: S3Server, settings: Settings, diagnose: Diagnose, local_root: Path
    ) -> None:
        settings.ALLOWED_HOSTS = ["www.example.net"]
        if release.name == "moto":  # which allows any origin
            return
        assert diagnose().of("static.cors").state == "failed"
        storage: Any = storages["staticfiles"]
        manifest = local_root / storage.manifest_name
        document = json.loads(manifest.read_text())
        del document["paths"]["f.woff2"]
        manifest.write_text(json.dumps(document))
        storage.reload_manifests()
        assert diagnose().of("static.cors").state == "warning"


class TestHeaders:
    @pytest.fixture
    def change(self, settings: Settings, name_storages: Callable[..., None]) -> Callable[..., None]:
        """Change settings, and have storages made again."""

        def change(**values: Any) -> None:
            for name, value in values.items():
                setattr(settings, name, value)
            name_storages(default=MEDIA, staticfiles=MANIFEST)

        return change

    def test_changed_setting_is_a_warning(
        self, release: S3Server, change: Callable[..., None], diagnose: Diagnose
    ) -> None:
        change(
            AWS_HEADERS={"Cache-Control": "max-age=5", "x-amz-meta-owner": "me"},
            AWS_EXTRA_HEADERS=[(r".*\.css$", {"Content-Language": "en"})],
        )
        headers = diagnose().of("static.headers")
        assert headers.state == "warning"
        assert "instead of max-age=5" in headers.message
        assert "no x-amz-meta-owner and should have me" in headers.message
        assert "no content-language and should have en" in headers.message
        assert headers.hint == "python manage.py collectstatic --noinput"
        collect()
        assert diagnose().of("static.headers").state == "ok"
        # A header that is no longer in the settings.
        change(AWS_HEADERS={}, AWS_EXTRA_HEADERS=[])
        headers = diagnose().of("static.headers")
        assert headers.state == "warning"
        assert "x-amz-meta-owner: me, which is not in the settings" in headers.message
        assert "content-language: en, which is not in the settings" in headers.message
        collect()
        assert diagnose().of("static.headers").state == "ok"

    def test_gzip_and_dates_are_no_difference(
        self, release: S3Server, change: Callable[..., None], diagnose: Diagnose
    ) -> None:
        change(AWS_IS_GZIPPED=True, AWS_HEADERS={"Expires": "Thu, 31 Dec 2037 23:55:55 GMT"})
        collect()
        assert diagnose().of("static.headers").state == "ok"

    def test_storage_class_is_compared(
        self, release: S3Server, change: Callable[..., None], diagnose: Diagnose
    ) -> None:
        change(AWS_HEADERS={"x-amz-storage-class": "STANDARD_IA"})
        message = diagnose().of("static.headers").message
        assert "no x-amz-storage-class and should have STANDARD_IA" in message

    @on_ceph
    def test_denied_access_fails(self, release: S3Server, bucket: str, diagnose: Diagnose) -> None:
        policy(release, bucket, PUBLIC, deny("s3:GetObject", "static/*"))
        found = diagnose()
        assert found.failed == ["s3.get", "static.public", "static.headers"]
        assert "s3:GetObject" in found.of("static.headers").message

    def test_upload_tokens_don_t_count(self, release: S3Server, diagnose: Diagnose) -> None:
        name = f"static/{hashed('a.css')}"
        client = client_of(release)
        bucket = storages["staticfiles"].bucket_name  # type: ignore[attr-defined]
        head = client.head_object(Bucket=bucket, Key=name)
        client.put_object(
            Bucket=bucket,
            Key=name,
            Body=b"a{}",
            ContentEncoding="aws-chunked",
            ContentType=head["ContentType"],
            CacheControl=head["CacheControl"],
            Metadata={"herokuify-save": "0"},
        )
        assert diagnose().of("static.headers").state == "ok"


class TestListing:
    @pytest.fixture
    def manifest(
        self,
        proxied: Proxy,
        settings: Settings,
        name_storages: Callable[..., None],
        local_root: Path,
    ) -> Proxy:
        """A manifest whose file is nowhere."""
        local_root.mkdir()
        document = {"version": "1.1", "hash": "", "paths": {"a.css": "a.0123456789ab.css"}}
        (local_root / "staticfiles.json").write_text(json.dumps(document))
        settings.COMPRESS_STORAGE = MANIFEST
        name_storages(staticfiles=MANIFEST)
        return proxied

    def test_without_the_release(self, manifest: Proxy, diagnose: Diagnose) -> None:
        found = diagnose()
        assert found.of("static.files").state == "failed"
        assert found.of("static.headers").state == "skipped"

    def test_refused_in_the_middle(self, manifest: Proxy, diagnose: Diagnose) -> None:
        manifest.on("ListObjects", None, replay.ACCESS_DENIED)
        found = diagnose()
        assert found.of("s3.list").state == "ok"
        assert "s3:ListBucket" in found.of("static.files").message

    def test_refused_at_once(self, manifest: Proxy, diagnose: Diagnose) -> None:
        manifest.on("ListObjects", replay.ACCESS_DENIED)
        found = diagnose()
        assert found.of("s3.list").state == "failed"
        assert found.of("static.files").message == "unknown, because s3.list failed"


def test_plain_storage_has_no_manifest(ready: S3Server, diagnose: Diagnose) -> None:
    storages["staticfiles"].save("a.css", ContentFile(b"a{}"))
    found = diagnose()
    assert found.states("static.files", "static.headers") == ["skipped"] * 2
    assert "S3StaticStorage has no manifest" in found.of("static.files").message


def test_public_uploads(
    aws: S3Server, bucket: str, name_storages: Any, settings: Settings, diagnose: Diagnose
) -> None:
    """First private, then public, then at an address that only browsers can reach."""
    name_storages(default="herokuify.storage.S3PublicMediaStorage")
    if aws.name != "moto":  # where anyone can read
        found = diagnose().of("media.url")
        assert found.state == "failed"
        assert "herokuify bucket --apply" in found.hint
    call_command("herokuify", "bucket", "--apply", stdout=io.StringIO())
    told = diagnose()
    assert told.states("s3.put", "media.url", "s3.delete") == ["ok"] * 3
    assert "media.private" not in {one.probe for one in told.findings}
    # An HTML page that another tool has uploaded.
    assert told.of("media.headers").state == "skipped"
    name = storages["default"].save("new.html", ContentFile(b"x"))
    assert diagnose().of("media.headers").state == "ok"
    client_of(aws).put_object(
        Bucket=bucket, Key=f"public-media/old{name}", Body=b"x", ContentType="text/html"
    )
    old = diagnose().of("media.headers")
    assert old.state == "warning"
    assert "1 of 2 uploads" in old.message
    assert "oldnew.html (CacheControl, ContentDisposition)" in old.message
    assert "herokuify headers" in old.hint
    settings.AWS_S3_PUBLIC_ENDPOINT_URL = "http://127.0.0.1:9"
    name_storages(default="herokuify.storage.S3PublicMediaStorage")
    found = diagnose().of("media.url")
    assert found.state == "warning"
    assert "address for browsers, can't be reached from here" in found.message
