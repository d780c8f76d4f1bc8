"""A fault: the mistake in a project, the command that finds it, and its message."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from tests.faults import servers
from tests.project import Project, Run
from tests.projects import heroku, shop


class Means(Enum):
    """The way in which a fault is found."""

    SETTINGS = "importing the settings"
    CHECK = "a system check"
    COMMAND = "the command"
    DOCTOR = "the doctor"
    PLAN = "`herokuify bucket`"

    @property
    def is_offline(self) -> bool:
        """Whether it is found without any server."""
        return self in {Means.SETTINGS, Means.CHECK}


@dataclass(frozen=True)
class Command:
    """A command of manage.py, and the variables of the dyno on which it runs."""

    line: str
    dyno: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_build(self) -> bool:
        """Whether Heroku's buildpack runs it and reads its log."""
        return self.dyno is heroku.BUILD

    @property
    def shown(self) -> str:
        """The command as a user types it; Heroku adds ``--traceback``."""
        name = self.line.partition(" ")[0]
        return f"python manage.py {name if name == 'shell' else self.line}"

    def run(self, project: Project, *, sockets: bool = True) -> Run:
        """Run it in a separate process."""
        arguments = shlex.split(self.line)
        if self.is_build:
            run = heroku.manage(project, *arguments, "--traceback", sockets=sockets)
        else:
            run = project.manage(*arguments, env=self.dyno, sockets=sockets)
        return run


BUILD = Command("collectstatic --noinput", heroku.BUILD)
COLLECT = Command("collectstatic --noinput")  # not on a known platform
COMPRESS = Command("compress", heroku.BUILD)
CHECK = Command("check")
# Wide enough that no line is wrapped.
DOCTOR = Command("herokuify doctor", {"COLUMNS": "1000"})
PLAN = Command("herokuify bucket")
APPLY = Command("herokuify bucket --apply")
ON_A_DYNO = Command("check", {"DYNO": "web.1", "PORT": "5000"})

STORAGES = shop.storages(shop.CACHED_MANIFEST) + shop.compress_storage(shop.CACHED_MANIFEST)


@dataclass(frozen=True)
class Fault:
    """A fault: the project's variables and settings, the server's state, and the command.

    The message must contain ``words``: the variable or setting, and the hint. The project is a
    correctly configured shop: ``settings`` are appended to its settings, ``storages`` replace its
    own, and ``files`` are added. With ``alone``, the fault is also found without the app
    "herokuify". Without ``is_configuration``, the cause may be the network. With ``is_built``, a
    build has published the project's files before.
    """

    title: str
    means: Means
    words: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    settings: str = ""
    storages: str = STORAGES
    app: str = shop.HEROKUIFY
    files: Mapping[str, str] = field(default_factory=dict)
    state: servers.State | None = None
    command: Command = BUILD
    status: int = 1
    alone: bool = False
    is_configuration: bool = True
    is_built: bool = False
    is_alike: bool = (
        True  # on all versions of Django; up to 6.0, Django's own check creates the storage
    )

    @property
    def place(self) -> servers.State:
        """The state of its S3 server, by default a working bucket on moto."""
        return self.state or (servers.amazon if self.means.is_offline else servers.moto)

    @property
    def source(self) -> str:
        """The settings module."""
        return shop.DJANGO + self.app + shop.FRAGMENTS + self.storages + self.settings
