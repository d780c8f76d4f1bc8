"""Only files whose name has their content's hash are cached for good."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage
from django.core.files.base import ContentFile
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from herokuify.collect.local import LocalFile, Stage
from herokuify.collect.options import Options
from herokuify.collect.release import Release
from herokuify.storage import (
    CachedS3ManifestStaticStorage,
    CachedS3StaticStorage,
    S3ManifestStaticStorage,
    S3StaticStorage,
)
from herokuify.storage.content import Content
from herokuify.storage.static import BRIEFLY, FOR_EVER
from tests.collect.conftest import Site
from tests.collect.sites import Files
from tests.fault_proxy import recorded

pytestmark = pytest.mark.no_django

LASTING = {"sw.js", "mail.css", "img/logo.png"}


class _Lasting:
    """Doesn't rename some files."""

    def hashed_name(self, name: str, content: Any = None, filename: Any = None) -> str:
        if name in LASTING:
            return name
        return str(super().hashed_name(name, content, filename))  # type: ignore[misc]


class _NoHash:
    def file_hash(self, name: str, content: Any = None) -> Any:
        return None if name in LASTING else super().file_hash(name, content)  # type: ignore[misc]


class _Version:
    """Puts a version into names, not the content's hash."""

    def file_hash(self, name: str, content: Any = None) -> str:
        return "0123456789ab"


class _Own:
    """Uses another hash, in another spelling."""

    def file_hash(self, name: str, content: Any = None) -> str:
        content.seek(0)
        return "v" + hashlib.blake2b(content.read(), digest_size=4).hexdigest().translate(
            str.maketrans("0123456789abcdef", "GHIJKLMNOPQRSTUV")
        )


class _More:
    """Writes more files."""

    def post_process(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        yield from super().post_process(*args, **kwargs)  # type: ignore[misc]
        self._save("late.txt", ContentFile(b"late"))  # type: ignore[attr-defined]

    def save_manifest(self) -> None:
        super().save_manifest()  # type: ignore[misc]
        self._save("version.json", ContentFile(b"{}"))  # type: ignore[attr-defined]


OVERRIDES = [_Lasting, _NoHash, _Version, _Own, _More]
FILES: Files = {
    "sw.js": "self.skipWaiting();",
    "mail.css": "a { b: url(img/logo.png) }",
    "img/logo.png": b"PNG",
    "css/site.css": '@import "../mail.css";\na { b: url(../img/dot.gif) }',
    "img/dot.gif": b"GIF",
}


def classes(override: type) -> tuple[type[S3ManifestStaticStorage], type]:
    return (
        type(f"S3{override.__name__}", (override, CachedS3ManifestStaticStorage), {}),
        type(f"Local{override.__name__}", (override, ManifestStaticFilesStorage), {}),
    )


for _override in OVERRIDES:
    globals()[f"S3{_override.__name__}"] = classes(_override)[0]


def carries(name: str, body: bytes) -> bool:
    own = _Own().file_hash(name, ContentFile(body))
    return hashlib.md5(body).hexdigest()[:12] in name or own in name


@pytest.mark.parametrize("override", OVERRIDES, ids=lambda kind: kind.__name__)
def test_overridden_names_are_cached_by_their_content(site: Site, override: type) -> None:
    site.write(FILES)
    site.use(f"{__name__}.S3{override.__name__}")
    with recorded(site.proxy) as traffic:
        site.collect()
    remote = site.remote_tree()
    django = site.as_django(classes(override)[1](location=site.folder / "django"))
    assert {name: remote[name] for name in django} == django
    copies = site.manifests() - {"staticfiles.json"}
    lasting = set()
    for name, body in remote.items():
        is_kept = site.head(name)["CacheControl"] == FOR_EVER
        if name in copies:
            assert is_kept is (override is not _Version)
            continue
        assert is_kept is carries(name, body), name
        lasting |= set() if is_kept else {f"static/{name}"}
    # Files with a lasting name are sent after those with their content's hash in the name.
    order = [key for key in traffic.writes if key.startswith("static/")]
    first = min(map(order.index, lasting))
    assert set(order[first:]) == lasting | {f"static/{name}" for name in copies}
    assert order[-1] == "static/staticfiles.json"
    if override in {_Lasting, _NoHash}:
        paths = json.loads(remote["staticfiles.json"])["paths"]
        assert {name for name, hashed in paths.items() if name == hashed or "None" in hashed} >= (
            LASTING if override is _Lasting else set()
        )
    if override is _More:
        assert {"static/late.txt", "static/version.json"} <= lasting


@pytest.mark.parametrize(
    "kind",
    [
        S3StaticStorage,
        CachedS3StaticStorage,
        S3ManifestStaticStorage,
        CachedS3ManifestStaticStorage,
        *(classes(override)[0] for override in OVERRIDES),
    ],
    ids=lambda kind: kind.__name__,
)
@hypothesis_settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    stem=st.from_regex(r"[a-z0-9]{1,12}(\.[0-9a-f]{8,14})?", fullmatch=True),
    body=st.binary(max_size=50),
    form=st.sampled_from(
        ["{stem}.css", "{stem}.{hash}.js", "d/{stem}-{hash}", "{stem}.{other}.js"]
    ),
)
def test_engine_and_storage_agree_on_names(
    site: Site, kind: type[S3StaticStorage], stem: str, body: bytes, form: str
) -> None:
    """The engine and the storage decide in the same way."""
    digest = hashlib.md5(body).hexdigest()[:12]
    other = hashlib.md5(body + b".").hexdigest()[:12]
    name = form.format(stem=stem, hash=digest, other=other)
    storage = kind()

    class Added(list[LocalFile]):
        add = list.append

    added = Added()
    release = Release(storage, added, Options(is_dry_run=True))  # type: ignore[arg-type]
    release._add_hashed(name, Content.of_bytes(body))
    (file,) = added
    is_named = carries(name, body)
    assert file.stage is (Stage.HASHED if is_named else Stage.PLAIN)
    assert file.parameters["CacheControl"] == (FOR_EVER if is_named else BRIEFLY)
    assert storage.is_content_named(name, ContentFile(body).open) is is_named
