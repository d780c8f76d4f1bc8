"""Reproduce a fault, and extract its message from the command's output."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.faults.fault import Fault, Means
from tests.faults.servers import BUCKET, NAME, Servers
from tests.project import make_project
from tests.projects.heroku import SECRETS, last_error
from tests.projects.site import lay_out, tree

HOSTS = {
    "AWS_S3_ENDPOINT_URL": ("s3.example.com", 443),
    "DATABASE_URL": ("db.example.com", 5432),
    "REDIS_URL": ("redis.example.com", 6379),
}
MARKED = (*SECRETS.values(), "marked-", "secretsecret")
# Parts of messages that depend on the system, Python and minifiers.
VOLATILE = {
    # The file depends on the file system's order.
    r"\S+ can't be written to STATIC_ROOT": "shop/css/base.css can't be written to STATIC_ROOT",
    r"\[Errno \d+\] (Operation not permitted|Permission denied|Read-only file system)": (
        "[Errno 30] Read-only file system"
    ),
    r" \(_ssl\.c:\d+\)": "",
    r"\.[0-9a-f]{12}\.": ".0123456789ab.",
    r"herokuify-doctor-[0-9a-f]{32}": "herokuify-doctor-…",
}
# A message of a system check, with its hint.
CHECK = re.compile(r"^\S+: \([\w.]+\) .*\n(?:[\t ]+.*\n|\n(?=[\t ]))*", re.MULTILINE)
# A result of the doctor, with its hint; and a step of the plan for a bucket.
ROW = re.compile(r"^  (?:failed|warning) .*\n(?: {12,}.*\n)*", re.MULTILINE)
STEP = re.compile(r"^  \S.*\n(?:    .*\n)*", re.MULTILINE)


@dataclass(frozen=True)
class Finding:
    """The output for a fault; ``message`` is without parts that differ between runs."""

    fault: Fault
    status: int
    log: str
    message: str
    files: set[str]  # below STATIC_ROOT, after the command


def find(fault: Fault, folder: Path, servers: Servers) -> Finding:
    """Create the project with the fault, and run the command."""
    with fault.place(servers, f"test-{uuid.uuid4().hex}") as config:
        variables = {**config, **fault.env}
        project = make_project(folder, fault.source, env=variables)
        lay_out(project)
        project.write(fault.files)
        if fault.is_built:
            shutil.copytree(servers.slug.folder / "staticfiles", folder / "staticfiles")
        result = fault.command.run(project, sockets=not fault.means.is_offline)
    log = result.stdout + result.stderr
    message = _normalised(_message(fault, log), folder, config)
    return Finding(fault, result.returncode, log, message, set(tree(folder / "staticfiles")))


def _message(fault: Fault, log: str) -> str:
    """Return the part of the log that is about the fault."""
    pattern = ROW if fault.means is Means.DOCTOR else STEP if fault.means is Means.PLAN else CHECK
    parts = [match[0] for match in pattern.finditer(log)]
    about = [part for part in parts if any(word in part for word in fault.words)]
    if about:
        return "\n".join(re.sub(r"\n\s*\n| {12,}", "\n", part).strip() for part in about)
    # Tracebacks show the exception's module, which isn't helpful.
    return re.sub(r"^(?:\w+\.)+(?=\w+: )", "", last_error(log)).strip()


def _normalised(text: str, folder: Path, config: Mapping[str, str]) -> str:
    names = {str(folder): "/app", config.get(NAME, BUCKET): BUCKET}
    for variable, (host, usual) in HOSTS.items():
        parts = urlsplit(config.get(variable, ""))
        if parts.port:
            names |= {
                f"http://{parts.netloc}": f"https://{host}",
                f"https://{parts.netloc}": f"https://{host}",
                f'"{parts.hostname}", port {parts.port}': f'"{host}", port {usual}',
                f"{parts.hostname}:{parts.port}": f"{host}:{usual}",
            }
    port = config.get("EMAIL_PORT")
    if port:
        names[f"localhost:{port}"] = "smtp.example.com:587"
    for found, shown in names.items():
        text = text.replace(found, shown)
    for pattern, shown in VOLATILE.items():
        text = re.sub(pattern, shown, text)
    return text
