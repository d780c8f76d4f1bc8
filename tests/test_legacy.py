"""STATICFILES_STORAGE and DEFAULT_FILE_STORAGE on Django versions that no longer have them."""

import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import InMemoryStorage, default_storage, storages
from django.test import override_settings

from herokuify import legacy
from tests.project import Project

MEMORY = "django.core.files.storage.InMemoryStorage"
FILES = "django.core.files.storage.FileSystemStorage"
PLAIN = "django.contrib.staticfiles.storage.StaticFilesStorage"
MANIFEST = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
BASE = """
SECRET_KEY = "x"
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = "static"
INSTALLED_APPS = ["early", "herokuify", "django.contrib.staticfiles"]
"""
CLASSIC = f"""
DEFAULT_FILE_STORAGE = "{MEMORY}"
STATICFILES_STORAGE = "{MANIFEST}"
"""
SHOW = """
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.files.storage import default_storage, storages
default_storage.exists("a"), staticfiles_storage.base_url
print(*(type(lazy._wrapped).__name__ for lazy in (default_storage, staticfiles_storage)))
assert default_storage._wrapped is storages["default"]
assert staticfiles_storage._wrapped is storages["staticfiles"]
"""
MODELS = """
from django.core.files.storage import default_storage, storages
from django.db import models

class Document(models.Model):
    file = models.FileField(storage=default_storage)
    other = models.FileField(storage=storages["default"])
    plain = models.FileField()

#: What importing code sees of the storage.
found = default_storage.exists("a"), type(default_storage._wrapped).__name__
"""
ON_NEW = pytest.mark.django_versions(">=5.1")
ON_OLD = pytest.mark.django_versions("<5.1")


@pytest.fixture
def make_early(make_project: Callable[..., Project]) -> Callable[..., Project]:
    """Make a project with an app above herokuify in INSTALLED_APPS."""

    def make(settings: str, **files: str) -> Project:
        app = {"early/__init__.py": "", "early/models.py": ""}
        named = {f"early/{name}.py": source for name, source in files.items()}
        return make_project(BASE + settings, files=app | named)

    return make


def printed(result: "subprocess.CompletedProcess[str]") -> str:
    assert result.returncode == 0, result.stderr
    return result.stdout


@ON_NEW
class TestProjects:
    @pytest.mark.parametrize(
        ("settings", "expected"),
        [
            (CLASSIC, "InMemoryStorage ManifestStaticFilesStorage"),
            (f'DEFAULT_FILE_STORAGE = "{MEMORY}"', "InMemoryStorage StaticFilesStorage"),
            (
                f'STATICFILES_STORAGE = "{MANIFEST}"',
                "FileSystemStorage ManifestStaticFilesStorage",
            ),
            (
                "DEFAULT_FILE_STORAGE = None\nSTATICFILES_STORAGE = ''",
                "FileSystemStorage StaticFilesStorage",
            ),
            ("", "FileSystemStorage StaticFilesStorage"),
        ],
        ids=["both", "media", "static", "empty", "none"],
    )
    def test_take_effect(
        self, make_early: Callable[..., Project], settings: str, expected: str
    ) -> None:
        assert printed(make_early(settings).snippet(SHOW)) == f"{expected}\n"

    def test_take_effect_in_models(self, make_early: Callable[..., Project]) -> None:
        """A FileField takes its storage when its model is imported, which is before ready()."""
        source = (
            "from early import models\n"
            "fields = [models.Document._meta.get_field(n) for n in ('file', 'other', 'plain')]\n"
            "for field in fields: field.storage.exists('a')\n"
            "from django.core.files.storage import storages\n"
            "print(models.found, *{type(getattr(f.storage, '_wrapped', f.storage)).__name__"
            " for f in fields})\n"
            "assert fields[1].storage is storages['default']\n"
        )
        result = make_early(CLASSIC, models=MODELS).snippet(source)
        assert printed(result) == "(False, 'InMemoryStorage') InMemoryStorage\n"

    def test_take_effect_after_an_early_use(self, make_early: Callable[..., Project]) -> None:
        """An AppConfig above herokuify's uses the storages in its constructor."""
        apps = (
            "from django.apps import AppConfig\n"
            "from django.contrib.staticfiles.storage import staticfiles_storage\n"
            "from django.core.files.storage import default_storage, storages\n"
            "class EarlyConfig(AppConfig):\n"
            "    name = 'early'\n"
            "    def __init__(self, *arguments):\n"
            "        super().__init__(*arguments)\n"
            "        assert type(storages['default']).__name__ == 'FileSystemStorage'\n"
            "        default_storage.exists('a'), staticfiles_storage.base_url\n"
        )
        result = make_early(CLASSIC, apps=apps).snippet(SHOW)
        assert printed(result) == "InMemoryStorage ManifestStaticFilesStorage\n"

    def test_applying_them_again_changes_nothing(self, make_early: Callable[..., Project]) -> None:
        source = (
            "import herokuify, herokuify.legacy\n"
            "from herokuify.apps import HerokuifyConfig\n"
            "for _ in range(2): HerokuifyConfig('herokuify', herokuify).ready()\n"
            "herokuify.legacy.apply_legacy_settings()\n" + SHOW
        )
        result = make_early(CLASSIC).snippet(source)
        assert printed(result) == "InMemoryStorage ManifestStaticFilesStorage\n"

    def test_storages_setting_shows_the_result(self, make_early: Callable[..., Project]) -> None:
        source = "from django.conf import settings\nprint(sorted(settings.STORAGES.items()))"
        shown = printed(make_early(CLASSIC).snippet(source))
        expected = [("default", {"BACKEND": MEMORY}), ("staticfiles", {"BACKEND": MANIFEST})]
        assert shown == f"{expected}\n"

    def test_without_them_storages_is_djangos_default(
        self, make_early: Callable[..., Project]
    ) -> None:
        source = (
            "from django.conf import global_settings, settings\n"
            "assert settings.STORAGES is global_settings.STORAGES\n"
            "assert not settings.is_overridden('STORAGES')\n"
        )
        printed(make_early("").snippet(source))

    @pytest.mark.parametrize("storages", ["{}", f'{{"default": {{"BACKEND": "{MEMORY}"}}}}'])
    @pytest.mark.parametrize(
        ("name", "alias"),
        [("DEFAULT_FILE_STORAGE", "default"), ("STATICFILES_STORAGE", "staticfiles")],
    )
    def test_setting_storages_as_well_is_an_error(
        self, make_early: Callable[..., Project], storages: str, name: str, alias: str
    ) -> None:
        settings = f'STORAGES = {storages}\n{name} = "{MEMORY}"\n'
        result = make_early(settings).manage("check")
        assert result.returncode == 1
        assert "ImproperlyConfigured" in result.stderr
        assert f"{name} and STORAGES are both set" in result.stderr
        assert f"Delete the line {name} = …" in result.stderr
        assert f"STORAGES['{alias}']" in result.stderr

    @pytest.mark.parametrize("name", ["DEFAULT_FILE_STORAGE", "STATICFILES_STORAGE"])
    def test_none_beside_storages_is_ignored(
        self, make_early: Callable[..., Project], name: str
    ) -> None:
        backends = (
            f'{{"default": {{"BACKEND": "{MEMORY}"}}, "staticfiles": {{"BACKEND": "{PLAIN}"}}}}'
        )
        result = make_early(f"STORAGES = {backends}\n{name} = None\n").snippet(SHOW)
        assert printed(result) == "InMemoryStorage StaticFilesStorage\n"

    def test_take_effect_with_settings_configure(self, make_early: Callable[..., Project]) -> None:
        source = (
            "import django\n"
            "from django.conf import settings\n"
            f"settings.configure(DEFAULT_FILE_STORAGE={MEMORY!r}, STATICFILES_STORAGE={MANIFEST!r},"
            " STATIC_URL='/static/', STATIC_ROOT='static', USE_TZ=True, "
            "INSTALLED_APPS=['herokuify', 'django.contrib.staticfiles'])\n"
            "django.setup()\n" + SHOW
        )
        result = make_early("")._python("-c", source, env=None, sockets=False)
        assert printed(result) == "InMemoryStorage ManifestStaticFilesStorage\n"

    def test_unknown_backend_is_djangos_error(self, make_early: Callable[..., Project]) -> None:
        result = make_early('DEFAULT_FILE_STORAGE = "no.Such"').snippet(SHOW)
        assert result.returncode == 1
        assert "Could not find backend 'no.Such'" in result.stderr

    def test_can_be_overridden_in_tests(self, make_early: Callable[..., Project]) -> None:
        source = f"""
from django.core.files.storage import default_storage
from django.contrib.staticfiles.storage import staticfiles_storage
from django.test import override_settings

def shown():
    default_storage.exists("a"), staticfiles_storage.base_url
    return " ".join(type(s._wrapped).__name__ for s in (default_storage, staticfiles_storage))

print(shown())
with override_settings(DEFAULT_FILE_STORAGE="{FILES}"):
    print(shown())
    with override_settings(STATICFILES_STORAGE="{PLAIN}"):
        print(shown())
    print(shown())
print(shown())
with override_settings(STORAGES={{
    "default": {{"BACKEND": "{FILES}"}}, "staticfiles": {{"BACKEND": "{PLAIN}"}}
}}):
    print(shown())
print(shown())
"""
        classic = "InMemoryStorage ManifestStaticFilesStorage"
        assert printed(make_early(CLASSIC).snippet(source)).splitlines() == [
            classic,
            "FileSystemStorage ManifestStaticFilesStorage",
            "FileSystemStorage StaticFilesStorage",
            "FileSystemStorage ManifestStaticFilesStorage",
            classic,
            "FileSystemStorage StaticFilesStorage",
            classic,
        ]


def in_use() -> tuple[str, str]:
    """Return the names of the classes of Django's two storages."""
    default: Any = default_storage
    static: Any = staticfiles_storage
    default.exists("a")
    static.base_url  # noqa: B018
    return type(default._wrapped).__name__, type(static._wrapped).__name__


@ON_NEW
class TestOverrides:
    @pytest.fixture(autouse=True)
    def unchanged(self) -> Iterator[None]:
        """Check that each test leaves the storages as they were."""
        before = in_use(), django_settings.STORAGES
        yield
        assert (in_use(), django_settings.STORAGES) == before

    def test_take_effect_and_end(self) -> None:
        before = in_use()
        with override_settings(DEFAULT_FILE_STORAGE=MEMORY):
            assert in_use() == ("InMemoryStorage", before[1])
            assert isinstance(storages["default"], InMemoryStorage)
            with override_settings(STATICFILES_STORAGE=MANIFEST):
                assert in_use() == ("InMemoryStorage", "ManifestStaticFilesStorage")
            assert in_use() == ("InMemoryStorage", before[1])
        assert in_use() == before

    def test_both_can_be_overridden_at_once(self) -> None:
        with override_settings(DEFAULT_FILE_STORAGE=MEMORY, STATICFILES_STORAGE=MANIFEST):
            assert in_use() == ("InMemoryStorage", "ManifestStaticFilesStorage")

    def test_overriding_storages_as_well_is_an_error(self) -> None:
        with (
            pytest.raises(ImproperlyConfigured, match="Delete the line DEFAULT_FILE_STORAGE"),
            override_settings(STORAGES=dict(django_settings.STORAGES), DEFAULT_FILE_STORAGE=MEMORY),
        ):
            raise AssertionError("the block must not run")

    def test_other_settings_do_not_renew_storages(self) -> None:
        storage = storages["default"]
        with override_settings(DEFAULT_FROM_EMAIL="a@example.com", MEDIA_URL="/m/"):
            assert storages["default"] is storage


@ON_OLD
class TestOldDjango:
    def test_django_reads_them_itself(self) -> None:
        override = override_settings(DEFAULT_FILE_STORAGE=MEMORY)
        with pytest.warns(PendingDeprecationWarning, match="DEFAULT_FILE_STORAGE"):
            override.enable()
        try:
            legacy.apply_legacy_settings()
            assert in_use()[0] == "InMemoryStorage"
            assert not isinstance(django_settings.STORAGES, legacy.LegacyStorages)
        finally:
            override.disable()

    def test_setting_storages_as_well_is_djangos_error(
        self, make_early: Callable[..., Project]
    ) -> None:
        settings = f'STORAGES = {{"default": {{"BACKEND": "{MEMORY}"}}}}\n' + CLASSIC
        source = "import warnings; warnings.simplefilter('ignore'); import settings; import django"
        result = make_early(settings)._python(
            "-W",
            "ignore",
            "-c",
            f"{source}; django.setup()",
            env={"DJANGO_SETTINGS_MODULE": "settings"},
            sockets=False,
        )
        assert result.returncode == 1
        assert "DEFAULT_FILE_STORAGE/STORAGES are mutually exclusive" in result.stderr

    def test_nothing_is_changed(self, make_early: Callable[..., Project]) -> None:
        source = (
            "from django.conf import settings\n"
            "from herokuify import legacy\n"
            "legacy.apply_legacy_settings()\n"
            "legacy.follow_overrides(setting='DEFAULT_FILE_STORAGE')\n"
            "assert type(settings.STORAGES) is dict\n"
        )
        printed(make_early("").snippet(source + SHOW))
