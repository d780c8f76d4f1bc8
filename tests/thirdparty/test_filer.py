"""django-filer: private and public files and pictures, with easy-thumbnails."""

from collections.abc import Callable

from tests.project import Project
from tests.servers import S3Server
from tests.thirdparty import sites

SETTINGS = """
INSTALLED_APPS += [
    "django.contrib.admin", "django.contrib.messages", "easy_thumbnails", "filer", "polymorphic",
]
TEMPLATES = [{
    "BACKEND": "django.template.backends.django.DjangoTemplates",
    "APP_DIRS": True,
    "OPTIONS": {"context_processors": [
        "django.template.context_processors.request",
        "django.contrib.auth.context_processors.auth",
        "django.contrib.messages.context_processors.messages",
    ]},
}]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
STORAGES["private"] = {
    "BACKEND": "herokuify.storage.S3MediaStorage", "OPTIONS": {"location": "private"},
}
_MEDIA = {"ENGINE": "herokuify.storage.S3MediaStorage"}
_PRIVATE = {**_MEDIA, "OPTIONS": {"location": "private"}}
FILER_STORAGES = {
    "public": {"main": {**_MEDIA, "UPLOAD_TO_PREFIX": "filer"}, "thumbnails": {**_MEDIA}},
    "private": {"main": {**_PRIVATE, "UPLOAD_TO_PREFIX": "filer"}, "thumbnails": {**_PRIVATE}},
}
THUMBNAIL_HIGH_RESOLUTION = True
"""
SOURCE = """
from django.contrib.auth.models import User
from django.core.files.storage import storages
from filer.models import File, Folder, Image as FilerImage
folder = Folder.objects.create(name="a folder")
image = FilerImage.objects.create(
    original_filename="photo.png", file=picture(), folder=folder, is_public=True
)
found["size"] = [image.width, image.height, image.size == len(fetch(image.url))]
found["thumbnail"] = size_of(fetch(image.thumbnails["admin_tiny_icon"]))
found["is below"] = {name.split("/")[0] for name in names()} <= {"filer", "filer_public_thumbnails"}
image.is_public = False
image.save()
private = storages["private"]
found["moved"] = [private.exists(image.file.name), image.file.storage == private]
found["content"] = size_of(image.file.open("rb").read())
text = File.objects.create(original_filename="a.txt", file=ContentFile(b"text", "a.txt"))
found["sha1"] = text.sha1
before = len(names())
text.delete()
image.delete()
found["deleted"] = [before - len(names()) > 0, private.exists(image.file.name or "x")]
"""


def test_filer(make_project: Callable[..., Project], moto: S3Server, moto_bucket: str) -> None:
    found = sites.run(make_project, moto, moto_bucket, SETTINGS, SOURCE)
    assert found == {
        "size": [400, 300, True],
        "thumbnail": [32, 32],
        "is below": True,
        "moved": [True, True],
        "content": [400, 300],
        "sha1": "372ea08cab33e71c02c651dbc83a474d32c676ea",
        "deleted": [True, False],
    }
