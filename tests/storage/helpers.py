"""Helpers for tests of storages."""

from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

#: Where moto is too lenient: it accepts any signature and policy.
CEPH = pytest.param("ceph", marks=pytest.mark.no_django)
on_ceph = pytest.mark.parametrize("s3", [CEPH], indirect=True, scope="session")
#: For large bodies: Ceph's store is in memory, and frees deleted objects only after hours.
on_moto = pytest.mark.parametrize("s3", ["moto"], indirect=True, scope="session")
#: File names with characters that are special in URLs, keys or paths.
NAMES = [
    "with space.txt",
    "  two  spaces .txt",
    "Ünïcode/世界 🎈.txt",
    "e\u0301.txt",  # not normalised: NFD
    "100%.txt",
    "%41%2F.txt",
    "a+b.txt",
    "a#b.txt",
    "a?b=c&d.txt",
    "quo'te\".txt",
    "semi;colon:at@comma,.txt",
    "tilde~(brackets)[x]{y}!$*=.txt",
    "<tag>.txt",
    ".hidden",
    "deep/er/and/deeper.txt",
]


def read(storage: Any, name: str, mode: str = "rb") -> Any:
    with storage.open(name, mode) as file:
        return file.read()


def write_and_fail(file: Any, content: str | bytes) -> None:
    file.write(content)
    raise AttributeError


def status(url: str, **headers: str) -> int:
    """Return the HTTP status of a GET request, also if it is an error."""
    try:
        with urlopen(Request(url, headers=headers)) as answer:
            return int(answer.status)
    except HTTPError as error:
        error.close()
        return error.code


def files(root: Path) -> dict[str, bytes]:
    """Return the content of all files below a folder, by relative path."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file()
    }
