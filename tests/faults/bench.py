"""Runs a fault as a user meets it, and takes its message out of what the command printed."""

from __future__ import annotations

import re
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.faults.fault import Fault
from tests.faults.servers import NAME, Servers
from tests.project import make_project
from tests.projects.heroku import SECRETS, last_error
from tests.projects.site import lay_out, tree

BUCKET = "my-bucket"
MARKED = (*SECRETS.values(), "marked-", "secretsecret")
# As systems say it of a folder where nobody can write.
UNWRITABLE = r"\[Errno \d+\] (Operation not permitted|Permission denied|Read-only file system)"
# What one system check says, with its hint.
CHECK = re.compile(r"^\S+: \([\w.]+\) .*\n(?:[\t ]+.*\n|\n(?=[\t ]))*", re.MULTILINE)


@dataclass(frozen=True)
class Finding:
    """What was said of a fault; ``message`` without what differs from run to run."""

    fault: Fault
    status: int
    log: str
    message: str
    files: set[str]  # below STATIC_ROOT, afterwards


def find(fault: Fault, folder: Path, servers: Servers) -> Finding:
    """Make the fault, and run its command."""
    bucket = f"test-{uuid.uuid4().hex}" if not fault.means.is_offline else BUCKET
    with fault.place(servers, bucket) as config:
        variables = {**config, **fault.env}
        project = make_project(folder, fault.source, env=variables)
        lay_out(project)
        result = fault.command.run(project, sockets=not fault.means.is_offline)
    log = result.stdout + result.stderr
    message = _normalised(_message(fault, log), folder, bucket, variables)
    return Finding(fault, result.returncode, log, message, set(tree(folder / "staticfiles")))


def _message(fault: Fault, log: str) -> str:
    """The part of the log that is about the fault."""
    checks = [text for text in CHECK.findall(log) if any(word in text for word in fault.words)]
    if checks:
        return "\n".join(text.replace("\n\n", "\n").strip() for text in checks)
    # Tracebacks name the exception's module, which helps nobody.
    return re.sub(r"^(?:\w+\.)+(?=\w+: )", "", last_error(log)).strip()


def _normalised(text: str, folder: Path, bucket: str, variables: Mapping[str, str]) -> str:
    names = {bucket: BUCKET, str(folder): "/app", tempfile.gettempdir(): "/tmp"}
    if bucket == variables.get(NAME):
        url = variables.get("AWS_S3_ENDPOINT_URL", "")
        if url:
            parts = urlsplit(url)
            names |= {
                f"http://{parts.netloc}": "https://s3.example.com",
                f"https://{parts.netloc}": "https://s3.example.com",
                f"host='{parts.hostname}', port={parts.port}": "host='s3.example.com', port=443",
            }
    for found, shown in names.items():
        text = text.replace(found, shown)
    return re.sub(UNWRITABLE, "[Errno 30] Read-only file system", text)
