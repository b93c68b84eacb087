"""Taking documents out again: their account's rows are made anew from all others."""

from __future__ import annotations

from collections.abc import Sequence

from observability.database.client import DBManager
from observability.errors import UsageError
from observability.log import log_event
from observability.receiving.bucket import S3Manager
from observability.receiving.files import KEY, File
from observability.receiving.removal import erase_rows
from observability.settings.values import split

REASON = "taken out by --forget"
FORGOTTEN = "forgotten"
"""Apart from what was refused, which --retry-rejected loads again."""

PRODUCTS_SQL = """
DELETE FROM products p WHERE p.description IS NULL AND p.position IS NULL
    AND (p.document_id IS NOT NULL OR key_text(lower(p.name)) = 'none')
    AND NOT EXISTS (SELECT FROM product_accounts a WHERE a.product_id = p.id)"""
"""Those that nobody has any more; the documents that name them make them again.

What people or the hub made stays.
"""


def forget_documents(s3: S3Manager, db: DBManager, given: str, *, dry_run: bool) -> None:
    """Move loaded documents to forgotten/, delete their account's rows, and put the others back.

    What is put back under data/ is to be loaded next. Rows of one document cannot be told from
    those of others, as a document may have changed, ended or deleted what others had said; so all
    of the account's are made anew, once for all keys that are `given`. It may be repeated: where
    it was broken off, it goes on. Raises UsageError where there is no such document, or others of
    the account wait.
    """
    keys = split(given) or (given,)
    account = account_of(keys)
    there = {file.key: file for file in s3.list_files(f"loaded/{account}/")}
    for key in keys:
        if key not in there and not s3.lies_under(FORGOTTEN, key.partition("/")[2]):
            raise UsageError(f"--forget {key}: there is no such object in the bucket {s3.bucket}")
    if next(s3.list_files(f"data/{account}/"), None):
        raise UsageError(f"--forget: documents of {account} wait: load them first")
    others = [file for key, file in there.items() if file.account and key not in keys]
    would = "would be " if dry_run else ""
    again = f"{len(others)} documents of {account} {would or 'are '}loaded again"
    log_event("INFO", f"{', '.join(keys)}: {would}taken out, {again}", account=account)
    if dry_run:
        return
    for key in (key for key in keys if key in there):
        if not s3.reject(there[key], [REASON], FORGOTTEN):
            raise UsageError(f"--forget {key}: the object was replaced meanwhile; try again")
    make_anew(s3, db, account, others)


def account_of(keys: Sequence[str]) -> str:
    """The account of these keys; UsageError unless each is under loaded/, and all are of one."""
    accounts = set()
    for key in keys:
        place, _, rest = key.partition("/")
        named = KEY.fullmatch(rest)
        if place != "loaded" or not named:
            text = f"--forget {key or repr(key)}: give the key of a document under loaded/"
            raise UsageError(text)
        accounts.add(named[1])
    if len(accounts) > 1:
        raise UsageError(f"--forget: keys of {len(accounts)} accounts: give those of one account")
    return accounts.pop()


def make_anew(s3: S3Manager, db: DBManager, account: str, files: list[File]) -> None:
    """Delete the rows of an account, then put its documents back; an event may load them at once.

    So the rows go first: a document that the database knows would only be moved.
    """
    counts = erase_rows(db, account)
    db.execute(PRODUCTS_SQL, {})
    for file in files:
        s3.copy(file, f"data/{file.rest}", IfNoneMatch="*")
    log_event("INFO", f"{account}: {counts.total()} rows are made anew", account=account)
