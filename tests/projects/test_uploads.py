"""A visitor uploads files through a view, and downloads them."""

import json

from tests.projects import shop
from tests.projects.conftest import MakeSite
from tests.projects.site import fetch, succeeded
from tests.servers import S3Server

UPLOAD = """
import json
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from shop.models import Photo

call_command("migrate", run_syncdb=True, verbosity=0)
client = Client()
answers = [
    client.post("/upload/", {"file": SimpleUploadedFile("blå +1.png", content, "image/png")}).json()
    for content in (b"first" * 1000, b"second" * 1000000)
]
kept = [photo.file.read()[:6].decode() for photo in Photo.objects.order_by("pk")]
print(json.dumps([answers, kept]))
"""


def test_upload_and_download(make_shop: MakeSite, s3: S3Server) -> None:
    site = make_shop(s3, shop.BASE + shop.storages(shop.CACHED))
    output = succeeded(site.project.snippet(UPLOAD)).stdout
    (first, second), kept = json.loads(output)
    assert kept == ["firstf", "second"]
    assert first["name"] != second["name"]
    assert site.remote("media/") == {
        first["name"]: b"first" * 1000,
        second["name"]: b"second" * 1000000,
    }
    for upload, body in ((first, b"first" * 1000), (second, b"second" * 1000000)):
        answer = fetch(upload["url"])
        assert (answer.status, answer.content_type, answer.body) == (200, "image/png", body)
        assert fetch(upload["url"].partition("?")[0]).status == 403
    assert not (site.project.folder / "media").exists()


def test_unsigned_urls_are_below_media_url(make_shop: MakeSite, moto: S3Server) -> None:
    settings = shop.BASE + shop.storages(shop.CACHED) + "AWS_QUERYSTRING_AUTH = False\n"
    site = make_shop(moto, settings)
    (first, _), _ = json.loads(succeeded(site.project.snippet(UPLOAD)).stdout)
    assert first["url"].startswith(f"{moto.endpoint_url}/{site.bucket}/media/photos/bl%C3%A5_1")
