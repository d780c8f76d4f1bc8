"""The request's ID in log lines, under WSGI and under ASGI."""

import json

import pytest

from tests.project import Project

IDS = [f"{letter * 24}" for letter in "abcdef"]
SETTINGS = """
import os
from herokuify.common import *

SECRET_KEY = "x"
USE_TZ = True
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = ["herokuify"]
MIDDLEWARE = ["herokuify.middleware.RequestIdMiddleware", *os.environ.get("MORE", "").split()]
ROOT_URLCONF = "urls"
"""
URLS = """
import asyncio, logging
from django.http import HttpResponse, StreamingHttpResponse
from django.urls import path

log = logging.getLogger("site")

def plain(request):
    log.warning("plain %s", request.GET["n"])
    return HttpResponse("ok")

async def slow(request):
    n = request.GET["n"]
    log.warning("slow %s", n)
    await asyncio.sleep(0.05)  # the other requests come in between
    log.warning("slow %s", n)
    return HttpResponse("ok")

def stream(request):
    def parts():
        for part in "ab":
            log.warning("part %s", request.GET["n"])
            yield part
    return StreamingHttpResponse(parts())

async def astream(request):
    async def parts():
        for part in "ab":
            await asyncio.sleep(0.01)  # likewise
            log.warning("part %s", request.GET["n"])
            yield part
    return StreamingHttpResponse(parts())

def fail(request):
    raise RuntimeError("for " + request.GET["n"])

urlpatterns = [path(view.__name__, view) for view in (plain, slow, stream, astream, fail)]
"""
PASSING = """
def passing(get_response):
    return get_response
"""
FILES = {"urls.py": URLS, "passing.py": PASSING}
# Requests each view with each ID concurrently; every log line has the number of its ID.
ASGI = """
import asyncio, warnings
# Django warns of synchronous iterators.
warnings.filterwarnings("ignore", "StreamingHttpResponse must consume")
from asgiref.testing import ApplicationCommunicator
from django.core.asgi import get_asgi_application

application = get_asgi_application()

async def get(path, n, identity):
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "scheme": "https", "path": path, "raw_path": path.encode(),
        "query_string": f"n={n}".encode(), "root_path": "",
        "headers": [(b"host", b"x"), (b"x-request-id", identity.encode())],
    }
    communicator = ApplicationCommunicator(application, scope)
    await communicator.send_input({"type": "http.request", "body": b"", "more_body": False})
    status = (await communicator.receive_output(20))["status"]
    while (await communicator.receive_output(20)).get("more_body"):
        pass
    await communicator.wait(20)
    return status

async def main(paths, ids):
    calls = [get(path, n, identity) for path in paths for n, identity in enumerate(ids)]
    return await asyncio.gather(*calls)

"""
WSGI = """
from django.test import Client
from herokuify import logs
import logging

def get(path, n, identity):
    client = Client(raise_request_exception=False)
    answer = client.get(path, {"n": n}, headers={"X-Request-ID": identity})
    if answer.streaming:
        list(answer)
        answer.close()
    return answer.status_code

"""


def logged(site: Project, source: str, **env: str) -> list[str]:
    result = site.snippet(source, env=env)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def number_of(line: str) -> str:
    return line.split("n=")[1][0] if "n=" in line else line.rsplit(" ", 1)[1][0]


# A synchronous middleware makes Django switch between threads.
@pytest.mark.parametrize("more", ["", "passing.passing"])
def test_asgi_lines_have_the_id(project: Project, more: str) -> None:
    paths = ["/plain", "/slow", "/stream", "/astream"]
    source = f"{ASGI}assert set(asyncio.run(main({paths}, {IDS}))) == {{200}}"
    lines = logged(project, source, MORE=more)
    assert len(lines) == len(IDS) * 7  # one line of plain, two of each other
    for line in lines:
        assert line.startswith("WARNING site [")
        assert f"[{IDS[int(number_of(line))]}]" in line, line


@pytest.mark.parametrize("prelude", [ASGI, WSGI], ids=["asgi", "wsgi"])
def test_djangos_lines_have_the_id(project: Project, prelude: str) -> None:
    source = (
        f"assert asyncio.run(main(['/nowhere'], {IDS[:2]})) == [404, 404]"
        if prelude is ASGI
        else f"assert [get('/nowhere', n, i) for n, i in enumerate({IDS[:2]})] == [404, 404]"
    )
    lines = logged(project, prelude + source)
    assert sorted(lines) == [
        f"WARNING django.request [{identity}] Not Found: /nowhere" for identity in IDS[:2]
    ]


def test_wsgi_lines_have_the_id_and_later_lines_do_not(project: Project) -> None:
    lines = logged(
        project,
        f"{WSGI}"
        f"assert get('/plain', 0, '{IDS[0]}') == 200\n"
        "logging.getLogger('site').warning('between')\n"
        f"assert get('/stream', 1, '{IDS[1]}') == 200\n"
        "assert logs.request_id.get() is None\n"
        f"assert get('/fail', 2, '{IDS[2]}') == 500\n",
    )
    assert lines[:4] == [
        f"WARNING site [{IDS[0]}] plain 0",
        "WARNING site [-] between",
        f"WARNING site [{IDS[1]}] part 1",
        f"WARNING site [{IDS[1]}] part 1",
    ]
    assert lines[4] == f"ERROR django.request [{IDS[2]}] Internal Server Error: /fail"
    assert lines[-1] == f"ERROR django.request [{IDS[2]}] RuntimeError: for 2"
    assert all(line.startswith(f"ERROR django.request [{IDS[2]}]") for line in lines[4:])


def test_request_without_an_id_gets_one(project: Project) -> None:
    source = f"{WSGI}assert get('/plain', 0, 'forged\\nid') == get('/plain', 1, '') == 200"
    first, second = (line.split("[")[1].split("]")[0] for line in logged(project, source))
    assert first != second
    assert len(first) == len(second) == 32


def test_lines_can_be_json(project: Project) -> None:
    source = f"{WSGI}assert get('/fail', 0, '{IDS[0]}') == 500"
    [line] = logged(project, source, LOG_FORMAT="json")
    entry = json.loads(line)
    assert entry["request_id"] == IDS[0]
    assert entry["status_code"] == 500
    assert entry["exception"].endswith("RuntimeError: for 0")
    assert logged(project, source, LOG_FORMAT="json", LOG_LEVEL="critical") == []
