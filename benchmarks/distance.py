"""Run the delay proxy in a separate process."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

_PROXY = Path(__file__).resolve().with_name("proxy.py")


class Distance:
    """A running delay proxy; ``endpoint`` is its URL."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._commands = cast("IO[str]", process.stdin)
        self._answers = cast("IO[str]", process.stdout)
        self._cpu = 0.0
        self.endpoint = f"http://127.0.0.1:{self._answer()['port']}"

    def take(self) -> dict[str, Any]:
        """Return the traffic since the last call; see ``proxy.Traffic.as_dict``."""
        self.tell("take")
        traffic = self._answer()
        total = traffic["proxy_cpu_seconds"]
        traffic["proxy_cpu_seconds"] = round(total - self._cpu, 3)
        self._cpu = total
        return traffic

    def tell(self, command: str) -> None:
        """Send a command: "take", "mute" or "unmute"."""
        self._commands.write(f"{command}\n")
        self._commands.flush()

    def _answer(self) -> dict[str, Any]:
        line = self._answers.readline()
        if not line:
            raise RuntimeError(f"the delay proxy ended with status {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextlib.contextmanager
def distance_to(upstream: str, rtt: float) -> Iterator[Distance]:
    """Delay requests to the server at ``host:port`` by ``rtt`` milliseconds."""
    command = [sys.executable, str(_PROXY), upstream, "--rtt", str(rtt)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield Distance(process)
        finally:
            process.communicate()  # it exits at the end of its input
