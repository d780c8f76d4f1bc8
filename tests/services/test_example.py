"""example_project, deployed as on Heroku, with PostgreSQL and Redis over TLS."""

import http.client
import io
import re
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from urllib.request import urlopen

import pytest
import redis as redis_py
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from PIL import Image

from tests import servers
from tests.deployment import DOMAIN, SECONDS, App, Dyno, deploy, serving
from tests.processes import wait_until
from tests.services import daemons

pytestmark = pytest.mark.ends

REQUEST_ID = "30f14c6c1fc85cba12bfd093aa8f90e3"

# Runs on a one-off dyno.
USE_CACHE = """\
from django.core.cache import cache, caches
cache.set("greeting", "from the hut", timeout=600)
assert cache.get("greeting") == "from the hut"
caches["locmem"].set("greeting", "from here")
assert cache.get("greeting") == "from the hut"
"""
LOCAL_SCRIPT = """\
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


@dataclass
class Web:
    """Sends requests to the web dyno as the router does, for a browser that keeps cookies."""

    dyno: Dyno
    cookies: "SimpleCookie" = field(default_factory=SimpleCookie)

    def ask(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[http.client.HTTPResponse, str]:
        sent = {"Host": DOMAIN, "X-Forwarded-Proto": "https", "X-Request-ID": REQUEST_ID}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{c.key}={c.value}" for c in self.cookies.values())
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        address = ("127.0.0.1", self.dyno.port)
        with closing(http.client.HTTPConnection(*address, timeout=SECONDS)) as connection:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            for cookie in answer.headers.get_all("Set-Cookie", []):
                self.cookies.load(cookie)
            return answer, answer.read().decode()


@pytest.fixture(scope="module")
def app(
    postgres: daemons.Postgres,
    redis: daemons.Redis,
    moto: servers.S3Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> App:
    """The example after its build and release phase."""
    name = f"guestbook_{uuid.uuid4().hex}"
    postgres.sql(f"CREATE DATABASE {name} OWNER tls")
    config = {
        **moto.variables,
        "AWS_AUTO_CREATE_BUCKET": "true",
        "AWS_STORAGE_BUCKET_NAME": name.replace("_", "-"),
        # This user must use TLS, and herokuify takes the host for another machine.
        "DATABASE_URL": postgres.url(name, "tls", host=daemons.ELSEWHERE),
        "REDIS_URL": redis.tls_url,
    }
    return deploy(tmp_path_factory.mktemp("example") / "app", config)


@pytest.fixture(scope="module")
def web(app: App) -> Iterator[Web]:
    with serving(app) as dyno:
        yield Web(dyno)
        assert dyno.stop() == 0


def sign(web: Web) -> http.client.HTTPResponse:
    """Fill in the form and submit it."""
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
    def test_http_redirects_to_https(self, web: Web) -> None:
        answer, _ = web.ask("GET", "/", X_Forwarded_Proto="http")
        assert (answer.status, answer.headers["Location"]) == (301, f"https://{DOMAIN}/")

    def test_page_links_to_its_bundles_on_s3(
        self, web: Web, app: App, moto: servers.S3Server
    ) -> None:
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

    def test_entry_is_stored_in_postgres_and_its_photo_on_s3(
        self, web: Web, app: App, postgres: daemons.Postgres, moto: servers.S3Server
    ) -> None:
        answer = sign(web)
        assert (answer.status, answer.headers["Location"]) == (302, "/#thanks")
        database = app.bucket.replace("-", "_")
        row = postgres.sql("SELECT name, message, photo FROM guestbook_entry", database)
        name, message, photo = row.split("|")
        assert (name, message) == ("Ada", "Up by the north ridge.")
        stored = moto.client().head_object(Bucket=app.bucket, Key=f"media/{photo}")
        assert stored["ContentType"] == "image/png"
        assert "Thank you, Ada" in web.ask("GET", "/")[1]
        # gunicorn keeps its connections open.
        connections = postgres.sql(
            "SELECT usename, ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) "
            f"WHERE datname = '{database}' AND usename <> 'postgres'"
        )
        assert set(connections.splitlines()) == {"tls|t"}

    def test_log_has_the_routers_request_id(self, web: Web) -> None:
        web.ask("GET", "/nowhere")
        # gunicorn writes this line after the response.
        access = f'INFO gunicorn.access [{REQUEST_ID}] method=GET path="/nowhere" status=404'
        log = wait_until(
            lambda: access in (text := web.dyno.log.read_text(encoding="utf-8")) and text,
            log=web.dyno.log,
        )
        assert log
        assert f"WARNING django.request [{REQUEST_ID}] Not Found: /nowhere" in log


def test_cache_is_redis_over_tls(app: App, redis: daemons.Redis) -> None:
    app.run("python", "manage.py", "shell", "-c", USE_CACHE, DYNO="run.2")
    with redis_py.Redis.from_url(redis.url) as client:
        assert client.exists(":1:greeting")
        client.delete(":1:greeting")


def test_settings_need_no_variables_locally(app: App) -> None:
    bare = App(app.folder, {})
    bare.run("python", "manage.py", "migrate", "--noinput")
    bare.run("python", "manage.py", "shell", "-c", LOCAL_SCRIPT)
    assert (app.folder / "db.sqlite3").exists()
