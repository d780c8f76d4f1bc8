"""Does one thing with a contestant's storage; started by ``benchmarks/media.py``.

``python -m benchmarks.media_probe CONTESTANT TASK NAME [PATH]`` in the contestant's environment;
the server and the bucket come from the environment. Prints the seconds that the task took, without
imports and the first connection.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

BACKENDS = {
    "herokuify": "herokuify.storage.S3MediaStorage",
    "django-storages": "storages.backends.s3.S3Storage",
    "django-s3-storage": "django_s3_storage.storage.S3Storage",
}


def configure(contestant: str) -> None:
    """Set Django up with the contestant's storage and its defaults."""
    import django
    from django.conf import settings

    bucket = os.environ["BENCH_BUCKET"]
    settings.configure(
        USE_TZ=True,
        STORAGES={"default": {"BACKEND": BACKENDS[contestant]}},
        AWS_ACCESS_KEY_ID=os.environ["BENCH_KEY"],
        AWS_SECRET_ACCESS_KEY=os.environ["BENCH_SECRET"],
        AWS_S3_ENDPOINT_URL=os.environ["BENCH_ENDPOINT"],
        AWS_S3_ADDRESSING_STYLE="path",
        AWS_S3_REGION_NAME="us-east-1",  # herokuify's and django-storages'
        AWS_STORAGE_BUCKET_NAME=bucket,
        AWS_LOCATION="",
        AWS_REGION="us-east-1",  # django-s3-storage's
        AWS_S3_BUCKET_NAME=bucket,
    )
    django.setup()


def run(storage: Any, task: str, name: str, path: str) -> None:
    """Do one thing."""
    from django.core.files.base import File

    if task == "read3":
        with storage.open(name) as file:
            if len(file.read(3)) != 3:
                raise SystemExit("error: less than three bytes")
    elif task == "read":
        size = 0
        with storage.open(name) as file:
            for chunk in file.chunks(1024 * 1024):
                size += len(chunk)
        if size != Path(path).stat().st_size:
            raise SystemExit(f"error: {size} bytes were read")
    elif task == "save":
        with Path(path).open("rb") as source:
            storage.save(name, File(source))


def main() -> None:
    """Do what the arguments ask for."""
    contestant, task, name, path = sys.argv[1:]
    configure(contestant)
    from django.core.files.storage import default_storage

    if task == "url":
        print(default_storage.url(name))
        return
    default_storage.exists("nothing")  # the connection is there
    begin = time.monotonic()
    run(default_storage, task, name, path)
    print(time.monotonic() - begin)


if __name__ == "__main__":
    main()
