"""Run Django's own tests with S3MediaStorage in place of FileSystemStorage.

``python -m tests.storage.django_suite TESTS RESULT LABEL…``: TESTS is the folder ``tests`` of
Django's source distribution, RESULT a file for the outcomes as JSON. The environment names the
server and an empty bucket, which is emptied after each test.
"""

import importlib
import os
import runpy
import sys
import types
from pathlib import Path
from typing import Any


def configure(tests: Path) -> None:
    """Extend Django's own settings for its tests with media on S3."""
    sys.path.insert(0, str(tests))
    test_sqlite = importlib.import_module("test_sqlite")
    settings = types.ModuleType("s3_settings")
    vars(settings).update({name: v for name, v in vars(test_sqlite).items() if name.isupper()})
    vars(settings).update(
        AWS_STORAGE_BUCKET_NAME=os.environ["AWS_STORAGE_BUCKET_NAME"],
        AWS_ACCESS_KEY_ID=os.environ["AWS_ACCESS_KEY_ID"],
        AWS_SECRET_ACCESS_KEY=os.environ["AWS_SECRET_ACCESS_KEY"],
        AWS_S3_ENDPOINT_URL=os.environ["AWS_S3_ENDPOINT_URL"],
        AWS_S3_REGION_NAME=os.environ["AWS_S3_REGION_NAME"],
        AWS_S3_ADDRESSING_STYLE="path",
        STORAGES={
            "default": {"BACKEND": "herokuify.storage.S3MediaStorage"},
            "staticfiles": {
                "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage",
            },
        },
        TEST_RUNNER="tests.storage.django_suite_runner.Runner",
    )
    sys.modules["s3_settings"] = settings
    os.environ["DJANGO_SETTINGS_MODULE"] = "s3_settings"


def replace_file_system_storage() -> None:
    """Replace FileSystemStorage before Django's tests import it."""
    import django.core.files.storage as package

    from herokuify.storage import S3MediaStorage

    class FileSystemStorage(S3MediaStorage):
        """Stores files on S3; a folder on the disk becomes a prefix in the bucket."""

        #: Django's tests clear O_EXCL to overwrite; the option for it is new in Django 5.1.
        OS_OPEN_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL

        def __init__(self, location: Any = None, base_url: Any = None, **options: Any) -> None:
            self.given_base_url = base_url
            is_exclusive = self.OS_OPEN_FLAGS & os.O_EXCL
            options["file_overwrite"] = options.pop("allow_overwrite", not is_exclusive)
            if location is not None:
                options["location"] = str(location).strip("/")
            super().__init__(querystring_auth=base_url is None, **options)

        @property
        def base_url(self) -> str:
            return self.given_base_url or super().base_url

        def path(self, name: Any) -> str:
            """Return a path on the disk, which the runner's ``os`` looks up in the bucket."""
            return f"/{self.key_of(name)}"

    package.FileSystemStorage = FileSystemStorage  # type: ignore[misc,assignment]


def main() -> None:
    """Run Django's tests on S3."""
    tests, result, *labels = sys.argv[1:]
    os.environ["DJANGO_SUITE_RESULT"] = result
    configure(Path(tests))
    replace_file_system_storage()
    run(tests, *labels)


def run(tests: str, *labels: str) -> None:
    """Run Django's runtests.py, in its folder."""
    options = ["--settings=s3_settings", "--parallel=1", "--noinput", "--verbosity=0"]
    sys.argv = [str(Path(tests) / "runtests.py"), *options, *labels]
    os.chdir(tests)
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
