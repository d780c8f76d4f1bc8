"""Direct uploads by clients of Django REST framework, with a token or a session."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.storage import Storage
from django.test import Client
from django.urls import include, path
from pytest_django import Settings

from herokuify.uploads.claims import AGAIN
from tests.testapp.models import Photo
from tests.uploads.conftest import storage, uploads, visitor
from tests.uploads.site import IMAGE, Browser, put
from tests.uploads.site import urlpatterns as site_urls
from tests.uploads.test_road import picture

__all__ = ["storage", "uploads", "visitor"]

pytest.importorskip("rest_framework")

from rest_framework import authentication, generics, permissions, serializers, throttling
from rest_framework.views import APIView

from herokuify.uploads.rest import DirectUploadView
from herokuify.uploads.serializers import DirectImageField


class ByName(authentication.TokenAuthentication):  # type: ignore[misc]
    """Token authentication without a table: the token is the user's name."""

    def authenticate_credentials(self, key: str) -> Any:
        return User.objects.get(username=key), key


BOTH = (ByName, authentication.SessionAuthentication)


class Once(throttling.SimpleRateThrottle):  # type: ignore[misc]
    rate = "1/day"

    def get_cache_key(self, request: Any, view: Any) -> str:
        return f"test_upload_views:{request.user.pk}"


class PhotoSerializer(serializers.ModelSerializer):  # type: ignore[misc]
    image = DirectImageField(IMAGE)

    class Meta:
        model = Photo
        fields = ("image",)


class Photos(generics.CreateAPIView):  # type: ignore[misc]
    authentication_classes = BOTH
    queryset = Photo.objects.all()
    serializer_class = PhotoSerializer


def view(**options: Any) -> Any:
    return DirectUploadView.as_view(authentication_classes=BOTH, **options)


urlpatterns = [
    *site_urls,
    path("api/photos", Photos.as_view()),
    path("api/uploads/<str:action>", view()),
    path("strict/<str:action>", view(permission_classes=[permissions.IsAdminUser])),
    path("rare/<str:action>", view(throttle_classes=[Once])),
    path("default/", include("herokuify.uploads.rest")),
]


@pytest.fixture(autouse=True)
def _urls(storage: Storage, settings: Settings) -> None:
    settings.ROOT_URLCONF = __name__


def user(name: str) -> str:
    """Create a user who may add photos; return the Authorization header."""
    made = User.objects.create_user(name, is_staff=name == "grace")
    made.user_permissions.add(Permission.objects.get(codename="add_photo"))
    return f"Token {name}"


def post(address: str, auth: str = "", /, client: Client | None = None, **data: Any) -> Any:
    client = client or Client(enforce_csrf_checks=True)
    headers: Any = {"HTTP_AUTHORIZATION": auth} if auth else {}
    return client.post(address, data, content_type="application/json", **headers)


BEGIN: Any = {"field": IMAGE, "name": "a.png", "type": "image/png"}


def uploaded(token: str) -> str:
    body = picture()
    answer = post("/api/uploads/begin", token, size=len(body), **BEGIN)
    assert answer.status_code == 200, answer.content
    assert "no-store" in answer["Cache-Control"]
    begun = answer.json()
    assert put(begun["requests"]["1"], body) == 200
    found = post("/api/uploads/parts", token, token=begun["token"]).json()
    assert found["received"] == [1]
    found = post("/api/uploads/parts", token, token=begun["token"], numbers=[1, 2]).json()
    assert [*found["requests"]] == ["1"]
    assert post("/api/uploads/finish", token, token=begun["token"]).status_code == 200
    upload: str = begun["token"]
    return upload


@pytest.mark.django_db(transaction=True)
def test_with_a_token_of_the_client() -> None:
    ada, grace = user("ada"), user("grace")
    hers, his = uploaded(ada), uploaded(grace)
    # Neither the other client's token nor no client is accepted; the uploads are not affected.
    for action in ("parts", "finish", "abort"):
        assert post(f"/api/uploads/{action}", ada, token=his).status_code == 410
        assert post(f"/api/uploads/{action}", grace, token=hers).status_code == 410
        assert post(f"/api/uploads/{action}", token=hers).status_code in {401, 403}
    answer = post("/api/photos", ada, image=his)
    assert (answer.status_code, answer.json()) == (400, {"image": [AGAIN]})
    for client, token in ((ada, hers), (grace, his)):
        assert post("/api/photos", client, image=token).status_code == 201
    assert [photo.width for photo in Photo.objects.all()] == [40, 40]
    assert post("/api/photos", ada, image=hers).status_code == 400  # a token can be used once


def test_permissions() -> None:
    ada, grace = user("ada"), user("grace")
    User.objects.create_user("mary")
    assert post("/api/uploads/begin", "Token mary", size=9, **BEGIN).status_code == 403
    assert post("/api/uploads/begin", size=9, **BEGIN).status_code in {401, 403}
    assert post("/api/uploads/other", ada, size=9, **BEGIN).status_code == 404
    assert post("/api/uploads/begin", ada, size=2**21, **BEGIN).status_code == 413
    answer = Client().post("/api/uploads/begin", "[1]", "application/json", HTTP_AUTHORIZATION=ada)
    assert answer.status_code == 404
    assert Client().get("/api/uploads/begin", HTTP_AUTHORIZATION=ada).status_code == 405
    # Permissions and throttles of the view.
    assert post("/strict/begin", ada, size=9, **BEGIN).status_code == 403
    assert post("/strict/begin", grace, size=9, **BEGIN).status_code == 200
    found = [post("/rare/begin", grace, size=9, **BEGIN).status_code for _ in range(2)]
    assert found == [200, 429]
    # By default, they are those of the settings.
    assert DirectUploadView.permission_classes == APIView.permission_classes
    assert post("/default/begin", ada, size=9, **BEGIN).status_code in {401, 403}


def test_session_requires_a_csrf_token(visitor: Browser) -> None:
    user("ada")
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.get(username="ada"))
    assert post("/api/uploads/begin", client=client, size=9, **BEGIN).status_code == 403
    client.get("/admin/login/")
    client.cookies["csrftoken"] = "c" * 32
    with_token: Any = {"HTTP_X_CSRFTOKEN": "c" * 32, "content_type": "application/json"}
    answer = client.post("/api/uploads/begin", {"size": 9, **BEGIN}, **with_token)
    assert answer.status_code == 200
    # It is also required of visitors who have not logged in, if anyone may upload.
    note: Any = {"field": "notes", "name": "a.txt", "size": 9, "type": "text/plain"}
    client = Client(enforce_csrf_checks=True)
    assert post("/api/uploads/begin", client=client, **note).status_code == 403
    client.cookies["csrftoken"] = "c" * 32
    assert client.post("/api/uploads/begin", note, **with_token).status_code == 200


@pytest.mark.parametrize("has_api", [True, False])
def test_check_finds_these_urls(settings: Settings, has_api: bool) -> None:
    from herokuify.checks.uploads import check_parts

    class Addresses:
        urlpatterns = [path("api/uploads/", include("herokuify.uploads.rest"))] * has_api

    settings.ROOT_URLCONF = Addresses
    assert [message.id for message in check_parts()] == ["herokuify.E019"] * (not has_api)
