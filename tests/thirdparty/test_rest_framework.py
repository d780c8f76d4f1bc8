"""Uploads by Django REST framework, whose FileUploadParser keeps the client's content type."""

from typing import Any

import pytest
from django.test import RequestFactory

from herokuify.storage import S3MediaStorage
from tests.servers import S3Server
from tests.storages import Connect


@pytest.mark.parametrize(
    ("content_type", "stored", "disposition"),
    [
        ("image/png", "image/png", None),
        ("image/png;x, text/html", "image/png", None),
        ("text/html\n", "image/png", None),
        ("a/b\t;x", "image/png", None),
        ("text/html", "text/html", "attachment"),
    ],
)
def test_stored_type(
    connect: Connect,
    moto: S3Server,
    moto_bucket: str,
    content_type: str,
    stored: str,
    disposition: str | None,
) -> None:
    decorators = pytest.importorskip("rest_framework.decorators")
    parsers = pytest.importorskip("rest_framework.parsers")
    response = pytest.importorskip("rest_framework.response")
    connect(moto, moto_bucket)
    storage = S3MediaStorage()

    def put(request: Any, filename: str) -> Any:
        file = request.data["file"]
        assert file.content_type == content_type
        return response.Response(storage.save(filename, file))

    view = decorators.api_view(["PUT"])(
        decorators.parser_classes([parsers.FileUploadParser])(
            decorators.authentication_classes([])(decorators.permission_classes([])(put))
        )
    )
    request = RequestFactory().put("/", b"<script>alert(1)</script>", content_type)
    answer = view(request, filename="a.png")
    assert answer.data == "a.png"
    head = storage.client.head_object(Bucket=moto_bucket, Key="media/a.png")
    assert head["ContentType"] == stored
    assert head.get("ContentDisposition") == disposition
