"""What an account costs on any day, its anomalies, and its reserved capacity.

Costs are a function of the account and the day, so any range of days can be asked for. Amounts
are counted in units of the last digit that AWS sends, so that sums are exact: 10 decimals of
money, 13 of usage. `Account.restate` changes days that had been told before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from tests.cloud.content import content
from tests.cloud.content.words import pick

if TYPE_CHECKING:
    from tests.cloud.accounts import Account

MONEY_DIGITS = 10
USAGE_DIGITS = 13

CATALOGUE = (
    ("Amazon Elastic Compute Cloud - Compute", "BoxUsage:t3.micro", "Hrs", 31.5),
    ("EC2 - Other", "EBS:VolumeUsage.gp3", "GB-Mo", 4.25),
    ("Amazon Relational Database Service", "InstanceUsage:db.m7g.large", "Hrs", 18.0),
    ("Amazon Simple Storage Service", "TimedStorage-ByteHrs", "GB-Mo", 1.75),
    ("Amazon Simple Storage Service", "Requests-Tier1", "Requests", 0.0123),
    ("AWS Key Management Service", "us-east-1-KMS-Requests", "Requests", 0.00000071),
    ("AWS Lambda", "Lambda-GB-Second", "Lambda-GB-Second", 0.0),
    ("AmazonCloudWatch", "CW:MetricMonitorUsage", "Metrics", 0.9),
    ("AWS Config", "ConfigurationItemRecorded", "ConfigurationItemRecorded", 0.33),
    ("Tax", "NoUsageType", "N/A", 3.1),
    ("Refund", "NoUsageType", "N/A", -2.2),
    ("AWS Cost Explorer", "USE1-APIRequest", "Request", 0.03),
)


@dataclass(frozen=True)
class Line:
    """One service and usage type of a bill, with the cost of an ordinary day in dollars."""

    service: str
    usage_type: str
    unit: str
    base: float
    region: str
    entity: str = "AWS"

    def tag(self, key: str) -> str:
        """The value of a cost allocation tag, if it is one and the line has it."""
        return ("", "Web", "Data $")[len(self.usage_type) % 3] if key == "team$" else ""

    def dimensions(self, account_id: str) -> dict[str, str]:
        """The values by which costs are filtered and grouped."""
        kinds = {"Tax": "Tax", "Refund": "Refund"}
        return {
            "SERVICE": self.service,
            "USAGE_TYPE": self.usage_type,
            "LINKED_ACCOUNT": account_id,
            "REGION": self.region,
            "RECORD_TYPE": kinds.get(self.service, "Usage"),
            "BILLING_ENTITY": self.entity,
        }


def lines(account: Account) -> list[Line]:
    """The lines of the account's bill: what it uses of AWS, then what it bought elsewhere."""
    count = account.size.cost_lines
    licenses = account.items("license-manager", "received") if count else []
    bought = [
        Line(held["ProductName"], "MP:SoftwareUsage", "Units", 5.5, "global", "AWS Marketplace")
        for held in licenses[: count // 3]
    ]
    return [line(account, number) for number in range(count - len(bought))] + bought


def line(account: Account, number: int) -> Line:
    """One line; beyond the catalogue the same services are used in other ways."""
    service, usage_type, unit, base = pick(CATALOGUE, number)
    again = number // len(CATALOGUE)
    region = pick(account.regions, again)
    if again:
        usage_type = f"{region.upper()}-{usage_type}-{again}"
    return Line(service, usage_type, unit, base, region)


@dataclass(frozen=True)
class Charge:
    """What one line comes to on one day, in units of the last digits."""

    line: Line
    cost: int
    usage: int

    @property
    def amortized(self) -> int:
        """The cost with upfront payments spread; of an odd line there is a share of one."""
        return self.cost + (self.cost // 8 if self.cost % 2 else 0)


def charges(account: Account, day: date) -> Iterator[Charge]:
    """The account's bill of a day; none before it was opened nor after today."""
    if not account.created.date() <= day <= account.day:
        return
    revision = sum(since <= day for since in account.restatements)
    for number, held in enumerate(lines_of(account)):
        if number % 5 != 3 or (day.toordinal() + number) % 7:
            yield charge(account, held, number, day, revision)


def lines_of(account: Account) -> list[Line]:
    """The account's lines, made once."""
    return [held["line"] for held in account.items("ce", "lines")]


@content("ce", "lines")
def kept_lines(account: Account, region: str) -> list[dict[str, Any]]:
    """The lines, for `lines_of` only."""
    return [{"line": held} for held in lines(account)]


def charge(account: Account, held: Line, number: int, day: date, revision: int) -> Charge:
    """One line's charge: around its base, in all digits; today has only begun."""
    text = f"{account.seed}/{account.id}/{number}/{day.toordinal()}/{revision}"
    drawn = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
    share = 0.7 + drawn % 100_003 / 200_000
    if day == account.day:
        share *= 0.2
    noise = drawn // 100_003 % 9_973
    since, times = account.surges.get(held.service, (day, 1.0))
    share *= account.spending * (times if day >= since else 1.0)
    cost = round(held.base * share * 10**MONEY_DIGITS) + (noise if held.base else 0)
    usage = round((1 + abs(held.base)) * share * 7 * 10**USAGE_DIGITS) + noise
    return Charge(held, cost, usage)


def digits(amount: int, places: int) -> str:
    """An amount as AWS writes it: no exponent, no zeros at the end."""
    whole, rest = divmod(abs(amount), 10**places)
    text = f"{whole}.{rest:0{places}d}".rstrip("0").rstrip(".")
    return f"-{text}" if amount < 0 else text


def day_total(account: Account, day: date) -> int:
    """What a day costs, in units of the last digit of money."""
    return sum(held.cost for held in charges(account, day))


def usual_total(account: Account) -> int:
    """What a day costs on average, by the last two weeks."""
    days = [account.day - timedelta(days=back) for back in range(1, 15)]
    return sum(day_total(account, day) for day in days) // len(days)


@content("ce", "anomalies")
def anomalies(account: Account, region: str) -> list[dict[str, Any]]:
    """GetAnomalies' Anomaly, over the last 90 days; one has no known cause."""
    return [anomaly(account, number) for number in range(account.size.anomalies)]


def anomaly(account: Account, number: int) -> dict[str, Any]:
    """One anomaly that lasted two days; the first three ended yesterday."""
    ended = account.ago(1 if number < 3 else 1 + number * 7 % 85)
    service = pick(CATALOGUE, number)[0]
    cause = {
        "Service": service,
        "Region": account.home_region,
        "LinkedAccount": account.id,
        "LinkedAccountName": account.name,
        "UsageType": pick(CATALOGUE, number)[1],
        "Impact": {"Contribution": 12.5 + number},
    }
    return {
        "AnomalyId": account.uuid("anomaly", number),
        "AnomalyStartDate": f"{(ended - timedelta(days=1)).date()}T00:00:00Z",
        "AnomalyEndDate": f"{ended.date()}T00:00:00Z",
        "DimensionValue": service,
        "RootCauses": [cause] if number % 4 != 3 else [],
        "AnomalyScore": {"MaxScore": 0.9, "CurrentScore": 0.4},
        "Impact": {
            "MaxImpact": 20.25 + number,
            "TotalImpact": 33.5 + number,
            "TotalActualSpend": 50.0 + number,
            "TotalExpectedSpend": 16.5,
            "TotalImpactPercentage": 203.03,
        },
        "MonitorArn": account.arn("ce", f"anomalymonitor/{account.uuid('monitor')}"),
        **({"Feedback": "YES"} if number % 2 else {}),
    }
