"""What S3 and the site refuse. Only Ceph checks signatures; moto doesn't."""

import time
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import Storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http.multipartparser import MultiPartParser
from django.test import Client
from pytest_django import Settings

from herokuify.exceptions import ConfigurationError, S3Error
from herokuify.uploads.claims import MIDDLEWARE
from herokuify.uploads.tokens import SECONDS, Token
from tests.servers import S3Server, client_of
from tests.storage.helpers import on_ceph
from tests.testapp.models import Document
from tests.uploads.site import FIELD, IMAGE, Browser, claim_document, put

AGAIN = "Please upload the file again."


def add(browser: Browser, token: str) -> str:
    """Submit the admin's form; return the page with the errors, or "" if it was saved."""
    answer = browser.client.post("/admin/testapp/document/add/", {"file-direct": token})
    return "" if answer.status_code == 302 else answer.content.decode()


@on_ceph
class TestPut:
    def test_only_what_was_signed_is_taken(
        self, storage: Storage, ada: Browser, s3: S3Server, bucket: str
    ) -> None:
        begun = ada.begin(FIELD, "a.txt", 5, "text/plain")
        request = begun["requests"]["1"]
        assert put(request, b"larger") == 403
        assert put(request, b"tiny") == 403
        assert put(request, b"hello", content_type="text/html") == 403
        assert put(request, b"hello", if_none_match="x") == 403
        assert put(request, b"hello", x_amz_meta_herokuify_upload="x") == 403
        assert put({**request, "headers": {}}, b"hello") == 403
        elsewhere = request["url"].replace("/pending/", "/media/")
        assert put({**request, "url": elsewhere}, b"hello") == 403
        assert not client_of(s3).list_objects_v2(Bucket=bucket).get("Contents")
        assert put(request, b"hello") == 200
        assert put(request, b"other") == 412
        assert ada.ask("finish", token=begun["token"])[0] == 200
        assert add(ada, begun["token"]) == ""
        assert Document.objects.get().file.read() == b"hello"

    def test_part_has_its_length(
        self, storage: Storage, ada: Browser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("herokuify.uploads.staging.LARGEST_PUT", 5)
        begun = ada.begin(FIELD, "a.txt", 6, "text/plain")
        request = begun["requests"]["1"]
        assert put(request, b"larger!") == 403
        other = request["url"].replace("partNumber=1", "partNumber=2")
        assert put({**request, "url": other}, b"length") == 403
        assert put(request, b"length") == 200
        assert ada.ask("finish", token=begun["token"])[0] == 200

    def test_url_expires(self, storage: Storage, ada: Browser) -> None:
        before = time.time() - 901
        with patch("herokuify.storage.urls.time.time", lambda: before):
            request = ada.begin(FIELD, "a.txt", 5, "text/plain")["requests"]["1"]
        assert put(request, b"hello") == 403


class TestClaim:
    def test_others_tokens_are_refused(
        self,
        storage: Storage,
        ada: Browser,
        visitor: Browser,
        log_in: Callable[..., Browser],
    ) -> None:
        grace = log_in("grace", "testapp.add_document", "testapp.add_photo")
        hers = grace.upload(FIELD, "a.txt", b"hers")
        assert AGAIN in add(ada, hers)
        for action in ("parts", "finish", "abort"):
            assert ada.ask(action, token=hers)[0] == 410
            assert visitor.ask(action, token=hers)[0] == 410
        # A token for another field.
        photo = grace.upload(IMAGE, "a.png", b"hers", "image/png")
        assert AGAIN in add(grace, photo)
        assert not Document.objects.exists()
        assert add(grace, hers) == ""

    def test_visitors_are_identified_by_their_sessions(
        self, storage: Storage, visitor: Browser
    ) -> None:
        token = visitor.upload("notes", "a.txt", b"text")
        for other in (Browser(Client()), Browser(Client())):
            other.begin("notes", "b.txt", 5)  # creates a session
            answer = other.client.post("/notes/", {"title": "x", "notes-direct": token})
            assert AGAIN in answer.content.decode()
            assert token not in answer.content.decode()
        answer = visitor.client.post("/notes/", {"title": "x", "notes-direct": token})
        assert answer.json()["text"] == "text"

    def test_visitor_who_logs_in_keeps_the_upload(
        self, storage: Storage, visitor: Browser, ada: Browser
    ) -> None:

        token = visitor.upload("notes", "a.txt", b"text")
        visitor.client.force_login(User.objects.get(username="ada"))
        answer = visitor.client.post("/notes/", {"title": "x", "notes-direct": token})
        assert answer.json()["text"] == "text"

    def test_forged_and_old_tokens_are_refused(
        self, storage: Storage, ada: Browser, s3: S3Server, bucket: str
    ) -> None:
        token = ada.upload(FIELD, "a.txt", b"text")
        assert AGAIN in add(ada, f"{token}x")
        assert AGAIN in add(ada, "x")
        later = time.time() + SECONDS + 1
        with patch("django.core.signing.time.time", lambda: later):
            assert Token.loads(token) is None
        # Another object with the same key is not the upload.
        found = Token.loads(token)
        assert found is not None
        client_of(s3).put_object(Bucket=bucket, Key=found.key, Body=b"text")
        assert AGAIN in add(ada, token)
        assert not Document.objects.exists()

    def test_replaced_object_is_not_saved(
        self, storage: Storage, ada: Browser, s3: S3Server, bucket: str
    ) -> None:
        """It is replaced after the form was cleaned; Ceph 16 ignores CopySourceIfMatch."""
        file = claim_document(ada.upload(FIELD, "a.txt", b"text"), "ada")
        key = file.stored.address["Key"]
        client_of(s3).put_object(Bucket=bucket, Key=key, Body=b"evil")
        with pytest.raises(S3Error, match="was replaced"):
            storage.save("documents/a.txt", file)
        assert not storage.exists("documents/a.txt")

    @pytest.mark.parametrize(
        "stricter",
        [
            {"max_size": 3},
            {"max_size": 100, "types": ["image/*"]},
            {"max_size": 100, "who": lambda request: False},
        ],
    )
    def test_stricter_rule_applies_to_existing_uploads(
        self, storage: Storage, ada: Browser, settings: Settings, stricter: dict[str, Any]
    ) -> None:
        token = ada.upload(FIELD, "a.txt", b"text")
        settings.HEROKUIFY_DIRECT_UPLOADS = {FIELD: stricter}
        assert AGAIN in add(ada, token)
        assert ada.ask("parts", token=token, numbers=1)[0] == 410

    def test_permission_that_was_taken_away_is_needed(
        self, storage: Storage, log_in: Callable[..., Browser]
    ) -> None:

        grace = log_in("grace", "testapp.view_document")
        assert grace.ask("begin", field=FIELD, name="a.txt", size=4)[0] == 403
        mary = log_in("mary", "testapp.add_document")
        token = mary.upload(FIELD, "a.txt", b"text")
        User.objects.get(username="mary").user_permissions.clear()
        for action in ("parts", "finish", "abort"):
            assert mary.ask(action, token=token)[0] == 410

    def test_claimed_twice_before_it_is_saved(
        self, storage: Storage, ada: Browser, s3: S3Server, bucket: str
    ) -> None:
        """As in concurrent requests: each gets a copy or an error, never a partial file."""
        token = ada.upload(FIELD, "a.txt", b"text")
        first, second, third = (claim_document(token, "ada") for _ in range(3))
        names = {storage.save("documents/a.txt", one) for one in (first, second)}
        assert [storage.open(name).read() for name in names] == [b"text", b"text"]
        client_of(s3).delete_object(Bucket=bucket, Key=third.stored.address["Key"])
        with pytest.raises((FileNotFoundError, S3Error)):
            storage.save("documents/b.txt", third)
        assert not storage.exists("documents/b.txt")

    def test_html_named_as_an_image(
        self, storage: Storage, ada: Browser, s3: S3Server, bucket: str
    ) -> None:
        page = b"<script>alert(1)</script>"
        for content_type in ("text/html", "image/png"):
            assert add(ada, ada.upload(FIELD, "a.png", page, content_type)) == ""
            name = Document.objects.latest("pk").file.name
            found = client_of(s3).head_object(Bucket=bucket, Key=f"media/{name}")
            is_image = found["ContentType"] == "image/png"
            assert is_image or found["ContentDisposition"] == "attachment"

    @pytest.mark.parametrize(
        "given",
        [
            *("../../etc/passwd.txt", "..\\..\\boot.txt", "a\r\nX: y\x00.txt", "exe\u202etxt.png"),
            *("a" * 300 + ".txt", "a." + "b" * 300, "name&#46;txt", "&#47;..&#47;a.txt", " "),
        ],
    )
    def test_name_is_cleaned_as_by_django(self, storage: Storage, ada: Browser, given: str) -> None:
        found = Token.loads(ada.begin(FIELD, given, 4, "image/png")["token"])
        assert found is not None
        parser: Any = MultiPartParser
        clean = parser.sanitize_file_name(None, given)
        assert found.name == SimpleUploadedFile(clean, b"").name
        assert len(found.name) <= 255
        assert not set(found.name) & set("/\\\r\n\x00\u202e")

    @pytest.mark.parametrize("name", ["", "..", "a/", "\n", "x/.."])
    def test_invalid_name(self, storage: Storage, ada: Browser, name: str) -> None:
        assert ada.ask("begin", field=FIELD, name=name, size=4)[0] == 400

    def test_type_is_as_the_form_takes_it(
        self, storage: Storage, ada: Browser, s3: S3Server, bucket: str
    ) -> None:
        """Whatever the client sends, the object gets the headers of an ordinary upload."""

        def headers() -> dict[str, Any]:
            name = Document.objects.latest("pk").file.name
            found = client_of(s3).head_object(Bucket=bucket, Key=f"media/{name}")
            keys = ("ContentType", "ContentDisposition", "CacheControl", "ContentEncoding")
            return {key: found.get(key) for key in keys}

        for name, content_type in (
            ("a.svg", "image/svg+xml"),
            ("a.png", "image/png; charset=utf-8, text/html"),
            ("a.html", "image/png"),
            ("a.png", "TEXT/HTML"),
            ("a.svg", ""),
        ):
            assert add(ada, ada.upload(FIELD, name, b"<svg/>", content_type)) == ""
            direct = headers()
            file = SimpleUploadedFile(name, b"<svg/>", content_type)
            answer = ada.client.post("/admin/testapp/document/add/", {"file": file})
            assert answer.status_code == 302
            assert direct == headers(), (name, content_type)
            is_inert = direct["ContentType"] == "image/png"
            assert is_inert or direct["ContentDisposition"] == "attachment"

    def test_part_numbers(
        self, storage: Storage, ada: Browser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("herokuify.uploads.staging.LARGEST_PUT", 5)
        token = ada.begin(FIELD, "a.txt", 6, "text/plain")["token"]
        status, answer = ada.ask("parts", token=token, numbers="0,1,2,10001,-1,١")
        assert (status, sorted(answer["requests"])) == (200, ["1"])
        ada.ask("abort", token=token)

    def test_middleware_is_needed(self, storage: Storage, ada: Browser, settings: Settings) -> None:
        token = ada.upload(FIELD, "a.txt", b"text")
        settings.MIDDLEWARE = [one for one in settings.MIDDLEWARE if one != MIDDLEWARE]
        browser: Any = Browser(Client())
        browser.client.cookies = ada.client.cookies
        with pytest.raises(ConfigurationError, match="DirectUploadMiddleware is not in MIDDLEWARE"):
            add(browser, token)
