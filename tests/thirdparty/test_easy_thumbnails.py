"""easy-thumbnails: thumbnails are created, served and deleted on the media storage."""

from collections.abc import Callable

from tests.project import Project
from tests.servers import S3Server
from tests.thirdparty import sites

SETTINGS = """
INSTALLED_APPS += ["easy_thumbnails", "album"]
THUMBNAIL_ALIASES = {"": {"small": {"size": (80, 80), "crop": True}}}
THUMBNAIL_DEFAULT_STORAGE_ALIAS = "default"
"""
MODELS = """
from django.db import models
from easy_thumbnails.fields import ThumbnailerImageField

class Photo(models.Model):
    image = ThumbnailerImageField(upload_to="photos")
    resized = ThumbnailerImageField(upload_to="resized", resize_source={"size": (50, 50)})
"""
SOURCE = """
from album.models import Photo
photo = Photo.objects.create(image=picture(), resized=picture())
found["resized"] = size_of(photo.resized.open("rb").read())
photo = Photo.objects.get()
small = photo.image["small"]
found["alias"] = [size_of(fetch(small.url)), small.size, [small.width, small.height]]
wide = photo.image.get_thumbnail({"size": (120, 0)})
found["wide"] = size_of(fetch(wide.url))
found["again"] = photo.image.get_thumbnail({"size": (120, 0)}).name == wide.name
found["files"] = len(names())
photo.image.delete_thumbnails()
found["without thumbnails"] = names()
photo.image.delete(save=False)
found["deleted"] = names()
"""


def test_thumbnails(make_project: Callable[..., Project], moto: S3Server, moto_bucket: str) -> None:
    files = {"album/__init__.py": "", "album/models.py": MODELS}
    found = sites.run(make_project, moto, moto_bucket, SETTINGS, SOURCE, files)
    (pixels, size, dimensions) = found.pop("alias")
    assert (pixels, dimensions) == ([80, 80], [80, 80])
    assert size > 0
    assert found == {
        "resized": [50, 38],
        "wide": [120, 90],
        "again": True,
        "files": 4,
        "without thumbnails": ["photos/photo.png", "resized/photo.jpg"],
        "deleted": ["resized/photo.jpg"],
    }
