"""A small site on gunicorn: a page without static files and S3, and pages with them."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

from benchmarks.contestants import CONTESTANTS, Contestant, Deployment

_SETTINGS = """
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "urls"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
"""
_MEDIA = """
STORAGES["default"] = {{"BACKEND": "{}"}}
"""
_URLS = """
from django.core.files.storage import default_storage
from django.http import HttpResponse
from django.template import Context, Template
from django.urls import path


def static(request):
    template = Template('{% load static %}{% static "admin/css/base.css" %}')
    return HttpResponse(template.render(Context()))


def stored(request):
    if not default_storage.exists("stored.txt") or default_storage.size("stored.txt") != 6:
        raise RuntimeError("stored.txt is there, and has 6 bytes")
    return HttpResponse("stored")


urlpatterns = [
    path("plain", lambda request: HttpResponse("plain")),
    path("static", static),
    path("stored", stored),
]
"""
_WSGI = """
import os

from django.core.wsgi import get_wsgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
application = get_wsgi_application()
"""
MEDIA = {
    "herokuify": "herokuify.storage.S3MediaStorage",
    "django-storages": "storages.backends.s3.S3Storage",
}
_START_SECONDS = 30


def contestant(name: str) -> Contestant:
    """Return the contestant with the site's settings and its storage for media."""
    media = _MEDIA.format(MEDIA[name]) if name in MEDIA else ""
    usual = CONTESTANTS[name]
    settings = {
        variant: (storage, apps, f"{lines}{_SETTINGS}{media}")
        for variant, (storage, apps, lines) in usual.settings.items()
    }
    return replace(usual, settings=settings)


@contextlib.contextmanager
def serve(
    name: str, deployment: Deployment, folder: Path, workers: int, threads: int
) -> Iterator[int]:
    """Run gunicorn, and yield its port when all workers are very likely running."""
    _, variables = contestant(name).command(deployment, "manifest", folder)
    (folder / "urls.py").write_text(_URLS)
    (folder / "wsgi.py").write_text(_WSGI)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    command = [
        *(str(deployment.scripts / "python"), "-m", "gunicorn", "wsgi"),
        *("--bind", f"127.0.0.1:{port}"),
        *("--workers", str(workers), "--threads", str(threads), "--worker-class", "gthread"),
    ]
    with (folder / "gunicorn.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, env=variables, stdout=log, stderr=log)
        try:
            end = time.monotonic() + _START_SECONDS
            while True:
                with contextlib.suppress(OSError):
                    if [ask(port, "plain")[0] for _ in range(4 * workers)][-1] == 200:
                        break
                if time.monotonic() > end or process.poll() is not None:
                    raise SystemExit(f"error: gunicorn did not start; its log is {log.name}")
                time.sleep(0.1)
            yield port
        finally:
            process.terminate()
            process.wait()


def ask(port: int, page: str, timeout: float = 60) -> tuple[int, float]:
    """Request a page; return the status, 0 without a response, and the seconds."""
    begin = time.monotonic()
    connection = HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", f"/{page}")
        answer = connection.getresponse()
        answer.read()
        status = answer.status
    except ConnectionRefusedError:
        raise
    except OSError:
        status = 0
    finally:
        connection.close()
    return status, time.monotonic() - begin
