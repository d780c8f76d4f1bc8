"""Tests whose last run failed, and which have not been seen to pass since: to be worked off.

They run, and are reported as xfailed or xpassed; a name is taken off when it passes in all
environments.
"""

UNSETTLED = {
    "test_base.py": {"test_needs_no_network"},
    "test_build_and_render.py": {"test_where_policies_count"},
    "test_cached.py": {"test_neither"},
    "test_errors.py": {
        "test_etags_that_are_no_md5",
        "test_heads_tell_no_reason",
        "test_values_that_botocore_refuses",
    },
    "test_hashing.py": {
        "test_files_of_a_finder_without_a_disk",
        "test_javascript_modules",
        "test_post_process_without_a_manifest",
    },
    "test_memory.py": {"test_extra_memory"},
    "test_uploads.py": {"test_upload_and_download"},
}
