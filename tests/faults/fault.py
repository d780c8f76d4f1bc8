"""What a fault is: where it lies, the command that meets it, and what must be said of it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from tests.faults import servers
from tests.project import Project, Run
from tests.projects import heroku, shop


class Means(Enum):
    """What finds a fault."""

    SETTINGS = "importing the settings"
    CHECK = "a system check"
    COMMAND = "the command"
    DOCTOR = "the doctor"
    PLAN = "`herokuify bucket`"

    @property
    def is_offline(self) -> bool:
        """Whether no server may be asked."""
        return self in {Means.SETTINGS, Means.CHECK}


@dataclass(frozen=True)
class Command:
    """A command of manage.py, and the variables that tell where it runs."""

    line: str
    dyno: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_build(self) -> bool:
        """Whether Heroku's buildpack runs it, and judges its log."""
        return self.dyno is heroku.BUILD

    @property
    def shown(self) -> str:
        """What a user types; Heroku adds ``--traceback``."""
        name = self.line.partition(" ")[0]
        return f"python manage.py {name if name == 'shell' else self.line}"

    def run(self, project: Project, *, sockets: bool = True) -> Run:
        """Run it in a process of its own."""
        arguments = shlex.split(self.line)
        if self.is_build:
            run = heroku.manage(project, *arguments, "--traceback", sockets=sockets)
        else:
            run = project.manage(*arguments, env=self.dyno, sockets=sockets)
        return run


BUILD = Command("collectstatic --noinput", heroku.BUILD)
COLLECT = Command("collectstatic --noinput")  # on no platform that is known
COMPRESS = Command("compress", heroku.BUILD)
CHECK = Command("check")
# On a terminal that is wide enough for every line.
DOCTOR = Command("herokuify doctor", {"COLUMNS": "1000"})
PLAN = Command("herokuify bucket")
APPLY = Command("herokuify bucket --apply")
ON_A_DYNO = Command("check", {"DYNO": "web.1", "PORT": "5000"})

STORAGES = shop.storages(shop.CACHED_MANIFEST) + shop.compress_storage(shop.CACHED_MANIFEST)


@dataclass(frozen=True)
class Fault:
    """A fault: the project's variables and settings, the server's state, and the command.

    ``words`` is what the message must hold: the variable or setting, and the hint. The settings
    are those of a shop that has everything right; ``settings`` comes after them, ``storages``
    in place of its own, and ``files`` beside its own. With ``alone``, the fault is found without
    the app "herokuify", too. What may as well be the network's, is no fault of
    ``is_configuration``. With ``is_built``, a build has been here, and has published its files.
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
    is_alike: bool = True  # on each Django; up to 6.0 its own check makes the storage, and fails

    @property
    def place(self) -> servers.State:
        """Where its S3 is: in a sound state on moto, unless the fault is one of S3's."""
        return self.state or (servers.amazon if self.means.is_offline else servers.moto)

    @property
    def source(self) -> str:
        """The settings module."""
        return shop.DJANGO + self.app + shop.FRAGMENTS + self.storages + self.settings
