"""Deploys with herokuify under several Djangos and compares the bucket with Django's tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.access import Access
from benchmarks.contestants import CONTESTANTS, LOCATION, VARIANTS, Deployment
from benchmarks.environments import PEERS, ROOT, environment
from benchmarks.server import Buckets, chosen_server
from benchmarks.sets import SETS
from benchmarks.trees import Trees

#: A copy of the manifest under its own hash is herokuify's, not Django's.
_COPIES = 1


def main() -> None:
    """Compare each set under each Django; ends with status 1 when anything differs."""
    work, arguments = Path(sys.argv[1]), sys.argv[2:]
    djangos, sets = arguments[: arguments.index("--")], arguments[arguments.index("--") + 1 :]
    wrong = 0
    rclone = environment("rclone", PEERS["rclone"], work / "environments")
    url = os.environ.get("HEROKUIFY_BENCH_S3")
    with chosen_server(url, "", rclone, work / "server") as (access, _):
        buckets = Buckets(access)
        for django in djangos:
            version = f"Django=={django}.*"
            folder = work / "oracle" / django
            environments = work / "environments"
            plain = environment(f"local-{django}", (version,), environments)
            scripts = environment(
                f"herokuify-{django}", (version, str(ROOT), "boto3[crt]"), environments
            )
            for name in sets:
                trees = Trees(name, folder)
                trees.make(SETS[name], work / "packages", plain)
                for variant in VARIANTS:
                    told, is_right = _compare(
                        trees, variant, buckets, access, scripts, folder / "run"
                    )
                    print(f"Django {django}, {name}, {variant}: {told}", flush=True)
                    wrong += not is_right
    sys.exit(1 if wrong else 0)


def _compare(
    trees: Trees, variant: str, buckets: Buckets, access: Access, scripts: Path, folder: Path
) -> tuple[str, bool]:
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "project").mkdir(parents=True)
    with buckets.new(f"oracle-{time.time_ns()}") as bucket:
        deployment = Deployment(access, bucket, trees.source("base"), folder / "root", scripts)
        command, variables = CONTESTANTS["herokuify-crt"].command(
            deployment, variant, folder / "project"
        )
        status = subprocess.run(
            command, env=variables, stdout=subprocess.DEVNULL, check=False
        ).returncode
        found = buckets.etags(bucket, LOCATION)
    wanted = trees.digests(variant, "base")
    differing = [n for n, md5 in wanted.items() if found.get(n) != md5]
    extra = found.keys() - wanted.keys()
    copies = _COPIES if variant == "manifest" else 0
    is_right = status == 0 and not differing and len(extra) == copies
    told = f"{len(wanted)} files, {len(differing)} differ, {len(extra) - copies} too many"
    return f"{told}, exit {status}", is_right


if __name__ == "__main__":
    main()
