"""What accounts hold in moto: created there with boto3, from the account's own description.

Only kinds whose lists no canned answer gives are created. moto keeps the names that it is given,
but chooses identifiers and times of its own.
"""

from __future__ import annotations

from tests.cloud.accounts import Account
from tests.cloud.moto_backend import MotoBackend


def seed(moto: MotoBackend, account: Account) -> None:
    """Create the account's buckets and so forth."""
