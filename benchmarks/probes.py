"""The tasks of a contestant's process; run by path in the contestant's environment.

``python -I probes.py CONTESTANT TASK …`` prints its figures as a line of JSON. The bucket and the
server come from the environment.
"""

from __future__ import annotations

import gc
import json
import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

_DJANGO = "django.contrib.staticfiles.storage."
_S3 = "storages.backends.s3."
#: contestant → the storages for media, plain static files, and those with a manifest
STORAGES = {
    "local": (
        "django.core.files.storage.FileSystemStorage",
        f"{_DJANGO}StaticFilesStorage",
        f"{_DJANGO}ManifestStaticFilesStorage",
    ),
    "herokuify": (
        "herokuify.storage.S3MediaStorage",
        "herokuify.storage.S3StaticStorage",
        "herokuify.storage.CachedS3ManifestStaticStorage",
    ),
    "django-storages": (f"{_S3}S3Storage", f"{_S3}S3StaticStorage", ""),
    "django-s3-storage": ("django_s3_storage.storage.S3Storage", "", ""),
}
NAMES = [f"app{number % 40}/css/module-{number}.css" for number in range(1000)]
IMAGES, PER_PAGE, PAGES = 50_000, 50, 400
THREADS, PUTS = 64, 2000
_sockets = 0


def configure(contestant: str, folder: str = "") -> None:
    """Set up Django with the contestant's storages and their defaults."""
    import django
    from django.conf import settings

    media, static, manifest = STORAGES[contestant]
    variables = os.environ
    ours: dict[str, Any] = {}
    if contestant == "herokuify":  # with all fragments, as in a project
        exec(  # noqa: S102
            "import herokuify\n"
            "from herokuify.aws import *\n"
            "from herokuify.common import *\n"
            "DATABASES = herokuify.get_db_config()\n"
            "CACHES = herokuify.get_cache_config()\n"
            "globals().update(herokuify.get_email_config())\n"
            "STATIC_URL = get_static_url()\n"
            "MEDIA_URL = get_media_url()\n",
            ours,
        )
    bucket = variables["AWS_STORAGE_BUCKET_NAME"]
    values: dict[str, Any] = {
        "SECRET_KEY": variables["SECRET_KEY"],
        "USE_TZ": True,
        "INSTALLED_APPS": ["django.contrib.staticfiles"],
        "STATIC_URL": "/static/",
        "STATIC_ROOT": folder,
        "MEDIA_URL": "/media/",
        **{name: value for name, value in ours.items() if name.isupper()},
        "STORAGES": {
            "default": {"BACKEND": media},
            "staticfiles": {"BACKEND": static},
            "manifest": {"BACKEND": manifest},
        },
    }
    if contestant == "herokuify":
        values["INSTALLED_APPS"].insert(0, "herokuify")
    elif contestant != "local":
        values |= {
            "AWS_ACCESS_KEY_ID": variables["AWS_ACCESS_KEY_ID"],
            "AWS_SECRET_ACCESS_KEY": variables["AWS_SECRET_ACCESS_KEY"],
            "AWS_STORAGE_BUCKET_NAME": bucket,
            "AWS_S3_REGION_NAME": variables["AWS_S3_REGION_NAME"],
            "AWS_S3_ENDPOINT_URL": variables.get("AWS_S3_ENDPOINT_URL"),
            "AWS_S3_ADDRESSING_STYLE": "path",
            "AWS_REGION": variables["AWS_S3_REGION_NAME"],  # django-s3-storage's
            "AWS_S3_BUCKET_NAME": bucket,
        }
        if contestant == "django-storages":
            values["STORAGES"]["staticfiles"]["OPTIONS"] = {"querystring_auth": False}
    settings.configure(**values)
    django.setup()


def start(contestant: str, what: str) -> dict[str, float]:
    """Start Django and render nothing, a static, a media URL, or both."""
    configure(contestant)
    if what != "nothing":
        from django.core.files.storage import default_storage
        from django.template import Context, Engine

        text = '{% load static %}{% static "a.css" %}' if what in {"static", "both"} else ""
        values = {"file": default_storage.url("a.jpg")} if what in {"media", "both"} else {}
        engine = Engine(libraries={"static": "django.templatetags.static"})
        engine.from_string(text + " {{ file }}").render(Context(values))
    return {}


def static_urls(contestant: str, folder: str) -> dict[str, float]:
    """Time static URLs, in microseconds; count the S3 clients and sockets that they create."""
    sys.addaudithook(_count_sockets)
    paths = {name: name.replace(".css", f".{hash(name) % 16**12:012x}.css") for name in NAMES}
    manifest = {"paths": paths, "version": "1.1", "hash": "0" * 12}
    Path(folder, "staticfiles.json").write_text(json.dumps(manifest))
    configure(contestant, folder)
    from django.core.files.storage import storages

    figures: dict[str, float] = {}
    for key, alias in (("static_us", "staticfiles"), ("manifest_us", "manifest")):
        url = storages[alias].url
        url(NAMES[0])
        figures[key] = statistics.median(_microseconds(url, NAMES) for _ in range(9))
    return {**figures, "clients": _clients(), "sockets": _sockets}


def signed_urls(contestant: str) -> dict[str, float]:
    """Time signed URLs: microseconds for a new name, and pages of images per second."""
    configure(contestant)
    from django.core.files.storage import default_storage

    url = default_storage.url
    url("warm-up.jpg")  # creates the client
    new = [f"new/{number:06}.jpg" for number in range(3000)]
    signed = _microseconds(url, new)
    numbers = random.Random(50)  # noqa: S311
    pages = [
        [f"photos/{numbers.randrange(IMAGES):06}.jpg" for _ in range(PER_PAGE)]
        for _ in range(PAGES)
    ]
    begin = time.perf_counter()
    for page in pages:
        for name in page:
            url(name)
    return {"signed_us": signed, "pages_per_second": PAGES / (time.perf_counter() - begin)}


def puts(contestant: str) -> dict[str, float]:
    """Send small objects from as many threads as collectstatic; milliseconds of CPU per PUT."""
    configure(contestant)
    from concurrent.futures import ThreadPoolExecutor

    from django.core.files.storage import default_storage

    storage: Any = default_storage
    body, headers = os.urandom(8192), {"ContentType": "text/css", "CacheControl": "max-age=3600"}
    if contestant == "herokuify":
        from herokuify.s3.client import COLLECT
        from herokuify.s3.sender import Sender

        sender = Sender(storage.destination, COLLECT)

        def put(number: int) -> None:
            sender.put(f"{number}.css", body, headers)
    else:
        client, bucket = storage.connection.meta.client, storage.bucket_name

        def put(number: int) -> None:
            client.put_object(Bucket=bucket, Key=f"{number}.css", Body=body, **headers)

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(put, range(2 * THREADS)))  # opens the connections
        begin = time.process_time()
        list(pool.map(put, range(PUTS)))
        return {"put_ms": (time.process_time() - begin) / PUTS * 1000}


def media(contestant: str, task: str, name: str, path: str) -> dict[str, float]:
    """Read, read three bytes, save, or do nothing; seconds, without the first connection."""
    configure(contestant)
    from django.core.files.base import File
    from django.core.files.storage import default_storage

    default_storage.exists("nothing")  # opens the connection
    begin = time.monotonic()
    if task == "read3":
        with default_storage.open(name) as file:
            if len(file.read(3)) != 3:
                raise SystemExit("error: less than three bytes")
    elif task == "read":
        with default_storage.open(name) as file:
            size = sum(len(chunk) for chunk in file.chunks(1024 * 1024))
        if size != Path(path).stat().st_size:
            raise SystemExit(f"error: {size} bytes were read")
    elif task == "save":
        with Path(path).open("rb") as source:
            default_storage.save(name, File(source))
    return {"seconds": time.monotonic() - begin}


def signed_url(contestant: str, name: str) -> dict[str, str]:
    """Return a signed media URL."""
    configure(contestant)
    from django.core.files.storage import default_storage

    return {"url": default_storage.url(name)}


def _microseconds(url: Callable[[str], str], names: Iterable[str]) -> float:
    names = list(names)
    begin = time.perf_counter()
    for name in names:
        url(name)
    return (time.perf_counter() - begin) / len(names) * 1e6


def _clients() -> int:
    """Count the S3 clients in this process."""
    module = sys.modules.get("botocore.client")
    return sum(isinstance(thing, module.BaseClient) for thing in gc.get_objects()) if module else 0


def _count_sockets(event: str, _: object) -> None:
    global _sockets  # noqa: PLW0603
    _sockets += event in {"socket.connect", "socket.getaddrinfo"}


if __name__ == "__main__":
    contestant, name, *arguments = sys.argv[1:]
    tasks: dict[str, Callable[..., Any]] = {
        "start": start,
        "static-urls": static_urls,
        "signed-urls": signed_urls,
        "puts": puts,
        "media": media,
        "signed-url": signed_url,
    }
    print(json.dumps(tasks[name](contestant, *arguments)))
