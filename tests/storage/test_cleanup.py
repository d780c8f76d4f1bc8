"""With django-cleanup, files go with their objects, unless something still refers to them."""

import json
from collections.abc import Callable

import pytest

from tests.project import Project
from tests.servers import S3Server

SETTINGS = """
from herokuify.aws import *
SECRET_KEY = "x"
USE_TZ = True
INSTALLED_APPS = ["herokuify", "album", "django_cleanup.apps.CleanupConfig"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
MEDIA_URL = get_media_url()
STORAGES = {
    "default": {"BACKEND": "herokuify.storage.S3MediaStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
"""
MODELS = """
from django.db import models
from herokuify.storage import S3MediaStorage

class Photo(models.Model):
    image = models.FileField(default="defaults/photo.jpg")

class Cover(models.Model):
    image = models.FileField(storage=S3MediaStorage(), default="defaults/cover.jpg", blank=True)
    elsewhere = models.FileField(storage=S3MediaStorage(location="elsewhere"), blank=True)
"""
SOURCE = """
import json
from album.models import Cover, Photo
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import transaction

call_command("migrate", run_syncdb=True, verbosity=0)
found = {}

def there(*names):
    return [default_storage.exists(name) for name in names]

def upload(name):
    return default_storage.save(name, ContentFile(name.encode()))

for name in ("defaults/photo.jpg", "defaults/cover.jpg"):
    upload(name)

photo = Photo.objects.create(image=upload("deleted.jpg"))
photo.delete()
found["deleted"] = there("deleted.jpg")

photo = Photo.objects.create(image=upload("old.jpg"))
photo.image.save("new.jpg", ContentFile(b"new"))
found["replaced"] = there("old.jpg", "new.jpg")

first = Photo.objects.create(image=upload("shared.jpg"))
second = Photo.objects.create(image="shared.jpg")
first.delete()
found["shared"] = there("shared.jpg")
second.delete()
found["shared no more"] = there("shared.jpg")

photo = Photo.objects.create(image=upload("cover.jpg"))
cover = Cover.objects.create(image="cover.jpg")
photo.delete()
found["shown by another model"] = there("cover.jpg")
cover.image.save("other.jpg", ContentFile(b"other"))
found["replaced there"] = there("cover.jpg", "other.jpg")

photo = Photo.objects.create(image=upload("twin.jpg"))
Cover.objects.create(elsewhere="twin.jpg")
photo.delete()
found["a namesake in another place"] = there("twin.jpg")

Photo.objects.create().delete()
Photo.objects.create(image="defaults/cover.jpg").delete()
found["defaults"] = there("defaults/photo.jpg", "defaults/cover.jpg")

photo = Photo.objects.create(image=upload("rolled-back.jpg"))
try:
    with transaction.atomic():
        photo.delete()
        raise ZeroDivisionError
except ZeroDivisionError:
    pass
found["rolled back"] = there("rolled-back.jpg")
print(json.dumps(found))
"""


def test_files_go_with_the_last_that_uses_them(
    make_project: Callable[..., Project], moto: S3Server, bucket_name: str
) -> None:
    moto.client().create_bucket(Bucket=bucket_name)
    project = make_project(
        SETTINGS,
        files={"album/__init__.py": "", "album/models.py": MODELS},
        env={**moto.variables, "AWS_STORAGE_BUCKET_NAME": bucket_name},
    )
    result = project.snippet(SOURCE)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == {
        "deleted": [False],
        "replaced": [False, True],
        "shared": [True],
        "shared no more": [False],
        "shown by another model": [True],
        "replaced there": [False, True],
        "a namesake in another place": [False],
        "defaults": [True, True],
        "rolled back": [True],
    }


@pytest.fixture(scope="session")
def s3(moto: S3Server) -> S3Server:
    """moto alone: nothing here depends on the server."""
    return moto
