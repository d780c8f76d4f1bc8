"""COMPRESS_OFFLINE_CONTEXT and broken templates, compared with django-compressor's storages."""

import io
import json
import shutil
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import Any

import pytest
from django.core.management import call_command

from tests.collect.conftest import Site, write
from tests.collect.test_bundles import CACHED_CLASS, bundles_on_s3, compress

PAGE = """{% load compress static %}
{% compress css %}<link rel="stylesheet" href="{% static 'css/base.css' %}">{% endcompress %}
{% compress js %}<script>window.theme = "{{ theme }}";</script>{% endcompress %}
"""
TEMPLATES = {
    "page.html": PAGE,
    "child.html": '{% extends "page.html" %}',
    "broken.html": "{% load compress %}{% compress css %}{% nosuchtag %}{% endcompress %}",
    "orphan.html": '{% extends "missing.html" %}{% block a %}{% endblock %}',
    "unknown.html": "{% load nosuchlibrary %}",
}
THEMES = [{"theme": "dark"}, {"theme": "light"}]


def generated() -> Iterator[dict[str, str]]:
    yield from THEMES


def returned() -> list[dict[str, str]]:
    return THEMES[:1]


def manifest_of(site: Site) -> Any:
    return json.loads((site.root / "CACHE" / "manifest.json").read_text())


@pytest.mark.parametrize(
    ("context", "scripts"),
    [
        ({}, 1),
        (THEMES[0], 1),
        (THEMES, 2),
        (tuple(THEMES), 2),
        (f"{__name__}.generated", 2),
        (f"{__name__}.returned", 1),
    ],
    ids=["none", "one", "list", "tuple", "generator", "function"],
)
def test_result_is_that_of_compressor(site: Site, context: Any, scripts: int) -> None:
    """Names, manifest and content are the same; templates with errors are named and left out."""
    write(site.folder / "templates", TEMPLATES)
    local = "compressor.storage.CompressorFileStorage"
    outputs, manifests, contents = [], [], []
    for storage in (local, CACHED_CLASS):
        shutil.rmtree(site.root, ignore_errors=True)
        compress(site, CACHED_CLASS, COMPRESS_OFFLINE_CONTEXT=context)
        site.collect()
        if storage == local:
            site.configure(
                COMPRESS_STORAGE=local,
                COMPRESS_OFFLINE_MANIFEST_STORAGE="compressor.storage.OfflineManifestFileStorage",
            )
        output = io.StringIO()
        with redirect_stdout(output):  # compressor's log
            call_command("compress", verbosity=1)
        outputs.append(sorted(output.getvalue().replace("... ", "...\n").splitlines()))
        manifests.append(manifest_of(site))
        found = {path.name: path.read_bytes() for path in (site.root / "CACHE").glob("*/*.*")}
        contents.append(found)
        if storage == CACHED_CLASS:
            assert bundles_on_s3(site) == {
                f"{path.parent.name}/{path.name}" for path in (site.root / "CACHE").glob("*/*.*")
            }
    assert outputs[0] == outputs[1]
    assert manifests[0] == manifests[1]
    assert contents[0] == contents[1]
    assert sum(name.endswith(".js") for name in contents[0]) == scripts
    assert any("broken.html" in line for line in outputs[1])


@pytest.mark.parametrize("context", [f"{__name__}.nowhere", "no.such.module", f"{__name__}.THEMES"])
def test_missing_context_is_an_error(site: Site, context: str) -> None:
    """The error is django-compressor's; no bundle is made without the context."""
    write(site.folder / "templates", TEMPLATES)
    compress(site, CACHED_CLASS, COMPRESS_OFFLINE_CONTEXT=context, HEROKUIFY_COMPRESS=True)
    with pytest.raises(ImportError, match="offline context function"):
        site.collect()
    assert bundles_on_s3(site) == set()
