import json
from collections.abc import Callable
from pathlib import Path

import pytest
from compressor.storage import get_storage
from django.core.files.base import ContentFile
from pytest_django import Settings

from herokuify.collect.offline import OfflineManifestStorage
from tests.servers import S3Server, client_of

NAME = "manifest.json"
TAG = '<link rel="stylesheet" href="https://cdn.example.com/CACHE/css/output.0123456789ab.css">'


@pytest.mark.usefixtures("no_sockets")
class TestSaving:
    def test_manifest_is_sorted(self, local_root: Path) -> None:
        """Threads of django-compressor finish in any order, and builds must not differ."""
        storage = OfflineManifestStorage()
        written = []
        for keys in ("abc", "cab"):
            manifest = {key: f"<b>{key} ü</b>" for key in keys}
            assert storage.save(NAME, ContentFile(json.dumps(manifest))) == NAME
            written.append((local_root / "CACHE" / NAME).read_bytes())
            assert json.loads(written[-1]) == manifest
        assert written[0] == written[1]

    @pytest.mark.parametrize("is_text", [True, False])
    def test_manifest_may_be_text_or_bytes(self, local_root: Path, is_text: bool) -> None:
        text = json.dumps({"a": "ü"}, ensure_ascii=False)
        storage = OfflineManifestStorage()
        storage.save(NAME, ContentFile(text if is_text else text.encode()))
        with storage.open(NAME) as file:
            assert json.loads(file.read()) == {"a": "ü"}

    def test_failure_keeps_the_old_manifest(self, local_root: Path) -> None:
        storage = OfflineManifestStorage()
        storage.save(NAME, ContentFile(b"{}"))
        with pytest.raises(ValueError, match="Expecting value"):
            storage.save(NAME, ContentFile(b"no JSON"))
        folder = local_root / "CACHE"
        assert (folder / NAME).read_bytes() == b"{}"
        assert [path.name for path in folder.iterdir()] == [NAME]


def test_saving_the_manifest_publishes_the_bundles(
    aws: S3Server,
    bucket: str,
    local_root: Path,
    settings: Settings,
    name_storages: Callable[..., None],
) -> None:
    settings.COMPRESS_STORAGE = "herokuify.storage.CachedS3StaticStorage"
    name_storages(staticfiles="herokuify.storage.CachedS3StaticStorage")
    settings.COMPRESS_OFFLINE = True
    storage = get_storage()
    storage.saved_bundles.clear()
    with storage.local_only():
        storage.save("CACHE/css/output.0123456789ab.css", ContentFile(b"a {}"))
    OfflineManifestStorage().save(NAME, ContentFile(json.dumps({"key": TAG})))
    found = client_of(aws).get_object(Bucket=bucket, Key="static/CACHE/css/output.0123456789ab.css")
    assert found["Body"].read() == b"a {}"
    assert found["ContentType"] == "text/css"
