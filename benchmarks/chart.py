"""Draw a bar chart as SVG: seconds of the first and of an unchanged deploy."""

from __future__ import annotations

from html import escape

from benchmarks.contestants import CONTESTANTS
from benchmarks.results import Medians
from benchmarks.text import TITLES, number

_SERIES = {"first": "first deploy", "unchanged": "unchanged redeploy"}
_PANELS = {"plain": "Plain names", "manifest": "Hashed names and a manifest"}
_OURS = {"first": "#6d28d9", "unchanged": "#c4b5fd"}
_THEIRS = {"first": "#57606a", "unchanged": "#c3c9d0"}
_WIDTH, _LEFT, _RIGHT = 780, 210, 70  # pixels
_BAR, _GAP, _TITLE = 11, 12, 30
_STYLE = "font-family: system-ui, sans-serif; font-size: 12px; fill: #1f2328"


def bars(medians: Medians, subtitle: str) -> str:
    """Return the chart; each panel has its own linear scale."""
    parts: list[str] = []
    y = 52
    for variant, title in _PANELS.items():
        panel, y = _panel(medians, variant, title, y)
        parts += panel
    legend = [
        f'<rect x="{_LEFT + place * 170}" y="24" width="10" height="10" fill="{_THEIRS[name]}"/>'
        f'<rect x="{_LEFT + 12 + place * 170}" y="24" width="10" height="10" fill="{_OURS[name]}"/>'
        f'<text x="{_LEFT + 28 + place * 170}" y="33">{text}</text>'
        for place, (name, text) in enumerate(_SERIES.items())
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" role="img">',
            f'<rect width="{_WIDTH}" height="{y}" fill="#ffffff"/>',
            f'<g style="{_STYLE}">',
            f'<text x="12" y="18">Seconds of a deploy: {escape(subtitle)}</text>',
            *legend,
            *parts,
            "</g>",
            "</svg>\n",
        ]
    )


def _panel(medians: Medians, variant: str, title: str, y: int) -> tuple[list[str], int]:
    """Return a panel's elements, and the position of the next panel."""
    rows = {
        contestant: {
            name: medians[case]["wall"]
            for name in _SERIES
            if (case := f"{contestant} {variant} {name}") in medians
        }
        for contestant in CONTESTANTS
    }
    rows = {contestant: walls for contestant, walls in rows.items() if walls}
    if not rows:
        return [], y
    scale = (_WIDTH - _LEFT - _RIGHT) / max(max(walls.values()) for walls in rows.values())
    parts = [f'<text x="12" y="{y + 14}" font-weight="bold">{title}</text>']
    y += _TITLE
    for contestant, walls in rows.items():
        ours = contestant == "herokuify"
        label = escape(TITLES[contestant].replace("*", ""))
        weight = ' font-weight="bold"' if ours else ""
        parts.append(
            f'<text x="{_LEFT - 8}" y="{y + _BAR + 4}" text-anchor="end"{weight}>{label}</text>'
        )
        for name, wall in walls.items():
            color = (_OURS if ours else _THEIRS)[name]
            width = max(1.0, wall * scale)
            parts.append(
                f'<rect x="{_LEFT}" y="{y}" width="{width:.1f}" height="{_BAR}" fill="{color}"/>'
                f'<text x="{_LEFT + width + 5:.1f}" y="{y + _BAR - 1}">{number(wall)}</text>'
            )
            y += _BAR + 1
        y += _GAP
    return parts, y
