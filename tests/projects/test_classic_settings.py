"""Settings of existing projects, without changes."""

from collections.abc import Callable

import pytest

from tests.project import Run
from tests.projects import shop
from tests.projects.aws import Aws
from tests.projects.conftest import MakeSite
from tests.projects.heroku import assert_improperly_configured
from tests.projects.site import OF_COMPRESS, Site, bundles, succeeded, tree

pytestmark = pytest.mark.ends

CLASSIC = """
import herokuify
from herokuify.aws import *
DATABASES = herokuify.get_db_config()
DEFAULT_FILE_STORAGE = "herokuify.storage.S3MediaStorage"
MEDIA_URL = "https://{0}.s3.amazonaws.com/media/".format(AWS_STORAGE_BUCKET_NAME)
STATICFILES_STORAGE = "herokuify.storage.CachedS3StaticStorage"
STATIC_URL = "https://{0}.s3.amazonaws.com/static/".format(AWS_STORAGE_BUCKET_NAME)
COMPRESS_STORAGE = "herokuify.storage.CachedS3StaticStorage"
COMPRESS_OFFLINE = True
"""
ALONE = shop.QUIET + shop.DJANGO + CLASSIC
WITH_APP = ALONE + shop.HEROKUIFY
NO_BUCKET = {"AWS_STORAGE_BUCKET_NAME": ""}
# Without the app, only versions of Django that read these settings obey them.
obeyed = pytest.mark.parametrize(
    "settings",
    [
        pytest.param(WITH_APP, id="app"),
        pytest.param(ALONE + 'INSTALLED_APPS += ["herokuify"]\n', id="app-last"),
        pytest.param(ALONE, id="alone", marks=pytest.mark.django_versions("<5.1")),
    ],
)
commands = pytest.mark.parametrize("run", [Site.collectstatic, Site.compress])


@obeyed
def test_static_files_and_bundles_are_on_s3(
    settings: str, make_shop: MakeSite, amazon: Aws
) -> None:
    site = make_shop(amazon, settings)
    site.build()
    found = site.load_pages()
    assert bundles(found) == shop.BUNDLES
    local = site.local()
    assert {name: local[name] for name in found} == found
    assert site.remote() == {name: body for name, body in local.items() if name not in OF_COMPRESS}


@obeyed
def test_uploads_are_on_s3(settings: str, make_shop: MakeSite, amazon: Aws) -> None:
    site = make_shop(amazon, settings)
    result = succeeded(
        site.project.snippet(
            "from shop.models import Photo\n"
            "from django.core.files.base import ContentFile\n"
            "photo = Photo()\n"
            "photo.file.save('a.txt', ContentFile(b'text'), save=False)\n"
            "print(photo.file.name, photo.file.url)"
        )
    )
    name, url = result.stdout.split()
    assert url.startswith(f"https://{site.bucket}.s3.amazonaws.com/media/{name}?")
    assert site.remote("media/") == {name: b"text"}
    assert [site.get(address).status for address in (url, url.partition("?")[0])] == [200, 403]
    assert_nothing_local(site)


@pytest.mark.django_versions(">=5.1")
@pytest.mark.parametrize("env", [{}, NO_BUCKET], ids=["bucket", "no-bucket"])
def test_collectstatic_without_the_app(
    env: dict[str, str], make_shop: MakeSite, amazon: Aws
) -> None:
    site = make_shop(amazon, ALONE, env=env)
    assert_improperly_configured(site.collectstatic(), "INSTALLED_APPS", '"herokuify"')
    assert_nothing_local(site)


@pytest.mark.django_versions(">=5.1")
def test_compress_without_the_app(make_shop: MakeSite, amazon: Aws) -> None:
    site = make_shop(amazon, ALONE)
    assert_improperly_configured(site.compress(), "INSTALLED_APPS", '"herokuify"')
    assert_nothing_local(site)


@commands
@obeyed
def test_without_a_bucket(
    settings: str, run: Callable[[Site], Run], make_shop: MakeSite, amazon: Aws
) -> None:
    site = make_shop(amazon, settings, env=NO_BUCKET)
    assert_improperly_configured(run(site), "AWS_STORAGE_BUCKET_NAME", "get_static_url()")
    assert_nothing_local(site)


@obeyed
def test_pages_without_a_bucket(settings: str, make_shop: MakeSite, amazon: Aws) -> None:
    result = make_shop(amazon, settings, env=NO_BUCKET).project.snippet(
        "from django.templatetags.static import static; print(static('shop/img/dot.png'))"
    )
    assert_improperly_configured(result, "AWS_STORAGE_BUCKET_NAME", "get_static_url()")


@obeyed
def test_uploads_without_a_bucket(settings: str, make_shop: MakeSite, amazon: Aws) -> None:
    site = make_shop(amazon, settings, env=NO_BUCKET)
    result = site.project.snippet(
        "from django.core.files.base import ContentFile\n"
        "from django.core.files.storage import default_storage\n"
        "print(default_storage.save('a.txt', ContentFile(b'text')))"
    )
    assert_improperly_configured(result, "AWS_STORAGE_BUCKET_NAME")
    assert_nothing_local(site)


def assert_nothing_local(site: Site) -> None:
    # compressor creates an empty folder for its manifest.
    assert not tree(site.static_root)
    assert not tree(site.project.folder / "media")
