"""Findings that administrators read for all their accounts at once."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.cloud import Account, ApiRequest, Size
from tests.conftest import REGIONS
from tests.family import BOTH, Family, MakeFamily, RunFamily, known, load, past, same
from tests.warehouse import Rows

FINDERS = Size(
    instances=2, buckets=2, functions=2, security_hub_findings=12, guardduty_findings=9,
    inspector_findings=8,
)  # fmt: skip

FOUND = ("findings", "guard_duty_findings", "inspector_findings", "security")
LISTINGS = ("GetFindings", "ListFindings")
"""What Security Hub, GuardDuty and Inspector call theirs."""

ADMINISTERED = ("securityhub.amazonaws.com", "guardduty.amazonaws.com", "inspector2.amazonaws.com")


def find(
    family: Family, run_family: RunFamily, *flags: str, old: tuple[Account, ...] | None = None
) -> tuple[Counter[str], list[str], Rows]:
    """Read the findings of all accounts: listings by account, what is said, and rows."""
    known(family, *(family.accounts if old is None else old))
    family.requests()
    code, told = run_family(family, "--organization", *flags, only="security")
    assert code == 0, told
    asked = [call.operation for call in family.embedded.calls]
    assert asked.count("ListDelegatedAdministrators") == (
        0 if "--per-account-reads" in flags else 3
    )
    return family.requests(*LISTINGS), told, load(family)


@pytest.mark.parametrize("flags", [BOTH, past(4)], ids=["what changed", "past days"])
def test_findings_that_administrators_read_are_those_that_each_account_reads(
    flags: tuple[str, ...], make_family: MakeFamily, run_family: RunFamily
) -> None:
    """Twelve accounts: more than Inspector takes at once."""
    family = make_family(FINDERS, 12)
    one, other = family.accounts[3], family.accounts[7]
    family.organization.delegate(one, *ADMINISTERED[:2])
    family.organization.delegate(other, ADMINISTERED[2])
    asked, told, shared = find(family, run_family, *flags)
    assert asked.keys() == {one.id, other.id}
    assert sorted(told) == [
        f"{name} in {region}: {administrator.id} reads for 12 accounts"
        for name, administrator in (("GuardDuty", one), ("Inspector", other), ("Security Hub", one))
        for region in (sorted(REGIONS) if flags == BOTH else REGIONS[:1])
    ]
    by_account, told, rows = find(family, run_family, "--per-account-reads", *flags)
    assert told == []
    assert by_account.keys() == {account.id for account in family.accounts}
    assert asked.total() < by_account.total() / 2
    same(shared, rows, FOUND)
    accounts = {row["account_id"][0] for row in shared["guard_duty_findings"]}
    assert accounts == {account.id for account in family.accounts}
    detectors = {row["account_id"][0]: row["detector_id"] for row in shared["guard_duty_findings"]}
    assert len(set(detectors.values())) == 12


def test_findings_of_accounts_that_an_administrator_does_not_see_are_read_by_themselves(
    make_family: MakeFamily, run_family: RunFamily
) -> None:
    """Also all that is open, as an account's first document has it."""
    family = make_family(FINDERS)
    administrator, stranger, new = family.accounts[1:4]
    family.organization.delegate(administrator, *ADMINISTERED)
    administrator.delegated_for = tuple(
        name for name in administrator.delegated_for if name != stranger.id
    )
    administrator.touch()
    old = tuple(account for account in family.accounts if account is not new)
    asked, _, shared = find(family, run_family, old=old)
    assert asked.keys() == {administrator.id, stranger.id, new.id}
    _, _, rows = find(family, run_family, "--per-account-reads", old=old)
    same(shared, rows, FOUND)
    assert not [c for c in family.embedded.calls if c.error]


REFUSED = (
    ("organizations", "ListDelegatedAdministrators", 3),
    ("securityhub", "ListMembers", 1),
    ("securityhub", "GetFindings", 1),
    ("guardduty", "ListFindings", 1),
    ("guardduty", "GetFindings", 1),
    ("inspector2", "ListFindings", 1),
)


@pytest.mark.parametrize(("service", "operation", "services"), REFUSED)
def test_accounts_read_their_own_findings_where_their_administrator_is_refused(
    service: str, operation: str, services: int, make_family: MakeFamily, run_family: RunFamily
) -> None:
    family = make_family(FINDERS)
    family.organization.delegate(family.accounts[1], *ADMINISTERED)
    by_id = (service, operation) == ("guardduty", "GetFindings")  # whose they are it does not say
    family.embedded.switches.fail(
        service, operation, "AccessDeniedException", "not authorized to perform this",
        times=1 if by_id else None, predicate=None if by_id else about_several,
    )  # fmt: skip
    _, told, shared = find(family, run_family)
    refused = [text for text in told if "accounts read their own" in text]
    assert len(refused) == services
    assert all(f"since {service}:{operation} denied" in text for text in refused)
    family.embedded.switches.reset()
    _, _, rows = find(family, run_family, "--per-account-reads")
    same(shared, rows, FOUND)


def about_several(request: ApiRequest) -> bool:
    """Whether a request lists administrators or members, or what is of several accounts."""
    accounts = re.findall(r"\b\d{12}\b", repr(request.params))
    return request.operation.startswith(("ListDelegated", "ListMembers")) or len(accounts) > 1
