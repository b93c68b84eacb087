"""The names that sender, receiver and other programs agree on: statuses, keys, format."""

from __future__ import annotations

DOCUMENT_FORMAT = 1

PASS, FAIL, SKIPPED = "Pass", "Fail", "Skipped"
STATUSES = (PASS, FAIL, SKIPPED, "None")
"""What a category's status may be; the last is of one that --only left out."""

INTERVAL = "DAILY"
DATA_PREFIXES = ("data", "loaded")
ACCOUNTS_PREFIX = "accounts/"


def accounts_key(lister: str) -> str:
    """Where the list of accounts lies that a run of the account `lister` leaves."""
    return f"{ACCOUNTS_PREFIX}{lister}.json"


def uploads_folder(account: str) -> str:
    """Where notes lie that a run over several accounts has uploaded an account's documents."""
    return f"uploads/{account}/"


LOGS = "logs"
