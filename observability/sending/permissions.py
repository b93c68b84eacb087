"""What an identity can read: --check and --list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import NamedTuple

from observability.aws.errors import aws_errors, classify_error, describe_error
from observability.aws.session import Aws
from observability.collecting.collector import REGIONAL, Collector, Probe
from observability.collecting.organization import assume_account_role
from observability.collecting.run import AccountRun, Run
from observability.collecting.scan import Scan
from observability.collectors import CATEGORIES, COLLECTORS
from observability.contract import DATA_PREFIXES, FAIL, SKIPPED
from observability.log import Log, printable, shortened
from observability.sending.accounts import find_targets
from observability.sending.bucket import document_key
from observability.settings.sender import BY_NAME, UPLOADING, Settings, read_settings
from observability.settings.values import Target


class AWSBoto3Permissions:
    """What this identity can and cannot read, by asking AWS for the least of each kind.

    Each probe is a real call with a page as small as AWS allows; the one to Cost Explorer costs
    $0.01. Calls that need the name of a thing are not probed.
    """

    def __init__(self, scan: Scan | None = None) -> None:
        self.scan = scan or own_scan(read_settings({}, CATEGORIES, uploads=False), Log())

    def test(self) -> list[tuple[str, str, str, str]]:
        """(category, call, yes | no | off, reason) for each probe."""
        settings = self.scan.settings
        wanted = {*(settings.only or CATEGORIES)} - settings.skip
        probes: dict[str, tuple[Collector, Probe]] = {}
        for collector in (one for one in COLLECTORS if one.category in wanted):
            for probe in collector.probes:
                probes.setdefault(probe.call, (collector, probe))
        with ThreadPoolExecutor(8, "probe") as pool:
            return list(pool.map(lambda pair: self._probe(*pair), probes.values()))

    def _probe(self, collector: Collector, probe: Probe) -> tuple[str, str, str, str]:
        from botocore import xform_name

        category, call, parameters = collector.category, probe.call, probe.parameters
        service, _, operation = call.partition(":")
        everywhere = collector.scope != REGIONAL and service not in ("ec2", "rds")
        client = self.scan.global_client(service) if everywhere else self.scan.client(service)
        asked = parameters(self.scan) if callable(parameters) else parameters
        try:
            getattr(client, xform_name(operation))(**asked)
        except aws_errors() as error:
            meaning, what, detail = classify_error(error)
            if meaning == FAIL:
                return category, call, "no", f"{what}: {detail}"
            if meaning == SKIPPED:
                return category, call, "off", what
        return category, call, "yes", ""


def table(rows: Iterable[Sequence[str]]) -> None:
    """Print rows in columns."""
    lines = list(rows)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        cells = (printable(cell).ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(cells).rstrip())


def list_collectors() -> int:
    """--list: what is collected, from where, and what a past day means to it."""
    table(
        [
            ("CATEGORY", "SCOPE", "PAST DAY", "ESSENTIAL", "IAM ACTIONS"),
            *(
                (
                    c.category,
                    c.scope,
                    c.backfill,
                    "yes" if c.essential else "no",
                    " ".join(c.actions),
                )
                for c in COLLECTORS
            ),
        ]
    )
    return 0


def own_scan(settings: Settings, log: Log) -> Scan:
    """A scan for a check of the caller's own account."""
    run = Run(settings, log)
    run.identify()
    return Scan.for_check(AccountRun(run, run.caller), settings)


def check(settings: Settings, log: Log) -> int:
    """--check: what this identity can read; 1 if an essential category cannot be."""
    if settings.several:
        return check_accounts(settings, log)
    scan = own_scan(settings, log)
    found = AWSBoto3Permissions(scan).test()
    uploads = try_upload(scan.aws, settings, scan.account)
    table([("CATEGORY", "CALL", "READABLE", "REASON"), *found, (UPLOAD, PUT, *uploads)])
    return int(lacks_essential(found) or uploads[0] == "no")


def lacks_essential(found: Iterable[tuple[str, str, str, str]]) -> bool:
    """Whether something of an essential category cannot be read."""
    return any(row[2] == "no" and CATEGORIES[row[0]].essential for row in found)


def try_upload(caller: Aws, settings: Settings, account: str) -> tuple[str, str]:
    """Whether a document of an account could be put: an upload in parts is begun and aborted.

    Nothing is stored and no event sent by that, and S3 checks bucket and key as for a document
    (S3: CreateMultipartUpload, AbortMultipartUpload).
    """
    if missing := [BY_NAME[name].label for name in UPLOADING if not getattr(settings, name)]:
        return "off", f"not tried: {' and '.join(missing)} not set"
    client = caller.client("s3", settings.region)
    key = document_key(DATA_PREFIXES[0], account, settings.region, datetime.now(UTC).date())
    place = {"Bucket": str(settings.bucket), "Key": key}
    how = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": settings.kms_key}
    try:
        begun = client.create_multipart_upload(**place, **how)
        client.abort_multipart_upload(**place, UploadId=begun["UploadId"])
    except aws_errors() as error:
        return "no", describe_error(error)
    return "yes", ""


UPLOAD, PUT = "(upload)", "s3:PutObject"
"""In the place of a category or an account: the bucket and the key of the documents."""


def check_accounts(settings: Settings, log: Log) -> int:
    """--check over several accounts: a line for each, with what its role cannot read.

    1 if a role cannot be assumed or cannot read something essential, or nothing can be uploaded.
    """
    run = Run(settings, log)
    run.identify()
    caller = run.caller
    targets = find_targets(
        caller, settings, lambda why, account: log.say("INFO", f"{account} is left out: {why}")
    )
    with ThreadPoolExecutor(settings.at_once, "account") as pool:
        checked = list(pool.map(lambda target: check_target(run, settings, target), targets))
    uploads = try_upload(caller, settings, targets[0].account)
    heads = ("ACCOUNT", "ROLE", "ASSUMABLE", "READABLE", "REASON")
    rows = [(target.account, *row.cells) for target, row in zip(targets, checked, strict=True)]
    table([heads, *rows, (UPLOAD, PUT, uploads[0], "", uploads[1])])
    return int(not all(row.well for row in checked) or uploads[0] == "no")


class Checked(NamedTuple):
    """What came of the check of one account of several."""

    well: bool
    cells: tuple[str, str, str, str]


def check_target(run: Run, settings: Settings, target: Target) -> Checked:
    """Assume the role of an account, and try what it can read."""
    try:
        aws = assume_account_role(run.caller, settings, target.account)
    except aws_errors() as error:
        return Checked(False, (settings.role_name, "no", "", describe_error(error)))
    try:
        account = AccountRun(run, aws, target.listed)
        found = AWSBoto3Permissions(Scan.for_check(account, settings)).test()
    finally:
        aws.close()
    own = "the caller's own" if target.account == run.caller.account else ""
    # A reason begins with the call and the error; AWS's own message follows.
    refused = [reason.split(": ", 1)[0] for *_, readable, reason in found if readable == "no"]
    readable = f"{len(found) - len(refused)} of {len(found)}"
    reason = "; ".join(filter(None, (own, shortened(refused, SHOWN, "; "))))
    return Checked(not lacks_essential(found), (str(aws.identity["Arn"]), "yes", readable, reason))


SHOWN = 5
"""Refused calls that a line names; a role without any permission would have a line of pages."""
