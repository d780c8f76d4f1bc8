"""Django's own tests of static files pass with herokuify's storages and command.

They come from the source distribution of the installed Django; see tests.storage.sdists.
"""

from pathlib import Path

import pytest

from tests.servers import S3Server
from tests.storage.sdists import djangos_tests

LOCAL = "is about a storage that is a folder: Django clears it, links into it, asks what is there"
SUMMARY = (
    "reads the words of Django's summary; the engine's tells what was sent, and where it differs"
)
ERROR = "wants the exception of the storage; the engine's CommandError names it, and all files"
FOLDER = "gives the storage another folder, or permissions; its local copies are in STATIC_ROOT"
MEDIA = "looks for files of the default storage on the disk"
QUESTION = "reads the words of Django's question; the engine's says what happens, and where"
#: Why some of Django's tests can't apply, by the end of their IDs.
INAPPLICABLE = {
    ".test_cleared_not_found": LOCAL,
    ".test_clear_broken_symlink": LOCAL,
    ".test_clear_empties_manifest": LOCAL,
    ".test_symlinks_and_files_replaced": LOCAL,
    ".test_local_storage_detection_helper": LOCAL,
    ".test_no_warning_for_empty_staticdir": LOCAL,
    ".test_no_warning_when_staticdir_does_not_exist": LOCAL,
    "TestConfiguration.test_location_empty": "names the text of Django's error",
    ".test_verbosity_1": SUMMARY,
    ".test_verbosity_2": SUMMARY,
    ".test_verbosity_2_with_post_process": SUMMARY,
    ".test_collectstatistic_no_post_process_replaced_paths": SUMMARY,
    ".test_import_loop": ERROR,
    ".test_post_processing_failure": ERROR,
    ".test_post_processing_nonutf8": ERROR,
    "TestCustomManifestStorage.test_read_manifest": FOLDER,
    "TestCustomManifestStorage.test_read_manifest_nonexistent": FOLDER,
    "TestCustomManifestStorage.test_save_manifest_create": FOLDER,
    "TestDefaultStorageFinder.test_find_all": MEDIA,
    "TestDefaultStorageFinder.test_find_all_deprecated_param": MEDIA,
    "TestDefaultStorageFinder.test_find_first": MEDIA,
    ".test_warning_when_clearing_staticdir": QUESTION,
    ".test_warning_when_overwriting_files_in_staticdir": QUESTION,
    ".test_collect_static_files_subclass_of_static_storage": FOLDER,
}
DISK = "looks for files in STATIC_ROOT, where the classes without local copies put none"
#: Those that can't apply to the classes without local copies.
UNCACHED = {
    ".test_intermediate_files": DISK,
    ".test_collect_static_files_default_permissions": DISK,
    ".test_collect_static_files_permissions": DISK,
    ".test_manifest_hash_v1": DISK,
}


@pytest.mark.once
@pytest.mark.parametrize(
    ("label", "kinds", "inapplicable", "most"),
    [
        (
            "staticfiles_tests",
            ["CachedS3StaticStorage", "CachedS3ManifestStaticStorage"],
            INAPPLICABLE,
            150,
        ),
        # Other modules look for files on the disk.
        (
            "staticfiles_tests.test_storage",
            ["S3StaticStorage", "S3ManifestStaticStorage"],
            {**INAPPLICABLE, **UNCACHED},
            30,
        ),
    ],
    ids=["cached", "uncached"],
)
def test_djangos_tests_pass(
    pytestconfig: pytest.Config,
    moto: S3Server,
    moto_bucket: str,
    tmp_path: Path,
    label: str,
    kinds: list[str],
    inapplicable: dict[str, str],
    most: int,
) -> None:
    passed = djangos_tests(
        "tests.collect.django_suite",
        label,
        *kinds,
        config=pytestconfig,
        folder=tmp_path,
        variables={
            **moto.variables,
            "AWS_STORAGE_BUCKET_NAME": moto_bucket,
            "DJANGO_SUITE_LEFT_OUT": "",
            # Otherwise two hundred runs would upload the same files.
            "DJANGO_SUITE_KEEPS_FILES": "1",
        },
        inapplicable=inapplicable,
    )
    assert len(passed) > most
