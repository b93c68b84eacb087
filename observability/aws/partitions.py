"""What botocore knows of AWS's partitions: their regions, and which services they have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COMMERCIAL = "aws"
LISTED = ("aws-cn", "aws-us-gov")
"""Partitions beside the commercial one whose lists of services are kept up to date: what they do
not list is not there. GovCloud, say, has no Cost Explorer, "billing information for GovCloud
accounts and regions are only available in the commercial partition":
https://docs.aws.amazon.com/govcloud-us/latest/UserGuide/usage-and-payment.html
"""


class Partition:
    """A partition by botocore's endpoints.json and partitions.json.

    The former lists regions by service and lags behind: it says why a service does not answer,
    not that one need not be asked.
    """

    def __init__(self, session: Any, name: str) -> None:
        self.session, self.name = session, name
        known = session._session.get_component("data_loader").load_data("partitions")["partitions"]
        self._facts: Mapping[str, Any] = next((p for p in known if p["id"] == name), {})

    @property
    def global_region(self) -> str | None:
        """Where AWS serves its global services; None of a partition that botocore knows not."""
        region: str | None = self._facts.get("outputs", {}).get("implicitGlobalRegion")
        return region

    def has_region(self, region: str) -> bool:
        """Whether it is a region of the partition."""
        return region in self._facts.get("regions", {}) or region in self.regions_of("ec2")

    def regions_of(self, service: str, partition: str = "") -> list[str]:
        """Where a service has an endpoint in each region; none of a global or unknown one."""
        found: list[str] = self.session.get_available_regions(service, partition or self.name)
        return found

    def lists(self, service: str, partition: str = "") -> bool:
        """Whether the partition has a service at all, global ones included."""
        return bool(
            self.session.get_available_regions(
                service, partition or self.name, allow_non_regional=True
            )
        )

    def lacks(self, service: str) -> bool:
        """Whether the partition does not have a service that the commercial one has."""
        return self.name in LISTED and not self.lists(service) and self.lists(service, COMMERCIAL)

    def is_unlisted(self, service: str) -> bool:
        """Whether botocore knows nothing of where a service is (as of Application Signals)."""
        return not self.lists(service) and not self.lists(service, COMMERCIAL)

    def lacks_in(self, service: str, region: str) -> bool:
        """Whether a region that is known does not have a service, by the lists."""
        if self.is_unlisted(service):
            return False
        regions = self.regions_of(service)
        if not regions or region == self.global_region:  # of Health both kinds are listed
            return not self.lists(service)
        return region not in regions and region in self.regions_of("ec2")
