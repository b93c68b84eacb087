"""Who calls: access keys, the identities behind them, and the Security Token Service."""

from __future__ import annotations

import secrets
import string
import threading
from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.cloud.answers.core import AwsError

USER = "observability"
"""The IAM user whose access key `AccessKeys.user_key` gives out in every account."""

SECRET_KEY = "the-embedded-cloud-checks-no-signatures"
LETTERS = string.ascii_uppercase + "234567"


@dataclass(frozen=True)
class Identity:
    """The principal behind an access key; a user's key never expires, a role's does."""

    account: str
    arn: str
    user_id: str
    role_arn: str = ""
    expires: datetime | None = None

    def is_expired(self, now: datetime) -> bool:
        """Whether the session is over."""
        return self.expires is not None and self.expires <= now


@dataclass(frozen=True)
class Trust:
    """Who may assume a role: accounts, and only with the external id if there is one."""

    accounts: frozenset[str]
    external_id: str | None = None

    def allows(self, caller: Identity, params: dict[str, Any]) -> bool:
        """Whether the role's trust policy lets an identity in."""
        known = self.external_id is None or params.get("ExternalId") == self.external_id
        return known and caller.account in self.accounts


class AccessKeys:
    """All access keys of the cloud. An account has the roles that were made in it; one in which
    none was made lets everybody assume any.

    Attributes:
        may_assume: decides whether an identity may assume a role, given the parameters of
            AssumeRole; by default everybody may.
        lifetime: longest validity of a session, whatever is asked for; None is as asked.
    """

    def __init__(self) -> None:
        self.may_assume: Callable[[Identity, dict[str, Any]], bool] = lambda _identity, _params: (
            True
        )
        self.lifetime: timedelta | None = None
        self._roles: dict[str, dict[str, Trust]] = {}
        self._identities: dict[str, Identity] = {}
        self._lock = threading.Lock()

    def user_key(self, account_id: str) -> str:
        """The access key of the account's own user."""
        key = f"AKIA0000{account_id}"
        arn = f"arn:aws:iam::{account_id}:user/{USER}"
        with self._lock:
            self._identities.setdefault(key, Identity(account_id, arn, f"AIDA0000{account_id}"))
        return key

    def make_role(
        self, account_id: str, name: str, *trusted: str, external_id: str | None = None
    ) -> None:
        """Make a role that identities of the trusted accounts may assume."""
        trust = Trust(frozenset(trusted), external_id)
        self._roles.setdefault(account_id, {})[f"arn:aws:iam::{account_id}:role/{name}"] = trust

    def trusts(self, caller: Identity, account_id: str, params: dict[str, Any]) -> bool:
        """Whether the role exists and its trust policy lets the caller assume it."""
        roles = self._roles.get(account_id)
        if roles is None:
            return True
        trust = roles.get(params["RoleArn"])
        return trust is not None and trust.allows(caller, params)

    def find(self, access_key: str) -> Identity | None:
        """The identity behind a key, None for an unknown one."""
        with self._lock:
            return self._identities.get(access_key)

    def assume(
        self, caller: Identity, params: dict[str, Any], now: datetime, accounts: Container[str]
    ) -> dict[str, Any]:
        """Answer AssumeRole: a session of the role, with keys that lead to its account.

        AWS refuses a role, account or trust that does not exist all in the same words.
        """
        role_arn, session = params["RoleArn"], params["RoleSessionName"]
        account = role_arn.split(":")[4] if role_arn.count(":") > 4 else ""
        trusted = self.trusts(caller, account, params)
        if account not in accounts or not trusted or not self.may_assume(caller, params):
            message = (
                f"User: {caller.arn} is not authorized to perform: sts:AssumeRole "
                f"on resource: {role_arn}"
            )
            raise AwsError("AccessDenied", message, 403)
        role_name = role_arn.rpartition("/")[2]
        asked = timedelta(seconds=params.get("DurationSeconds", 3600))
        expires = now + min(asked, self.lifetime or asked)
        arn = f"arn:aws:sts::{account}:assumed-role/{role_name}/{session}"
        role_id = f"AROA0000{account}:{session}"
        access_key = "ASIA" + "".join(secrets.choice(LETTERS) for _ in range(16))
        with self._lock:
            self._identities[access_key] = Identity(account, arn, role_id, role_arn, expires)
        return {
            "Credentials": {
                "AccessKeyId": access_key,
                "SecretAccessKey": SECRET_KEY,
                "SessionToken": secrets.token_urlsafe(48),
                "Expiration": expires.astimezone(UTC).replace(microsecond=0),
            },
            "AssumedRoleUser": {"AssumedRoleId": role_id, "Arn": arn},
        }


def caller_identity(caller: Identity) -> dict[str, Any]:
    """Answer GetCallerIdentity."""
    return {"UserId": caller.user_id, "Account": caller.account, "Arn": caller.arn}
