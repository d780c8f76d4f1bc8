"""django-dbbackup: database and media, also gzipped, are backed up to S3 and restored."""

from collections.abc import Callable

from tests.project import Project
from tests.servers import S3Server
from tests.thirdparty import sites

SETTINGS = """
INSTALLED_APPS += ["dbbackup", "album"]
AWS_IS_GZIPPED = True
GZIP_CONTENT_TYPES = ["text/plain", "application/x-tar", "text/x-sql", "application/octet-stream"]
STORAGES["dbbackup"] = {
    "BACKEND": "herokuify.storage.S3MediaStorage", "OPTIONS": {"location": "backups"},
}
DBBACKUP_SEND_EMAIL = False
"""
MODELS = """
from django.db import models

class Note(models.Model):
    text = models.TextField()
    file = models.FileField()
"""
SOURCE = """
import gzip
from album.models import Note
from django.core.files.storage import storages
text = b"a line that repeats itself\\n" * 5000
Note.objects.create(text="kept", file=ContentFile(text, "note.txt"))
default_storage.save("photos/photo.png", picture())
default_storage.client.put_object(  # gzipped by another program
    Bucket=default_storage.bucket_name, Key="media/theirs.txt", Body=gzip.compress(text),
    ContentEncoding="gzip", ContentType="text/plain",
)
backups = storages["dbbackup"]
head = default_storage.client.head_object(
    Bucket=default_storage.bucket_name, Key="media/note.txt"
)
found["gzipped"] = head["ContentEncoding"]
before = {name: default_storage.open(name).read() for name in names()}
for options in ({}, {"compress": True}):
    call_command("dbbackup", verbosity=0, interactive=False, **options)
    call_command("mediabackup", verbosity=0, interactive=False, **options)
    found[f"backups {options}"] = len(backups.listdir("")[1]) > 0
    Note.objects.all().delete()
    for name in before:
        default_storage.delete(name)
    restore = {"uncompress": True} if options else {}
    call_command("dbrestore", verbosity=0, interactive=False, **restore)
    call_command("mediarestore", verbosity=0, interactive=False, **restore)
    found[f"restored {options}"] = [
        list(Note.objects.values_list("text", flat=True)),
        before == {name: default_storage.open(name).read() for name in names()},
        sorted(before) == names(),
    ]
    for name in backups.listdir("")[1]:
        backups.delete(name)
"""


def test_backup_and_restore(
    make_project: Callable[..., Project], moto: S3Server, moto_bucket: str
) -> None:
    files = {"album/__init__.py": "", "album/models.py": MODELS}
    found = sites.run(make_project, moto, moto_bucket, SETTINGS, SOURCE, files)
    assert found == {
        "gzipped": "gzip",
        **{f"backups {options}": True for options in ({}, {"compress": True})},
        **{f"restored {options}": [["kept"], True, True] for options in ({}, {"compress": True})},
    }
