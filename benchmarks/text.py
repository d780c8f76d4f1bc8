"""Numbers and tables as the report prints them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

TITLES = {
    "local": "Django, local disk",
    "herokuify-crt": "**herokuify** (awscrt)",
    "herokuify": "**herokuify** (boto3)",
    "s5cmd": "s5cmd sync, ready-made tree",
    "rclone": "rclone copy, ready-made tree",
    "awscli": "aws s3 sync, ready-made tree",
    "collectfasta": "collectfasta, 32 threads",
    "django-storages": "django-storages",
}


def seconds(value: float) -> str:
    """Three digits, at most two of them decimals."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def megabytes(value: float) -> str:
    """Bytes in MB."""
    return f"{value / 1e6:.1f}"


def requests(counts: Mapping[str, float]) -> str:
    """Counts by kind, the largest first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count:,.0f} {kind}" for kind, count in ordered if count) or "none"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table: the first column is text, the others stand at the right."""
    lines = [head, ["---", *("--:" for _ in head[1:])], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
