"""Starts a Superset that shows the dashboards, on this machine only.

Superset runs in an environment of its own (build/superset) and is told what to show as files.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from dashboards.superset.assets import DASHBOARDS, make_assets, write_archive

ROOT = Path(__file__).parents[2]
SERVER = Path(__file__).with_name("server")
PROGRAMS = ROOT / "build" / "superset" / "bin"
HOST, THREADS = "127.0.0.1", 8
START_SECONDS, STOP_SECONDS = 120.0, 10.0
LOG, SECRET_KEY, ARCHIVE = "log.txt", "secret_key", "dashboards.zip"


class StartError(Exception):
    """Superset does not start; the text says where it tells why."""


@dataclass(frozen=True)
class Source:
    """The database that is shown, by way of the Data API.

    Args:
        environment: what AWS's SDK needs to know, such as credentials.
    """

    cluster_arn: str
    secret_arn: str
    database: str
    environment: Mapping[str, str]

    @property
    def region(self) -> str:
        """The region of the cluster, which its ARN has in the fourth place."""
        return self.cluster_arn.split(":")[3]

    @property
    def uri(self) -> str:
        """The database as SQLAlchemy calls it."""
        query = urlencode({"aurora_cluster_arn": self.cluster_arn, "secret_arn": self.secret_arn})
        return f"postgresql+auroradataapi://:@/{self.database}?{query}"


@dataclass(frozen=True)
class Running:
    """A Superset that runs."""

    url: str
    password: str
    process: subprocess.Popen[bytes]


def make_home(data: Path) -> Path:
    """The folder of Superset's own data, which only its owner reads; with the key it signs by."""
    home = data / "superset"
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o700)
    key = home / SECRET_KEY
    key.touch(mode=0o600)
    if not key.read_text():
        key.write_text(secrets.token_urlsafe(48))
    return home


def environment_of(source: Source, home: Path) -> dict[str, str]:
    """The environment in which Superset's programs run."""
    return {
        **source.environment,
        "SUPERSET_HOME": str(home.absolute()),
        "SUPERSET_CONFIG_PATH": str(SERVER / "superset_config.py"),
        "OBSERVABILITY_REGION": source.region,
        "FLASK_DEBUG": "0",
    }


def require_port(port: int) -> None:
    """StartError if somebody else has the port: it would answer in place of Superset."""
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        raise StartError(f"port {port}: {error.strerror}; choose another one with PORT") from error


def prepare(source: Source, home: Path, password: str, log: int) -> None:
    """Import the dashboards; StartError if that fails."""
    given = {"password": password, "files": make_assets(source.uri, "assets")}
    done = subprocess.run(
        [PROGRAMS / "python", SERVER / "prepare.py"],
        input=json.dumps(given).encode(), stdout=log, stderr=log, cwd=home, check=False,
        env=environment_of(source, home),
    )  # fmt: skip
    if done.returncode:
        raise StartError(f"the dashboards could not be imported; see {home / LOG}")


def serve(source: Source, home: Path, port: int, log: int) -> subprocess.Popen[bytes]:
    """Start the server."""
    return subprocess.Popen(
        [
            PROGRAMS / "gunicorn", "--bind", f"{HOST}:{port}", "--workers", "1",
            "--threads", str(THREADS), "--worker-class", "gthread", "--timeout", "120",
            "--graceful-timeout", "3", "--no-control-socket",
            "superset.app:create_app()",
        ],
        stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=home, start_new_session=True,
        env=environment_of(source, home),
    )  # fmt: skip


def is_up(url: str) -> bool:
    """Whether the server answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def wait_until_up(running: Running, home: Path) -> None:
    """Wait until the server answers; StartError if it ends or takes too long."""
    deadline = time.monotonic() + START_SECONDS
    while not is_up(running.url):
        if running.process.poll() is not None or time.monotonic() > deadline:
            raise StartError(f"Superset does not start; see {home / LOG}")
        time.sleep(0.5)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the server with its workers."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def superset(source: Source, data: Path, port: int) -> Iterator[Running]:
    """A Superset that shows a database; it ends with the block.

    Its own data are in `data`/superset. The password is another one at each start.
    """
    require_port(port)
    home, password = make_home(data), secrets.token_urlsafe(12)
    write_archive(home / ARCHIVE)
    with (home / LOG).open("wb") as log:
        prepare(source, home, password, log.fileno())
        process = serve(source, home, port, log.fileno())
        try:
            running = Running(f"http://{HOST}:{port}", password, process)
            wait_until_up(running, home)
            yield running
        finally:
            stop(process)


def stay_up(running: Running, home: Path) -> None:
    """Print where Superset is, and wait for Ctrl-C or its end."""
    print(f"address   {running.url}\nlogin     admin, {running.password}")
    for dashboard in DASHBOARDS:
        print(f"dashboard {running.url}/superset/dashboard/{dashboard.slug}/ {dashboard.about}")
    print(f"log       {home / LOG}\nCtrl-C ends it.", flush=True)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: ended.set())
    while not ended.wait(1.0):
        if running.process.poll() is not None:
            raise StartError(f"Superset has ended; see {home / LOG}")
