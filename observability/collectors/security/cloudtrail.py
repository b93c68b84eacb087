"""security.cloudtrail: trails and whether they log."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from observability.aws.errors import NO_VALUE, ExpectedError
from observability.collecting.collector import NOW, Part, Probe
from observability.collecting.parallel import map_items
from observability.collecting.result import CategoryResult
from observability.collecting.scan import Scan, open_regions
from observability.collecting.window import Window
from observability.dates import midnight, to_iso
from observability.rows import RowMapper, iso_time, listed

if TYPE_CHECKING:
    from mypy_boto3_cloudtrail import CloudTrailClient


trail_row = RowMapper(
    name="Name", arn="TrailARN", is_multi_region="IsMultiRegionTrail", s3_bucket="S3BucketName",
    kms_key_id="KmsKeyId", log_file_validation="LogFileValidationEnabled",
    is_organization_trail="IsOrganizationTrail", home_region="HomeRegion",
)  # fmt: skip
trail_status_row = RowMapper(
    is_logging="IsLogging", latest_delivery_time=iso_time("LatestDeliveryTime")
)


def get_cloudtrail_security(scan: Scan, result: CategoryResult) -> None:
    """Trails, whether they log, and the time of the newest event (CloudTrail).

    A trail is listed in its home region; in this account's home region also those that other
    regions, or the organization, replicate there. latest_event_time is a check of activity: the
    newest of up to five management events since the window began, of the region, not the trail.
    """
    client: CloudTrailClient = scan.client("cloudtrail")
    answer = client.describe_trails(includeShadowTrails=scan.home)
    trails = listed([answer], "trailList", "TrailARN")
    others = set(open_regions(scan, result)) - {scan.region} if scan.home else set()
    latest = result.try_read(lambda: latest_event(client, scan.window))
    for trail, status in map_items(
        scan.aws,
        [trail for trail in trails if trail.get("HomeRegion") not in others],
        lambda trail: client.get_trail_status(Name=trail["TrailARN"]),
        result,
    ):
        result.emit(
            trail_row(trail, **trail_status_row(status or {}), latest_event_time=latest),
            "cloudtrail",
        )


def latest_event(client: CloudTrailClient, window: Window) -> str | None:
    """When the newest event in the window was recorded (LookupEvents; AWS allows two a second)."""
    pages = client.get_paginator("lookup_events").paginate(
        StartTime=midnight(window.start), EndTime=window.until, PaginationConfig={"PageSize": 5}
    )
    for page in itertools.islice(pages, FEW):
        if events := [*listed([page], "Events", "EventTime")]:
            return to_iso(max(item["EventTime"] for item in events))
    return None


FEW = 3
"""Pages without an event after which there is taken to be none."""


UNKNOWN_TRAIL = "the status of the organization's trail is its owner's to know"

EXPECTED_ERRORS = (
    ExpectedError(
        "cloudtrail:GetTrailStatus", "TrailNotFoundException", NO_VALUE, UNKNOWN_TRAIL
    ),
    ExpectedError(
        "cloudtrail:GetTrailStatus", "CloudTrailARNInvalidException", NO_VALUE, UNKNOWN_TRAIL,
        "you can only access resources with AccountID",
    ),
    ExpectedError("cloudtrail:GetTrailStatus", "UnsupportedOperationException", NO_VALUE),
    # A trail of another region or account that is shown here, asked for by its ARN.
    ExpectedError(
        "cloudtrail:GetTrailStatus", "InvalidTrailNameException", NO_VALUE, UNKNOWN_TRAIL
    ),
    # An organization's trail, asked for by a member.
    ExpectedError(
        "cloudtrail:GetTrailStatus", "OperationNotPermittedException", NO_VALUE, UNKNOWN_TRAIL
    ),
)  # fmt: skip

PART = Part(
    name="cloudtrail",
    collect=get_cloudtrail_security,
    backfill=NOW,
    actions=(
        "cloudtrail:DescribeTrails",
        "cloudtrail:GetTrailStatus",
        "cloudtrail:LookupEvents",
    ),
    resources={
        "cloudtrail:GetTrailStatus": (
            "cloudtrail:*:*:trail/*",
        ),  # an organization's trail belongs to the management account
    },
    probes=(
        Probe("cloudtrail:DescribeTrails"),
        Probe("cloudtrail:LookupEvents", {"MaxResults": 1}),
    ),
    expected_errors=EXPECTED_ERRORS,
)
