"""AWS Lambda's part in a test: `python -I -S tests/lambda_runtime.py PACKAGE HANDLER SECONDS`.

Runs a handler out of an unpacked package, with nothing else to import but the standard library.
The event comes from stdin as JSON; the result goes to stdout as JSON, as Lambda shows it.
"""

import importlib
import json
import sys
import time


class Context:
    """What Lambda tells a handler about its invocation; `seconds` is the function's timeout."""

    def __init__(self, seconds: float) -> None:
        self.end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until Lambda ends the invocation."""
        return int((self.end - time.monotonic()) * 1000)


def main() -> None:
    """Run one invocation; a handler that raises is a result of it, as in Lambda."""
    package, handler, seconds = sys.argv[1:]
    sys.path.insert(0, package)
    module, _, name = handler.partition(".")
    function = getattr(importlib.import_module(module), name)
    try:
        answer = {"result": function(json.load(sys.stdin), Context(float(seconds)))}
    except Exception as error:  # noqa: BLE001  this is the boundary of the runtime
        answer = {"errorType": type(error).__name__, "errorMessage": str(error)}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
