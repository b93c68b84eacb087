"""`python -m tests.cloud`: start the embedded cloud, print what to export, and stay up.

    $ python -m tests.cloud > cloud.env &
    $ while sleep 1; [ ! -s cloud.env ] && kill -0 $!; do :; done; . ./cloud.env

With --organization it is the organization of `make demo-org`, seen by its payer; each of its units
is exported under its name, such as SHOPS, for --include-ou.

It ends cleanly on SIGTERM and SIGINT, and its children end with it whatever ends it.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import socket
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import botocore.session

from tests.cloud import Cloud, EmbeddedCloud, Size, generate
from tests.cloud.demo_organization import make_organization, set_up
from tests.cloud.running import forget_settings

FIRST_ACCOUNT = 111122223333

SIZES = {"empty": Size.empty, "small": Size.small, "large": Size.large}


def account_id(number: int) -> str:
    """The account with that number, from 0: twelve digits, 1111 apart."""
    return f"{FIRST_ACCOUNT + 1111 * number:012}"


def make_cloud(size: Size, accounts: int, regions: Sequence[str]) -> Cloud:
    """A cloud of so many accounts of one size, as of today."""
    today = datetime.now(UTC).date()
    return Cloud.of(
        *(generate(account_id(number), size, number, today, regions) for number in range(accounts))
    )


Number = TypeVar("Number", int, float)


def within(least: Number, most: Number) -> Callable[[str], Number]:
    """Reads a number from least to most; argparse tells its error."""

    def read(text: str) -> Number:
        try:
            value = type(least)(text)
        except ValueError:
            value = None
        if value is None or not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least} to {most}")
        return value

    return read


def region_names(text: str) -> tuple[str, ...]:
    """Reads regions with commas between them; argparse tells its error."""
    names = tuple(text.split(","))
    known = botocore.session.get_session().get_available_regions("ec2")
    if wrong := sorted({name for name in names if name not in known}):
        raise argparse.ArgumentTypeError(f"no region of AWS: {', '.join(map(repr, wrong))}")
    if len(set(names)) < len(names):
        raise argparse.ArgumentTypeError(f"{text!r} names a region twice")
    return names


def free_port(text: str) -> int:
    """Reads a port that this process may listen on; argparse tells its error."""
    port = within(0, 65_535)(text)
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError as error:
            raise argparse.ArgumentTypeError(f"{port}: {error.strerror}") from None
    return port


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line; errors end the program with status 2."""
    program = "python -m tests.cloud"
    parser = argparse.ArgumentParser(program, f"{program} [--help] [flags]", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--organization", action="store_true", help="of make demo-org, in place of the next three"
    )
    parser.add_argument("--size", choices=SIZES, default="small", help="of each account (small)")
    parser.add_argument(
        "--accounts", type=within(1, 10_000), default=1, metavar="N", help="how many (1)"
    )
    parser.add_argument(
        "--regions",
        type=region_names,
        default="us-east-1,eu-west-1",
        help="that the accounts use, the first being home (us-east-1,eu-west-1)",
    )
    parser.add_argument(
        "--latency",
        type=within(0.0, 3600.0),
        default=0.0,
        metavar="SECONDS",
        help="of every call (0)",
    )
    parser.add_argument(
        "--page-size", type=within(1, 1_000_000), metavar="N", help="at most N items on a page"
    )
    parser.add_argument("--port", type=free_port, default=0, help="to listen on (any free one)")
    return parser.parse_args(arguments)


def exports(embedded: EmbeddedCloud) -> dict[str, str]:
    """What to export: the environment of the scripts, and the organization's units by name."""
    units = {
        unit.name.upper(): unit.id
        for organization in embedded.cloud.organizations
        for unit in organization.units.values()
    }
    regions = {"REGIONS": ",".join(embedded.analytics.regions)}
    return units | regions | embedded.environment(embedded.analytics.id)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run until a signal comes."""
    options = parse_arguments(arguments)
    forget_settings()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopped.set())
    if options.organization:
        cloud = make_organization()
    else:
        cloud = make_cloud(SIZES[options.size](), options.accounts, options.regions)
    cloud.page_size = options.page_size
    with EmbeddedCloud(cloud, latency=options.latency, port=options.port) as embedded:
        if options.organization:
            set_up(embedded)
        lines = (f"export {name}={shlex.quote(value)}" for name, value in exports(embedded).items())
        print("\n".join(lines), flush=True)
        stopped.wait()


if __name__ == "__main__":
    main()
