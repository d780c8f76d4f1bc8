"""Format numbers and tables for reports, and replace a page's results."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

TITLES = {
    "local": "Django, local disk",
    "herokuify": "**herokuify**",
    "before": "herokuify, older commit",
    "s5cmd": "s5cmd sync, collected files",
    "rclone": "rclone copy, collected files",
    "awscli": "aws s3 sync, collected files",
    "collectfasta": "collectfasta, 32 threads",
    "django-storages": "django-storages",
    "direct": "**herokuify**, direct",
    "form": "with the form",
}
_SECTION = re.compile(r"(<!-- results: begin[^>]*-->\n).*(<!-- results: end -->)", re.DOTALL)


def number(value: float) -> str:
    """Format a number with three digits, at most two of them decimals."""
    if not value:
        return "0"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; all columns but the first are right-aligned."""
    lines = [head, ["---", *("--:" for _ in head[1:])], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def replace_section(page: Path, section: str) -> None:
    """Replace the text between a page's markers."""
    text = page.read_text()
    if not _SECTION.search(text):
        raise SystemExit(f"error: {page.name} lacks the markers of its results")
    page.write_text(_SECTION.sub(lambda match: f"{match[1]}\n{section}\n{match[2]}", text))
