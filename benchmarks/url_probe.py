"""Times ``url()`` and prints the figures as JSON; started by ``benchmarks/url.py``.

``python -m benchmarks.url_probe FOLDER ROUNDS`` measures in an environment with herokuify;
``python -m benchmarks.url_probe FOLDER CLASS`` makes one URL and tells what start-up cost.
"""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.core.files.storage import Storage
from django.utils.module_loading import import_string

PAIRS = {
    "herokuify.storage.S3StaticStorage": "django.contrib.staticfiles.storage.StaticFilesStorage",
    "herokuify.storage.CachedS3ManifestStaticStorage": (
        "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
    ),
}
NAMES = [f"app{number % 40}/css/module-{number}.css" for number in range(1000)]
_START_UPS = 5  # of each storage
_sockets = 0


def configure(root: Path) -> None:
    """Set Django up as a running dyno has it: a release's manifest lies in STATIC_ROOT."""
    paths = {name: name.replace(".css", f".{hash(name) % 16**12:012x}.css") for name in NAMES}
    manifest = {"paths": paths, "version": "1.1", "hash": "0" * 12}
    (root / "staticfiles.json").write_text(json.dumps(manifest))
    settings.configure(
        USE_TZ=True,
        INSTALLED_APPS=["herokuify", "django.contrib.staticfiles"],
        STATIC_ROOT=str(root),
        STATIC_URL="https://bench.s3.amazonaws.com/static/",
        AWS_STORAGE_BUCKET_NAME="bench",
        AWS_ACCESS_KEY_ID="key",
        AWS_SECRET_ACCESS_KEY="secret",  # noqa: S106
    )
    django.setup()


def microseconds(storage: Storage) -> float:
    """Return what one URL costs, over all names."""
    url = storage.url
    begin = time.perf_counter()
    for name in NAMES:
        url(name)
    return (time.perf_counter() - begin) / len(NAMES) * 1e6


def compare(ours: str, model: str, rounds: int) -> dict[str, Any]:
    """Time both storages in turns; medians."""
    storages = {name: import_string(name)() for name in (ours, model)}
    times: dict[str, list[float]] = {ours: [], model: []}
    for number in range(rounds + 1):
        for name in (ours, model) if number % 2 else (model, ours):
            taken = microseconds(storages[name])
            if number:  # the first one warms up
                times[name].append(taken)
    mine, theirs = (statistics.median(times[name]) for name in (ours, model))
    return {
        "storage": ours.rpartition(".")[2],
        "model": model.rpartition(".")[2],
        "ours_us": round(mine, 3),
        "theirs_us": round(theirs, 3),
        "ratio": round(mine / theirs, 3),
    }


def clients() -> int:
    """Count the S3 clients that live in this process."""
    module = sys.modules.get("botocore.client")
    if module is None:
        return 0
    return sum(isinstance(thing, module.BaseClient) for thing in gc.get_objects())


def start_up(name: str) -> dict[str, float]:
    """Import and make a storage, and make one URL: milliseconds and MB of memory."""
    before, begin = _resident(), time.perf_counter()
    import_string(name)().url(NAMES[0])
    taken = time.perf_counter() - begin
    return {"ms": round(taken * 1000, 1), "mb": round((_resident() - before) / 1e6, 1)}


def main() -> None:
    """Measure what the arguments ask for."""
    folder, what = sys.argv[1:]
    sys.addaudithook(_count_sockets)
    with tempfile.TemporaryDirectory(dir=folder) as root:
        configure(Path(root))
        if not what.isdigit():
            print(json.dumps(start_up(what)))
            return
        pairs = [compare(ours, model, int(what)) for ours, model in PAIRS.items()]
    figures = {"pairs": pairs, "clients": clients(), "sockets": _sockets}
    figures["start_up"] = {
        name.rpartition(".")[2]: _fresh_start_up(folder, name)
        for pair in PAIRS.items()
        for name in reversed(pair)
    }
    print(json.dumps(figures))


def _fresh_start_up(folder: str, name: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.url_probe", folder, name]
    costs = [
        json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        for _ in range(_START_UPS)
    ]
    return {unit: statistics.median(cost[unit] for cost in costs) for unit in ("ms", "mb")}


def _resident() -> int:
    status = Path("/proc/self/status")
    if not status.is_file():
        return 0
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def _count_sockets(event: str, _: object) -> None:
    global _sockets  # noqa: PLW0603
    if event in {"socket.connect", "socket.getaddrinfo"}:
        _sockets += 1


if __name__ == "__main__":
    main()
