"""Links that Sphinx doesn't check: those of the top-level pages, and external ones."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytestmark = [pytest.mark.source_tree, pytest.mark.once]

ROOT = Path(__file__).resolve().parent.parent
AT_THE_TOP = [
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "CHANGELOG", "SECURITY")),
    ROOT / "CODE_OF_CONDUCT.md",
    ROOT / "example_project" / "README.md",
]
IN_DOCS = sorted((ROOT / "docs").rglob("*.md"))


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def prose(page: Path) -> str:
    """Return a page's text without code."""
    return re.sub(r"```.*?```|`[^`]+`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("page", AT_THE_TOP, ids=name_of)
def test_relative_links_lead_to_files(page: Path) -> None:
    found = re.findall(r"\]\(((?!https?:)[^)#]+)|(?:src|srcset)=\"([^\"]+)", prose(page))
    files = {page.parent / "".join(one) for one in found}
    assert [str(path) for path in files if not path.exists()] == []
    assert files or page.stem in {"CHANGELOG", "CODE_OF_CONDUCT", "SECURITY"}


@pytest.mark.parametrize("page", [*AT_THE_TOP, *IN_DOCS], ids=name_of)
def test_external_links_are_complete_and_use_https(page: Path) -> None:
    """Tests have no network, so they can't tell whether the pages exist."""
    for found in re.findall(r"\]\(([a-z]+:[^)\s]*)|<([a-z]+:[^>\s]*)>", prose(page)):
        address = urlsplit("".join(found))
        if address.hostname == "127.0.0.1":  # the reader's machine
            continue
        assert address.scheme == "https", address
        assert re.fullmatch(r"([a-z0-9-]+\.)+[a-z]{2,}", address.netloc), address
        assert not address.netloc.endswith(("example.com", "example.org")), address
