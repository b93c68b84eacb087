"""`make superset`: the dashboards on the data of `make demo`, or on Aurora.

With --cluster-arn and --secret-arn it reads Aurora through the Data API, with the environment's AWS
credentials. Else it starts the embedded cloud with the demo's data, which are made if there are
none.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

from dashboards.superset.start import Source, StartError, make_home, stay_up, superset

PORT = 8088


def choose_source(parts: ExitStack, options: argparse.Namespace) -> Source:
    """What is shown; the demo's cloud ends with `parts`."""
    if options.cluster_arn:
        return Source(options.cluster_arn, options.secret_arn, options.database, os.environ)
    from dashboards.superset.demo import raise_stage, source_of  # needs all that tests need

    return source_of(raise_stage(parts, options.data))


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser("python -m dashboards.superset", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--data", type=Path, default=Path("demo-data"), help="folder (demo-data)")
    parser.add_argument("--port", type=int, default=PORT, help=f"port of this machine ({PORT})")
    parser.add_argument("--cluster-arn", default="", help="the Aurora cluster")
    parser.add_argument("--secret-arn", default="", help="the secret of a user who reads")
    parser.add_argument("--database", default="observability", help="(observability)")
    options = parser.parse_args()
    if bool(options.cluster_arn) != bool(options.secret_arn):
        parser.error("--cluster-arn and --secret-arn belong together")
    if options.cluster_arn and options.cluster_arn.count(":") != 6:
        parser.error("--cluster-arn is not the ARN of a cluster")
    return options


def main() -> None:
    """Start it, and stay up until Ctrl-C."""
    options = parse_arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # also while it starts, it ends all
    try:
        with ExitStack() as parts:
            source = choose_source(parts, options)
            running = parts.enter_context(superset(source, options.data, options.port))
            stay_up(running, make_home(options.data))
    except (StartError, OSError) as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
