"""A small site with direct uploads: URLs, an admin, and a browser."""

import json
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.test import Client, RequestFactory
from django.urls import include, path

from herokuify.uploads import rules
from herokuify.uploads.claims import MIDDLEWARE, claim
from herokuify.uploads.forms import DirectFileField, DirectImageField
from tests.testapp.models import Album, Document, Photo

FIELD = "testapp.Document.file"
IMAGE = "testapp.Photo.image"
RULES: dict[str, dict[str, Any]] = {
    FIELD: {"max_size": 40 * 2**20},
    IMAGE: {"max_size": 2**20, "types": ["image/*"]},
    "notes": {"max_size": 1000, "types": ["text/*"], "who": "anyone", "max_pending": 2500},
    "pictures": {"max_size": 2**20, "who": "users"},
}


def configure(settings: Any) -> None:
    """Change all settings except the storage."""
    settings.ROOT_URLCONF = __name__
    settings.HEROKUIFY_DIRECT_UPLOADS = RULES
    settings.MIDDLEWARE = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        MIDDLEWARE,
    ]
    settings.TEMPLATES = [
        {
            **settings.TEMPLATES[0],
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ]


class NotesForm(forms.Form):
    title = forms.CharField()
    notes = DirectFileField("notes")


class PicturesForm(forms.Form):
    pictures = DirectImageField("pictures", multiple=True, required=False)


class PhotoInline(admin.TabularInline):  # type: ignore[type-arg]  # not generic at run time
    model = Photo
    extra = 1


class AlbumAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    inlines = (PhotoInline,)


site = admin.AdminSite("uploads")
site.register(Album, AlbumAdmin)
site.register(Document)


def notes(request: HttpRequest) -> HttpResponse:
    form = NotesForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        file = form.cleaned_data["notes"]
        found = {"name": file.name, "size": file.size, "type": file.content_type}
        return JsonResponse({**found, "text": file.read().decode()})
    return HttpResponse(form.as_p() + str(form.media))


def pictures(request: HttpRequest) -> HttpResponse:
    form = PicturesForm(request.POST, request.FILES)
    errors = form.errors.as_json()
    files = form.cleaned_data.get("pictures", [])
    return JsonResponse({"names": [file.name for file in files], "errors": errors})


urlpatterns = [
    path("admin/", site.urls),
    path("notes/", notes),
    path("pictures/", pictures),
    path("uploads/", include("herokuify.uploads.urls")),
]


class Browser:
    """Sends the requests of the script."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def ask(self, action: str, **fields: Any) -> tuple[int, dict[str, Any]]:
        answer = self.client.post(f"/uploads/{action}", fields)
        return answer.status_code, json.loads(answer.content)

    def begin(self, field: str, name: str, size: int, content_type: str = "") -> dict[str, Any]:
        status, answer = self.ask("begin", field=field, name=name, size=size, type=content_type)
        assert status == 200, answer
        return answer

    def upload(self, field: str, name: str, body: bytes, content_type: str = "") -> str:
        """Upload a file, and return its token."""
        begun = self.begin(field, name, len(body), content_type)
        size = begun["partSize"]
        for number, request in begun["requests"].items():
            part = body[(int(number) - 1) * size : int(number) * size]
            assert put(request, part) == 200
        status, answer = self.ask("finish", token=begun["token"])
        assert status == 200, answer
        token: str = begun["token"]
        return token


def claim_document(token: str, username: str) -> Any:
    """Claim an upload for a document, as a form of the user's does."""
    request = RequestFactory().get("/")
    request.user = User.objects.get(username=username)
    return claim(token, rules.get(FIELD), request)


def put(request: dict[str, Any], body: bytes, **headers: str) -> int:
    """Send a request that the site signed, optionally with other headers."""
    sent = {**request["headers"], **{name.replace("_", "-"): v for name, v in headers.items()}}
    # urllib would add a type.
    sent.setdefault("content-type", "")
    try:
        with urlopen(Request(request["url"], body, sent, method="PUT")) as answer:
            return int(answer.status)
    except HTTPError as error:
        error.close()
        return error.code
