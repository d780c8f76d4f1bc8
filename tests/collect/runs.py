"""Run collectstatic in processes that can be killed, forked from one with all imports done."""

import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import django
import pytest
from django.conf import settings

APPS = ["herokuify", "django.contrib.staticfiles"]


def prepare() -> None:
    """Import what every run needs, once, before the processes are forked."""
    if not settings.configured:
        settings.configure(
            SECRET_KEY="not-a-secret",
            INSTALLED_APPS=APPS,
            STATIC_URL="/static/",
            STATIC_ROOT="/nowhere/static",
        )
        django.setup()
        import herokuify.storage  # noqa: F401
        from herokuify.management.commands import collectstatic  # noqa: F401


if multiprocessing.parent_process() is None and __name__ != "__main__":
    # Imported by the fork server, or by the tests, which have set Django up already.
    prepare()


def collectstatic(
    values: Mapping[str, Any], arguments: list[str], output: Path, limits: Mapping[str, Any]
) -> None:
    """Run the command as manage.py does; for a process of its own."""
    from django.core.management import execute_from_command_line

    prepare()
    # As in a terminal; a shell's background jobs, and processes that they start, ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from herokuify.collect import inactivity

    sys.stdout = sys.stderr = output.open("w", encoding="utf-8", buffering=1)
    for name, value in values.items():
        setattr(settings, name, value)
    if "silence" in limits:
        inactivity.TIMEOUT = limits["silence"]
    if "file_size" in limits:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits["file_size"],) * 2)
    execute_from_command_line(["manage.py", "collectstatic", "--noinput", *arguments])


@dataclass
class Run:
    """A run of collectstatic, under way or ended."""

    process: ForkServerProcess
    output: Path

    @property
    def text(self) -> str:
        """The output so far."""
        return self.output.read_text(encoding="utf-8") if self.output.exists() else ""

    def wait(self, timeout: float = 60) -> int | None:
        """Return the exit code, negative for a signal; kill it and return None if it is late."""
        self.process.join(timeout)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
            return None
        return self.process.exitcode


def start(values: Mapping[str, Any], *arguments: str, output: Path, **limits: Any) -> Run:
    """Start collectstatic with these settings and limits.

    The limits are ``silence``, the seconds that it waits for a response, and ``file_size``, the
    bytes that it may write to a file.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(
        target=collectstatic, args=(dict(values), list(arguments), output, limits), daemon=True
    )
    with pytest.MonkeyPatch.context() as patch:
        # The fork server needs this process's path to import the module.
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
        process.start()
    return Run(process, output)
