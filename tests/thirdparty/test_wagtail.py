"""Wagtail: images, documents, renditions and rich text are uploaded and served."""

import uuid
from collections.abc import Callable

from tests import servers
from tests.project import Project
from tests.servers import S3Server
from tests.thirdparty import sites

SETTINGS = """
INSTALLED_APPS += [
    "wagtail.contrib.forms", "wagtail.contrib.redirects", "wagtail.embeds", "wagtail.sites",
    "wagtail.users", "wagtail.snippets", "wagtail.documents", "wagtail.images", "wagtail.search",
    "wagtail.admin", "wagtail", "modelcluster", "taggit", "django.contrib.admin",
    "django.contrib.messages", "django.contrib.staticfiles",
]
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
ROOT_URLCONF = "urls"
WAGTAIL_SITE_NAME = "site"
WAGTAILADMIN_BASE_URL = "http://localhost"
WAGTAILSEARCH_BACKENDS = {"default": {"BACKEND": "wagtail.search.backends.database"}}
"""
URLS = """
from django.urls import include, path
from wagtail.admin import urls as admin_urls
from wagtail.documents import urls as document_urls

urlpatterns = [path("admin/", include(admin_urls)), path("documents/", include(document_urls))]
"""
SOURCE = """
from django.contrib.auth.models import User
from django.test import Client
from wagtail.documents.models import Document
from wagtail.images.models import Image as WagtailImage
from wagtail.models import Collection, Locale

# Wagtail's migrations would create them.
Locale.objects.create(language_code="en")
Collection.add_root(name="Root")

User.objects.create_superuser("admin", "admin@example.com", "password")
client = Client()
client.login(username="admin", password="password")
answer = client.post("/admin/images/add/", {"title": "photo", "file": picture()})
image = WagtailImage.objects.get()
found["uploaded"] = [answer.status_code, image.width, image.height, image.file.name]
rendition = image.get_rendition("fill-100x100")
found["rendition"] = [size_of(fetch(rendition.url)), rendition.width]
found["other format"] = fetch(image.get_rendition("width-50|format-webp").url)[8:12].decode()
found["in the admin"] = client.get(f"/admin/images/{image.pk}/").status_code
found["hash"] = len(image.get_file_hash())

document = {"title": "a text", "file": ContentFile(b"the text", "a.txt")}
found["document"] = client.post("/admin/documents/add/", document).status_code
stored = Document.objects.get()
answer = client.get(stored.url)
body = b"".join(answer) if answer.streaming else fetch(answer["Location"])
found["served"] = body.decode()
found["sizes"] = [stored.get_file_size(), image.get_file_size() == len(fetch(image.file.url))]
before = len(names())
client.post(f"/admin/images/{image.pk}/delete/")
stored.delete()
found["left"] = [before, names()]
"""


#: All URLs in pages and rich text work without a signature.
PUBLIC = """
from wagtail.rich_text import expand_db_html
from wagtail.models import Collection, Locale
from wagtail.documents.models import Document
from wagtail.images.models import Image as WagtailImage

Locale.objects.create(language_code="en")
Collection.add_root(name="Root")
call_command("herokuify", "bucket", "--apply", stdout=io.StringIO())
image = WagtailImage.objects.create(title="photo", file=picture(name="a photo+é.png"))
document = Document.objects.create(title="a text", file=ContentFile(b"the text", "a.txt"))
html = expand_db_html(
    f'<p><embed embedtype="image" id="{image.pk}" format="left" alt="photo"/></p>'
    f'<p><a linktype="document" id="{document.pk}">text</a></p>'
)
shown = html.partition('src="')[2].partition('"')[0]
urls = [image.file.url, image.get_rendition("fill-100x100").url, shown, document.file.url]
found["signed"] = [url for url in urls if "?" in url]
found["fetched"] = [size_of(fetch(url)) for url in urls[:3]] + [fetch(urls[3]).decode()]
found["folders"] = {url.partition(default_storage.bucket_name)[2].split("/")[1] for url in urls}
found["folders"] = sorted(found["folders"])
from django.test import Client
served = Client().get(html.partition('href="')[2].partition('"')[0])
found["document"] = [served.status_code, served["Location"] == urls[3]]
image.delete(); document.delete()
found["left"] = names()
"""


def test_public_media(make_project: Callable[..., Project], moto: S3Server) -> None:
    """On Ceph if it is available, because it checks the bucket's policy."""
    server = servers.ceph() or moto
    bucket = f"test-{uuid.uuid4().hex}"
    settings = f"""{SETTINGS}
STORAGES["default"] = {{"BACKEND": "herokuify.storage.S3PublicMediaStorage"}}
MEDIA_URL = get_media_url("public-media")
WAGTAILDOCS_SERVE_METHOD = "redirect"
"""
    try:
        found = sites.run(make_project, server, bucket, settings, PUBLIC, {"urls.py": URLS})
    finally:
        servers.remove_bucket(servers.client_of(server), bucket)
    assert found == {
        "signed": [],
        "fetched": [[400, 300], [100, 100], [400, 300], "the text"],
        "folders": ["public-media"],
        "document": [302, True],
        "left": [],
    }


def test_wagtail(make_project: Callable[..., Project], moto: S3Server, moto_bucket: str) -> None:
    files = {"urls.py": URLS}
    found = sites.run(make_project, moto, moto_bucket, SETTINGS, SOURCE, files)
    assert found == {
        "uploaded": [302, 400, 300, "original_images/photo.png"],
        "rendition": [[100, 100], 100],
        "other format": "WEBP",
        "in the admin": 200,
        "hash": 40,
        "document": 302,
        "served": "the text",
        "sizes": [8, True],
        "left": [6, []],
    }
