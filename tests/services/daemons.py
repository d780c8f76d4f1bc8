"""PostgreSQL, pgbouncer, MariaDB, Redis and memcached, on loopback.

Each server runs in the foreground, in a separate process and folder.
"""

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import certificates, processes
from tests.processes import HOST, answers, free_port, wait_until

#: Another loopback address, which herokuify takes for another machine.
ELSEWHERE = "127.0.0.2"
#: PostgreSQL and pgbouncer refuse to run as root.
UNPRIVILEGED = ("postgres", "nobody")
#: With the characters that a URL must quote.
PASSWORD = "p/a#s?s@w:o%rd"
QUOTED = "p%2Fa%23s%3Fs%40w%3Ao%25rd"


class MissingProgramError(Exception):
    """A program that a server needs is not installed."""


def program(name: str) -> str:
    """Return a program's path; Debian doesn't have PostgreSQL's programs in PATH."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parts[-2])
    path = os.pathsep.join([os.environ["PATH"], "/usr/sbin", *map(str, reversed(versions))])
    found = shutil.which(name, path=path)
    if found is None:
        raise MissingProgramError(f"{name} is not installed")
    return found


def identity() -> dict[str, Any]:
    """Return arguments for Popen() that run a program as an unprivileged user."""
    if os.geteuid():
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = next(known[name] for name in UNPRIVILEGED if name in known)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def hand_over(*paths: Path) -> None:
    """Change the owner of files to the servers' user."""
    who = identity()
    for path in paths:
        if who:
            os.chown(path, who["user"], who["group"])


@contextmanager
def running(
    folder: Path,
    command: Callable[[list[int]], Sequence[str | Path]],
    ports: int = 1,
    environment: dict[str, str] | None = None,
    stop: signal.Signals = signal.SIGTERM,
) -> Iterator[list[int]]:
    """Run a server on free ports until the context ends, and wait until it listens on all."""
    log = folder / "log"
    for _ in range(3):  # another program may take a port before the server does
        chosen = [free_port() for _ in range(ports)]
        variables = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", **(environment or {})}
        with processes.running(
            command(chosen), log, stop=stop, cwd=folder, env=variables, **identity()
        ) as process:
            try:
                for port in chosen:
                    wait_until(lambda port=port: answers(port), process=process)  # type: ignore[misc]
            except RuntimeError:
                continue
            if process.poll() is None:
                yield chosen
                return
    raise RuntimeError(f"the server did not start; it printed:\n{log.read_text(errors='replace')}")


def run(*command: str | Path, **options: Any) -> str:
    """Run a command as the servers' user; return its output."""
    done: subprocess.CompletedProcess[str] = subprocess.run(
        [str(part) for part in command],
        check=False,
        capture_output=True,
        encoding="utf-8",
        **identity(),
        **options,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def make_certificate(folder: Path, name: str = "server") -> tuple[Path, Path]:
    """Create a self-signed certificate for 127.0.0.1; return the paths of it and its key."""
    certificate, key = certificates.make(program("openssl"), folder, name)
    hand_over(certificate, key)
    return certificate, key


@dataclass(frozen=True)
class Postgres:
    """A PostgreSQL server, its follower, and a connection pooler.

    The user ``app`` may create databases, and ``ci`` may not. ``tls`` may, and must use TLS.
    """

    folder: Path
    port: int
    follower_port: int
    pooler_port: int

    @property
    def certificate(self) -> Path:
        """The server's certificate, which is self-signed."""
        return self.folder / "server.crt"

    def url(self, name: str, user: str = "app", port: int | None = None, host: str = HOST) -> str:
        return f"postgres://{user}:{QUOTED}@{host}:{port or self.port}/{name}"

    def sql(self, statement: str, database: str = "postgres", port: int | None = None) -> str:
        """Run a statement as the superuser; return its result, with one row per line."""
        where = f"host={HOST} port={port or self.port} user=postgres dbname={database}"
        arguments = ("--no-psqlrc", "--quiet", "--tuples-only", "--no-align")
        return run(program("psql"), *arguments, "-c", statement, where, cwd=self.folder).strip()


USERS = {"app": "CREATEDB", "ci": "NOCREATEDB", "tls": "CREATEDB"}
HBA = f"""\
hostssl all tls {HOST}/8 scram-sha-256
host all tls {HOST}/8 reject
host all,replication postgres {HOST}/8 trust
host all all {HOST}/8 scram-sha-256
"""
POSTGRES_OPTIONS = {
    "listen_addresses": f"{HOST},{ELSEWHERE}",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "40",
    "max_wal_senders": "3",
    "shared_buffers": "16MB",
}
POOLER = """\
[databases]
* = host={host} port={upstream}
[pgbouncer]
listen_addr = {host},{elsewhere}
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 2
client_tls_sslmode = allow
client_tls_cert_file = {folder}/server.crt
client_tls_key_file = {folder}/server.key
"""


@contextmanager
def postgres(folder: Path) -> Iterator[Postgres]:
    """Run PostgreSQL with TLS, a streaming follower, and pgbouncer in transaction mode."""
    server = program("postgres")
    program("pgbouncer")  # fail before anything is started
    data, standby = folder / "data", folder / "standby"
    initdb = (program("initdb"), "--pgdata", data, "--username", "postgres", "--no-sync")
    run(*initdb, "--encoding", "UTF8", "--locale", "C.UTF-8", cwd=folder)
    (data / "pg_hba.conf").write_text(HBA)
    certificate, key = make_certificate(folder)
    options = POSTGRES_OPTIONS | {
        "ssl": "on",
        "ssl_cert_file": str(certificate),
        "ssl_key_file": str(key),
    }
    arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]

    def serve(place: Path, path: Path) -> AbstractContextManager[list[int]]:
        def command(ports: list[int]) -> Sequence[str | Path]:
            return [server, "-D", path, "-p", str(ports[0]), *arguments]

        return running(
            place, command, stop=signal.SIGQUIT
        )  # doesn't wait for clients to disconnect

    with ExitStack() as stack:
        (port,) = stack.enter_context(serve(folder, data))
        upstream = f"host={HOST} port={port} user=postgres"
        wait_until(lambda: _succeeds(program("pg_isready"), "-d", upstream))
        primary = Postgres(folder, port, 0, 0)
        for role, right in USERS.items():
            primary.sql(f"CREATE ROLE {role} LOGIN {right} PASSWORD '{PASSWORD}'")
        copy = (program("pg_basebackup"), "-d", upstream, "-D", standby, "-R", "-X", "stream")
        run(*copy, "--checkpoint=fast", "--no-sync", cwd=folder)
        behind = folder / "follower"
        behind.mkdir()
        hand_over(behind)
        (follower_port,) = stack.enter_context(serve(behind, standby))
        pooler_port = stack.enter_context(_pooler(folder, port))
        yield Postgres(folder, port, follower_port, pooler_port)


def _succeeds(*command: str | Path) -> bool:
    try:
        run(*command)
    except RuntimeError:
        return False
    return True


@contextmanager
def _pooler(folder: Path, upstream: int) -> Iterator[int]:
    users = folder / "users"
    users.write_text("".join(f'"{name}" "{PASSWORD}"\n' for name in USERS))
    place = folder / "pooler"
    place.mkdir()
    hand_over(users, place)
    config = place / "pgbouncer.ini"

    def command(ports: list[int]) -> Sequence[str | Path]:
        text = POOLER.format(
            host=HOST, elsewhere=ELSEWHERE, upstream=upstream, port=ports[0], folder=folder
        )
        config.write_text(text)
        return [program("pgbouncer"), config]

    with running(place, command) as (port,):
        yield port


@dataclass(frozen=True)
class MariaDb:
    """A MariaDB server with the empty database ``app``, whose user must use TLS."""

    port: int
    certificate: Path

    def url(self, host: str = HOST) -> str:
        return f"mysql://app:{QUOTED}@{host}:{self.port}/app"


@contextmanager
def mariadb(folder: Path) -> Iterator[MariaDb]:
    """Run MariaDB with TLS and one user."""
    server = Path(program("mariadbd"))
    data = folder / "data"
    where = ("--no-defaults", f"--basedir={server.parents[1]}", f"--datadir={data}")
    makes = ("--auth-root-authentication-method=normal", "--skip-test-db")
    run(program("mariadb-install-db"), *where, *makes, cwd=folder)
    certificate, key = make_certificate(folder)
    (folder / "users.sql").write_text(
        f"CREATE DATABASE app; CREATE USER app@'127.0.0.%' IDENTIFIED BY '{PASSWORD}' REQUIRE SSL;"
        "\nGRANT ALL ON app.* TO app@'127.0.0.%';\n".replace("; ", ";\n")
    )
    hand_over(folder / "users.sql")

    def command(ports: list[int]) -> Sequence[str | Path]:
        return [
            *(server, *where, f"--port={ports[0]}", f"--socket={folder}/socket"),
            *("--bind-address=0.0.0.0", f"--init-file={folder}/users.sql"),
            *(f"--ssl-cert={certificate}", f"--ssl-key={key}"),
        ]

    with running(folder, command) as (port,):
        yield MariaDb(port, certificate)


@dataclass(frozen=True)
class Redis:
    """A Redis server with two ports, one of them with TLS; its certificate is self-signed."""

    port: int
    tls_port: int
    certificate: Path
    other_certificate: Path

    @property
    def url(self) -> str:
        return f"redis://:{QUOTED}@{HOST}:{self.port}"

    @property
    def tls_url(self) -> str:
        return f"rediss://:{QUOTED}@{HOST}:{self.tls_port}"


@contextmanager
def redis(folder: Path, *options: str) -> Iterator[Redis]:
    """Run Redis with a password and a self-signed certificate, without storing data on the disk.

    ``options`` are more arguments for the server, such as "--maxclients", "20".
    """
    server = program("redis-server")
    certificate, key = make_certificate(folder)
    other, _ = make_certificate(folder, "other")

    def command(ports: list[int]) -> Sequence[str | Path]:
        return [
            *(server, "--bind", HOST, "--port", str(ports[0]), "--tls-port", str(ports[1])),
            *("--tls-cert-file", certificate, "--tls-key-file", key),
            *("--tls-ca-cert-file", certificate, "--tls-auth-clients", "no"),
            *("--requirepass", PASSWORD, "--save", "", "--appendonly", "no"),
            *options,
        ]

    with running(folder, command, ports=2) as (port, tls_port):
        yield Redis(port, tls_port, certificate, other)


@dataclass(frozen=True)
class Memcached:
    """Two memcached servers that require SASL, and their user."""

    servers: tuple[str, ...]
    username: str = "app@localhost"
    password: str = PASSWORD

    def variables(self, addon: str) -> dict[str, str]:
        """Return the config vars of an add-on that provides these servers."""
        return {
            f"{addon}_SERVERS": ",".join(self.servers),
            f"{addon}_USERNAME": self.username,
            f"{addon}_PASSWORD": self.password,
        }


@contextmanager
def memcached(folder: Path) -> Iterator[Memcached]:
    """Run two memcached servers with SASL and one user."""
    server = program("memcached")
    database = folder / "users"
    (folder / "memcached.conf").write_text(f"mech_list: plain\nsasldb_path: {database}\n")
    create = (program("saslpasswd2"), "-p", "-c", "-a", "memcached", "-u", "localhost", "-f")
    run(*create, database, "app", input=PASSWORD, cwd=folder)

    def command(ports: list[int]) -> Sequence[str | Path]:
        return [server, "-S", "-l", HOST, "-p", str(ports[0]), "-U", "0", "-m", "16"]

    with ExitStack() as stack:
        ports = []
        for number in range(2):
            place = folder / str(number)
            place.mkdir()
            hand_over(place)
            running_there = running(place, command, environment={"SASL_CONF_PATH": str(folder)})
            ports += stack.enter_context(running_there)
        yield Memcached(tuple(f"{HOST}:{port}" for port in ports))
