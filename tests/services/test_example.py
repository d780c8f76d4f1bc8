"""example_project deployed as Heroku deploys it, with PostgreSQL and Redis over TLS."""

import http.client
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.request import urlopen

import pytest
import redis as redis_py
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from PIL import Image

from tests import project, servers
from tests.services import daemons

EXAMPLE = Path(__file__).resolve().parents[2] / "example_project"
LEFT_BEHIND = shutil.ignore_patterns("__pycache__", "*.sqlite3", "media", "staticfiles")
DOMAIN = "kestrel-12ab.herokuapp.com"
REQUEST_ID = "30f14c6c1fc85cba12bfd093aa8f90e3"
BUILD = {"DYNO": "run.1", "SOURCE_VERSION": "0" * 40, "STACK": "heroku-24"}
SECONDS = 60

# On a one-off dyno.
USE_CACHE = """\
from django.core.cache import cache, caches
cache.set("greeting", "from the hut", timeout=600)
assert cache.get("greeting") == "from the hut"
caches["locmem"].set("greeting", "from here")
assert cache.get("greeting") == "from the hut"
"""
ON_A_LAPTOP = """\
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from guestbook.models import Entry
assert connection.vendor == "sqlite", connection
assert settings.CACHES["default"]["BACKEND"].endswith(".LocMemCache"), settings.CACHES
cache.set("greeting", "from the desk")
assert cache.get("greeting") == "from the desk"
assert not Entry.objects.exists()
"""


@dataclass(frozen=True)
class App:
    """A slug with its config vars, and the commands that Heroku starts in it."""

    folder: Path
    config: Mapping[str, str]
    database: str
    bucket: str

    def process_type(self, name: str) -> list[str]:
        lines = (self.folder / "Procfile").read_text(encoding="utf-8").splitlines()
        return shlex.split(dict(line.split(":", 1) for line in lines)[name])

    def variables(self, dyno: Mapping[str, str]) -> dict[str, str]:
        clean = project.clean_environment(self.folder)
        clean["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"
        return clean | dict(self.config) | dict(dyno)

    def run(self, *command: str, **dyno: str) -> None:
        result = subprocess.run(
            command,
            cwd=self.folder,
            env=self.variables({"PYTHONWARNINGS": "error", **dyno}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=300,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr


@dataclass
class Web:
    """The web dyno, asked as the router asks it for a browser that keeps its cookies."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path
    cookies: "SimpleCookie" = field(default_factory=SimpleCookie)

    def ask(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[http.client.HTTPResponse, str]:
        sent = {"Host": DOMAIN, "X-Forwarded-Proto": "https", "X-Request-ID": REQUEST_ID}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{c.key}={c.value}" for c in self.cookies.values())
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        address = ("127.0.0.1", self.port)
        with closing(http.client.HTTPConnection(*address, timeout=SECONDS)) as connection:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            for cookie in answer.headers.get_all("Set-Cookie", []):
                self.cookies.load(cookie)
            return answer, answer.read().decode()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(SECONDS)


@pytest.fixture(scope="module")
def app(
    postgres: daemons.Postgres,
    redis: daemons.Redis,
    moto: servers.S3Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> App:
    """The example after its build and its release phase."""
    folder = tmp_path_factory.mktemp("example") / "app"
    shutil.copytree(EXAMPLE, folder, ignore=LEFT_BEHIND)
    name = f"guestbook_{uuid.uuid4().hex}"
    postgres.sql(f"CREATE DATABASE {name} OWNER tls")
    config = {
        **moto.variables,
        "AWS_AUTO_CREATE_BUCKET": "true",
        "AWS_STORAGE_BUCKET_NAME": name.replace("_", "-"),
        # The server takes this user with TLS only, and is not what herokuify knows as this dyno.
        "DATABASE_URL": postgres.url(name, "tls", host=daemons.ELSEWHERE),
        "HEROKU_APP_DEFAULT_DOMAIN_NAME": DOMAIN,
        "REDIS_URL": redis.tls_url,
        "SECRET_KEY": "".join(map(chr, range(33, 127))),
    }
    deployed = App(folder, config, name, config["AWS_STORAGE_BUCKET_NAME"])
    deployed.run("python", "manage.py", "collectstatic", "--noinput", **BUILD)
    deployed.run("bin/post_compile", **BUILD)
    deployed.run(*deployed.process_type("release"), DYNO="release.1")
    return deployed


@contextmanager
def serving(app: App) -> Iterator[Web]:
    port = daemons.free_port()
    dyno = {"DYNO": "web.1", "PORT": str(port), "WEB_CONCURRENCY": "2"}
    # A web dyno listens to the router on all addresses; nobody else should reach the tests.
    dyno["GUNICORN_CMD_ARGS"] = f"--bind=127.0.0.1:{port}"
    log = app.folder.parent / "web.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            app.process_type("web"),
            cwd=app.folder,
            env=app.variables(dyno),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    web = Web(process, port, log)
    try:
        _wait(web)
        yield web
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(SECONDS)


def _wait(web: Web) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and web.process.poll() is None:
        try:
            web.ask("GET", "/")
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(web.log.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def web(app: App) -> Iterator[Web]:
    with serving(app) as dyno:
        yield dyno
        assert dyno.stop() == 0


def sign(web: Web) -> http.client.HTTPResponse:
    """Fill the form in and send it."""
    _, page = web.ask("GET", "/")
    token = re.search(r'name="csrfmiddlewaretoken" value="(.+?)"', page)
    assert token, page
    picture = io.BytesIO()
    Image.new("RGB", (40, 30), "teal").save(picture, "PNG")
    fields = {
        "csrfmiddlewaretoken": token[1],
        "name": "Ada",
        "message": "Up by the north ridge.",
        "photo": SimpleUploadedFile("ridge.png", picture.getvalue(), "image/png"),
    }
    headers = {"Content_Type": MULTIPART_CONTENT, "Origin": f"https://{DOMAIN}"}
    return web.ask("POST", "/", encode_multipart(BOUNDARY, fields), **headers)[0]


class TestWebDyno:
    def test_plain_http_is_sent_to_https(self, web: Web) -> None:
        answer, _ = web.ask("GET", "/", X_Forwarded_Proto="http")
        assert (answer.status, answer.headers["Location"]) == (301, f"https://{DOMAIN}/")

    def test_page_names_its_bundles_on_s3(self, web: Web, app: App, moto: servers.S3Server) -> None:
        answer, page = web.ask("GET", "/")
        assert answer.status == 200
        assert answer.headers["Strict-Transport-Security"] == "max-age=3600"
        [stylesheet] = re.findall(r'<link rel="stylesheet" href="(.+?)"', page)
        assert stylesheet.startswith(f"{moto.endpoint_url}/{app.bucket}/static/CACHE/css/")
        with urlopen(stylesheet, timeout=SECONDS) as found:
            assert found.headers["Content-Type"] == "text/css"

    def test_other_hosts_are_refused(self, web: Web) -> None:
        answer, _ = web.ask("GET", "/", Host="evil.example.com")
        assert answer.status == 400

    def test_an_entry_reaches_postgres_over_tls_and_its_photo_s3(
        self, web: Web, app: App, postgres: daemons.Postgres, moto: servers.S3Server
    ) -> None:
        answer = sign(web)
        assert (answer.status, answer.headers["Location"]) == (302, "/#content")
        row = postgres.sql("SELECT name, message, photo FROM guestbook_entry", app.database)
        name, message, photo = row.split("|")
        assert (name, message) == ("Ada", "Up by the north ridge.")
        stored = moto.client().head_object(Bucket=app.bucket, Key=f"media/{photo}")
        assert stored["ContentType"] == "image/png"
        assert "Thank you, Ada" in web.ask("GET", "/")[1]
        # gunicorn keeps its connections, so that the server can tell what they are.
        connections = postgres.sql(
            "SELECT usename, ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
            f"WHERE datname = '{app.database}' AND usename <> 'postgres'"
        )
        assert set(connections.splitlines()) == {"tls|t"}

    def test_log_has_the_routers_request_id(self, web: Web) -> None:
        web.ask("GET", "/nowhere")
        # gunicorn writes its line after the answer.
        access = f'INFO gunicorn.access [{REQUEST_ID}] method=GET path="/nowhere" status=404'
        deadline = time.monotonic() + SECONDS
        while access not in (log := web.log.read_text(encoding="utf-8")):
            assert time.monotonic() < deadline, log
            time.sleep(0.02)
        assert f"WARNING django.request [{REQUEST_ID}] Not Found: /nowhere" in log


def test_cache_is_redis_over_tls(app: App, redis: daemons.Redis) -> None:
    app.run("python", "manage.py", "shell", "-c", USE_CACHE, DYNO="run.2")
    with redis_py.Redis.from_url(redis.url) as client:
        assert client.exists(":1:greeting")
        client.delete(":1:greeting")


def test_same_settings_need_no_variable_on_a_laptop(app: App) -> None:
    bare = App(app.folder, {}, "", "")
    bare.run("python", "manage.py", "migrate", "--noinput")
    bare.run("python", "manage.py", "shell", "-c", ON_A_LAPTOP)
    assert (app.folder / "db.sqlite3").exists()
