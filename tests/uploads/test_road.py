"""Direct uploads from the first request to the saved model, on each server."""

import io
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.storage import Storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.forms import modelform_factory
from django.test import Client
from PIL import Image
from pytest_django import Settings

from herokuify.s3 import upload
from herokuify.uploads import staging
from tests.servers import S3Server, client_of
from tests.testapp.models import Album, Document, Photo
from tests.uploads.site import FIELD, IMAGE, Browser, claim_document, put


def picture(kind: str = "PNG", size: tuple[int, int] = (40, 30)) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", size, "teal").save(written, kind)
    return written.getvalue()


def pending(s3: S3Server, bucket: str) -> list[str]:
    listing = client_of(s3).list_objects_v2(Bucket=bucket, Prefix="pending/")
    return [one["Key"] for one in listing.get("Contents", ())]


def head(s3: S3Server, bucket: str, name: str) -> Any:
    return client_of(s3).head_object(Bucket=bucket, Key=f"media/{name}")


class TestModel:
    @pytest.mark.django_db(transaction=True)
    def test_upload_is_copied_to_its_name(
        self, storage: Storage, ada: Browser, s3: S3Server, bucket: str
    ) -> None:
        storage.save("documents/page.html", SimpleUploadedFile("page.html", b"there first"))
        body = b"<script>alert(1)</script>"
        token = ada.upload(FIELD, r"C:\my files\page.html", body, "text/html")
        assert len(pending(s3, bucket)) == 1
        posted = {"file-direct": token}
        assert ada.client.post("/admin/testapp/document/add/", posted).status_code == 302
        name = Document.objects.get().file.name
        assert re.fullmatch(r"documents/page_\w{7}\.html", name)
        assert storage.open(name).read() == body
        assert storage.open("documents/page.html").read() == b"there first"
        # It has the storage's headers: HTML is an attachment.
        found = head(s3, bucket, name)
        assert found["ContentDisposition"] == "attachment"
        assert found["ContentType"] == "text/html"
        assert staging.MARK not in found["Metadata"]
        # The token can be used once.
        assert pending(s3, bucket) == []
        again = ada.client.post("/admin/testapp/document/add/", posted)
        assert "Please upload the file again." in again.content.decode()
        assert Document.objects.count() == 1

    def test_large_file_is_uploaded_and_copied_in_parts(
        self,
        storage: Storage,
        ada: Browser,
        s3: S3Server,
        bucket: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        part = 5 * 2**20
        monkeypatch.setattr(staging, "LARGEST_PUT", part)
        monkeypatch.setattr(staging, "PART", part)
        monkeypatch.setattr(upload, "LARGEST_COPY", part)
        monkeypatch.setattr(upload, "COPIED_PART", part)
        body = bytes(range(256)) * (2 * part // 256) + b"the rest"
        begun = ada.begin(FIELD, "film.mp4", len(body), "video/mp4")
        assert (begun["parts"], begun["partSize"]) == (3, part)
        token = begun["token"]
        assert ada.ask("parts", token=token)[1]["received"] == []
        assert put(begun["requests"]["3"], b"the rest") == 200
        assert put(begun["requests"]["1"], body[:part]) == 200
        # After a reload of the page, the server knows which parts exist.
        assert ada.ask("parts", token=token)[1]["received"] == [1, 3]
        status, answer = ada.ask("finish", token=token)
        assert (status, answer["missing"]) == (409, [2])
        more = ada.ask("parts", token=token, numbers="2,9")[1]["requests"]
        assert list(more) == ["2"]
        assert put(more["2"], body[part : 2 * part]) == 200
        assert ada.ask("finish", token=token)[0] == 200
        assert ada.ask("finish", token=token)[0] == 200  # as if the response had been lost
        assert ada.ask("parts", token=token)[1]["received"] == [1, 2, 3]
        page = ada.client.post("/admin/testapp/document/add/", {"file-direct": token})
        assert page.status_code == 302
        saved = Document.objects.get().file
        assert saved.name == "documents/film.mp4"
        assert saved.read() == body
        found = head(s3, bucket, saved.name)
        assert found["ContentType"] == "video/mp4"
        assert found["ETag"].strip('"').endswith("-3")

    def test_invalid_form_keeps_the_upload(
        self, storage: Storage, ada: Browser, settings: Settings, s3: S3Server, bucket: str
    ) -> None:
        token = ada.upload(IMAGE, "a.png", picture(), "image/png")
        posted = {
            "title": "",
            "photo_set-TOTAL_FORMS": "1",
            "photo_set-INITIAL_FORMS": "0",
            "photo_set-0-image-direct": token,
        }
        page = ada.client.post("/admin/testapp/album/add/", posted)
        assert page.status_code == 200
        html = page.content.decode()
        assert f'name="photo_set-0-image-direct" value="{token}"' in html
        assert "a.png" in html
        assert '/static/herokuify/uploads.js" defer' in html
        posted["title"] = "Alps"
        assert ada.client.post("/admin/testapp/album/add/", posted).status_code == 302
        photo = Album.objects.get().photo_set.get()
        assert (photo.image.name, photo.width, photo.height) == ("photos/a.png", 40, 30)

    @pytest.mark.parametrize(
        ("name", "body", "message"),
        [
            ("page.png", b"<script>alert(1)</script>", "not an image or a corrupted image"),
            ("a.txt", None, "txt” is not allowed"),
        ],
    )
    def test_validators_see_the_file(
        self, storage: Storage, ada: Browser, name: str, body: bytes | None, message: str
    ) -> None:
        token = ada.upload(IMAGE, name, body or picture(), "image/png")
        form = {
            "title": "Alps",
            "photo_set-TOTAL_FORMS": "1",
            "photo_set-INITIAL_FORMS": "0",
            "photo_set-0-image-direct": token,
        }
        page = ada.client.post("/admin/testapp/album/add/", form)
        assert message in page.content.decode()
        assert not Photo.objects.exists()

    def test_file_in_the_form_takes_precedence(self, storage: Storage, ada: Browser) -> None:
        """A visitor without JavaScript may choose another file in the redisplayed form."""
        token = ada.upload(FIELD, "a.txt", b"direct")
        posted = {"file-direct": token, "file": SimpleUploadedFile("b.txt", b"with the form")}
        ada.client.post("/admin/testapp/document/add/", posted)
        assert Document.objects.get().file.read() == b"with the form"

    def test_claimed_file_behaves_like_djangos(self, storage: Storage, ada: Browser) -> None:
        token = ada.upload(FIELD, "a.txt", b"one\ntwo\n", "text/plain")
        file = claim_document(token, "ada")
        assert (file.name, file.size, file.content_type) == ("a.txt", 8, "text/plain")
        assert not file.closed
        assert [*file] == [b"one\n", b"two\n"]
        assert file.read() == b""
        assert b"".join(file.open().chunks()) == b"one\ntwo\n"
        file.close()
        with pytest.raises(ValueError, match="closed file"):
            file.read()
        with file.open("r") as text:
            assert text.read() == "one\ntwo\n"
        # After it was saved, it can be read, and saved again.
        for _ in range(2):
            name = storage.save("x.txt", file.open("rb"))
            assert storage.open(name).read() == file.read() == b"one\ntwo\n"


class TestPlainForm:
    def test_cleaned_value_is_a_file(self, storage: Storage, visitor: Browser) -> None:
        page = visitor.client.get("/notes/").content.decode()
        assert 'data-direct-upload="/uploads/"' in page
        assert 'accept="text/*"' in page
        token = visitor.upload("notes", "a.md", b"# Title")
        answer = visitor.client.post("/notes/", {"title": "x", "notes-direct": token})
        assert answer.json() == {
            "name": "a.md",
            "size": 7,
            "type": "text/markdown",
            "text": "# Title",
        }
        # A form without a title is invalid, and keeps the upload.
        page = visitor.client.post("/notes/", {"notes-direct": token}).content.decode()
        assert f'value="{token}"' in page
        assert " required" not in re.search(r'<input type="file"[^>]*>', page)[0]  # type: ignore[index]

    @pytest.mark.once  # Django 4.2.0 has no input for several files
    def test_several_files(self, storage: Storage, ada: Browser) -> None:
        tokens = [ada.upload("pictures", f"{n}.png", picture()) for n in range(2)]
        third = SimpleUploadedFile("c.png", picture())
        answer = ada.client.post("/pictures/", {"pictures-direct": tokens, "pictures": third})
        assert answer.json() == {"names": ["c.png", "0.png", "1.png"], "errors": "{}"}
        assert ada.client.post("/pictures/").json() == {"names": [], "errors": "{}"}
        bad = ada.upload("pictures", "bad.png", b"no picture")
        answer = ada.client.post("/pictures/", {"pictures-direct": [*tokens, bad]})
        assert "corrupted image" in answer.json()["errors"]


class TestRefusals:
    @pytest.mark.parametrize(
        ("asked", "status"),
        [
            ({"field": "unknown"}, 404),
            ({"field": FIELD}, 403),
            ({"field": "pictures"}, 403),
            ({"size": 1001}, 413),
            ({"size": 0}, 400),
            ({"size": "-1"}, 400),
            ({"size": "1e3"}, 400),
            ({"name": "a/.."}, 400),
            ({"name": "a.png", "type": "image/png"}, 415),
            ({"name": "a.png", "type": "text/html\r\nX: y"}, 415),
        ],
    )
    def test_begin(
        self, storage: Storage, visitor: Browser, asked: dict[str, Any], status: int
    ) -> None:
        fields = {"field": "notes", "name": "a.txt", "size": 10, "type": "text/plain", **asked}
        found, answer = visitor.ask("begin", **fields)
        assert found == status
        assert answer["error"]

    def test_pending_bytes_of_a_visitor_are_limited(
        self, storage: Storage, visitor: Browser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        visitor.begin("notes", "a.txt", 1000)
        second = visitor.begin("notes", "b.txt", 1000)
        refused = {"field": "notes", "name": "c.txt", "size": 1000}
        assert visitor.ask("begin", **refused)[0] == 429
        # The URL of an aborted upload is still valid, so it counts.
        assert visitor.ask("abort", token=second["token"])[0] == 200
        assert put(second["requests"]["1"], b"x" * 1000) == 200
        assert visitor.ask("begin", **refused)[0] == 429
        # An aborted multipart upload no longer counts.
        monkeypatch.setattr(staging, "LARGEST_PUT", 10)
        third = visitor.begin("notes", "c.txt", 500)
        assert visitor.ask("begin", **refused)[0] == 429
        assert visitor.ask("abort", token=third["token"])[0] == 200
        assert visitor.ask("begin", **{**refused, "size": 500})[0] == 200

    def test_aborted_upload_is_deleted(
        self, storage: Storage, visitor: Browser, s3: S3Server, bucket: str
    ) -> None:
        token = visitor.upload("notes", "a.txt", b"text")
        assert visitor.ask("abort", token=token)[0] == 200
        assert pending(s3, bucket) == []
        assert visitor.ask("finish", token=token)[0] == 409

    def test_get_and_missing_csrf_token(self, storage: Storage) -> None:
        for action in ("begin", "parts", "finish", "abort"):
            assert Client().get(f"/uploads/{action}").status_code == 405
            client = Client(enforce_csrf_checks=True)
            assert client.post(f"/uploads/{action}").status_code == 403


class TestWithoutABucket:
    def test_input_is_djangos(
        self, uploads: None, settings: Settings, log_in: Callable[..., Browser]
    ) -> None:
        form = modelform_factory(Document, fields="__all__")()
        shown = form.as_div(), str(form.media)
        settings.HEROKUIFY_DIRECT_UPLOADS = {}
        plain = modelform_factory(Document, fields="__all__")()
        assert shown == (plain.as_div(), str(plain.media))
        assert form.as_div() == shown[0]  # even without its rule
        assert type(plain.fields["file"]).__name__ == "FileField"
