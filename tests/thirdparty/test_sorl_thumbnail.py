"""sorl-thumbnail: thumbnails are created, served, and deleted with their source."""

from collections.abc import Callable

from tests.project import Project
from tests.servers import S3Server
from tests.thirdparty import sites

SETTINGS = """
INSTALLED_APPS += ["sorl.thumbnail", "album"]
"""
MODELS = """
from django.db import models
from sorl.thumbnail import ImageField

class Photo(models.Model):
    image = ImageField(upload_to="photos")
"""
SOURCE = """
from album.models import Photo
from sorl.thumbnail import delete, get_thumbnail
photo = Photo.objects.create(image=picture())
small = get_thumbnail(photo.image, "80x80", crop="center")
found["small"] = [size_of(fetch(small.url)), [small.width, small.height], small.exists()]
found["again"] = get_thumbnail(photo.image, "80x80", crop="center").name == small.name
png = get_thumbnail("photos/photo.png", "100", format="PNG")
found["by name"] = size_of(png.read())
found["files"] = len(names())
call_command("thumbnail", "clear_delete_referenced", verbosity=0)
found["cleared"] = names()
get_thumbnail(photo.image, "80x80")
delete(photo.image)
found["deleted"] = names()
"""


def test_thumbnails(make_project: Callable[..., Project], moto: S3Server, moto_bucket: str) -> None:
    files = {"album/__init__.py": "", "album/models.py": MODELS}
    found = sites.run(make_project, moto, moto_bucket, SETTINGS, SOURCE, files)
    assert found == {
        "small": [[80, 80], [80, 80], True],
        "again": True,
        "by name": [100, 75],
        "files": 3,
        "cleared": ["photos/photo.png"],
        "deleted": [],
    }
