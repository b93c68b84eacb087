"""What one identity reads for many accounts of a run."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from observability.aws.cache import Lazy, Result
from observability.aws.errors import SharedReadUnavailable, describe_error
from observability.aws.limits import CALLS, within
from observability.aws.session import Aws
from observability.collecting.organization import assume_account_role, payer
from observability.collecting.parallel import run_isolated
from observability.collecting.result import CategoryResult
from observability.collecting.spool import DocumentBuilders, SpooledRows, Store
from observability.collecting.window import Window
from observability.dates import midnight
from observability.rows import NOTE, REJECT
from observability.settings.sender import Settings

if TYPE_CHECKING:
    from mypy_boto3_organizations import OrganizationsClient


class SharedReads:
    """What one identity reads for many accounts of a run, each thing when it is first wanted.

    A payer reads costs for all, a service's delegated administrator its members' findings. Who
    sees the whole organization, its payer or an administrator, reads Health's events, also for
    accounts whose own support plan lacks Health. Where that is refused, does not pay or does not
    apply, each account reads its own.

    Not shared are forecasts, which AWS does not group, and anomalies, which an account's own
    monitors find. Health's view of an organization begins when it is turned on, so that all that
    is open, and what changed on past days, is read by account; so are Compute Optimizer's
    recommendations, as it takes one account per request, and AWS Config's resources and rules: its
    aggregators save requests, not rows, and have no results of some rules and accounts.
    """

    LEAST = 3
    """Accounts from which on a shared read can take fewer requests than their own ones."""
    LONGEST, PART = 300.0, 1 / 6
    """Seconds that a shared read may take, and the part of an account's time and the run's."""

    def __init__(self, caller: Aws, settings: Settings, accounts: Sequence[str]) -> None:
        self.caller, self.settings, self.accounts = caller, settings, accounts
        if settings.start and settings.end:
            self.window = Window.of_backfill(settings.start, settings.end)
        else:
            self.window = Window.of_yesterday(datetime.now(UTC), settings, None)
        self.store = Store()
        self.result = CategoryResult("shared", DocumentBuilders(self.window, self.store))
        self.administrators: list[Aws] = []
        self.payer = Lazy(lambda: payer(caller))
        self._known: dict[tuple[str, object], Lazy[Any]] = {}
        self._failed: set[str] = set()
        self._lock = threading.Lock()

    def once(self, what: str, key: object, read: Callable[[SharedReads], Result]) -> Result | None:
        """What is read when it is first wanted; None if it cannot be, and the log says why.

        Accounts wait for it, so it may take a part of their time only. What has failed with one
        key is not tried with others.
        """
        with self._lock:
            known = self._known.setdefault((what, key), Lazy(lambda: self._read(what, read)))
        found: Result | None = known()
        return found

    def _read(self, what: str, read: Callable[[SharedReads], Result]) -> Result | None:
        found: list[Result] = []
        whole = min(self.settings.account_time_limit, self.caller.time_left())

        def bounded() -> None:
            CALLS.set(self.result.calls)
            NOTE.set(None)
            REJECT.set(None)  # what is read for many is read whole, or by each for itself
            with within(min(self.LONGEST, whole * self.PART)):
                found.append(read(self))

        def on_error(error: Exception) -> None:
            self._failed.add(what)
            self.caller.log.log_once(
                f"{what}: accounts read their own, since {describe_error(error)}"
            )

        if what not in self._failed:
            run = contextvars.copy_context().run
            run_isolated(lambda: run(bounded), on_error, self.caller.log)
        return found[0] if found else None

    def administrator(self, service: str) -> Aws:
        """AWS as the delegated administrator of a service, assumed once.

        SharedReadUnavailable if it has none.
        """
        with self._lock:
            enter_it = Lazy(lambda: self._assume(service))
            known: Lazy[Aws] = self._known.setdefault((service, "administrator"), enter_it)
        return known()

    def overseer(self, service: str) -> Aws:
        """AWS as who sees a service's data of the whole organization: payer or administrator."""
        return self.caller if self.payer() == self.caller.account else self.administrator(service)

    def _assume(self, service: str) -> Aws:
        """Organizations: ListDelegatedAdministrators, for the payer and administrators."""
        client: OrganizationsClient = self.caller.client("organizations", self.caller.global_region)
        principal = f"{service}.amazonaws.com"
        pages = client.get_paginator("list_delegated_administrators").paginate(
            ServicePrincipal=principal
        )
        found = next((item for page in pages for item in page["DelegatedAdministrators"]), None)
        if not found:
            raise SharedReadUnavailable("it has no delegated administrator")
        aws = assume_account_role(self.caller, self.settings, found["Id"])
        aws.deadline, aws.limited = self.caller.deadline, self.caller.limited
        with self._lock:
            self.administrators.append(aws)
        return aws

    def covers(self, since: datetime | None) -> bool:
        """Whether changes since an instant are those that are read for all accounts."""
        return since == midnight(self.window.costs_from)

    def spools(self, accounts: Iterable[str]) -> dict[str, SpooledRows]:
        """A list of rows for each account."""
        return {account: SpooledRows(self.store) for account in accounts}

    def close(self) -> None:
        """Give back what it holds."""
        for aws in self.administrators:
            aws.close()
        self.store.close()
