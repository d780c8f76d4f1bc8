"""The setting in docs/common.md for Sentry reads its DSN from the environment."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.project import SNIPPET, Project, clean_environment

PAGE = Path(__file__).resolve().parents[2] / "docs" / "common.md"
SEND = """
import logging, sentry_sdk
logging.getLogger("site").error("the page is broken")
sentry_sdk.flush(timeout=20)
"""


@contextmanager
def collecting() -> Iterator[tuple[str, list[str]]]:
    """Run a server that replaces Sentry's; yield its DSN and the paths of its requests."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            paths.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://key@127.0.0.1:{server.server_port}/7", paths
        server.shutdown()


def test_logged_error_is_sent(make_project: Callable[..., Project]) -> None:
    page = PAGE.read_text(encoding="utf-8").partition("## Sentry")[2]
    line = page.partition("```python\n")[2].partition("```")[0]
    site = make_project(f"from herokuify.common import *\n{line}\nUSE_TZ = True\n")
    with collecting() as (dsn, paths):
        for variables in ({}, {"SENTRY_DSN": dsn}):
            assert paths == []  # nothing is sent without a DSN
            result = subprocess.run(
                [sys.executable, "-c", SNIPPET + SEND],
                cwd=site.folder,
                env=clean_environment(site.folder) | variables,
                capture_output=True,
                encoding="utf-8",
                timeout=60,
                check=False,
            )
            assert result.returncode == 0, result.stderr
        assert "/api/7/envelope/" in paths
