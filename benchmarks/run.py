"""Benchmarks of herokuify and its peers: ``python3 -m benchmarks --help``, with all set-up.

Needs Python 3.10 or newer and PyPI; see docs/benchmarks.md. Standard library only, because nothing
is installed yet: this makes the harness's virtual environment and goes on in it.
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
    "deploys": ("collectstatic and copying tools, on sets of files", 3),
    "urls": ("static and signed URLs, and pages of images", 7),
    "processes": ("what a process costs that starts and renders", 15),
    "puts": ("CPU of one small PUT", 5),
    "first-page": ("the first page of a running worker", 15),
    "media": ("saving and reading media; needs curl", 3),
    "silence": ("a site under load while S3 is silent for 20 seconds", 3),
    "uploads": ("a large upload of the example's, and what others notice of it", 3),
    "faults": ("deploys that fail in the middle; --publish writes docs/faults.md", 3),
    "oracle": ("each set under each Django, against what Django writes locally", 1),
    "report": ("measure nothing; print the report of the results, or --publish it", 0),
}


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    common = argparse.ArgumentParser(add_help=False)
    add = common.add_argument
    add("--rtt", type=float, default=20.0, help="milliseconds to the server and back (20)")
    add(
        "--s3",
        default=os.environ.get("HEROKUIFY_BENCH_S3"),
        metavar="URL",
        help="S3 server to use; its account is HEROKUIFY_BENCH_S3_KEY, HEROKUIFY_BENCH_S3_SECRET or"
        " key, secretsecret (default: HEROKUIFY_BENCH_S3; without it, rclone serves a folder)",
    )
    add("--server-name", default="", help="what the server is, for the report: 'Ceph 16.2'")
    add(
        "--work",
        type=Path,
        default=ROOT / ".benchmarks",
        help="folder of environments, sets, logs and unpublished results (.benchmarks)",
    )
    add("--publish", action="store_true", help="keep the results; write docs/benchmarks.md")
    parser = argparse.ArgumentParser(prog="python3 -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (text, rounds) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text, parents=[common])
        if rounds:
            command.add_argument("--rounds", type=int, default=rounds, help=f"({rounds})")
        if name in {"deploys", "oracle"}:
            sets = [one for one in SETS if SETS[one].sources]
            command.add_argument("--sets", nargs="+", choices=list(SETS), default=sets)
        if name == "deploys":
            _add_deploys(command)
        elif name == "oracle":
            command.add_argument("--djangos", nargs="+", help="versions (all this Python runs)")
        elif name == "media":
            command.add_argument("--sizes", nargs="+", type=int, default=[1, 64, 1024], help="MB")
    return parser.parse_args(arguments)


def _add_deploys(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    text = "(default: the set's, without the slow collectfasta and django-storages)"
    add("--contestants", nargs="+", choices=list(CONTESTANTS), help=text)
    add("--variants", nargs="+", choices=VARIANTS, help="(default: the set's)")
    add("--scenarios", nargs="+", choices=SCENARIOS, help="(default: the set's)")
    add("--timeout", type=float, default=3600.0, help="seconds a deploy may take (3600)")
    add("--before", metavar="COMMIT", help="the older herokuify of the contestant 'before'")


def main() -> None:
    """Make the harness's environment and go on in it."""
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
