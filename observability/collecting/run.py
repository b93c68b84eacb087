"""The state of a whole run and of each account in it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from observability.aws.cache import Lazy, Memo
from observability.aws.limits import RegionSlots
from observability.aws.session import Aws
from observability.collecting.organization import OrganizationDirectory, read_membership, read_tags
from observability.collecting.shared import SharedReads
from observability.log import Log, log_account
from observability.rows import Row
from observability.settings.sender import Settings

IDLE_CLIENTS = 400
"""Clients that may wait for a run's next account: what eight accounts in three regions leave to
each other. One takes 0.25 MiB, with a TLS connection 1 MiB.
"""


class Run:
    """The state of a whole run: its caller, what its accounts share, and its uploads.

    The caller may be another account than those that are read. `uploads` are those in parts that
    are under way, by key.
    """

    def __init__(self, settings: Settings, log: Log, deadline: float | None = None) -> None:
        until = deadline or time.monotonic() + settings.time_limit
        idle_clients = IDLE_CLIENTS if settings.several else 0
        self.caller = Aws(settings.region, log, until, idle_clients=idle_clients)
        self.slots = RegionSlots(settings.at_once)
        self.shared: SharedReads | None = None
        self.tags = OrganizationDirectory(self.caller, read_tags)
        self.memberships = OrganizationDirectory(self.caller, read_membership)
        self.uploads: dict[str, Row] = {}

    def identify(self) -> None:
        """Learn who the caller is; its account is that of each line that is about no other."""
        self.caller.identify()
        log_account(self.caller.account)


class AccountRun:
    """One account of a run: its session, how AWS listed it, and what its regions share.

    `closed` tells of each but the home region why it cannot be read, if that is so.
    """

    def __init__(
        self, run: Run, aws: Aws, listed: Mapping[str, Any] = MappingProxyType({})
    ) -> None:
        self.run, self.aws, self.listed = run, aws, listed
        self.closed: dict[str, Lazy[str | None]] = {}
        self.once = Memo(self)
