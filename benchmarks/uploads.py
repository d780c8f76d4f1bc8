"""Upload a large photo to the example project, on gunicorn with one process of one thread.

The visitor's line has 100 Mbit/s. The photo is uploaded directly, or with the form, as without
JavaScript. Meanwhile, and before that, the page is requested ten times per second. The photo of
1 GB has no limit of speed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from benchmarks.distance import distance_to
from benchmarks.environments import ROOT
from benchmarks.lab import Lab, lab
from benchmarks.processes import variables_of
from benchmarks.results import Measure, take_turns
from benchmarks.visitor import Options

MEGABYTE = 2**20
ROUTES = ("direct", "form")
SIZE, SMALL, CLAIMED = 200 * MEGABYTE, MEGABYTE, 1024 * MEGABYTE
RATE = 12.5e6  # bytes a second
EVERY = 0.1  # seconds between the others' requests
IDLE = 10.0  # seconds
DOMAIN = "hut-1234567890ab.herokuapp.com"
_VISITOR = Path(__file__).resolve().with_name("visitor.py")
_LEFT_BEHIND = shutil.ignore_patterns("__pycache__", "*.sqlite3", "media", "staticfiles")
#: The example's limits, and the larger ones for this benchmark.
_LIMITS = {
    "guestbook/validators.py": ("PHOTO_MAX_MB = 10", "PHOTO_MAX_MB = 2048"),
    "config/settings.py": ('"max_size": 10 * 2**20', '"max_size": 2048 * 2**20'),
}


@dataclass
class Dyno:
    """The example's processes."""

    pid: int
    port: int

    def _memory(self, figure: str) -> int:
        """Return the bytes of gunicorn's master and worker."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        total = 0
        for pid in (str(self.pid), *children):
            status = Path(f"/proc/{pid}/status").read_text()
            total += next(
                int(line.split()[1]) for line in status.splitlines() if line.startswith(figure)
            )
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # resets the peak, see proc(5)
        return total * 1024

    @contextlib.contextmanager
    def watched(self, figures: dict[str, Any], name: str) -> Iterator[None]:
        """Record how much the processes' peak memory grows in this context."""
        before = self._memory("VmRSS:")
        yield
        figures[name] = self._memory("VmHWM:") - before

    def ask(self) -> float:
        """Request the page; return the seconds."""
        begin = time.monotonic()
        connection = HTTPConnection("127.0.0.1", self.port, timeout=120)
        with contextlib.closing(connection):
            connection.request("GET", "/", headers={"Host": DOMAIN, "X-Forwarded-Proto": "https"})
            answer = connection.getresponse()
            answer.read()
        if answer.status != 200:
            raise SystemExit(f"error: the page answered {answer.status}")
        return time.monotonic() - begin


def main(options: argparse.Namespace) -> None:
    """Upload the photo directly and with the form in each round, and one of 1 GB directly."""
    with (
        lab(options, ["example-site"]) as place,
        place.buckets.new(f"bench-{os.getpid()}-{time.time_ns()}") as bucket,
    ):
        folder, variables = _deployed(place, bucket)
        measure = partial(_round, place, folder, variables)
        cases: dict[str, Measure] = {
            f"{route} 200 MB": partial(measure, bucket, route) for route in ROUTES
        }
        cases["direct 1024 MB"] = partial(_claim, place, folder, variables, bucket)
        take_turns(place.results("uploads"), cases, options.rounds)


def _deployed(place: Lab, bucket: str) -> tuple[Path, dict[str, str]]:
    """Build and release the example."""
    folder = place.folder() / "app"
    shutil.copytree(ROOT / "example_project", folder, ignore=_LEFT_BEHIND)
    for name, (usual, here) in _LIMITS.items():
        text = (folder / name).read_text()
        if usual not in text:
            raise SystemExit(f"error: {name} of the example has no {usual!r}")
        (folder / name).write_text(text.replace(usual, here))
    scripts = place.environments["example-site"]
    variables = {
        **variables_of(place.near, bucket, folder.parent),
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "DATABASE_URL": f"sqlite:///{folder.parent / 'db.sqlite3'}",
        "HEROKU_APP_DEFAULT_DOMAIN_NAME": DOMAIN,
        "ALLOWED_HOSTS": DOMAIN,
        "FORWARDED_ALLOW_IPS": "*",
        "DYNO": "run.1",
    }
    for arguments in (["collectstatic", "--noinput"], ["compress"], ["migrate", "--noinput"]):
        command = [str(scripts / "python"), "manage.py", *arguments]
        subprocess.run(command, env=variables, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    # The dyno's requests are delayed, browsers' are not.
    away = {
        "AWS_S3_ENDPOINT_URL": place.far.endpoint,
        "AWS_S3_PUBLIC_ENDPOINT_URL": place.near.endpoint,
    }
    return folder, {**variables, **away, "DYNO": "web.1"}


@contextlib.contextmanager
def _serving(folder: Path, variables: dict[str, str]) -> Iterator[Dyno]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    own = {
        "PORT": str(port),
        "WEB_CONCURRENCY": "1",
        "WEB_THREADS": "1",
        "GUNICORN_CMD_ARGS": f"--bind=127.0.0.1:{port}",
    }
    command = ["gunicorn", "-c", "python:herokuify.server", "config.wsgi"]
    with (folder.parent / "gunicorn.log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={**variables, **own}, stdout=log, stderr=log
        )
        try:
            dyno = Dyno(process.pid, port)
            end = time.monotonic() + 30
            while True:
                with contextlib.suppress(OSError):
                    dyno.ask()
                    break
                if time.monotonic() > end or process.poll() is not None:
                    raise SystemExit(f"error: gunicorn did not start; its log is {log.name}")
                time.sleep(0.1)
            yield dyno
        finally:
            process.terminate()
            process.wait()


def _round(
    place: Lab, folder: Path, variables: dict[str, str], bucket: str, route: str, _: int
) -> Iterator[dict[str, Any]]:
    figures: dict[str, Any] = {}
    with _serving(folder, variables) as dyno:
        with dyno.watched(figures, "first_bytes"):  # which imports boto3
            _sent(Options(f"127.0.0.1:{dyno.port}", DOMAIN, SMALL, route, RATE))
        with _others(dyno, figures, "idle"):
            time.sleep(IDLE)
        place.distance.take()
        with (
            distance_to(f"127.0.0.1:{dyno.port}", 0) as router,
            dyno.watched(figures, "grown_bytes"),
            _others(dyno, figures, "others"),
        ):
            figures |= _sent(
                Options(router.endpoint.partition("://")[2], DOMAIN, SIZE, route, RATE)
            )
            figures["received"] = router.take()["bytes_sent"]
            figures["received_from_s3"] = place.distance.take()["bytes_received"]
    _check(place, bucket, SIZE)
    yield figures


def _claim(
    place: Lab, folder: Path, variables: dict[str, str], bucket: str, _: int
) -> Iterator[dict[str, Any]]:
    with _serving(folder, variables) as dyno:
        figures = _sent(Options(f"127.0.0.1:{dyno.port}", DOMAIN, CLAIMED, "direct", 0))
    _check(place, bucket, CLAIMED)
    yield figures


def _check(place: Lab, bucket: str, size: int) -> None:
    """Check that the bucket has the photo, and delete it."""
    client = place.buckets.client
    found = client.list_objects_v2(Bucket=bucket, Prefix="media/")["Contents"]
    if size not in {one["Size"] for one in found}:
        raise SystemExit("error: the photo is not in the bucket")
    if client.list_objects_v2(Bucket=bucket, Prefix="pending/").get("Contents"):
        raise SystemExit("error: the upload was left behind")
    for one in found:
        client.delete_object(Bucket=bucket, Key=one["Key"])


def _sent(options: Options) -> dict[str, Any]:
    """Submit the form in a separate process; return its figures."""
    command = [sys.executable, "-I", str(_VISITOR), json.dumps(options._asdict())]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise SystemExit(answer.stderr)
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


@contextlib.contextmanager
def _others(dyno: Dyno, figures: dict[str, Any], name: str) -> Iterator[None]:
    """Request the page at a constant rate; record the 95th percentile of the times."""
    seconds: list[float] = []
    failed: list[BaseException] = []
    ended = threading.Event()

    def one() -> None:
        try:
            seconds.append(dyno.ask())
        except (OSError, HTTPException, SystemExit) as error:
            failed.append(error)

    def ask() -> None:
        while not ended.wait(EVERY):
            threads.append(threading.Thread(target=one))
            threads[-1].start()

    threads = [threading.Thread(target=ask)]
    threads[0].start()
    try:
        yield
    finally:
        ended.set()
        threads[0].join()
        for thread in threads[1:]:
            thread.join()
    figures[f"{name}_p95_ms"] = statistics.quantiles(seconds, n=20)[-1] * 1000
    figures[f"{name}_lost"] = len(failed)
