"""What an identity can read: --check and --list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from observability.aws.errors import aws_errors, classify_error, describe_error
from observability.aws.session import Aws
from observability.collecting.collector import REGIONAL, Collector, Probe
from observability.collecting.organization import assume_account_role
from observability.collecting.run import Run
from observability.collecting.scan import Scan
from observability.collectors import CATEGORIES, COLLECTORS
from observability.contract import DATA_PREFIXES, FAIL, SKIPPED
from observability.log import Log, printable
from observability.sending.accounts import find_targets
from observability.sending.bucket import document_key
from observability.settings.sender import Settings, read_settings
from observability.settings.values import Target


class AWSBoto3Permissions:
    """What this identity can and cannot read, by asking AWS for the least of each kind.

    Each probe is a real call with a page as small as AWS allows; the one to Cost Explorer costs
    $0.01. Calls that need the name of a thing are not probed.
    """

    def __init__(self, scan: Scan | None = None) -> None:
        self.scan = scan or Scan.for_check(read_settings({}, CATEGORIES, uploads=False), Log())

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


def check(settings: Settings, log: Log) -> int:
    """--check: what this identity can read; 1 if an essential category cannot be."""
    if settings.several:
        return check_accounts(settings, log)
    scan = Scan.for_check(settings, log)
    found = AWSBoto3Permissions(scan).test()
    uploads = [try_upload(scan.aws, settings)] if settings.bucket and settings.kms_key else []
    table([("CATEGORY", "CALL", "READABLE", "REASON"), *found, *uploads])
    missing = any(held[2] == "no" and CATEGORIES[held[0]].essential for held in found)
    return int(missing or any(held[2] == "no" for held in uploads))


def try_upload(caller: Aws, settings: Settings) -> tuple[str, str, str, str]:
    """Whether a document could be put: an upload in parts is begun and aborted.

    Nothing is stored and no event sent by that, and S3 checks bucket and key as for a document
    (S3: CreateMultipartUpload, AbortMultipartUpload).
    """
    client = caller.client("s3", settings.region)
    key = document_key(DATA_PREFIXES[0], caller.account, settings.region, datetime.now(UTC).date())
    place = {"Bucket": str(settings.bucket), "Key": key}
    how = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": settings.kms_key}
    try:
        begun = client.create_multipart_upload(**place, **how)
        client.abort_multipart_upload(**place, UploadId=begun["UploadId"])
    except aws_errors() as error:
        return UPLOAD, "s3:PutObject", "no", describe_error(error)
    return UPLOAD, "s3:PutObject", "yes", ""


UPLOAD = "(upload)"
"""In the place of a category: the bucket and the key of the documents."""


def check_accounts(settings: Settings, log: Log) -> int:
    """--check over several accounts: whether each can be entered; 1 if one cannot."""
    caller = Run(settings, log).caller
    caller.identify()
    targets = find_targets(
        caller, settings, lambda why, account: log.say("INFO", f"{account} is left out: {why}")
    )

    def try_role(target: Target) -> tuple[str, str, str, str]:
        try:
            aws = assume_account_role(caller, settings, target.account)
        except aws_errors() as error:
            return target.account, settings.role_name, "no", describe_error(error)
        arn = str(aws.identity["Arn"])
        aws.close()
        return (
            target.account,
            arn,
            "yes",
            "the caller's own" if target.account == caller.account else "",
        )

    with ThreadPoolExecutor(settings.at_once, "account") as pool:
        found = list(pool.map(try_role, targets))
    table([("ACCOUNT", "ROLE", "ASSUMABLE", "REASON"), *found])
    return int(any(held[2] == "no" for held in found))
