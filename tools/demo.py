"""Build and serve example_project as Heroku does, with a local S3 server.

``python3 tools/demo.py`` serves until Ctrl-C; with ``--check``, it visits the site
instead, reports the result, and exits with 0 or 1.
"""

import argparse
import os
import secrets
import shlex
import shutil
import signal
import socket
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from types import FrameType
from typing import NoReturn

from bootstrap import ensure_environment, fail
from demo_browser import VisitError
from demo_slug import CommandFailedError, Slug
from demo_visit import Visit

REQUIREMENTS = ["--group", "demo", "-r", "example_project/requirements.txt"]
COLLECTSTATIC = ["python", "manage.py", "collectstatic", "--noinput", "--traceback"]
POST_COMPILE = ["bin/post_compile"]
MAKE_ADMIN = ["python", "manage.py", "createsuperuser", "--noinput"]
MOTO = ["python", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
MOTO_ADDRESS = r"Running on (http://127\.0\.0\.1:\d+)"
GUNICORN_ADDRESS = r"Listening at: (http://127\.0\.0\.1:\d+)"
CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def main() -> int:
    """Run the demo, and return the exit status."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, _interrupt)
    started = time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="herokuify-demo-"))
    try:
        if arguments.python:
            python, path = arguments.python, os.environ.get("PYTHONPATH", "")
        else:
            python, path = ensure_environment(REQUIREMENTS), ""
        slug = Slug(folder / "app", python, path)
        with _s3(slug, arguments.s3, folder / "s3.log") as s3:
            slug.config = _config_vars(s3, folder)
            admin = _build_and_release(slug)
            port = arguments.port or _free_port()
            return _serve(slug, folder / "web.log", admin, port, started, check=arguments.check)
    except KeyboardInterrupt:
        print("\nstopped")
        return 0 if not arguments.check else 1
    except CommandFailedError as error:
        print(f"FAILED  {error}", file=sys.stderr)
        return 1
    finally:
        if arguments.keep:
            print(f"kept    {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="visit the site, report, and stop")
    parser.add_argument("--keep", action="store_true", help="leave the temporary folder in place")
    parser.add_argument("--port", type=int, help="the port to serve on, instead of any free one")
    parser.add_argument(
        "--s3",
        metavar="URL",
        help=f"use this S3 server, with {' and '.join(CREDENTIALS)} from the environment",
    )
    parser.add_argument(
        "--python",
        type=Path,
        metavar="PATH",
        help="use this Python, which has all requirements installed",
    )
    arguments = parser.parse_args()
    missing = [name for name in CREDENTIALS if arguments.s3 and not os.environ.get(name)]
    if missing:
        fail(f"--s3 needs {' and '.join(missing)}: export {missing[0]}=…")
    return arguments


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


@contextmanager
def _s3(slug: Slug, url: str | None, log: Path) -> Iterator[dict[str, str]]:
    """Yield the config vars for the S3 server at ``url``, or for moto in a separate process."""
    if url:
        print(f"S3 at {url}")
        yield {"AWS_S3_ENDPOINT_URL": url} | {name: os.environ[name] for name in CREDENTIALS}
        return
    begun = time.monotonic()
    with slug.serve(MOTO, {}, log, MOTO_ADDRESS) as (address, _):
        _report(f"S3: {address}, moto, in memory", begun)
        yield {"AWS_S3_ENDPOINT_URL": address} | dict.fromkeys(CREDENTIALS, "demo")


def _config_vars(s3: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return the config vars."""
    return {
        "ALLOWED_HOSTS": "127.0.0.1",
        "AWS_AUTO_CREATE_BUCKET": "true",
        "AWS_S3_REGION_NAME": "us-east-1",
        "AWS_STORAGE_BUCKET_NAME": f"herokuify-demo-{secrets.token_hex(4)}",
        "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
        "SECRET_KEY": secrets.token_urlsafe(50),
        # There is no router with https.
        "SECURE_SSL_REDIRECT": "false",
        **s3,
    }


def _build_and_release(slug: Slug) -> tuple[str, str]:
    """Build, release and create an admin on a one-off dyno; return the admin's login."""
    build = {
        "DYNO": "run.1",
        "REQUEST_ID": str(uuid.uuid4()),
        "SOURCE_VERSION": secrets.token_hex(20),
        "STACK": "heroku-26",
    }
    _step(slug, "build", COLLECTSTATIC, build)
    _step(slug, "build", POST_COMPILE, build)
    _step(slug, "release", slug.process_types()["release"], {"DYNO": "release.1"})
    admin = ("warden", secrets.token_urlsafe(9))
    variables = {
        "DJANGO_SUPERUSER_EMAIL": "warden@example.com",
        "DJANGO_SUPERUSER_PASSWORD": admin[1],
        "DJANGO_SUPERUSER_USERNAME": admin[0],
        "DYNO": "run.2",
    }
    _step(slug, "run", MAKE_ADMIN, variables)
    return admin


def _serve(
    slug: Slug, log: Path, admin: tuple[str, str], port: int, started: float, *, check: bool
) -> int:
    command = slug.process_types()["web"]
    variables = {
        "DYNO": "web.1",
        "FORWARDED_ALLOW_IPS": "*",
        # With PORT alone, gunicorn listens on all interfaces.
        "GUNICORN_CMD_ARGS": f"--bind=127.0.0.1:{port}",
        "PORT": str(port),
        "WEB_CONCURRENCY": "2",
    }
    begun = time.monotonic()
    with slug.serve(command, variables, log, GUNICORN_ADDRESS) as (address, process):
        _report(f"web: {shlex.join(command)}", begun)
        if check:
            failures = _visit(Visit(f"{address}/", slug.folder / "staticfiles", admin))
            if failures:
                print(f"\nThe web dyno's log:\n{log.read_text(errors='replace')}")
            print(f"{'FAILED' if failures else 'passed'} in {time.monotonic() - started:.1f} s")
            return 1 if failures else 0
        print(f"\nThe guest book  {address}/")
        print(f"Its admin       {address}/admin/  as {admin[0]}, password {admin[1]}")
        print("Ctrl-C stops it.", flush=True)
        process.wait()
        raise CommandFailedError(f"{shlex.join(command)} ended:\n{log.read_text(errors='replace')}")


def _visit(visit: Visit) -> int:
    """Run each step of the visit, and return how many failed."""
    failures = 0
    for name, step in visit.steps():
        begun = time.monotonic()
        try:
            remark = step()
        except (VisitError, HTTPException, OSError) as error:
            failures += 1
            print(f"FAILED  visit: {name}: {error}", flush=True)
        else:
            _report(f"visit: {name}", begun, remark)
    return failures


def _step(slug: Slug, phase: str, command: Sequence[str], variables: Mapping[str, str]) -> None:
    begun = time.monotonic()
    lines = slug.run(command, variables).strip().splitlines()
    _report(f"{phase}: {shlex.join(command)}", begun, lines[-1].strip() if lines else "")


def _report(what: str, begun: float, remark: str = "") -> None:
    seconds = time.monotonic() - begun
    print(f"ok {seconds:6.2f} s  {what}{': ' * bool(remark)}{remark}", flush=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main())
