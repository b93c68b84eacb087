"""Whether policies allow a request, decided as AWS decides it.

As far as the templates in deploy/ go: Allow and Deny, Action and Resource with wildcards,
principals, the condition operators below, `${aws:PrincipalAccount}` and its like, and how the
policies of an identity and of a resource combine within an account and across accounts. What a
policy uses beyond that is an error here, never silently ignored.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

Statement = Mapping[str, Any]

VARIABLE = re.compile(r"\$\{([^}]+)\}")
KNOWN_ELEMENTS = {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}


@dataclass(frozen=True)
class Ask:
    """One permission that a request needs.

    Attributes:
        owner: the account that the resource belongs to.
        context: condition keys of the request in lower case; those of the principal are added.
    """

    action: str
    resource: str
    owner: str
    principal: str
    organization: str
    context: Mapping[str, str] = field(default_factory=dict)

    @property
    def account(self) -> str:
        """The account of who asks."""
        return self.principal.split(":")[4]

    @property
    def keys(self) -> dict[str, str]:
        """All condition keys."""
        return {
            "aws:principalaccount": self.account,
            "aws:principalarn": self.principal,
            "aws:principalorgid": self.organization,
            **self.context,
        }


class Verdict(Enum):
    """What one policy says of a request; DELEGATED leaves it to the identity's own policies."""

    SILENT = 0
    DELEGATED = 1
    ALLOWED = 2
    DENIED = 3


def is_allowed(
    ask: Ask, identity: Iterable[Statement], resource: Iterable[Statement] | None = None
) -> bool:
    """Whether a request is allowed by the policies of who asks and of what is asked for.

    Within an account either of the two may allow it, but a KMS key, whose policy has to allow or
    to delegate it. Across accounts both have to. A Deny in either is final.
    """
    own = judge(ask, identity, of_resource=False)
    other = judge(ask, resource, of_resource=True) if resource is not None else Verdict.SILENT
    if Verdict.DENIED in (own, other):
        return False
    if ask.account != ask.owner:
        return own is Verdict.ALLOWED and other in (Verdict.ALLOWED, Verdict.DELEGATED)
    if other is Verdict.ALLOWED:
        return True
    is_key = ask.action.startswith("kms:") and resource is not None
    return own is Verdict.ALLOWED and (not is_key or other is Verdict.DELEGATED)


def judge(ask: Ask, policy: Iterable[Statement], *, of_resource: bool) -> Verdict:
    """What one policy says; of a resource's policy the principals count, too."""
    verdict = Verdict.SILENT
    for statement in policy:
        said = applies(ask, statement, of_resource=of_resource)
        if said is Verdict.SILENT:
            continue
        if statement["Effect"] == "Deny":
            return Verdict.DENIED
        verdict = max(verdict, said, key=lambda one: one.value)
    return verdict


def applies(ask: Ask, statement: Statement, *, of_resource: bool) -> Verdict:
    """SILENT if a statement does not concern the request; else how its principal is meant."""
    unknown = statement.keys() - KNOWN_ELEMENTS
    if unknown:
        raise ValueError(f"policies with {', '.join(sorted(unknown))} are not understood")
    keys = ask.keys
    if not any(like(ask.action.lower(), p.lower()) for p in several(statement["Action"])):
        return Verdict.SILENT
    patterns = [fill(pattern, keys) for pattern in several(statement["Resource"])]
    if not any(pattern is not None and like(ask.resource, pattern) for pattern in patterns):
        # In the policy of a key "*" is the key itself, which `like` has answered.
        return Verdict.SILENT
    if not all(met(*condition, keys) for condition in conditions(statement)):
        return Verdict.SILENT
    return principal_of(ask, statement["Principal"]) if of_resource else Verdict.ALLOWED


def principal_of(ask: Ask, principal: Any) -> Verdict:
    """How a principal is meant: who asks, the account that who asks is in, or somebody else."""
    if principal == "*":
        return Verdict.ALLOWED
    named = several(principal.get("AWS", ()))
    if "*" in named or ask.principal in named:
        return Verdict.ALLOWED
    root = f"arn:aws:iam::{ask.account}:root"
    return Verdict.DELEGATED if {root, ask.account} & set(named) else Verdict.SILENT


def several(value: str | Sequence[str]) -> Sequence[str]:
    """An element that may be one or a list."""
    return [value] if isinstance(value, str) else value


def like(value: str, pattern: str) -> bool:
    """Whether a value matches a pattern with `*` and `?`, the only wildcards there are."""
    return fnmatch.fnmatchcase(value, pattern.replace("[", "[[]"))


def fill(pattern: str, keys: Mapping[str, str]) -> str | None:
    """A pattern with its variables put in; None, which matches nothing, if one has no value."""
    names = VARIABLE.findall(pattern)
    if any(name.lower() not in keys for name in names):
        return None
    return VARIABLE.sub(lambda found: keys[found[1].lower()], pattern)


def conditions(statement: Statement) -> Iterable[tuple[str, str, Sequence[str]]]:
    """The conditions of a statement, (operator, key, values): all have to be met."""
    for operator, tests in statement.get("Condition", {}).items():
        for key, values in tests.items():
            yield operator, key.lower(), several(values)


def equal(value: str, pattern: str) -> bool:
    """String comparison without wildcards."""
    return value == pattern


def same_truth(value: str, pattern: str) -> bool:
    """Comparison of `true` and `false`."""
    return value.lower() == pattern.lower()


OPERATORS: Mapping[str, tuple[Callable[[str, str], bool], bool]] = {
    "StringEquals": (equal, False),
    "StringNotEquals": (equal, True),
    "StringLike": (like, False),
    "StringNotLike": (like, True),
    "ArnEquals": (like, False),
    "ArnLike": (like, False),
    "ArnNotEquals": (like, True),
    "ArnNotLike": (like, True),
    "Bool": (same_truth, False),
}
"""How an operator compares, and whether it is negated: then a key without a value meets it."""


def met(operator: str, key: str, values: Sequence[str], keys: Mapping[str, str]) -> bool:
    """Whether one condition is met: by any of its values, or by none if it is negated."""
    if operator == "Null":
        return any(same_truth(str(key not in keys), value) for value in values)
    if operator not in OPERATORS:
        raise ValueError(f"the condition operator {operator} is not understood")
    compare, negated = OPERATORS[operator]
    if key not in keys:
        return negated
    patterns = [fill(value, keys) for value in values]
    found = any(pattern is not None and compare(keys[key], pattern) for pattern in patterns)
    return found != negated
