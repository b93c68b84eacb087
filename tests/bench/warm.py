"""`python warm.py FOLDER`: a process of Lambda that stays, with the receiver.py of that folder.

It reads one event a line and writes the seconds that the handler took, a line each.
"""

import importlib
import json
import os
import sys
import time


class Context:
    """Time enough."""

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda would end the invocation."""
        return 900_000


def main() -> None:
    """Answer events until there are no more; what the handler prints is none of the answers."""
    sys.path.insert(0, sys.argv[1])
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    receiver = importlib.import_module("receiver")
    for line in sys.stdin:
        started = time.perf_counter()
        receiver.lambda_handler(json.loads(line), Context())
        answers.write(f"{time.perf_counter() - started}\n")


if __name__ == "__main__":
    main()
