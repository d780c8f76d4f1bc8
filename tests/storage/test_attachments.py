"""Files that browsers would run as the site's own pages."""

import io
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.uploadedfile import SimpleUploadedFile
from pytest_django import Settings

from herokuify.storage import S3BotoStorage, S3MediaStorage, S3StaticStorage
from tests.servers import S3Server

pytestmark = pytest.mark.no_django

PAGE = b"<script>alert(1)</script>"


def sent(storage: Any, name: str, content_type: str | None = None) -> dict[str, Any]:
    parameters: dict[str, Any] = storage.parameters_for(name, content_type)
    return parameters


@pytest.mark.usefixtures("no_sockets")
class TestTypes:
    @pytest.mark.parametrize(
        ("name", "content_type"),
        [
            ("a.html", None),
            ("a.htm", None),
            ("a.HTML", None),
            ("a.xhtml", None),
            ("a.svg", None),
            ("a.svgz", None),
            ("a.xml", None),
            ("a.xsl", None),
            ("a.js", None),
            ("a.mjs", None),
            ("a.png", "text/html"),
            ("a.png", "TEXT/HTML ; charset=utf-8"),
            ("a.png", "application/mathml+xml"),
            ("a.png", "application/unknown"),
            ("a.png", "*/*"),
        ],
    )
    def test_downloads(self, name: str, content_type: str | None) -> None:
        assert sent(S3MediaStorage(), name, content_type)["ContentDisposition"] == "attachment"

    @pytest.mark.parametrize(
        ("name", "content_type"),
        [
            ("a.png", None),
            ("a.pdf", None),
            ("a.css", None),
            ("a.json", None),
            ("a.txt", None),
            ("unknown", None),
            ("a.mp4", None),
            ("a.docx", None),
            ("a.html", "image/png"),  # shown as what it is not: a broken image
        ],
    )
    def test_shown(self, name: str, content_type: str | None) -> None:
        assert "ContentDisposition" not in sent(S3MediaStorage(), name, content_type)

    @pytest.mark.parametrize("storage_class", [S3BotoStorage, S3StaticStorage])
    def test_other_storages_send_none(self, storage_class: Any) -> None:
        assert "ContentDisposition" not in sent(storage_class(), "a.html")

    @pytest.mark.parametrize(
        "content_type", ["html", "", "text/", "/html", "text/html\r\nX: y", "text/ä", "a/b c"]
    )
    def test_types_that_are_none(self, content_type: str) -> None:
        """A browser that is told nonsense guesses; the name is a better guess."""
        assert sent(S3MediaStorage(), "a.png", content_type)["ContentType"] == "image/png"
        assert sent(S3MediaStorage(), "a.html", content_type)["ContentDisposition"] == "attachment"

    @pytest.mark.parametrize("content_type", ["text/plain; charset=utf-8", 'a/b;c="d e"', "x-y/z"])
    def test_types_that_are_some(self, content_type: str) -> None:
        assert sent(S3MediaStorage(), "a.png", content_type)["ContentType"] == content_type


@pytest.mark.usefixtures("no_sockets")
class TestSettings:
    @pytest.mark.parametrize("way", ["headers", "extra_headers", "object_parameters"])
    def test_headers_win(self, settings: Settings, way: str) -> None:
        if way == "headers":
            settings.AWS_HEADERS = {"Content-Disposition": "inline"}
        elif way == "extra_headers":
            settings.AWS_EXTRA_HEADERS = [(r".*\.svg$", {"Content-Disposition": "inline"})]
        else:
            settings.AWS_S3_OBJECT_PARAMETERS = {"ContentDisposition": "inline"}
        assert sent(S3MediaStorage(), "a.svg")["ContentDisposition"] == "inline"

    def test_a_type_from_the_settings_counts(self, settings: Settings) -> None:
        settings.AWS_EXTRA_HEADERS = [(r".*\.html$", {"Content-Type": "text/plain"})]
        assert "ContentDisposition" not in sent(S3MediaStorage(), "a.html")

    def test_own_types(self, settings: Settings) -> None:
        settings.AWS_ATTACHMENT_TYPES = ["application/PDF", "image/*"]
        storage = S3MediaStorage()
        assert sent(storage, "a.pdf")["ContentDisposition"] == "attachment"
        assert sent(storage, "a.png")["ContentDisposition"] == "attachment"
        assert "ContentDisposition" not in sent(storage, "a.html")
        assert "ContentDisposition" not in sent(S3MediaStorage(attachment_types=[]), "a.pdf")

    def test_public_media_are_shown_unless_types_are_named(self, settings: Settings) -> None:
        settings.AWS_QUERYSTRING_AUTH = False
        assert "ContentDisposition" not in sent(S3MediaStorage(), "a.html")
        settings.AWS_ATTACHMENT_TYPES = ["text/html"]
        assert sent(S3MediaStorage(), "a.html")["ContentDisposition"] == "attachment"

    @pytest.mark.parametrize("value", ["text/html", b"bytes", 7, [7], [""], [None]])
    def test_nonsense(self, settings: Settings, value: Any) -> None:
        settings.AWS_ATTACHMENT_TYPES = value
        with pytest.raises(ImproperlyConfigured, match="TYPES is .*it must be a list"):
            S3MediaStorage()


@pytest.mark.parametrize("size", [1, 400_000])
def test_on_a_server(aws: S3Server, size: int) -> None:
    storage = S3MediaStorage()
    storage.save("a.html", SimpleUploadedFile("a.html", PAGE * size, "text/html"))
    with storage.open("b.html", "wb") as file:
        file.write(PAGE * size)
    for name in ("a.html", "b.html"):
        head = storage.client.head_object(Bucket=storage.bucket_name, Key=f"media/{name}")
        assert head["ContentDisposition"] == "attachment"
        assert head["ContentType"] == "text/html"
    assert io.BytesIO(storage.open("a.html").read(10)).read() == PAGE[:10]
