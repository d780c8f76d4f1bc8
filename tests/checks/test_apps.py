import re
from collections.abc import Callable

import pytest

from tests.checks.conftest import CACHED_MANIFEST, LOCAL_STATIC, SECRET
from tests.project import Project

SETTINGS = """
from herokuify.aws import *
SECRET_KEY = "x"
USE_TZ = True
INSTALLED_APPS = [{apps}]
STATIC_URL = get_static_url()
STATIC_ROOT = "static"
STATICFILES_FINDERS = ["compressor.finders.CompressorFinder"]
STORAGES = {{
    "default": {{"BACKEND": "herokuify.storage.S3MediaStorage"}},
    "staticfiles": {{"BACKEND": "{static}"}},
}}
COMPRESS_STORAGE = "{static}"
COMPRESS_OFFLINE = {offline}
TEMPLATES = [{{"BACKEND": "django.template.backends.django.DjangoTemplates"}}]
"""
VARIABLES = {
    "AWS_STORAGE_BUCKET_NAME": "my-bucket",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": SECRET,
}
ABOVE = '"herokuify", "compressor", "django.contrib.staticfiles"'
BELOW = '"django.contrib.staticfiles", "herokuify", "compressor"'
BELOW_COMPRESSOR = '"compressor", "herokuify", "django.contrib.staticfiles"'


@pytest.mark.parametrize(
    ("apps", "static", "offline", "warnings"),
    [
        (ABOVE, CACHED_MANIFEST, True, set()),
        (BELOW, CACHED_MANIFEST, True, {"W001"}),
        (BELOW, "herokuify.storage.S3StaticStorage", False, {"W001"}),
        ('"django.contrib.staticfiles"', CACHED_MANIFEST, False, {"W013"}),
        ('"django.contrib.staticfiles"', LOCAL_STATIC, False, set()),
        (BELOW_COMPRESSOR, CACHED_MANIFEST, True, {"W002"}),
        (BELOW_COMPRESSOR, CACHED_MANIFEST, False, set()),
    ],
)
def test_order_of_apps_is_checked_with_s3(
    make_project: Callable[..., Project],
    apps: str,
    static: str,
    offline: bool,
    warnings: set[str],
) -> None:
    source = SETTINGS.format(apps=apps, static=static, offline=offline)
    result = make_project(source, env=VARIABLES).manage("check", sockets=False)
    assert result.returncode == 0, result.stderr
    assert set(re.findall(r"herokuify\.([EW]\d+)", result.stderr)) == warnings
    assert ("issues" in result.stdout) == (not warnings)
    if "W001" in warnings:
        assert 'Move "herokuify" above "django.contrib.staticfiles"' in result.stderr
    if "W013" in warnings:
        assert 'INSTALLED_APPS = ["herokuify", …]' in result.stderr
    if "W002" in warnings:
        assert 'Move "herokuify" above "compressor"' in result.stderr


def test_order_of_apps_is_not_checked_without_s3(make_project: Callable[..., Project]) -> None:
    """Then the order doesn't matter, and no check imports boto3 or django-compressor."""
    apps = BELOW.replace('"herokuify", "compressor"', '"compressor", "herokuify"')
    source = SETTINGS.format(apps=apps, static=LOCAL_STATIC, offline=True)
    source = source.replace("herokuify.storage.S3MediaStorage", "tests.project.Project")
    run = """
import sys
from django.core.checks import run_checks
print([message.id for message in run_checks()])
print("boto3" in sys.modules, "compressor.base" in sys.modules)
"""
    result = make_project(source).snippet(run, sockets=False)
    assert (result.stdout, result.stderr) == ("[]\nFalse False\n", "")


OWN = """
from {module} import Command as Base


class Command(Base):
    pass
"""


@pytest.mark.parametrize(
    ("module", "apps", "warnings"),
    [
        ("django.contrib.staticfiles.management.commands.collectstatic", "shop, ", {"W016"}),
        ("herokuify.management.commands.collectstatic", "shop, ", set()),
        ("django.contrib.staticfiles.management.commands.collectstatic", "", set()),
    ],
)
def test_collectstatic_of_another_app_is_reported(
    make_project: Callable[..., Project], module: str, apps: str, warnings: set[str]
) -> None:
    order = ABOVE if not apps else f'"shop", {ABOVE}'
    source = SETTINGS.format(apps=order, static=CACHED_MANIFEST, offline=False)
    project = make_project(source, env=VARIABLES)
    folder = project.folder / "shop" / "management" / "commands"
    folder.mkdir(parents=True)
    for one in (folder, folder.parent, folder.parent.parent):
        (one / "__init__.py").touch()
    (folder / "collectstatic.py").write_text(OWN.format(module=module))
    result = project.manage("check", sockets=False)
    assert set(re.findall(r"herokuify\.([EW]\d+)", result.stderr)) == warnings
    if warnings:
        assert "collectstatic is shop.management.commands.collectstatic.Command" in result.stderr
        assert "herokuify.management.commands.collectstatic.Command" in result.stderr
