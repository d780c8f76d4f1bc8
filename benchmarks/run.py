"""Benchmarks of herokuify and other packages; docs/benchmarks.md describes them.

You need Python 3.10 or newer and access to PyPI. This module uses only the standard library: it
creates the virtual environment of the harness and continues in it.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.contestants import CONTESTANTS, SCENARIOS, VARIANTS  # noqa: E402
from benchmarks.environments import HARNESS, environment  # noqa: E402
from benchmarks.sets import SETS  # noqa: E402

_OLDEST = (3, 10)
#: command → help, rounds by default
COMMANDS = {
    "deploys": ("collectstatic and copying tools, with sets of files", 3),
    "urls": ("static and signed URLs, and pages of images", 7),
    "processes": ("starting a process and rendering URLs", 15),
    "puts": ("CPU time of a small PUT", 5),
    "first-page": ("the first page with a static file in a new worker", 15),
    "media": ("saving and reading media; needs curl", 3),
    "silence": ("a site under load while S3 doesn't respond for 20 seconds", 3),
    "uploads": ("a large upload to the example project, and other visitors' requests", 3),
    "faults": ("deploys that fail midway; --publish writes docs/faults.md", 3),
    "oracle": ("each set with each Django version, compared with Django's own storages", 1),
    "report": ("measures nothing: prints the report again; --publish writes it", 0),
}


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    common = argparse.ArgumentParser(add_help=False)
    add = common.add_argument
    add("--rtt", type=float, default=20.0, help="round trip to the S3 server in milliseconds (20)")
    add(
        "--s3",
        default=os.environ.get("HEROKUIFY_BENCH_S3"),
        metavar="URL",
        help="S3 server (default: HEROKUIFY_BENCH_S3, or a new rclone serve s3); its credentials"
        " are HEROKUIFY_BENCH_S3_KEY and HEROKUIFY_BENCH_S3_SECRET, or key and secretsecret",
    )
    add("--server-name", default="", help="the server's name in the report, such as 'Ceph 16.2'")
    add(
        "--work",
        type=Path,
        default=ROOT / ".benchmarks",
        help="directory for environments, sets, logs and unpublished results (.benchmarks)",
    )
    add("--publish", action="store_true", help="keep the results, and write docs/benchmarks.md")
    parser = argparse.ArgumentParser(prog="python3 -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (text, rounds) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text, parents=[common])
        if rounds:
            command.add_argument(
                "--rounds", type=int, default=rounds, help=f"number of rounds ({rounds})"
            )
        if name in {"deploys", "oracle"}:
            sets = [one for one in SETS if SETS[one].sources]
            command.add_argument(
                "--sets", nargs="+", choices=list(SETS), default=sets, help="(small medium large)"
            )
        if name == "deploys":
            _add_deploys(command)
        elif name == "oracle":
            command.add_argument(
                "--djangos", nargs="+", help="versions (default: all that support this Python)"
            )
        elif name == "media":
            command.add_argument(
                "--sizes", nargs="+", type=int, default=[1, 64, 1024], help="in MB (1 64 1024)"
            )
    return parser.parse_args(arguments)


def _add_deploys(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    text = "(default: the set's, which lack the slow collectfasta and django-storages)"
    add("--contestants", nargs="+", choices=list(CONTESTANTS), help=text)
    add("--variants", nargs="+", choices=VARIANTS, help="(default: the set's)")
    add("--scenarios", nargs="+", choices=SCENARIOS, help="(default: the set's)")
    add(
        "--timeout",
        type=float,
        default=3600.0,
        help="the longest time for a deploy in seconds (3600)",
    )
    add("--before", metavar="COMMIT", help="add the contestant 'before', an older herokuify")


def main() -> None:
    """Create the harness's environment, and continue in it."""
    options = parse()
    work = options.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    (work / ".gitignore").write_text("*\n")
    python = str(environment("harness", HARNESS, work / "environments") / "python")
    os.chdir(ROOT)
    os.execv(python, [python, "-m", "benchmarks.main", *sys.argv[1:], "--work", str(work)])


if __name__ == "__main__":
    if sys.version_info < _OLDEST:
        sys.exit("error: the benchmarks need Python {}.{} or newer".format(*_OLDEST))
    main()
