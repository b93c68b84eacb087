"""Run a command and tell what it took: `launch.py FILE COMMAND…` writes a line of JSON to FILE.

A process of its own, because the peak memory that the system reports of a child is at least what
its parent had when it started it: this parent is small.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path


def main() -> int:
    started = time.perf_counter()
    child = subprocess.Popen(sys.argv[2:])
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - started
    kibibytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    cost = {
        "seconds": seconds,
        "cpu": usage.ru_utime + usage.ru_stime,
        "mebibytes": kibibytes / 1024,
    }
    Path(sys.argv[1]).write_text(json.dumps(cost))
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
