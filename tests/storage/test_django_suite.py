"""Django's own tests of storages and of fields with files, on S3MediaStorage.

They come from the source distribution of the Django that is installed: tests.storage.sdists.
"""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import django
import pytest

from tests.servers import S3Server, client_of, remove_bucket
from tests.storage.sdists import djangos_tests

LABELS = [
    "file_storage",
    "file_uploads",
    "files",
    "model_fields.test_filefield",
    "model_fields.test_imagefield",
    "model_forms.tests.FileAndImageFieldTests",
]
DISK = "asks the disk itself for the file, its times or its permissions"
FOLDERS = "makes, removes or looks for a folder; S3 has none"
TIMES = "S3 knows neither when an object was read nor when it was first written"
OWN = "is about FileSystemStorage's own options or its place in Django"
EARLIER = (
    "names the text of Django's error; django-storages cleans the name before, and the error is "
    "another SuspiciousFileOperation. save() itself refuses these names with Django's words"
)
#: Django's tests that can't apply, by the end of their ids, and why.
INAPPLICABLE = {
    ".test_base_url": OWN,
    ".test_empty_location": OWN,
    ".test_setting_changed": OWN,
    ".test_callable_storage_file_field_in_model": "expects a location that begins with a slash",
    ".test_os_open_flags_deprecation_warning": OWN,
    "FileSystemStorageTests.test_deconstruction": OWN,
    "StorageHandlerTests.test_defaults": OWN,
    "FileFieldStorageTests.test_file_object": DISK,
    "ImageFieldTests.test_delete_when_missing": DISK,
    "ImageFieldTests.test_instantiate_missing": DISK,
    ".test_file_get_modified_time": DISK,
    ".test_filename_case_preservation": DISK,
    ".test_file_upload_default_permissions": DISK,
    ".test_file_upload_directory_default_permissions": DISK,
    ".test_file_upload_directory_permissions": DISK,
    ".test_file_upload_permissions": DISK,
    ".test_move_temporary_file": DISK,
    ".test_delete_deletes_directories": FOLDERS,
    ".test_file_save_with_path": FOLDERS,
    ".test_listdir": FOLDERS,
    ".test_makedirs_race_handling": FOLDERS,
    ".test_remove_race_handling": FOLDERS,
    "DirectoryCreationTests.test_not_a_directory": FOLDERS,
    "DirectoryCreationTests.test_readonly_root": FOLDERS,
    ".test_file_get_accessed_time": TIMES,
    ".test_file_get_accessed_time_timezone": TIMES,
    ".test_file_get_created_time": TIMES,
    ".test_file_get_created_time_timezone": TIMES,
    ".test_storage_dangerous_paths": EARLIER,
    ".test_storage_dangerous_paths_dir_name": EARLIER,
    "OverwritingStorageTests.test_file_name_truncation_extension_too_long": EARLIER,
    ".test_file_chunks_error": "breaks chunks() of a file that can seek, which is read instead",
}
#: Not even run: it looks for the storage's folder upwards to "/", and never gets there.
ENDLESS = ".test_extended_length_storage"

if django.VERSION[:3] == (4, 2, 0):
    # Later releases' tests of these names save by a name in the location.
    INAPPLICABLE |= dict.fromkeys(
        (".test_file_save_abs_path", ".test_file_save_broken_symlink"), DISK
    )


@pytest.fixture
def strictest_server(
    request: pytest.FixtureRequest, moto: S3Server
) -> Iterator[tuple[S3Server, str]]:
    """The strictest server at hand, and a bucket there."""
    from tests import servers

    server = servers.ceph() or moto
    client, name = client_of(server), f"test-{uuid.uuid4().hex}"
    client.create_bucket(Bucket=name)
    yield server, name
    remove_bucket(client, name)


@pytest.mark.ends
def test_passes(
    pytestconfig: pytest.Config,
    strictest_server: tuple[S3Server, str],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    access, bucket = strictest_server
    passed = djangos_tests(
        "tests.storage.django_suite",
        *LABELS,
        config=pytestconfig,
        folder=tmp_path,
        variables={
            **access.variables,
            "AWS_STORAGE_BUCKET_NAME": bucket,
            "DJANGO_SUITE_LEFT_OUT": ENDLESS,
        },
        inapplicable=INAPPLICABLE,
    )
    record_property("passed", len(passed))
    assert len(passed) > 200
