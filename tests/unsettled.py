"""Tests whose last run failed, and which have not been seen to pass since: to be worked off.

They run, and are reported as xfailed or xpassed; a name is taken off when it passes in all
environments.
"""

UNSETTLED = {
    "test_hashing.py": {
        "test_files_of_a_finder_without_a_disk",
        "test_javascript_modules",
        "test_post_process_without_a_manifest",
    },
}
