"""With mixins, the bucket has the files that Django's own classes would write to the disk."""

import hashlib
from typing import Any

import pytest
from django.core.management.base import CommandError

from tests.collect import mixins
from tests.collect.conftest import PLAIN_CLASS, Site, tree
from tests.fault_proxy import recorded

ETERNAL = "public, max-age=31536000, immutable"


def class_of(mixin: type, kind: str) -> str:
    return f"tests.collect.mixins.{mixin.__name__}{kind.title()}"


def local(site: Site, mixin: type, kind: str) -> dict[str, bytes]:
    """Return the files that Django's command writes with the mixin and Django's class."""
    storage: Any = type("Local", (mixin, mixins.LOCAL[kind]), {})
    return site.as_django(storage(location=site.folder / "django", base_url="/static/"))


def names_content(name: str, content: bytes) -> bool:
    """Whether a name contains a digest of the content."""
    digests = (
        hashlib.md5(content, usedforsecurity=False).hexdigest()[:12],
        hashlib.sha256(content).hexdigest()[:8],
    )
    return any(f".{digest}." in name for digest in digests) and not name.endswith(".gz")


@pytest.mark.parametrize("kind", mixins.LOCAL)
@pytest.mark.parametrize("mixin", mixins.MIXINS)
def test_result_is_that_on_the_disk(site: Site, mixin: type, kind: str) -> None:
    expected = local(site, mixin, kind)
    site.use(class_of(mixin, kind))
    with recorded(site.proxy) as traffic:
        output = site.collect()
    remote = site.remote_tree()
    assert {name for name in remote if name not in expected} == site.manifests() - {
        "staticfiles.json"
    }
    assert {name: remote[name] for name in expected} == expected
    assert tree(site.root) == expected
    # Through the engine: one listing, each object sent once, the manifest last.
    assert f"{len(remote)} static files: {len(remote)} sent" in output
    assert traffic.operations["ListObjects"] == 1
    assert len(traffic.writes) == len(set(traffic.writes))
    for name in expected:
        assert (site.head(name)["CacheControl"] == ETERNAL) is names_content(name, expected[name])
    assert "0 sent" in site.collect()


@pytest.mark.parametrize("kind", mixins.LOCAL)
@pytest.mark.parametrize("finder", ["ArchiveFinder", "ChangingFinder"])
@pytest.mark.parametrize("is_staged", [True, False])
def test_files_of_other_finders_work(site: Site, kind: str, finder: str, is_staged: bool) -> None:
    """Django's hashing refuses files opened as text; the engine's accepts them."""
    site.configure(STATICFILES_FINDERS=[f"tests.collect.storages.{finder}"])
    storage: Any = mixins.LOCAL[kind](location=site.folder / "django")
    ours = mixins.ON_S3[kind].__name__
    site.use(class_of(mixins.Unchanged, kind) if is_staged else f"herokuify.storage.{ours}")
    if kind == "manifest" and finder == "ArchiveFinder":
        if is_staged:
            return
        site.collect()
        assert site.read(site.hashed("zip/text.txt")) == "grüße".encode()
        return
    expected = site.as_django(storage)
    site.collect()
    assert expected.items() <= site.remote_tree().items()
    if finder == "ArchiveFinder":
        assert (expected["zip/pipe.txt"], expected["zip/text.txt"]) == (b"once", "grüße".encode())
    else:
        assert expected["robots.txt"] == b"User-agent: *\n\n"


def test_work_without_local_copies(site: Site) -> None:
    expected = local(site, mixins.Joining, "plain")
    site.use("tests.collect.mixins.PlainJoiningStorage")
    site.collect()
    assert site.remote_tree() == expected
    assert "css/all.css" in expected
    assert not site.root.exists()


def test_yielded_exception_is_an_error(site: Site) -> None:
    """The generator is closed while its files still exist; nothing is published."""
    site.use("tests.collect.mixins.FailingStorage")
    with pytest.raises(CommandError, match="'css/site.css' can't be hashed: no such colour"):
        site.collect()
    assert mixins.Failing.seen_last.pop()
    assert site.names() == set()
    assert not site.root.exists()


def test_one_that_uploads_itself_runs_djangos_command(site: Site) -> None:
    site.use("tests.collect.mixins.SendingStorage")
    output = site.collect()
    (line,) = (line for line in output.splitlines() if "Django's own" in line)
    assert line == (
        "SendingStorage._save() sends files in its own way: using Django's own command, one file "
        "at a time."
    )
    assert site.names() == set(tree(site.source))
    with pytest.raises(CommandError, match="--clear and --prune"):
        site.collect("--clear")


def test_options_skip_them(site: Site) -> None:
    """A dry run runs no mixin, and --no-post-process no post_process()."""
    site.use(class_of(mixins.Joining, "plain"))
    assert "css/all.css" not in site.collect("--dry-run")
    assert site.names("") == set()
    site.collect("--no-post-process")
    assert site.names() == set(tree(site.source))
    site.collect()
    site.use(PLAIN_CLASS)
    site.collect("--clear")
    site.collect("--clear")
    assert site.names() == set(tree(site.source))
