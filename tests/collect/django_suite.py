"""Run Django's own tests of static files with herokuify's storages in place of Django's.

``python -m tests.collect.django_suite TESTS RESULT LABEL PLAIN MANIFEST``: TESTS is the folder
``tests`` of Django's source distribution, RESULT a file for the outcomes as JSON, PLAIN and
MANIFEST the names of herokuify's classes. The environment names the server and an
empty bucket.
"""

import importlib
import os
import sys
from pathlib import Path
from typing import Any

from tests.storage import django_suite


def put_s3_in_place(plain: str, manifest: str) -> None:
    """Replace Django's storages before the tests import them."""
    from django.conf import settings
    from django.contrib.staticfiles import storage as package
    from django.utils._os import safe_join

    from herokuify import storage

    plain_class: Any = getattr(storage, plain)
    manifest_class: Any = getattr(storage, manifest)

    class OnDisk:
        """The local copies, as the folder that Django's tests construct and look at."""

        # One of herokuify's own modules, so that the class doesn't count as a project's.
        __module__ = "herokuify.storage.tests"

        def __init__(self, location: Any = None, **options: Any) -> None:
            options.pop("base_url", None)
            super().__init__(**options)

        @property
        def base_url(self) -> str:
            """STATIC_URL as it is: in these tests it has no host."""
            return str(settings.STATIC_URL)

        def path(self, name: Any) -> str:
            """Return the local copy's path."""
            staged: Any = vars(self).get("_stage")
            if staged is not None:
                return str(staged.path(name))
            return str(safe_join(settings.STATIC_ROOT, str(name)))

    class StaticFilesStorage(OnDisk, plain_class):  # type: ignore[misc]
        __module__ = "herokuify.storage.tests"

    class ManifestStaticFilesStorage(OnDisk, manifest_class):  # type: ignore[misc]
        __module__ = "herokuify.storage.tests"

    package.StaticFilesStorage = StaticFilesStorage  # type: ignore[misc,assignment]
    package.ManifestStaticFilesStorage = (  # type: ignore[misc]
        ManifestStaticFilesStorage  # type: ignore[assignment]
    )


def main() -> None:
    """Configure S3 and run Django's runtests.py."""
    tests, result, label, *kinds = sys.argv[1:]
    os.environ["DJANGO_SUITE_RESULT"] = result
    django_suite.configure(Path(tests))
    # A finder looks for files of the default storage in a folder.
    storages: Any = sys.modules["s3_settings"]
    storages.STORAGES["default"]["BACKEND"] = "django.core.files.storage.FileSystemStorage"
    options: Any = importlib.import_module("staticfiles_tests.settings")
    options.TEST_SETTINGS["INSTALLED_APPS"].insert(0, "herokuify")
    put_s3_in_place(*kinds)
    django_suite.run(tests, label)


if __name__ == "__main__":
    main()
