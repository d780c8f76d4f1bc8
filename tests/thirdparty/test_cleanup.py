"""django-cleanup with easy-thumbnails: thumbnails are deleted with their picture."""

from collections.abc import Callable

from tests.project import Project
from tests.servers import S3Server
from tests.thirdparty import sites

SETTINGS = """
INSTALLED_APPS += ["easy_thumbnails", "album", "django_cleanup.apps.CleanupConfig"]
"""
MODELS = """
from django.db import models
from easy_thumbnails.fields import ThumbnailerImageField

class Photo(models.Model):
    image = ThumbnailerImageField(upload_to="photos", blank=True)

class NoTable(models.Model):
    image = models.FileField()
    class Meta:
        managed = False

def forget(sender, file, **kwargs):
    if hasattr(file, "delete_thumbnails"):
        file.delete_thumbnails()

from django_cleanup.signals import cleanup_pre_delete
cleanup_pre_delete.connect(forget)
"""
SOURCE = """
from album.models import Photo
photo = Photo.objects.create(image=picture())
photo.image.get_thumbnail({"size": (50, 50)})
found["made"] = len(names())
photo = Photo.objects.get()
photo.image = picture(name="other.png")
photo.save()
found["replaced"] = names()
copy = Photo.objects.create(image=photo.image.name)
copy.delete()
found["file is shared"] = names()
Photo.objects.get().delete()
found["deleted"] = names()
"""


def test_thumbnails_are_deleted_too(
    make_project: Callable[..., Project], moto: S3Server, moto_bucket: str
) -> None:
    files = {"album/__init__.py": "", "album/models.py": MODELS}
    found = sites.run(make_project, moto, moto_bucket, SETTINGS, SOURCE, files)
    assert found == {
        "made": 2,
        "replaced": ["photos/other.png"],
        "file is shared": ["photos/other.png"],
        "deleted": [],
    }
