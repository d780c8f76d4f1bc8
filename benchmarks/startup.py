"""Measures what starting Django costs: ``python3 benchmarks/startup.py``, with all set-up.

Each case is a process of its own that sets Django up, and perhaps makes one URL. They take turns;
the figures are medians of the whole process's CPU seconds and peak memory.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "benchmarks.md"
ROUNDS = 15
_MEASURE = Path(__file__).resolve().with_name("measure.py")
_SECTION = re.compile(r"(<!-- startup: begin[^>]*-->\n).*(<!-- startup: end -->)", re.DOTALL)

VARIABLES = {
    "SECRET_KEY": "a-key-of-a-benchmark",
    "ALLOWED_HOSTS": "www.example.com",
    "DATABASE_URL": "sqlite:///nothing.db",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_STORAGE_BUCKET_NAME": "bench",
    "AWS_S3_REGION_NAME": "eu-west-1",
}
BARE = """
SECRET_KEY = "a-key-of-a-benchmark"
USE_TZ = True
INSTALLED_APPS = ["django.contrib.staticfiles"]
STATIC_URL = "/static/"
"""
FRAGMENTS = """
import herokuify
from herokuify.aws import *
from herokuify.common import *

USE_TZ = True
INSTALLED_APPS = ["herokuify", "django.contrib.staticfiles"]
DATABASES = herokuify.get_db_config()
CACHES = herokuify.get_cache_config()
globals().update(herokuify.get_email_config())
STATIC_URL = get_static_url()
MEDIA_URL = get_media_url()
STORAGES = {
    "default": {"BACKEND": "herokuify.storage.S3MediaStorage"},
    "staticfiles": {"BACKEND": "herokuify.storage.S3StaticStorage"},
}
"""
BY_HAND = """
import os

SECRET_KEY = os.environ["SECRET_KEY"]
USE_TZ = True
INSTALLED_APPS = ["django.contrib.staticfiles"]
AWS_STORAGE_BUCKET_NAME = os.environ["AWS_STORAGE_BUCKET_NAME"]
AWS_S3_REGION_NAME = os.environ["AWS_S3_REGION_NAME"]
STATIC_URL = f"https://{AWS_STORAGE_BUCKET_NAME}.s3.amazonaws.com/static/"
S3 = "storages.backends.s3.S3Storage"
STORAGES = {
    "default": {"BACKEND": S3, "OPTIONS": {"location": "media"}},
    "staticfiles": {"BACKEND": S3, "OPTIONS": {"location": "static", "querystring_auth": False}},
}
"""
SETUP = "import django; django.setup()"
STATIC = f"{SETUP}; from django.templatetags.static import static; static('a.css')"
MEDIA = (
    f"{SETUP}; from django.core.files.storage import default_storage; default_storage.url('a.jpg')"
)


class Case(NamedTuple):
    """A process that starts: where it is installed, with which settings, and what it does."""

    title: str
    environment: str
    settings: str
    program: str


CASES = (
    Case("Django alone", "local", BARE, SETUP),
    Case("**herokuify**'s fragments", "herokuify", FRAGMENTS, SETUP),
    Case("**herokuify**, a static URL", "herokuify", FRAGMENTS, STATIC),
    Case("**herokuify**, a signed URL", "herokuify", FRAGMENTS, MEDIA),
    Case("django-storages, settings by hand", "django-storages", BY_HAND, SETUP),
    Case("django-storages, a static URL", "django-storages", BY_HAND, STATIC),
    Case("django-storages, a signed URL", "django-storages", BY_HAND, MEDIA),
)


def main() -> None:
    """Measure all cases and print the table."""
    sys.path.insert(0, str(ROOT))
    from benchmarks.environments import PEERS, environment
    from benchmarks.results import machine
    from benchmarks.text import table

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=ROOT / ".benchmarks")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--publish", action="store_true", help="write it to docs/benchmarks.md")
    options = parser.parse_args()
    work = options.work.resolve()
    pythons = {
        name: environment(name, PEERS[name], work / "environments") / "python"
        for name in dict.fromkeys(case.environment for case in CASES)
    }
    costs: dict[str, list[dict[str, Any]]] = {case.title: [] for case in CASES}
    with tempfile.TemporaryDirectory(dir=work) as folder:
        for number in range(options.rounds + 1):
            shift = number % len(CASES)
            for case in CASES[shift:] + CASES[:shift]:
                cost = measure(case, pythons[case.environment], Path(folder))
                if number:  # the first round warms up
                    costs[case.title].append(cost)
    rows = []
    for title, found in costs.items():
        cpu = statistics.median(cost["user"] + cost["system"] for cost in found)
        peak = statistics.median(cost["peak_bytes"] for cost in found)
        rows.append([title, f"{cpu:.2f}", f"{peak / 1e6:.0f}"])
    here = machine()
    about = f"Medians of {options.rounds}; {here['processor']}, Python {here['python']}."
    section = f"{about}\n\n{table(['what starts', 'CPU s', 'peak MB'], rows)}"
    print(section)
    if options.publish:
        page = PAGE.read_text()
        if not _SECTION.search(page):
            sys.exit("error: docs/benchmarks.md has lost the markers of the start-up's results")
        PAGE.write_text(_SECTION.sub(lambda match: f"{match[1]}\n{section}\n{match[2]}", page))


def measure(case: Case, python: Path, folder: Path) -> dict[str, Any]:
    """Run a case once, and return what it cost."""
    name = f"settings_{CASES.index(case)}"
    (folder / f"{name}.py").write_text(case.settings)
    result = folder / "cost.json"
    subprocess.run(
        [sys.executable, "-I", "-S", _MEASURE, result, python, "-c", case.program],
        cwd=folder,
        env={**VARIABLES, "DJANGO_SETTINGS_MODULE": name, "PATH": os.environ.get("PATH", "")},
        check=True,
    )
    cost: dict[str, Any] = json.loads(result.read_text())
    if cost["exit"]:
        sys.exit(f"error: {case.title} ended with {cost['exit']}")
    return cost


if __name__ == "__main__":
    main()
