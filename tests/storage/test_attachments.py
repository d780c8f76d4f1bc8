"""Uploads that a browser could run as a page of the site are attachments."""

import re
from email import headerregistry
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pytest_django import Settings

from herokuify.s3 import content_types
from herokuify.storage import S3BotoStorage, S3MediaStorage, S3StaticStorage
from tests.servers import S3Server

pytestmark = pytest.mark.no_django

PAGE = b"<script>alert(1)</script>"
#: Invalid content types, some with valid parts.
INVALID = [
    *("html", "", " ", "text/", "/html", "text/html/x", "a/b c", "text /html", "text/ä"),
    *("text/html\n", "text/html\r\nX: y", "\ntext/html", "text/ht\0ml", "text/html\x0b"),
    *("image/png;x, text/html", "image/png, text/html", "image/png,text/html", "text/html,"),
    *("a/b\t;x", "text/plain; charset", "text/plain; =utf-8", "text/plain; a b=c"),
    *('text/plain; a="b', 'text/plain; a="b"c', 'text/plain; a="\t"', 'text/plain; a="ä"'),
    *("text/plain; a=(b)", "image/png; x=y, text/html", f"text/{'x' * 300}"),
    *(b"text/html", 7, ("text/html",)),
]
NASTY = ["text/html", "image/png", "text/plain; charset=", "image/svg+xml", ";x, ", "\x7f", "é"]


def sent(storage: Any, name: str, content_type: str | None = None) -> dict[str, Any]:
    parameters: dict[str, Any] = storage.parameters_for(name, content_type)
    return parameters


@pytest.mark.usefixtures("no_sockets")
class TestTypes:
    @pytest.mark.parametrize(
        ("name", "content_type"),
        [
            ("a.html", None),
            ("a.HTML", None),
            ("a.xhtml", None),
            ("a.mhtml", None),
            ("a.svg", None),
            ("a.svgz", None),
            ("a.xml", None),
            ("a.js", None),
            ("a.css", None),
            ("a.json", None),
            ("a.docx", None),
            ("unknown", None),
            ("a.png", "text/html"),
            ("a.png", "TEXT/HTML ; charset=utf-8"),
            ("a.png", "text/html;"),
            ("a.png", "image/svg+xml"),
            ("a.png", "video/mp4+xml"),
            ("a.png", "application/unknown"),
            ("a.png", "multipart/x-mixed-replace;boundary=x"),
            ("a.png", "*/*"),
        ],
    )
    def test_active_types_are_attachments(self, name: str, content_type: str | None) -> None:
        assert sent(S3MediaStorage(), name, content_type)["ContentDisposition"] == "attachment"

    @pytest.mark.parametrize(
        ("name", "content_type"),
        [
            ("a.png", None),
            ("a.ico", None),
            ("a.pdf", None),
            ("a.txt", None),
            ("a.mp4", None),
            ("a.opus", None),
            ("a.woff2", None),
            ("a.bin", "IMAGE/JPEG"),
            ("a.html", "image/png"),  # shown as a broken image
            ("a.png", "text/plain; charset=utf-7"),
        ],
    )
    def test_inert_types_are_inline(self, name: str, content_type: str | None) -> None:
        assert "ContentDisposition" not in sent(S3MediaStorage(), name, content_type)

    @pytest.mark.parametrize("storage_class", [S3BotoStorage, S3StaticStorage])
    def test_other_storages_send_no_disposition(self, storage_class: Any) -> None:
        assert "ContentDisposition" not in sent(storage_class(), "a.html")

    @pytest.mark.parametrize("content_type", INVALID)
    def test_invalid_types_are_replaced(self, content_type: Any) -> None:
        """Browsers would guess the type; the one by file name is better."""
        assert sent(S3MediaStorage(), "a.png", content_type)["ContentType"] == "image/png"
        assert sent(S3MediaStorage(), "a.html", content_type)["ContentDisposition"] == "attachment"

    @pytest.mark.parametrize(
        "content_type",
        [
            "text/plain; charset=utf-8",
            "text/plain;",
            "x-y/z",
            'a/b;c="d e"',
            'video/mp4; codecs="avc1.42E01E, mp4a.40.2"',
            r'a/b;c="\\\""',
        ],
    )
    def test_valid_types_are_kept(self, content_type: str) -> None:
        assert sent(S3MediaStorage(), "a.png", content_type)["ContentType"] == content_type

    def test_tabs_become_spaces(self) -> None:
        """RFC 9110 allows tabs, but S3 rejects signatures of headers with tabs."""
        given = "\ttext/plain\t;\tcharset=utf-8 "
        assert sent(S3MediaStorage(), "a", given)["ContentType"] == "text/plain ; charset=utf-8"


@given(
    name=st.from_regex(r"[a-z]{1,5}(\.(html|svg|png|txt|xml|mhtml|pdf|bin))?", fullmatch=True),
    content_type=st.one_of(
        st.text(max_size=30),
        st.lists(
            st.sampled_from(
                [*NASTY, *'/;=," \t\\\n', "text", "html", "image", "png", "plain", "x", "charset"]
            ),
            max_size=12,
        ).map("".join),
        st.binary(max_size=20),
        st.none(),
        st.integers(),
    ),
)
@example("a.png", "image/png;x, text/html")
@example("a.png", "text/html\n")
@example("a.png", "a/b\t;x")
@example("a.png", "a/b" + ";      " * 35 + "\0")  # backtracks exponentially in a careless pattern
@settings(deadline=None)
def test_stored_types_are_valid_and_inert_or_attachments(name: str, content_type: Any) -> None:
    """Python's parser for e-mail headers agrees that the stored value is one valid type."""
    stored = sent(S3MediaStorage(), name, content_type)
    text = stored["ContentType"]
    is_inert = text.split(";")[0].strip().lower() in content_types.INERT
    assert is_inert == ("ContentDisposition" not in stored)
    assert text.isascii()
    assert text.isprintable()
    parsed = headerregistry.HeaderRegistry()("Content-Type", text)
    assert not parsed.defects, (text, parsed.defects)
    # A comma outside quotes would start another type.
    unquoted = re.sub(r'"(\\.|[^"\\])*"', "", text)
    assert "," not in unquoted
    assert '"' not in unquoted


@pytest.mark.usefixtures("no_sockets")
class TestSettings:
    @pytest.mark.parametrize("way", ["headers", "extra_headers", "object_parameters"])
    def test_configured_headers_take_precedence(self, settings: Settings, way: str) -> None:
        if way == "headers":
            settings.AWS_HEADERS = {"Content-Disposition": "inline"}
        elif way == "extra_headers":
            settings.AWS_EXTRA_HEADERS = [(r".*\.svg$", {"Content-Disposition": "inline"})]
        else:
            settings.AWS_S3_OBJECT_PARAMETERS = {"ContentDisposition": "inline"}
        assert sent(S3MediaStorage(), "a.svg")["ContentDisposition"] == "inline"

    def test_configured_type_decides(self, settings: Settings) -> None:
        settings.AWS_EXTRA_HEADERS = [(r".*\.html$", {"Content-Type": "text/plain"})]
        assert "ContentDisposition" not in sent(S3MediaStorage(), "a.html")

    def test_attachment_types(self, settings: Settings) -> None:
        settings.AWS_ATTACHMENT_TYPES = ["application/PDF", "image/*"]
        storage = S3MediaStorage()
        assert sent(storage, "a.pdf")["ContentDisposition"] == "attachment"
        assert sent(storage, "a.png")["ContentDisposition"] == "attachment"
        assert "ContentDisposition" not in sent(storage, "a.html")
        assert "ContentDisposition" not in sent(S3MediaStorage(attachment_types=[]), "a.pdf")

    def test_public_media_are_inline_unless_types_are_set(self, settings: Settings) -> None:
        settings.AWS_QUERYSTRING_AUTH = False
        assert "ContentDisposition" not in sent(S3MediaStorage(), "a.html")
        settings.AWS_ATTACHMENT_TYPES = ["text/html"]
        assert sent(S3MediaStorage(), "a.html")["ContentDisposition"] == "attachment"

    @pytest.mark.parametrize("value", ["text/html", b"bytes", 7, [7], [""], [None]])
    def test_invalid_attachment_types(self, settings: Settings, value: Any) -> None:
        settings.AWS_ATTACHMENT_TYPES = value
        with pytest.raises(ImproperlyConfigured, match="TYPES is .*it must be a list"):
            S3MediaStorage()


# A small and a multipart upload; types that are stored unchanged, and types that are not.
@pytest.mark.parametrize(
    ("size", "content_type", "stored"),
    [
        (1, "image/png;x, text/html", "text/html"),
        (1, "text/html\n", "text/html"),
        (1, "a/b\t;\tc=d;   e", "text/html"),
        (1, 'image/svg+xml\t;c="d  e"', 'image/svg+xml ;c="d  e"'),
        (400_000, "multipart/x-mixed-replace", "multipart/x-mixed-replace"),
    ],
)
def test_on_a_server(aws: S3Server, size: int, content_type: str, stored: str) -> None:
    storage = S3MediaStorage()
    storage.save("a.html", SimpleUploadedFile("a.html", PAGE * size, content_type))
    with storage.open("b.html", "wb") as file:
        file.write(PAGE * size)
    for name, expected in (("a.html", stored), ("b.html", "text/html")):
        head = storage.client.head_object(Bucket=storage.bucket_name, Key=f"media/{name}")
        assert head["ContentDisposition"] == "attachment"
        assert head["ContentType"] == expected
    assert storage.open("a.html").read(10) == PAGE[:10]
