"""What a collector is given, and how it and its parts are run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from observability.aws.cache import Memo
from observability.aws.errors import RegionUnreadable
from observability.aws.limits import CALLS
from observability.aws.session import Aws
from observability.collecting.parallel import map_items, run_isolated
from observability.collecting.result import CategoryResult
from observability.collecting.run import AccountRun
from observability.collecting.spool import Store
from observability.collecting.window import Window
from observability.rows import NOTE, REJECT
from observability.settings.sender import Settings


class Scan:
    """What a collector is given: one account in one region, the window, and AWS."""

    def __init__(
        self,
        account: AccountRun,
        aws: Aws,
        settings: Settings,
        region: str,
        window: Window,
        notes: Sequence[str] = (),
    ) -> None:
        self.of_account, self.run = account, account.run
        self.aws, self.settings, self.region, self.window = aws, settings, region, window
        self.notes = notes
        self.account = aws.account
        self.home = region == settings.region
        self.started = datetime.now(UTC)
        self.store = Store()
        self.once = Memo(self)

    @classmethod
    def for_check(cls, account: AccountRun, settings: Settings) -> Scan:
        """A scan of yesterday in the home region that is only asked what it may read."""
        window = Window.of_yesterday(datetime.now(UTC), settings, None)
        return cls(account, account.aws, settings, settings.region, window)

    @property
    def title(self) -> str:
        """The days that it is about."""
        return f"{self.window.start} to {self.window.end - timedelta(days=1)}"

    def client(self, service: str) -> Any:
        """The client of a service in the scan's region."""
        return self.aws.client(service, self.region)

    def global_client(self, service: str) -> Any:
        """The client of a global service, in the region where AWS serves those."""
        return self.aws.client(service, self.aws.global_region)


def attempt(read: Collect, scan: Scan, result: CategoryResult) -> None:
    """Run a collector or a part of one: whatever goes wrong in it stays in it."""
    started = time.monotonic()
    CALLS.set(result.calls)
    REJECT.set(result.reject)
    NOTE.set(result.note)
    run_isolated(
        lambda: read(scan, result),
        lambda error: result.record_error(error, whole=True),
        scan.aws.log,
    )
    result.seconds = time.monotonic() - started
    result.finish()


def run_parts(
    scan: Scan,
    result: CategoryResult,
    parts: Mapping[str, Collect],
    lists: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> None:
    """Run the parts of a category at once, each with an outcome of its own.

    A part fills the `lists` that are named for it, else all that the category has.
    """
    made = {
        name: CategoryResult(
            f"{result.name}.{name}",
            result.builders,
            required=result.required,
            lists=lists.get(name, result.lists),
        )
        for name in parts
    }
    result.parts += made.values()
    filled = {name for part in made.values() for name in part.lists}
    result.lists = tuple(name for name in result.lists if name not in filled)
    with ThreadPoolExecutor(len(parts), "part") as pool:
        running = [pool.submit(attempt, read, scan, made[name]) for name, read in parts.items()]
    for future in running:
        future.result()


def open_regions(scan: Scan, result: CategoryResult) -> list[str]:
    """The regions of the account that the run reads, less those that are closed, or do not let it
    in, which their own documents tell.
    """
    closed = scan.of_account.closed

    def is_closed(region: str) -> bool:
        try:
            return bool(closed[region]())
        except RegionUnreadable:
            return True

    found = dict(map_items(scan.aws, closed, is_closed, result))
    return [region for region in scan.settings.regions if not found.get(region)]


Collect = Callable[[Scan, CategoryResult], None]
