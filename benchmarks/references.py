"""Prints the files of a tree that Django's ManifestStaticFilesStorage refuses, as JSON.

``python -m benchmarks.references SOURCE COPY``, in an environment with Django: ``COPY`` holds the
same files as ``SOURCE``, and gets hashed ones besides.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from django.conf import settings
from django.core.files.storage import FileSystemStorage


def refused(source: Path, copy: Path) -> list[str]:
    """Return the names of the files whose references can't be resolved."""
    from django.contrib.staticfiles.storage import ManifestStaticFilesStorage

    original = FileSystemStorage(source)
    names = [path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()]
    storage = ManifestStaticFilesStorage(copy, "/static/")
    found = set()
    for name, _, outcome in storage.post_process({name: (original, name) for name in names}):
        if isinstance(outcome, Exception):
            if name == "All":
                raise outcome
            found.add(name)
    return sorted(found)


if __name__ == "__main__":
    settings.configure(USE_TZ=True, STATIC_URL="/static/")
    print(json.dumps(refused(Path(sys.argv[1]), Path(sys.argv[2]))))
