"""The test runner of `tests.storage.django_suite`.

It writes the outcomes as JSON, and empties the bucket after each test.
"""

import json
import os
import shutil
import sys
import unittest
from pathlib import Path
from typing import Any

from django.test.runner import DiscoverRunner
from django.test.utils import iter_test_cases

from herokuify.storage import S3BotoStorage


class Result(unittest.TextTestResult):
    """Records the outcome of each test."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.outcomes: dict[str, str] = {}

    def record(self, test: Any, outcome: str) -> None:
        # A test of a base class runs once for each class that inherits it.
        self.outcomes[test.id()] = outcome

    def addSuccess(self, test: Any) -> None:  # noqa: N802 (unittest's name)
        super().addSuccess(test)
        self.outcomes.setdefault(test.id(), "passed")

    def addSkip(self, test: Any, reason: str) -> None:  # noqa: N802
        super().addSkip(test, reason)
        self.record(test, f"skipped: {reason}")

    def addError(self, test: Any, err: Any) -> None:  # noqa: N802
        super().addError(test, err)
        self.record(test, f"{err[0].__name__}: {err[1]}")

    def addFailure(self, test: Any, err: Any) -> None:  # noqa: N802
        super().addFailure(test, err)
        self.record(test, f"{err[0].__name__}: {err[1]}")

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:  # noqa: N802
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.record(test, f"{err[0].__name__}: {err[1]}")

    def stopTest(self, test: Any) -> None:  # noqa: N802
        super().stopTest(test)
        if os.environ.get("DJANGO_SUITE_KEEPS_FILES"):
            return
        storage = S3BotoStorage(location="")
        keys = [entry.key for entry in storage.bucket.objects.all()]
        storage.delete_many(keys)

    def stopTestRun(self) -> None:  # noqa: N802
        super().stopTestRun()
        Path(os.environ["DJANGO_SUITE_RESULT"]).write_text(json.dumps(self.outcomes))


class Disk:
    """Replaces the tests' ``os``: also looks for files in the bucket."""

    def __init__(self) -> None:
        self.path = PathOnDisk()

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def listdir(self, folder: Any) -> list[str]:
        """Return the names in a folder."""
        folders, files = S3BotoStorage(location="").listdir(str(folder).lstrip("/"))
        return [*folders, *files] or os.listdir(folder)  # noqa: PTH208


class PathOnDisk:
    """Replaces the tests' ``os.path``."""

    def __getattr__(self, name: str) -> Any:
        return getattr(os.path, name)

    def exists(self, path: Any) -> bool:
        """Return whether a file exists."""
        key = str(path).lstrip("/")
        return os.path.exists(path) or S3BotoStorage(location="").exists(key)  # noqa: PTH110


class Folders:
    """Replaces the tests' ``shutil``: the folders that they remove aren't on the disk."""

    def __getattr__(self, name: str) -> Any:
        return getattr(shutil, name)

    def rmtree(self, folder: Any) -> None:
        """Remove a folder if it exists."""
        shutil.rmtree(folder, ignore_errors=True)


class Runner(DiscoverRunner):
    """Django's runner, without the tests in DJANGO_SUITE_LEFT_OUT."""

    def build_suite(self, *args: Any, **options: Any) -> unittest.TestSuite:
        suite = super().build_suite(*args, **options)
        # Discovery has imported it.
        module: Any = sys.modules.get("file_storage.tests")
        if module is not None:
            module.os, module.shutil = Disk(), Folders()
        left_out = os.environ["DJANGO_SUITE_LEFT_OUT"].split()
        wanted = [
            test for test in iter_test_cases(suite) if not test.id().endswith(tuple(left_out))
        ]
        return type(suite)(wanted)

    def get_resultclass(self) -> type[Result]:
        return Result
