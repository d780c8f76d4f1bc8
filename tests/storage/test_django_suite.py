"""Django's own tests of storages and of fields with files, on S3MediaStorage.

They come from the source distribution of the installed Django: see tests.storage.sdists.
"""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import django
import pytest

from tests.servers import S3Server, ceph, client_of, remove_bucket
from tests.storage.sdists import djangos_tests

LABELS = [
    "file_storage",
    "file_uploads",
    "files",
    "model_fields.test_filefield",
    "model_fields.test_imagefield",
    "model_forms.tests.FileAndImageFieldTests",
]
DISK = "looks at a file, its times or its permissions on the disk"
FOLDERS = "creates, removes or looks for a folder; S3 has none"
TIMES = "S3 stores neither access nor creation times"
OWN = "tests FileSystemStorage's own options or its role in Django"
EARLIER = (
    "expects Django's message; django-storages checks the name first and raises "
    "SuspiciousFileOperation with another. save() refuses these names with Django's message"
)
#: Django's tests that can't pass, by the ends of their ids, with the reason.
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
    ".test_file_chunks_error": "breaks chunks() of a seekable file, where herokuify uses read()",
}
#: Left out, because it never ends: it walks up from the storage's location to find "/".
ENDLESS = ".test_extended_length_storage"

if django.VERSION[:3] == (4, 2, 0):
    # In later releases, these tests use names within the location.
    INAPPLICABLE |= dict.fromkeys(
        (".test_file_save_abs_path", ".test_file_save_broken_symlink"), DISK
    )


@pytest.fixture
def strictest_server(moto: S3Server) -> Iterator[tuple[S3Server, str]]:
    """Ceph if it is available, otherwise moto; and a bucket there."""
    server = ceph() or moto
    client, name = client_of(server), f"test-{uuid.uuid4().hex}"
    client.create_bucket(Bucket=name)
    yield server, name
    remove_bucket(client, name)


@pytest.mark.ends
def test_djangos_tests_pass(
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
