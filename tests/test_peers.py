"""docs/peers.md: its tables are complete, and the tests that it cites exist."""

import ast
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.source_tree

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "peers.md").read_text(encoding="utf-8")
PEERS = [
    "django-heroku",
    "django-on-heroku",
    "django-environ",
    "environs",
    "cookiecutter-django",
    "python-getting-started",
]
VERSION = re.compile(r"\b\d+\.\d+\.\d+\b|commit `[0-9a-f]{7}`")


def tables() -> list[list[list[str]]]:
    """Return the page's tables: the cells of each row, the header's first."""
    found = re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE)
    rows = [[line.strip("|").split("|") for line in table.splitlines()] for table in found]
    return [[[cell.strip() for cell in row] for row in [head, *body]] for head, _, *body in rows]


COMPARISON, COLUMNS, UPLOADS = tables()
PROOFS = sorted(set(re.findall(r"`(tests/[^`]+)`", PAGE)))


def test_each_peer_has_a_row_and_a_section_with_its_version() -> None:
    assert [row[0] for row in COMPARISON[1:]] == ["herokuify", *PEERS]
    for peer in PEERS:
        section = re.search(
            rf"^## {re.escape(peer)}\n(.+?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE
        )
        assert section, peer
        assert VERSION.search(section[1]), peer
        assert "\nWhat herokuify does not do:" in section[1], peer


def test_each_cell_is_a_word_that_the_page_explains() -> None:
    words = set(re.findall(r"^- \*([\w ]+)\*: ", PAGE, re.MULTILINE))
    assert {cell for row in COMPARISON[1:] for cell in row[1:]} == words
    assert {len(row) for row in COMPARISON} == {len(COMPARISON[0])}


def test_each_column_has_a_row_that_cites_a_test() -> None:
    assert [row[0] for row in COLUMNS[1:]] == COMPARISON[0][1:]
    assert all(re.search(r"`tests/[^`]+`", row[2]) for row in COLUMNS[1:])


def test_each_row_of_uploads_cites_a_test() -> None:
    assert len(UPLOADS) > 1
    assert all(all(row) for row in UPLOADS)
    assert all(re.search(r"`tests/[^`]+`", row[2]) for row in UPLOADS[1:])


@pytest.mark.parametrize("proof", PROOFS)
def test_each_cited_test_exists(proof: str) -> None:
    name, *path = proof.split("::")
    body = ast.parse((ROOT / name).read_text(encoding="utf-8")).body
    assert any(getattr(node, "name", "").lower().startswith("test") for node in body)
    for part in path:
        [found] = [node for node in body if getattr(node, "name", None) == part]
        body = getattr(found, "body", [])
