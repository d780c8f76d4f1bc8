"""Draw docs/layers.svg, herokuify's layers: ``python3 tools/picture.py``, or ``--print``.

The layers come from tests/test_architecture.py, and the arrows from the import statements. An arrow
that follows from others is left out.
"""

import sys
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests import test_architecture as rules  # noqa: E402

PICTURE = ROOT / "docs" / "layers.svg"
WIDTH, LEFT, ROW, BOX = 960, 150, 76, 30
STYLE = """
  text { font: 14px system-ui, sans-serif; fill: #1f2933; text-anchor: middle }
  .note { font-size: 12px; fill: #52606d; text-anchor: start }
  rect { fill: #eef4fb; stroke: #3e6fa8; rx: 5px }
  .fragment rect { fill: #fdf3dc; stroke: #b7791f }
  path { fill: none; stroke: #8496a9; stroke-width: 1.1; marker-end: url(#tip) }
  #tip path { fill: #8496a9; stroke: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #e4e7eb } .note { fill: #9aa5b1 }
    rect { fill: #1d2f44 } .fragment rect { fill: #3d3014 }
  }
"""
TIP = (
    '<marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path d="M0 0 8 4 0 8z"/></marker>'
)
#: The names of packages on PyPI, where they differ from those of modules.
PACKAGES = {
    "bmemcached": "python-binary-memcached",
    "compressor": "django-compressor",
    "dj_database_url": "dj-database-url",
    "django_cleanup": "django-cleanup",
    "storages": "django-storages",
}
NOT_DRAWN = {"urllib3", "botocore"}  # boto3's own parts


def imports() -> dict[str, set[str]]:
    """Return which parts each part imports."""
    found: dict[str, set[str]] = {}
    for module in rules.MODULES:
        found.setdefault(rules.part(module), set()).update(rules.parts_imported(module))
    del found["__init__"]
    return {name: others - {"__init__"} for name, others in found.items()}


def arrows(edges: dict[str, set[str]]) -> list[tuple[str, str]]:
    """Return the imports that don't follow from others."""

    def reachable(name: str) -> set[str]:
        return edges[name].union(*(reachable(other) for other in edges[name]))

    return [
        (name, other)
        for name in sorted(edges)
        for other in sorted(edges[name])
        if not any(other in reachable(middle) for middle in edges[name] - {other})
    ]


def places(edges: dict[str, set[str]]) -> dict[str, tuple[float, float]]:
    """Return the centre of each part's box, the highest layer first.

    Within a layer, parts are ordered so that arrows are short.
    """
    joined: dict[str, list[str]] = {name: [] for name in edges}
    for name, other in arrows(edges):
        joined[name].append(other)
        joined[other].append(name)
    rows = [sorted(name for name in layer if name in edges) for layer in reversed(rules.LAYERS)]
    found = _row_places(rows)
    for _ in range(4):
        for row in reversed(rows):
            row.sort(key=lambda name: _mean([found[other][0] for other in joined[name]]))
            found |= _row_places(rows)
    return found


def _row_places(rows: list[list[str]]) -> dict[str, tuple[float, float]]:
    return {
        name: (LEFT + (WIDTH - LEFT) / len(row) * (index + 0.5), 40 + ROW * number)
        for number, row in enumerate(rows)
        for index, name in enumerate(row)
    }


def _mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers) if numbers else WIDTH


def width(name: str) -> float:
    """Return the width of a part's box."""
    return 8.2 * len(name) + 18


def outside(names: set[str]) -> str:
    """Return the names of the outside packages that only this layer may import."""
    found = {
        PACKAGES.get(package, package)
        for package, parts in rules.OUTSIDE.items()
        if parts & names and package not in NOT_DRAWN
    }
    return ", ".join(sorted(found))


def draw() -> str:
    """Return the picture, as SVG."""
    edges = imports()
    middle = places(edges)
    height = 40 + ROW * len(rules.LAYERS) - 26
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        "<title>The layers of herokuify, and which part imports which</title>",
        f"<style>{STYLE}</style>",
        f"<defs>{TIP}</defs>",
    ]
    for name, other in arrows(edges):
        (x, y), (to_x, to_y) = middle[name], middle[other]
        start, end = y + BOX / 2, to_y - BOX / 2
        bend = (end - start) / 2
        lines.append(
            f'<path d="M{x:.0f} {start:.0f}C{x:.0f} {start + bend:.0f} '
            f'{to_x:.0f} {end - bend:.0f} {to_x:.0f} {end:.0f}"/>'
        )
    for number, layer in enumerate(reversed(rules.LAYERS)):
        y = 40 + ROW * number
        words = outside(layer)
        halves = [words] if len(words) < 22 else _split(words)
        for line, half in enumerate(halves):
            lines.append(f'<text class="note" x="8" y="{y + 4 + 15 * line}">{escape(half)}</text>')
    for name, (x, y) in middle.items():
        kind = "fragment" if name in rules.FRAGMENTS else "part"
        box = f'x="{x - width(name) / 2:.0f}" y="{y - BOX / 2:.0f}" height="{BOX}"'
        lines.append(
            f'<g class="{kind}"><rect {box} width="{width(name):.0f}"/>'
            f'<text x="{x:.0f}" y="{y + 5:.0f}">{name}</text></g>'
        )
    return "\n".join([*lines, "</svg>", ""])


def _split(words: str) -> list[str]:
    parts = words.split(", ")
    half = (len(parts) + 1) // 2
    return [", ".join(parts[:half]) + ",", ", ".join(parts[half:])] if len(parts) > 1 else parts


if __name__ == "__main__":
    if "--print" in sys.argv[1:]:
        sys.stdout.write(draw())
    else:
        PICTURE.write_text(draw(), encoding="utf-8")
        print(f"wrote {PICTURE.relative_to(ROOT)}")
