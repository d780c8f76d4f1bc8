"""Clients of Django REST framework send a token instead of a file."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import Storage
from django.core.files.uploadedfile import SimpleUploadedFile

from herokuify.uploads.claims import AGAIN
from tests.test_public_api import PUBLIC
from tests.testapp.models import Photo
from tests.uploads.conftest import ada, log_in, storage, uploads
from tests.uploads.site import FIELD, IMAGE, Browser
from tests.uploads.test_road import picture

__all__ = ["ada", "log_in", "storage", "uploads"]


@pytest.mark.source_tree
def test_public_names_exist() -> None:
    from herokuify.uploads import serializers

    assert {
        name for name in PUBLIC[serializers.__name__] if not hasattr(serializers, name)
    } == set()


def post(user: str, content_type: str, **data: Any) -> Any:
    from rest_framework import generics, serializers
    from rest_framework.test import APIRequestFactory, force_authenticate

    from herokuify.uploads.serializers import DirectImageField

    class PhotoSerializer(serializers.ModelSerializer):  # type: ignore[misc]
        image = DirectImageField(IMAGE)

        class Meta:
            model = Photo
            fields = ("image",)

    class Photos(generics.CreateAPIView):  # type: ignore[misc]
        queryset = Photo.objects.all()
        serializer_class = PhotoSerializer

    request = APIRequestFactory().post("/photos/", data, format=content_type)
    force_authenticate(request, User.objects.get(username=user))
    return Photos.as_view()(request)


@pytest.mark.parametrize("content_type", ["json", "multipart"])
def test_token_is_accepted(storage: Storage, ada: Browser, content_type: str) -> None:
    token = ada.upload(IMAGE, "a.png", picture(), "image/png")
    answer = post("ada", content_type, image=token)
    assert answer.status_code == 201, answer.data
    photo = Photo.objects.get()
    assert (photo.image.name, photo.width) == ("photos/a.png", 40)
    assert answer.data["image"].endswith(photo.image.url.partition("://")[2])


def test_file_is_accepted(storage: Storage, ada: Browser) -> None:
    file = SimpleUploadedFile("a.png", picture(), "image/png")
    assert post("ada", "multipart", image=file).status_code == 201
    assert Photo.objects.get().width == 40


def test_invalid_tokens_are_refused(storage: Storage, ada: Browser) -> None:
    User.objects.create_user("grace")
    token = ada.upload(IMAGE, "a.png", picture(), "image/png")
    answer = post("grace", "json", image=token)
    assert (answer.status_code, answer.data["image"]) == (400, [AGAIN])
    other = ada.upload(FIELD, "a.png", picture(), "image/png")
    assert post("ada", "json", image=other).status_code == 400
    bad = ada.upload(IMAGE, "a.png", b"no picture", "image/png")
    assert post("ada", "json", image=bad).status_code == 400
    assert post("ada", "json", image="").status_code == 400
    assert not Photo.objects.exists()
