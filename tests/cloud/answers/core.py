"""What all answers share: the call, its errors, the request's rules, pages and filters.

An answer is a function of a `Call` that returns the response as boto3 would show it. The gateway
has held the request to botocore's model before; here it is held to the region where AWS serves
the API, and to what no model says.
"""

from __future__ import annotations

import functools
import hashlib
import json
import threading
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from tests.cloud.accounts import GLOBAL, GLOBAL_REGION, Account, Cloud, Item

Answer = Callable[["Call"], dict[str, Any]]
Test = Callable[[Item], bool]
Made = TypeVar("Made")

ANSWERS: dict[tuple[str, str], Answer] = {}
"""(botocore's service name, operation name) to what answers it."""

ONE_REGION = frozenset(
    {
        "account",
        "ce",
        "cost-optimization-hub",
        "health",
        "marketplace-agreement",
        "marketplace-entitlement",
        "organizations",
        "support",
    }
)
"""Services that AWS serves from us-east-1 only."""

INVALID = {
    "ce": "ValidationException",
    "compute-optimizer": "InvalidParameterValueException",
    "guardduty": "BadRequestException",
    "marketplace-entitlement": "InvalidParameterException",
    "organizations": "InvalidInputException",
    "secretsmanager": "InvalidParameterException",
    "securityhub": "InvalidInputException",
    "wafv2": "WAFInvalidParameterException",
}
"""How services that do not say ValidationException call a request that breaks a rule."""

BAD_TOKEN = {
    "ce": "InvalidNextTokenException",
    "cloudtrail": "InvalidNextTokenException",
    "config": "InvalidNextTokenException",
    "health": "InvalidPaginationToken",
    "kms": "InvalidMarkerException",
    "secretsmanager": "InvalidNextTokenException",
    "ssm": "InvalidNextToken",
}
"""How services name the error of a token that they did not give for these parameters."""


@dataclass(frozen=True)
class Call:
    """One request: who asks, where, for what, with which parameters (as boto3 takes them)."""

    cloud: Cloud
    account: Account
    region: str
    service: str
    operation: str
    params: dict[str, Any]

    def own(self, kind: str, service: str = "") -> list[Item]:
        """The caller's things of one kind in the region of the call."""
        return self.account.items(service or self.service, kind, self.region)

    def own_global(self, kind: str, service: str = "") -> list[Item]:
        """The caller's things of one kind that belong to no region."""
        return self.account.items(service or self.service, kind, GLOBAL)

    def visible(self, kind: str) -> Iterator[Item]:
        """What a delegated administrator sees: its own things, then its members'."""
        for account in (self.account, *self.members()):
            yield from account.items(self.service, kind, self.region)

    def members(self) -> list[Account]:
        """The accounts that the caller administers."""
        return [self.cloud.accounts[name] for name in self.account.delegated_for]

    def invalid(self, message: str) -> AwsError:
        """The error of a request that breaks a rule of the service."""
        return AwsError(INVALID.get(self.service, "ValidationException"), message)


class AwsError(Exception):
    """An error as AWS answers it."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def answer(service: str, *operations: str) -> Callable[[Answer], Answer]:
    """Register what answers the operations, in the region where AWS serves them."""

    def register(reply: Answer) -> Answer:
        @functools.wraps(reply)
        def in_its_region(call: Call) -> dict[str, Any]:
            check_region(call)
            return reply(call)

        for operation in operations:
            ANSWERS[service, operation] = in_its_region
        return in_its_region

    return register


def check_region(call: Call) -> None:
    """Refuse a global service asked for in another region than its own, as its endpoint does."""
    if call.service in ONE_REGION and call.region != GLOBAL_REGION:
        message = f"Credential should be scoped to a valid region, not '{call.region}'."
        raise AwsError("InvalidSignatureException", message, 403)


# Pages


def page(
    call: Call,
    items: Sequence[Any],
    *,
    token: str = "NextToken",
    size: str | None = "MaxResults",
    default: int = 100,
    maximum: int | None = None,
    token_out: str | None = None,
) -> tuple[list[Any], dict[str, str]]:
    """One page of the items and, if more follow, the member that carries the next token.

    `token` and `size` name the request's members (`size` None: the API has none), `default` is
    AWS's page size, `maximum` the most that AWS gives whatever was asked for. A token is bound to
    the operation, the caller, the region and all other parameters.
    """
    asked = call.params.get(size) if size else None
    length = min(asked or default, maximum or asked or default, call.cloud.page_size or 1 << 30)
    digest = parameters_digest(call, token, size)
    start = read_token(call, call.params.get(token), digest)
    end = start + length
    chunk = list(items[start:end])
    if end >= len(items):
        return chunk, {}
    return chunk, {token_out or token: make_token(end, digest)}


def parameters_digest(call: Call, *without: str | None) -> str:
    """A digest of the call less the members named."""
    params = {name: value for name, value in call.params.items() if name not in without}
    text = json.dumps(params, sort_keys=True, default=str)
    whole = "\n".join((call.service, call.operation, call.account.id, call.region, text))
    return hashlib.sha256(whole.encode()).hexdigest()[:16]


def make_token(offset: int, digest: str) -> str:
    """An opaque token, in digits that every API's pattern allows."""
    return f"{offset}:{digest}".encode().hex()


def read_token(call: Call, token: str | None, digest: str) -> int:
    """Where the page begins; a token that was not given for this request is an error."""
    if not token:
        return 0
    try:
        offset, bound = bytes.fromhex(token).decode().split(":")
        if bound == digest:
            return int(offset)
    except ValueError:
        pass
    code = BAD_TOKEN.get(call.service) or INVALID.get(call.service, "ValidationException")
    raise AwsError(code, "The specified token is not valid for this request.")


# Filters


_REMEMBERED: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
_REMEMBERED_LOCK = threading.Lock()
_REMEMBERED_MOST = 256


def memo(key: tuple[Any, ...], make: Callable[[], Made]) -> Made:
    """What `make` makes, kept while it is used; a key holds the revisions of its accounts."""
    with _REMEMBERED_LOCK:
        if key in _REMEMBERED:
            _REMEMBERED.move_to_end(key)
            return cast(Made, _REMEMBERED[key])
    made = make()
    with _REMEMBERED_LOCK:
        _REMEMBERED[key] = made
        while len(_REMEMBERED) > _REMEMBERED_MOST:
            _REMEMBERED.popitem(last=False)
    return made


def remembered(call: Call, find: Callable[[], Iterable[Any]], *without: str) -> list[Any]:
    """What `find` finds, remembered over the pages of one request.

    A listing of thousands of items is filtered once, not once per page. `without` names the
    parameters that do not matter (token and page size).
    """
    accounts = (call.account, *call.members(), *payees(call))
    revisions = tuple(account.revision for account in accounts)
    return memo((parameters_digest(call, *without), revisions), lambda: list(find()))


def grouped(call: Call, kind: str, path: str) -> dict[Any, list[Item]]:
    """The caller's things of one kind in the region, by the value at a dotted path."""

    def group() -> dict[Any, list[Item]]:
        groups: defaultdict[Any, list[Item]] = defaultdict(list)
        for item in call.own(kind):
            groups[dig(item, path)].append(item)
        return dict(groups)

    key = (call.service, kind, path, call.region, call.account.revision)
    return memo(key, group)


def payees(call: Call) -> list[Account]:
    """The accounts whose costs the caller pays and sees."""
    return [call.cloud.accounts[name] for name in call.account.payer_for]


def instant(value: Any) -> datetime:
    """A point in time from what requests and items carry: a datetime, text, or seconds."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    found = datetime.fromisoformat(value)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def dig(item: Any, path: str) -> Any:
    """The value at a dotted path of a nested dictionary, None where there is none."""
    for name in path.split("."):
        if not isinstance(item, Mapping):
            return None
        item = item.get(name)
    return item


def find(items: Iterable[Item], member: str, wanted: Any) -> Item | None:
    """The first item whose member has that value."""
    return next((item for item in items if item.get(member) == wanted), None)
