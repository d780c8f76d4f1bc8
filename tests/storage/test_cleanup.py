"""django-cleanup deletes replaced files, unless something still refers to them."""

import json
from collections.abc import Callable

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


STRANGE_SETTINGS = (
    SETTINGS
    + """
INSTALLED_APPS += ["strange"]
DATABASES["other"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
DATABASES["dead"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": "/nowhere/at.all"}
DATABASE_ROUTERS = ["strange.router.Router"]
STRANGE_SWAPPED = "strange.Elsewhere"
"""
)
ROUTER = """
class Router:
    def db_for_read(self, model, **hints):
        return {"Elsewhere": "other", "Dead": "dead"}.get(model.__name__)

    db_for_write = db_for_read

    def allow_migrate(self, db, app_label, model_name=None, **hints):
        if model_name == "dead":
            return False
        return db == ("other" if model_name == "elsewhere" else "default")
"""
STRANGE_MODELS = """
from django.db import models
from album.models import Photo
from herokuify.storage import S3MediaStorage

def other_storage():
    return S3MediaStorage(location="of-the-dead")

class NoTable(models.Model):
    image = models.FileField()
    class Meta:
        managed = False

class View(models.Model):
    image = models.FileField()
    class Meta:
        managed = False
        db_table = "a_view"

class BrokenView(models.Model):
    image = models.FileField(storage=other_storage)
    class Meta:
        managed = False
        db_table = "a_broken_view"

class NoColumn(models.Model):
    image = models.FileField()
    class Meta:
        managed = False
        db_table = "narrow"

class Swapped(models.Model):
    image = models.FileField()
    class Meta:
        swappable = "STRANGE_SWAPPED"

class Elsewhere(models.Model):
    image = models.FileField()

class Dead(models.Model):
    image = models.FileField(storage=other_storage)

class Mine(models.Model):
    image = models.FileField(storage=other_storage)

class Child(Photo):
    scan = models.FileField(blank=True)

class Proxy(Photo):
    class Meta:
        proxy = True
"""
STRANGE_SOURCE = """
import json
from album.models import Photo
from strange.models import Child, Elsewhere, Mine, NoTable, Proxy, View
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.db import connection, transaction

call_command("migrate", run_syncdb=True, verbosity=0)
call_command("migrate", run_syncdb=True, verbosity=0, database="other")
with connection.cursor() as cursor:
    cursor.execute("CREATE TABLE narrow (id INTEGER)")
    cursor.execute("CREATE VIEW a_view AS SELECT 1 AS id, 'viewed.jpg' AS image")
    cursor.execute("CREATE VIEW a_broken_view AS SELECT id, image FROM gone")
found = {}

def upload(name, storage=default_storage):
    return storage.save(name, ContentFile(name.encode()))

Photo.objects.create(image=upload("deleted.jpg")).delete()
photo = Photo.objects.create(image=upload("old.jpg"))
photo.image.save("new.jpg", ContentFile(b"new"))
Proxy.objects.create(image=upload("proxy.jpg")).delete()
Child.objects.create(image=upload("child.jpg"), scan=upload("scan.jpg")).delete()
found["gone"] = [n for n in ("deleted.jpg", "old.jpg", "proxy.jpg", "child.jpg", "scan.jpg")
                 if default_storage.exists(n)]

Photo.objects.create(image=upload("viewed.jpg")).delete()
elsewhere = Elsewhere.objects.create(image=upload("elsewhere.jpg"))
Photo.objects.create(image="elsewhere.jpg").delete()
found["kept"] = [default_storage.exists("viewed.jpg"), default_storage.exists("elsewhere.jpg")]
elsewhere.delete()
found["other database"] = default_storage.exists("elsewhere.jpg")

# If references can't be looked up, the file is kept, without an error.
mine = Mine.objects.create()
mine.image.save("mine.jpg", ContentFile(b"mine"))
storage = mine.image.storage
mine.delete()
found["unknown"] = storage.exists("mine.jpg")

# A missing table doesn't break the transaction.
with transaction.atomic(using="default"):
    from herokuify.storage.cleanup import is_in_use
    found["in a transaction"] = [is_in_use("nobody's.jpg", default_storage), Photo.objects.count()]
print(json.dumps(found))
"""


def test_models_without_usable_tables(
    make_project: Callable[..., Project], moto: S3Server, moto_bucket: str
) -> None:
    project = make_project(
        STRANGE_SETTINGS,
        files={
            "album/__init__.py": "",
            "album/models.py": MODELS,
            "strange/__init__.py": "",
            "strange/models.py": STRANGE_MODELS,
            "strange/router.py": ROUTER,
        },
        env={**moto.variables, "AWS_STORAGE_BUCKET_NAME": moto_bucket},
    )
    result = project.snippet(STRANGE_SOURCE)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == {
        "gone": [],
        "kept": [True, True],
        "other database": False,
        "unknown": True,
        "in a transaction": [False, 1],
    }
    assert result.stderr.count("mine.jpg was kept: could not look up whether strange.") == 1


def test_file_is_deleted_with_its_last_reference(
    make_project: Callable[..., Project], moto: S3Server, moto_bucket: str
) -> None:
    project = make_project(
        SETTINGS,
        files={"album/__init__.py": "", "album/models.py": MODELS},
        env={**moto.variables, "AWS_STORAGE_BUCKET_NAME": moto_bucket},
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
