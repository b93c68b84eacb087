"""Trails of CloudTrail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from observability.collectors.security.cloudtrail import trail_row
from tests.collectors.losses import Denial, gone, security, without
from tests.collectors.registry import MadeOf
from tests.collectors.truth import Place, Truth
from tests.runs import Row


def cloudtrail(place: Place) -> Iterator[Row]:
    """The region's trails; at home also those that are kept elsewhere and shown here."""
    account, found = place.account, list(place.own("cloudtrail", "trails"))
    if place.home:
        found += place.own("cloudtrail", "organization_trails")
        for region in set(account.regions) - {place.region, *place.others}:
            trails = account.items("cloudtrail", "trails", region)
            found += [held for held in trails if held["IsMultiRegionTrail"]]
    states = {
        held["TrailARN"]: held
        for region in account.regions
        for held in account.items("cloudtrail", "statuses", region)
    }
    newest = max((held["EventTime"] for held in place.own("cloudtrail", "events")), default=None)
    for held in found:
        yield {
            "name": held["Name"],
            "arn": held["TrailARN"],
            "is_logging": states[held["TrailARN"]]["IsLogging"],
            "is_multi_region": held["IsMultiRegionTrail"],
            "s3_bucket": held["S3BucketName"],
            "kms_key_id": held.get("KmsKeyId"),
            "log_file_validation": held["LogFileValidationEnabled"],
            "latest_delivery_time": states[held["TrailARN"]]["LatestDeliveryTime"],
            "is_organization_trail": held["IsOrganizationTrail"],
            "home_region": held["HomeRegion"],
            "latest_event_time": newest,
        }


TRUTH: Mapping[str, Truth] = {
    "security.cloudtrail": Truth(cloudtrail, "cloudtrail_logs", ("arn",)),
}

DENIALS: Mapping[str, Denial] = {
    "cloudtrail:DescribeTrails": security(cloudtrail=gone),
    "cloudtrail:GetTrailStatus": security(cloudtrail=without("is_logging", "latest_delivery_time")),
    "cloudtrail:LookupEvents": security(cloudtrail=without("latest_event_time")),
}

MADE_OF: Mapping[str, MadeOf] = {
    "trail": (trail_row, "cloudtrail", "DescribeTrails", "trailList"),
}
