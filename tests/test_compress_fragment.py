import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import herokuify
from herokuify import compress

ROOT = Path(herokuify.__file__).parent.parent

# Runs in its own process: django-compressor reads its settings once, at import.
SCRIPT = """
import sys
import django
from django.conf import settings
from herokuify.compress import *

root, static_url = sys.argv[1:]
settings.configure(
    STATIC_ROOT=root,
    STATIC_URL=static_url,
    COMPRESS_ENABLED=True,
    INSTALLED_APPS=["compressor"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    **{name: value for name, value in globals().items() if name.startswith("COMPRESS")},
)
django.setup()
from django.template import engines
print(engines["django"].from_string(
    "{% load compress %}"
    "{% compress css %}<link rel='stylesheet' href='" + static_url + "site/a.css'>{% endcompress %}"
    "{% compress js %}<script src='" + static_url + "site/a.js'></script>{% endcompress %}"
).render())
"""


def build(folder: Path, static_url: str, mtime: int) -> dict[str, bytes]:
    """Return the bundles that django-compressor makes of a small site, by name."""
    (folder / "site").mkdir(parents=True)
    (folder / "site" / "a.css").write_text(
        "body  { background: url('img/a.png?v=1#x') }", encoding="utf-8"
    )
    (folder / "site" / "a.js").write_text("var  answer = 42;", encoding="utf-8")
    (folder / "site" / "img").mkdir()
    (folder / "site" / "img" / "a.png").write_bytes(b"image")
    for path in folder.rglob("*"):
        os.utime(path, (mtime, mtime))
    python_path = os.pathsep.join([str(ROOT), *(name for name in sys.path if name)])
    subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder), static_url],
        check=True,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": python_path},
    )
    cache = folder / "CACHE"
    return {
        str(path.relative_to(cache)): path.read_bytes()
        for path in cache.rglob("*")
        if path.is_file()
    }


def test_bundles_depend_on_neither_host_nor_modification_times(tmp_path: Path) -> None:
    urls = ["/static/", "https://one.example.com/static/", "https://two.example.com/s/"]
    builds = [
        build(tmp_path / str(number), url, mtime=1_600_000_000 + number)
        for number, url in enumerate(urls)
    ]
    assert builds[0] == builds[1] == builds[2]
    bundles = {Path(name).suffix: content.decode() for name, content in builds[0].items()}
    # Bundles are in CACHE/css; the hash is the image's.
    digest = sha256(b"image").hexdigest()[:12]
    assert f"url('../../site/img/a.png?v=1&{digest}#x')" in bundles[".css"]
    assert bundles[".css"].startswith("body{")
    assert "var answer=42;" in bundles[".js"]


def test_exports_only_settings() -> None:
    assert set(compress.__all__) == {name for name in vars(compress) if name.isupper()}
    assert (
        compress.COMPRESS_OFFLINE_MANIFEST_STORAGE
        == "herokuify.storage.offline.OfflineManifestStorage"
    )
