"""django-imagekit: specs that are generated on demand, and fields that process uploads."""

from collections.abc import Callable

from tests.project import Project
from tests.servers import S3Server
from tests.thirdparty import sites

SETTINGS = """
INSTALLED_APPS += ["imagekit", "album"]
# If django-rq is installed, the package reads its setting when it is imported.
RQ_QUEUES = {"default": {"HOST": "localhost", "PORT": 6379, "DB": 0}}
"""
MODELS = """
from django.db import models
from imagekit.models import ImageSpecField, ProcessedImageField
from imagekit.processors import ResizeToFill, ResizeToFit

class Photo(models.Model):
    image = ProcessedImageField(
        upload_to="photos", processors=[ResizeToFit(200, 200)], format="JPEG"
    )
    small = ImageSpecField(source="image", processors=[ResizeToFill(50, 50)], format="PNG")
"""
SOURCE = """
from album.models import Photo
photo = Photo.objects.create(image=picture())
photo = Photo.objects.get()
found["processed"] = [photo.image.name, size_of(fetch(photo.image.url))]
found["spec"] = [size_of(fetch(photo.small.url)), [photo.small.width, photo.small.height]]
photo.small.open()
found["opened"] = size_of(photo.small.read())
found["files"] = len(names())
call_command("generateimages", verbosity=0)
found["generated"] = len(names())
"""


def test_specs(make_project: Callable[..., Project], moto: S3Server, moto_bucket: str) -> None:
    files = {"album/__init__.py": "", "album/models.py": MODELS}
    found = sites.run(make_project, moto, moto_bucket, SETTINGS, SOURCE, files)
    assert found == {
        "processed": ["photos/photo.jpg", [200, 150]],
        "spec": [[50, 50], [50, 50]],
        "opened": [50, 50],
        "files": 2,
        "generated": 2,
    }
