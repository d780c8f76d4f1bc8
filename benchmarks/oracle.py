"""Compare collectstatic with Django's own, for each Django version that supports this Python.

Compares every name and content in the bucket, including the manifest, with the files that
ManifestStaticFilesStorage and StaticFilesStorage of that version write to the disk.
"""

from __future__ import annotations

import argparse
import sys
import time

from benchmarks.contestants import CONTESTANTS, LOCATION, VARIANTS, Deployment
from benchmarks.environments import ROOT, environment
from benchmarks.lab import Lab, lab, measured
from benchmarks.trees import Trees

#: Django → the oldest and the newest Python that it supports (its release notes).
DJANGOS = {
    "4.2": ((3, 8), (3, 12)),
    "5.2": ((3, 10), (3, 99)),
    "6.0": ((3, 12), (3, 99)),
    "6.1": ((3, 12), (3, 99)),
}
#: herokuify, unlike Django, keeps a copy of the manifest under its hash.
_COPIES = {"plain": 0, "manifest": 1}


def main(options: argparse.Namespace) -> None:
    """Compare each set with each Django version; exit with status 1 if anything differs."""
    here = sys.version_info[:2]
    djangos = [one for one, (old, new) in DJANGOS.items() if old <= here <= new]
    wrong = 0
    with lab(options, []) as place:
        for django in options.djangos or djangos:
            version, folder = f"Django=={django}.*", options.work / "environments"
            plain = environment(f"local-{django}", (version,), folder)
            place.environments["herokuify"] = environment(
                f"herokuify-{django}", (version, str(ROOT)), folder
            )
            for name in options.sets:
                trees = Trees(name, options.work, plain, django)
                for variant in VARIANTS:
                    result, is_right = _compare(place, trees, variant)
                    print(f"Django {django}, {name}, {variant}: {result}", flush=True)
                    wrong += not is_right
    sys.exit(1 if wrong else 0)


def _compare(place: Lab, trees: Trees, variant: str) -> tuple[str, bool]:
    with place.buckets.new(f"oracle-{time.time_ns()}") as bucket:
        folder, scripts = place.folder(), place.environments["herokuify"]
        deployment = Deployment(place.near, bucket, trees.source("base"), place.folder(), scripts)
        ours = CONTESTANTS["herokuify"]
        command, variables = ours.command(deployment, variant, folder)
        status = measured(command, variables, folder)["exit"]
        found = place.buckets.etags(bucket, LOCATION)
    wanted = trees.digests(variant, "base")
    differing = [name for name, md5 in wanted.items() if found.get(name) != md5]
    extra = len(found.keys() - wanted.keys()) - _COPIES[variant]
    result = f"{len(wanted)} files, {len(differing)} differ, {extra} too many, exit {status}"
    return result, not (status or differing or extra)
