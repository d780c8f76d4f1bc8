"""Rich-text editors store URLs in their HTML, which must not expire."""

import io
from typing import Any
from urllib.request import urlopen

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import include, path
from PIL import Image
from pytest_django import Settings

from tests.servers import S3Server, client_of
from tests.storages import Connect

urlpatterns = [
    path("ckeditor5/", include("django_ckeditor_5.urls")),
    path("media/", include("herokuify.media.urls")),
]


def picture() -> SimpleUploadedFile:
    file = io.BytesIO()
    Image.new("RGB", (4, 4)).save(file, "PNG")
    return SimpleUploadedFile("a b.png", file.getvalue(), "image/png")


@pytest.fixture
def editor(settings: Settings, connect: Connect, moto: S3Server, moto_bucket: str, db: None) -> Any:
    connect(moto, moto_bucket)
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ]
    client = Client()
    client.force_login(User.objects.create_user("ada", is_staff=True))
    return client


def test_ckeditor_with_public_uploads(
    editor: Client, settings: Settings, name_storages: Any, moto: S3Server, moto_bucket: str
) -> None:
    name_storages(default="herokuify.storage.S3MediaStorage")
    settings.CKEDITOR_5_FILE_STORAGE = "herokuify.storage.S3PublicMediaStorage"
    stored = []
    for _ in range(2):
        answer = editor.post("/ckeditor5/image_upload/", {"upload": picture()})
        stored.append(answer.json()["url"])
    base = f"{moto.endpoint_url}/{moto_bucket}/public-media/"
    assert len(set(stored)) == 2
    for url in stored:
        assert url.startswith(base)
        assert "?" not in url
    listed: Any = client_of(moto).list_objects_v2(Bucket=moto_bucket)
    assert all(item["Key"].startswith("public-media/") for item in listed["Contents"])


def test_ckeditor_with_permanent_urls(editor: Client, name_storages: Any) -> None:
    """The editor creates its own storage, with the OPTIONS of the default one."""
    options = {"url_view": True}
    name_storages(default={"BACKEND": "herokuify.storage.S3MediaStorage", "OPTIONS": options})
    url = editor.post("/ckeditor5/image_upload/", {"upload": picture()}).json()["url"]
    assert url.startswith(("/media/a%20b", "/media/a_b"))
    with urlopen(editor.get(url)["Location"]) as answer:
        assert Image.open(io.BytesIO(answer.read())).size == (4, 4)
    assert Client().get(url)["Location"].startswith("/accounts/login/")
    assert storages["default"].exists(url.rpartition("/")[2].replace("%20", " "))
