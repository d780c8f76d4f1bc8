"""Hatchling's metadata hook: README as the description on PyPI.

Relative links don't work there. With the repository's URL, ``Source`` in pyproject.toml's
``[project.urls]``, they become URLs of the release's tag. Without it, links become plain text, and
pictures are left out.
"""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

CODE = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
PICTURE = re.compile(r"<picture>.*?</picture>\n?|<img\b[^>]*>\n?|!\[[^\]]*\]\([^)]+\)", re.DOTALL)
LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?!https?:|#)[^)\s]+\)")
TARGET = re.compile(r"(?P<before>\]\(|\b(?:src|srcset)=\")(?P<path>(?!https?:|#)[^)\"\s]+)")


class Readme(MetadataHookInterface):
    """Set the description from README.md."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Set ``readme``, which pyproject.toml declares as dynamic."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        source = metadata.get("urls", {}).get("Source")
        text = description(text, source, metadata["version"])
        metadata["readme"] = {"content-type": "text/markdown", "text": text}


def description(readme: str, source: str | None, version: str) -> str:
    """Return the README without relative links; ``source`` is a repository on GitHub."""
    parts = CODE.split(readme)
    parts[::2] = [_absolute(prose, source, version) for prose in parts[::2]]
    return "".join(parts)


def _absolute(prose: str, source: str | None, version: str) -> str:
    if source is None:
        return LINK.sub(r"\g<text>", PICTURE.sub("", prose))
    tag = "HEAD" if ".dev" in version else f"v{version}"

    def absolute(found: re.Match[str]) -> str:
        kind = "raw" if found["path"].endswith((".png", ".svg")) else "blob"
        return f"{found['before']}{source.rstrip('/')}/{kind}/{tag}/{found['path']}"

    return TARGET.sub(absolute, prose)
