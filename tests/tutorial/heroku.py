"""Heroku, emulated in folders on this machine, and a visitor of the site."""

import http.client
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from tests import servers
from tests.processes import answers, free_port, running, wait_until
from tests.tutorial.page import Shell, run

DOMAIN = "hello-1234567890ab.herokuapp.com"
ADMIN = {
    "DJANGO_SUPERUSER_EMAIL": "ada@example.com",
    "DJANGO_SUPERUSER_PASSWORD": "of-the-test",
    "DJANGO_SUPERUSER_USERNAME": "ada",
}


class Heroku:
    """Emulates Heroku: config vars, builds, releases and dynos."""

    def __init__(
        self, shell: Shell, work: Path, s3: servers.S3Server, certificate: Path, database_url: str
    ) -> None:
        self.shell = shell
        self.work = work
        self.s3 = s3
        self.certificate = certificate
        self.database_url = database_url
        self.port = free_port()
        self.repository = work / "heroku.git"
        self.config: dict[str, str] = {}
        self.builds: list[Path] = []
        self.releases: list[Path] = []
        self.metadata: dict[str, str] = {}
        self.built = ""

    def command(self, *arguments: str) -> str:
        """Run a command of Heroku's CLI."""
        name, *rest = arguments
        if name == "create":
            self.shell.type(f"git init -q --bare -b main '{self.repository}'")
            self.shell.type(f"git remote add heroku '{self.repository}'")
        elif name == "addons:create":
            assert rest[0].startswith("heroku-postgresql:")
            self.config["DATABASE_URL"] = self.database_url
        elif name == "labs:enable":
            assert rest == ["runtime-dyno-metadata"]
            self.metadata = {"HEROKU_APP_DEFAULT_DOMAIN_NAME": DOMAIN}
        elif name == "config:set":
            self.set(dict(item.split("=", 1) for item in rest))
        elif name == "run":
            is_asking = rest[-1] == "createsuperuser"
            return self.dyno("run.1", [*rest, *["--noinput"] * is_asking], ADMIN)
        elif name == "rollback":
            self.releases.pop()
        else:
            raise AssertionError(arguments)
        return ""

    def set(self, variables: Mapping[str, str]) -> None:
        """Set config vars; moto's values replace those that readers fill in."""
        own = {
            "AWS_ACCESS_KEY_ID": self.s3.access_key,
            "AWS_SECRET_ACCESS_KEY": self.s3.secret_key,
            "AWS_STORAGE_BUCKET_NAME": "tutorial",
        }
        for name, value in variables.items():
            assert value
            self.config[name] = own[name] if value == "…" else value
        # Tests can't reach Amazon.
        self.config["AWS_S3_ENDPOINT_URL"] = self.s3.endpoint_url
        self.config["AWS_CA_BUNDLE"] = str(self.certificate)

    def receive(self) -> None:
        """Build and release the pushed commit."""
        slug = self.work / f"slug{len(self.builds) + 1}"
        self.shell.type(f"git clone -q '{self.repository}' '{slug}'")
        self.builds.append(slug)
        self.releases.append(slug)
        build = {"SOURCE_VERSION": "0" * 40, "STACK": "heroku-26", "REQUEST_ID": "build"}
        command = ["python", "manage.py", "collectstatic", "--noinput", "--traceback"]
        self.built = self.dyno("run.1", command, build)
        assert not (slug / "bin").exists(), "hooks are not emulated"
        self.dyno("release.1", self.processes()["release"])

    def processes(self) -> dict[str, list[str]]:
        """Return the commands of the Procfile."""
        lines = (self.releases[-1] / "Procfile").read_text(encoding="utf-8").splitlines()
        return {name: command.split() for name, command in (line.split(": ") for line in lines)}

    def variables(self, name: str) -> dict[str, str]:
        """Return the environment of a dyno's processes."""
        return self.shell.environment | self.config | {"DYNO": name}

    def dyno(self, name: str, command: list[str], more: Mapping[str, str] | None = None) -> str:
        """Run a command on a new dyno."""
        variables = self.variables(name) | self.metadata | dict(more or {})
        return run(command, self.releases[-1], variables)

    @contextmanager
    def web(self, slug: Path | None = None) -> Iterator["Site"]:
        """Serve a slug, by default that of the newest release."""
        variables = self.variables("web.1") | self.metadata
        variables |= {"FORWARDED_ALLOW_IPS": "*", "WEB_CONCURRENCY": "1", "PORT": "8000"}
        # With PORT alone, gunicorn listens on all interfaces.
        variables["GUNICORN_CMD_ARGS"] = f"--bind=127.0.0.1:{self.port}"
        slug = slug or self.releases[-1]
        with served(self.processes()["web"], slug, variables, self.port):
            yield Site(self.port, self.certificate)


@contextmanager
def served(
    command: list[str], folder: Path, environment: Mapping[str, str], port: int
) -> Iterator[None]:
    """Run a server until the context ends; the context begins when the port responds."""
    log = folder.parent / f"{folder.name}.log"
    with running(command, log, cwd=folder, env=environment) as process:
        wait_until(lambda: answers(port), process=process, log=log)
        yield


class Site:
    """A visitor, whose requests have the headers of Heroku's router."""

    def __init__(self, port: int, certificate: Path) -> None:
        self.port = port
        self.certificate = certificate
        self.cookies: dict[str, str] = {}

    def ask(self, path: str, body: bytes | None = None, kind: str = "") -> tuple[int, str]:
        """Send a request, a POST if there is a body; return the status and text."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {
            "Host": DOMAIN,
            "X-Forwarded-Proto": "https",
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
        }
        if body is not None:
            headers |= {"Content-Type": kind, "Origin": f"https://{DOMAIN}"}
        connection.request("GET" if body is None else "POST", path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            assert "; Secure" in cookie
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        connection.close()
        return answer.status, text

    def send(self, path: str, fields: Mapping[str, str], photo: bytes = b"") -> int:
        """Fill in the form at a path."""
        _, page = self.ask(path)
        (token,) = set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page))
        parts = "".join(
            f'--form\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in {**fields, "csrfmiddlewaretoken": token}.items()
        ).encode()
        if photo:
            name = b'name="image"; filename="kestrel.jpg"\r\nContent-Type: image/jpeg'
            parts += b"--form\r\nContent-Disposition: form-data; " + name + b"\r\n\r\n"
            parts += photo + b"\r\n"
        return self.ask(path, parts + b"--form--\r\n", "multipart/form-data; boundary=form")[0]

    def upload(self, photo: bytes) -> str:
        """Log in to the admin, add a photo, and return its URL on the page."""
        login = {
            "username": ADMIN["DJANGO_SUPERUSER_USERNAME"],
            "password": ADMIN["DJANGO_SUPERUSER_PASSWORD"],
        }
        assert self.send("/admin/login/?next=/admin/", login) == 302
        assert self.send("/admin/pages/photo/add/", {}, photo) == 302
        (address,) = re.findall(r'<img src="([^"]+)"', self.ask("/")[1])
        return str(address).replace("&amp;", "&")

    def colour(self, *, on: str) -> str:
        """Return the heading's colour in the style sheet that the page loads from S3."""
        status, page = self.ask("/")
        assert status == 200
        assert "<h1>Hello from Heroku</h1>" in page
        (address,) = re.findall(r'<link rel="stylesheet" href="([^"]+)"', page)
        assert re.fullmatch(rf"{on}/tutorial/static/pages/site\.[0-9a-f]{{12}}\.css", address)
        return heading(fetched(address, self.certificate))


def fetched(address: str, certificate: Path | None = None) -> bytes:
    context = ssl.create_default_context(cafile=certificate) if certificate else None
    with urlopen(address, timeout=30, context=context) as answer:
        return bytes(answer.read())


def heading(css: bytes) -> str:
    (colour,) = re.findall(rb"h1 \{ color: (\w+)", css)
    return bytes(colour).decode()
