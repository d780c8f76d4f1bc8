"""The tests of django-storages that talk to S3's interface, on S3MediaStorage.

Its other tests look at the internals of its own class, or mock boto3.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import clean_environment
from tests.servers import S3Server
from tests.storage.sdists import unpacked_tests

#: In django-storages, lines of a binary file also end at "\r", unlike in Python's own files;
#: tests.storage.test_backend has the other cases of the test.
INAPPLICABLE = "test_storage_open_reading_with_newlines"
PROGRAM = f"""
import sys, unittest
import django, moto
from django.conf import settings
from tests import settings as theirs

moto.mock_s3 = lambda tests: tests  # the server is already running
settings.configure(**{{name: v for name, v in vars(theirs).items() if name.isupper()}} | {{
    "AWS_" + name: v for name, v in (pair.split("=", 1) for pair in sys.argv[1:])
}})
django.setup()

from herokuify.storage import S3MediaStorage
from storages.backends import s3

class OnServer(S3MediaStorage):
    location = ""
    file_overwrite = True

s3.S3Storage = OnServer
from tests.test_s3 import S3StorageTestsWithMoto as Tests

from django.test.utils import setup_databases
setup_databases(0, False)
names = [name for name in unittest.defaultTestLoader.getTestCaseNames(Tests)]
assert "{INAPPLICABLE}" in names
suite = unittest.TestSuite(Tests(name) for name in names if name != "{INAPPLICABLE}")
result = unittest.TextTestRunner(sys.stdout).run(suite)
sys.exit(not result.wasSuccessful() or result.testsRun < 5)
"""


@pytest.mark.once
def test_django_storages_tests_pass(
    s3: S3Server, bucket: str, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    root = unpacked_tests("django-storages", tmp_path / "unpacked", pytestconfig)
    environment = clean_environment(tmp_path)
    settings = {
        "STORAGE_BUCKET_NAME": bucket,
        "ACCESS_KEY_ID": s3.access_key,
        "SECRET_ACCESS_KEY": s3.secret_key,
        "S3_ENDPOINT_URL": s3.endpoint_url,
        "S3_REGION_NAME": s3.region,
        "S3_ADDRESSING_STYLE": "path",
    }
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, *(f"{name}={v}" for name, v in settings.items())],
        cwd=root,
        env={
            **environment,
            "PYTHONPATH": os.pathsep.join([str(root), environment["PYTHONPATH"]]),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stdout + process.stderr
