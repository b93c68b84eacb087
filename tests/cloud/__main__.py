"""`python -m tests.cloud`: start the embedded cloud, print what to export, and stay up.

    $ python -m tests.cloud > cloud.env &
    $ until sleep 1; [ -s cloud.env ]; do :; done; . ./cloud.env

With --organization it is the organization of `make demo-org`, seen by its payer; each of its units
is exported under its name, such as SHOPS, for --include-ou.

It ends cleanly on SIGTERM and SIGINT, and its children end with it whatever ends it.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

from tests.cloud import Cloud, EmbeddedCloud, Size, generate
from tests.cloud.demo_organization import make_organization, set_up

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


def parse_arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line; errors end the program with status 2."""
    parser = argparse.ArgumentParser(prog="python -m tests.cloud", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--organization", action="store_true", help="of make demo-org, in place of the next three"
    )
    parser.add_argument("--size", choices=SIZES, default="small", help="of each account (small)")
    parser.add_argument("--accounts", type=int, default=1, metavar="N", help="how many (1)")
    parser.add_argument(
        "--regions",
        default="us-east-1,eu-west-1",
        help="that the accounts use, the first being home (us-east-1,eu-west-1)",
    )
    parser.add_argument(
        "--latency", type=float, default=0.0, metavar="SECONDS", help="of every call (0)"
    )
    parser.add_argument("--page-size", type=int, metavar="N", help="at most N items on a page")
    parser.add_argument("--port", type=int, default=0, help="to listen on (any free one)")
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
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopped.set())
    if options.organization:
        cloud = make_organization()
    else:
        cloud = make_cloud(SIZES[options.size](), options.accounts, options.regions.split(","))
    cloud.page_size = options.page_size
    with EmbeddedCloud(cloud, latency=options.latency, port=options.port) as embedded:
        if options.organization:
            set_up(embedded)
        lines = (f"export {name}={shlex.quote(value)}" for name, value in exports(embedded).items())
        print("\n".join(lines), flush=True)
        stopped.wait()


if __name__ == "__main__":
    main()
