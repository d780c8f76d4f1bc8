"""Numbers and tables as the reports print them, and where they stand in a page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

TITLES = {
    "local": "Django, local disk",
    "herokuify": "**herokuify**",
    "before": "herokuify, an older commit",
    "s5cmd": "s5cmd sync, ready-made tree",
    "rclone": "rclone copy, ready-made tree",
    "awscli": "aws s3 sync, ready-made tree",
    "collectfasta": "collectfasta, 32 threads",
    "django-storages": "django-storages",
    "direct": "**herokuify**, directly",
    "form": "with the form",
}
_SECTION = re.compile(r"(<!-- results: begin[^>]*-->\n).*(<!-- results: end -->)", re.DOTALL)


def number(value: float) -> str:
    """Format a number with three digits, at most two of them decimals."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; all columns but the first are right-aligned."""
    lines = [head, ["---", *("--:" for _ in head[1:])], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def replace_section(page: Path, section: str) -> None:
    """Write what stands between a page's markers."""
    text = page.read_text()
    if not _SECTION.search(text):
        raise SystemExit(f"error: {page.name} has lost the markers of its results")
    page.write_text(_SECTION.sub(lambda match: f"{match[1]}\n{section}\n{match[2]}", text))
