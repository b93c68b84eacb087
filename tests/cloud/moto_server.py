"""moto's server in a process of its own, which ends when this one does.

Run as a program it is that process: it writes its port to standard output and serves until its
standard input closes, which happens when its parent stops it or dies, however it dies.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from types import TracebackType

START_SECONDS = 60.0
STOP_SECONDS = 10.0

ENVIRONMENT = {
    # The Amazon machine images take long to load and nobody asks for them.
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
    # Objects up to this size stay in memory, larger ones go to a temporary file.
    "MOTO_S3_DEFAULT_KEY_BUFFER_SIZE": str(128 << 20),
}


class MotoError(Exception):
    """The server did not come up; the text carries its own words."""


class MotoServer:
    """A context manager around the process; `port` is known once it has started.

    `environment` is added to the process's own, such as that of a clock.
    """

    def __init__(self, environment: Mapping[str, str] = {}) -> None:
        self.port = 0
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> MotoServer:
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
    def url(self) -> str:
        """The endpoint that boto3 clients may be given."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the process and wait until it listens. Raises MotoError if it does not."""
        self._process = subprocess.Popen(
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | ENVIRONMENT | dict(self._environment),
            start_new_session=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise MotoError(f"moto's server ended with status {self._process.wait()}")
        self.port = int(line)

    def stop(self) -> None:
        """End the process. Does nothing if it is not running."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.stdout.close()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _end_with_parent() -> None:
    """End this process at once when standard input does."""
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    """Serve until standard input closes."""
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    threading.Thread(target=_end_with_parent, daemon=True).start()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    print(server.get_host_and_port()[1], flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
