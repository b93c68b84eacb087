"""Quotas: how many requests a second AWS takes, and a bucket that holds to it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

ALL = "*"


@dataclass
class TokenBucket:
    """AWS's kind of rate limit: `burst` requests at once, refilled by `per_second`.

    `level` is how many requests are left of it at first.
    """

    per_second: float
    burst: float
    level: float
    filled: float | None = field(default=None, init=False)

    def take(self) -> bool:
        """Take one request out of the bucket; False if it is empty."""
        now = time.monotonic()
        passed = 0.0 if self.filled is None else now - self.filled
        self.level = min(self.burst, self.level + passed * self.per_second)
        self.filled = now
        if self.level < 1:
            return False
        self.level -= 1
        return True


QUOTAS: Mapping[tuple[str, str], tuple[float, float]] = {
    ("account", ALL): (10, 10),
    ("acm", "DescribeCertificate"): (10, 10),
    ("acm", "ListCertificates"): (8, 8),
    ("application-signals", ALL): (10, 10),
    ("autoscaling", ALL): (10, 100),
    ("ce", ALL): (5, 5),
    ("cloudfront", ALL): (20, 20),
    ("cloudtrail", "DescribeTrails"): (10, 10),
    ("cloudtrail", "GetTrailStatus"): (10, 10),
    ("cloudtrail", "LookupEvents"): (2, 2),
    ("compute-optimizer", ALL): (5, 10),
    ("config", ALL): (10, 20),
    ("ec2", "Describe*"): (20, 100),
    ("elbv2", "Describe*"): (10, 40),
    ("guardduty", ALL): (25, 25),
    ("health", ALL): (5, 5),
    ("inspector2", ALL): (10, 10),
    ("kms", "DescribeKey"): (2000, 2000),
    ("kms", "GetKeyRotationStatus"): (1000, 1000),
    ("kms", "ListKeys"): (500, 500),
    ("lambda", "List*"): (15, 15),
    ("organizations", ALL): (8, 15),
    ("rds", "Describe*"): (20, 100),
    ("resiliencehub", ALL): (10, 10),
    ("secretsmanager", "ListSecrets"): (100, 100),
    ("securityhub", "GetFindings"): (3, 6),
    ("ssm", "DescribeInstancePatches"): (10, 20),
    ("ssm", "DescribeInstanceInformation"): (10, 20),
    ("ssm", "GetInventory"): (10, 20),
    ("sts", ALL): (600, 600),
    ("support", ALL): (5, 10),
    ("wafv2", ALL): (10, 10),
}
"""Requests per second and burst per account and region: AWS's published default quotas, and a
cautious guess where AWS publishes none."""
