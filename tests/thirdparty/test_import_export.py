"""django-import-export: CSV and Excel; files are on S3 until the import is confirmed."""

from collections.abc import Callable

from tests.project import Project
from tests.servers import S3Server
from tests.thirdparty import sites

SETTINGS = """
INSTALLED_APPS += ["django.contrib.admin", "django.contrib.messages", "import_export", "album"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
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
STATIC_URL = "/static/"
ROOT_URLCONF = "album.urls"
IMPORT_EXPORT_TMP_STORAGE_CLASS = "import_export.tmp_storages.MediaStorage"
"""
MODELS = """
from django.db import models

class Note(models.Model):
    text = models.TextField()
"""
URLS = """
from django.contrib import admin
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]
"""
ADMIN = """
from album.models import Note
from django.contrib import admin
from import_export.admin import ImportExportModelAdmin

admin.site.register(Note, ImportExportModelAdmin)
"""
SOURCE = """
import re
from album.models import Note
from django.contrib.auth.models import User
from django.test import Client
from import_export import resources
from openpyxl import Workbook, load_workbook
from tablib import Dataset

User.objects.create_superuser("admin", "admin@example.com", "password")
client = Client()
client.login(username="admin", password="password")
url = "/admin/album/note/"
buffer = io.BytesIO()
book = Workbook()
book.active.append(["id", "text"])
book.active.append([7, "Grüße from Excel"])
book.save(buffer)
uploads = {
    "csv": (b"id,text\\n1,one\\n2,Gr\\xc3\\xbc\\xc3\\x9fe\\n", "notes.csv"),
    "xlsx": (buffer.getvalue(), "notes.xlsx"),
}
for kind, (body, name) in uploads.items():
    page = client.get(url + "import/").content.decode()
    number = re.search(rf'<option value="(\\d+)">{kind}</option>', page)[1]
    data = {"format": number, "import_file": ContentFile(body, name), "resource": ""}
    page = client.post(url + "import/", data).content.decode()
    found[f"waits {kind}"] = len(names("django-import-export/"))
    fields = dict(re.findall(r'name="(\\w+)" value="([^"]*)"', page))
    answer = client.post(url + "process_import/", fields)
    found[f"imported {kind}"] = [answer.status_code, Note.objects.count()]
found["texts"] = list(Note.objects.order_by("pk").values_list("text", flat=True))
found["left"] = names()

class NoteResource(resources.ModelResource):
    class Meta:
        model = Note
with default_storage.open("export.xlsx", "wb") as file:
    file.write(NoteResource().export().export("xlsx"))
book = load_workbook(default_storage.open("export.xlsx"))
found["exported"] = [[cell.value for cell in row] for row in book.active.rows]
# openpyxl seeks back while it writes.
book.active.append([8, "another"])
with default_storage.open("saved.xlsx", "wb") as file:
    book.save(file)
found["saved"] = load_workbook(default_storage.open("saved.xlsx")).active.max_row
"""


def test_import_and_export(
    make_project: Callable[..., Project], moto: S3Server, moto_bucket: str
) -> None:
    files = {
        "album/__init__.py": "",
        "album/models.py": MODELS,
        "album/urls.py": URLS,
        "album/admin.py": ADMIN,
    }
    found = sites.run(make_project, moto, moto_bucket, SETTINGS, SOURCE, files)
    assert found == {
        "waits csv": 1,
        "imported csv": [302, 2],
        "waits xlsx": 1,
        "imported xlsx": [302, 3],
        "texts": ["one", "Grüße", "Grüße from Excel"],
        "left": [],
        "exported": [["id", "text"], ["1", "one"], ["2", "Grüße"], ["7", "Grüße from Excel"]],
        "saved": 5,
    }
