"""Show the command's progress."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol

EVERY = 5.0  # seconds between lines in a log
REFRESH = 0.1  # seconds between updates of the bar on a terminal
BAR = 30  # characters


class Output(Protocol):
    """A text stream, or Django's wrapper for one."""

    def write(self, text: str, /) -> object: ...  # noqa: D102
    def flush(self) -> object: ...  # noqa: D102
    def isatty(self) -> bool: ...  # noqa: D102


@dataclass
class Progress:
    """Counts files, and shows the counts: as a bar on a terminal, as lines elsewhere."""

    output: Output
    is_quiet: bool = False
    collected: int = 0
    unchanged: int = 0
    started: float = field(default_factory=time.monotonic)
    _shown: float = 0.0
    _has_bar: bool = False

    def __post_init__(self) -> None:
        self._shown = self.started
        self._is_terminal = self.output.isatty()

    def show(self, finished: int, expected: int) -> None:
        """Show the progress, if the last time was long enough ago."""
        now = time.monotonic()
        if self.is_quiet or now - self._shown < (REFRESH if self._is_terminal else EVERY):
            return
        self._shown = now
        counts = f"{finished} of {expected} to send, {self.unchanged} unchanged"
        if self._is_terminal:
            filled = BAR * finished // max(expected, 1)
            self.output.write(f"\r[{'#' * filled:{BAR}}] {counts} ")
            self._has_bar = True
        else:
            self.output.write(f"{self.collected} static files collected: {counts}\n")
        self.output.flush()

    def end(self) -> None:
        """Remove the progress bar from the terminal."""
        if self._has_bar:
            self.output.write("\r\x1b[K")
            self.output.flush()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started


def megabytes(size: int) -> str:
    """Format a size: ``1.2 MB``."""
    return f"{size / 1_000_000:.1f} MB"
