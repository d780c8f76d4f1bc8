import subprocess
import sys
from pathlib import Path

import pytest

from herokuify.s3 import content_types

pytestmark = pytest.mark.no_django


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        # IANA "Media Types"; RFC 9239 for JavaScript; ECMA-426 for source maps.
        ("a.css", "text/css"),
        ("a.js", "text/javascript"),
        ("a.mjs", "text/javascript"),
        ("a.cjs", "text/javascript"),
        ("a.js.map", "application/json"),
        ("a.json", "application/json"),
        ("a.webmanifest", "application/manifest+json"),
        ("a.wasm", "application/wasm"),
        ("a.woff", "font/woff"),
        ("a.woff2", "font/woff2"),
        ("a.ttf", "font/ttf"),
        ("a.otf", "font/otf"),
        ("a.eot", "application/vnd.ms-fontobject"),
        ("a.svg", "image/svg+xml"),
        ("a.ico", "image/vnd.microsoft.icon"),
        ("a.png", "image/png"),
        ("a.jpg", "image/jpeg"),
        ("a.webp", "image/webp"),
        ("a.avif", "image/avif"),
        ("a.html", "text/html"),
        ("a.txt", "text/plain"),
        ("a.pdf", "application/pdf"),
        ("a.mp4", "video/mp4"),
        # Case and folders don't matter.
        ("A.CSS", "text/css"),
        ("fonts.v1/Font", "application/octet-stream"),
        ("x.js/readme", "application/octet-stream"),
        ("", "application/octet-stream"),
        (".css", "application/octet-stream"),
        # Names are neither URLs nor data URLs.
        ("data:text/html,x.png", "image/png"),
        ("http://host/a.css", "text/css"),
    ],
)
def test_type(name: str, content_type: str) -> None:
    assert content_types.guess(name) == (content_type, None)


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("data.tar.gz", "application/gzip"),
        ("data.tgz", "application/gzip"),
        ("site.css.gz", "application/gzip"),
        ("data.bz2", "application/x-bzip2"),
        ("data.tar.xz", "application/x-xz"),
        ("data.Z", "application/x-compress"),
        ("data.zip", "application/zip"),
    ],
)
def test_archives_have_no_encoding(name: str, content_type: str) -> None:
    assert content_types.guess(name) == (content_type, None)


@pytest.mark.parametrize("name", ["a.svgz", "x/A.SVGZ"])
def test_svgz_has_an_encoding(name: str) -> None:
    assert content_types.guess(name) == ("image/svg+xml", "gzip")


def run_python(source: str, *arguments: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", source, *arguments],
        env={
            "PYTHONPATH": str(Path(content_types.__file__).parents[2]),
            "DJANGO_SETTINGS_MODULE": "django.conf.global_settings",
        },
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_system_table_has_no_effect(tmp_path: Path) -> None:
    """mimetypes.init() reads mime.types, which differs between machines."""
    table = tmp_path / "mime.types"
    table.write_text("text/x-of-this-machine css js machine\n")
    source = (
        "import mimetypes, sys\n"
        "mimetypes.init([sys.argv[1]])\n"
        "assert mimetypes.guess_type('a.machine')[0] == 'text/x-of-this-machine'\n"
        "from herokuify.s3 import content_types\n"
        "print(*(content_types.guess('a.' + suffix).type for suffix in ('css', 'js', 'machine')))\n"
    )
    guessed = run_python(source, str(table))
    assert guessed == "text/css text/javascript application/octet-stream\n"


def test_table_of_the_process_is_not_changed() -> None:
    source = (
        "import mimetypes\n"
        "mimetypes.init()\n"
        "before = dict(mimetypes.types_map)\n"
        "from herokuify.s3 import content_types\n"
        "content_types.guess('a.js')\n"
        "assert mimetypes.types_map == before\n"
    )
    run_python(source)


@pytest.mark.parametrize("suffix", sorted(content_types.TYPES))
def test_each_type_is_found(suffix: str) -> None:
    assert suffix == suffix.lower()
    assert suffix.startswith(".")
    assert content_types.guess(f"a{suffix}") == (content_types.TYPES[suffix], None)
