"""Organizations: a payer, its members in nested units, their tags, and who administers what.

    organization = Organization(payer)
    cloud.organizations.append(organization)
    shops = organization.unit("Shops")
    organization.join(account, organization.unit("Europe", shops), customer="Example Corp")
    organization.delegate(security, "securityhub.amazonaws.com")

The payer sees the costs of all members; a delegated administrator sees their findings. Once
`health_view` is on, the payer and Health's administrator see the events of all.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.cloud.accounts import Account


@dataclass(frozen=True)
class Unit:
    """An organizational unit; `parent` is the root or another unit."""

    id: str
    name: str
    parent: str


@dataclass
class Member:
    """An account of an organization: where it hangs, in which state it is, how it is tagged."""

    account: Account
    parent: str
    state: str
    joined: str
    since: datetime
    tags: dict[str, str]
    services: dict[str, datetime] = field(default_factory=dict)
    """The services that it administers for the organization, and since when."""


class Organization:
    """One organization of the cloud, with the payer as its management account."""

    def __init__(self, payer: Account) -> None:
        self.payer = payer
        self.id = f"o-{payer.hex(10, 'organization')}"
        self.root = f"r-{payer.hex(4, 'root')}"
        self.units: dict[str, Unit] = {}
        self.members: dict[str, Member] = {}
        self.health_view = False
        self.join(payer, joined="INVITED")

    def unit(self, name: str, parent: str = "") -> str:
        """Make a unit below another one, or below the root; its id."""
        digits = self.payer.hex(8, "unit", len(self.units))
        made = Unit(f"ou-{self.root.removeprefix('r-')}-{digits}", name, parent or self.root)
        self.units[made.id] = made
        return made.id

    def join(
        self,
        account: Account,
        unit: str = "",
        *,
        state: str = "ACTIVE",
        joined: str = "CREATED",
        **tags: str,
    ) -> Account:
        """Make an account a member, in a unit or below the root, tagged."""
        since = account.created + timedelta(days=1)
        self.members[account.id] = Member(account, unit or self.root, state, joined, since, tags)
        if account is not self.payer:
            self.payer.payer_for = (*self.payer.payer_for, account.id)
        return account

    def delegate(self, account: Account, *services: str) -> None:
        """Make a member the delegated administrator of services: it sees all who have joined."""
        since = self.members[account.id].since + timedelta(days=1)
        self.members[account.id].services |= dict.fromkeys(services, since)
        account.delegated_for = tuple(name for name in self.members if name != account.id)

    def arn(self, resource: str) -> str:
        """The ARN of the organization's own things, all of which are the payer's."""
        return f"arn:aws:organizations::{self.payer.id}:{resource}"

    def administers(self, account_id: str, service: str = "") -> bool:
        """Whether an account is its payer, or administers that service, or any, for it."""
        services = self.members[account_id].services
        return account_id == self.payer.id or (service in services if service else bool(services))
