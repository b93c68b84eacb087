"""What happens to the company of `tests.cloud.company` in two weeks.

Each day something is created, changes, is fixed or vanishes; costs of past days are restated; an
account stops delivering, and a category fails for some days. The same day always has the same
events, so a story can be told again up to any day.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.cloud.accounts import GLOBAL, Account, Cloud
from tests.cloud.company import AWAY, DATA, HOME, PAYMENTS, SHOP, STAGING
from tests.cloud.content import CONTENT
from tests.cloud.content.resources import instance
from tests.cloud.content.words import iso

if TYPE_CHECKING:
    from tests.cloud import EmbeddedCloud

DAYS = 14
ONE_DAY = timedelta(days=1)
ROLE = "ObservabilityReader"

DAILY = (
    ("cloudtrail", "statuses", ("LatestDeliveryTime", "LatestDigestDeliveryTime")),
    ("compute-optimizer", "functions", ("lastRefreshTimestamp",)),
    ("compute-optimizer", "instances", ("lastRefreshTimestamp",)),
    ("compute-optimizer", "volumes", ("lastRefreshTimestamp",)),
    ("secretsmanager", "secrets", ("LastAccessedDate",)),
    ("ssm", "instances", ("LastPingDateTime", "LastAssociationExecutionDate")),
)
"""Times that move on every day, as long as somebody uses the thing or looks at it."""

Item = dict[str, Any]
Event = Callable[[Cloud], None]


def begin(cloud: Cloud) -> None:
    """Make all that the accounts hold on the first day; later days change it."""
    for account in cloud.accounts.values():
        for region in account.regions:
            for number, held in enumerate(account.items("acm", "certificates", region)):
                held |= {"Status": "ISSUED", "InUse": True, "Type": "AMAZON_ISSUED"}
                held["NotAfter"] = account.ago(-(10, 40, 75, 200)[number % 4])
        for service, kind in CONTENT:
            for region in (GLOBAL,) if service in WHOLE else account.regions:
                account.items(service, kind, region)


WHOLE = frozenset({"account", "ce", "health", "license-manager", "s3", "support"})
"""Services whose things belong to an account as a whole."""


def pass_day(cloud: Cloud) -> None:
    """Let a day pass in all accounts, without anything out of the ordinary."""
    for account in cloud.accounts.values():
        account.passed += 1
        for region in account.regions:
            for service, kind, names in DAILY:
                for held in account.items(service, kind, region):
                    if moves(held):
                        held.update({n: held[n] + ONE_DAY for n in names if n in held})
            for held in account.items("acm", "certificates", region):
                if held["NotAfter"].date() <= account.day:
                    held["Status"] = "EXPIRED"
        account.touch()


def moves(held: Item) -> bool:
    """Whether a thing is in use: a node that answers, a trail that records."""
    return held.get("PingStatus", "Online") == "Online" and held.get("IsLogging") is not False


def tell(cloud: Cloud, number: int) -> None:
    """What happens on a day of the story, from 1."""
    for event in EVENTS.get(number, ()):
        event(cloud)
    for account in cloud.accounts.values():
        account.touch()


def begin_faults(embedded: EmbeddedCloud, number: int) -> None:
    """What does not work on a day of the story."""
    embedded.switches.reset()
    if 6 <= number <= 9:
        embedded.switches.deny("inspector2", account=SHOP)
    if number >= 12:
        embedded.switches.deny("health", account=STAGING)
    for account in embedded.cloud.accounts:
        embedded.keys.make_role(account, ROLE, embedded.analytics.id)
    if number >= 11:
        embedded.keys.make_role(DATA, ROLE)  # its trust policy names nobody any more


def evening(account: Account) -> datetime:
    """When things happen: two hours before the midnight after which the sender runs."""
    return account.ago(-account.passed, seconds=7200)


def on(account_id: str, change: Callable[..., None], *details: Any) -> Event:
    """An event in one account."""
    return lambda cloud: change(cloud.accounts[account_id], *details)


def costs_are_restated(account: Account, days: int) -> None:
    """AWS corrects what the last days have cost."""
    account.restate(account.day - days * ONE_DAY)


def costs_rise(account: Account, service: str, times: float) -> None:
    """A service costs so much more from yesterday on."""
    account.surges[service] = (account.day - ONE_DAY, times)


def instance_starts(account: Account, region: str) -> None:
    """An instance is launched, and recorded by Config."""
    held = account.items("ec2", "instances", region)
    number = 2 * account.size.instances + account.passed
    made = instance(account, region, number, account.ids("i", region, number + 1)[number])
    name = f"{account.words.apps[0]}-burst"
    running = {"State": {"Code": 16, "Name": "running"}, "LaunchTime": evening(account)}
    held.append(made | running | {"Tags": [{"Key": "Name", "Value": name}]})
    rebuild(account, region, "resources")


def instance_ends(account: Account, region: str) -> None:
    """The first instance of a region is terminated: nothing lists it any more."""
    gone = account.items("ec2", "instances", region)[0]["InstanceId"]
    for (service, kind), name in NAMED_BY.items():
        held = account.items(service, kind, region)
        held[:] = [item for item in held if not str(item[name]).endswith(gone)]
    for group in account.items("autoscaling", "groups", region):
        group["Instances"] = [one for one in group["Instances"] if one["InstanceId"] != gone]
    for volume in account.items("ec2", "volumes", region):
        if any(one["InstanceId"] == gone for one in volume["Attachments"]):
            volume |= {"Attachments": [], "State": "available"}
    evaluations = account.items("config", "evaluations", region)
    evaluations[:] = [held for held in evaluations if qualifier(held)["ResourceId"] != gone]
    rebuild(account, region, "resources", "compliance")


NAMED_BY = {
    ("compute-optimizer", "instances"): "instanceArn",
    ("ec2", "instances"): "InstanceId",
    ("ssm", "entities"): "Id",
    ("ssm", "instances"): "InstanceId",
    ("ssm", "patches"): "InstanceId",
}
"""What has a row for each instance, and the member that names it."""


def qualifier(held: Item) -> Item:
    """Which rule has evaluated which resource."""
    found: Item = held["EvaluationResultIdentifier"]["EvaluationResultQualifier"]
    return found


def rebuild(account: Account, region: str, *kinds: str) -> None:
    """Let Config see what has changed."""
    for kind in kinds:
        account.replace("config", kind, region, CONTENT["config", kind](account, region))


def rule_is_followed(account: Account, region: str, number: int) -> None:
    """All resources of a Config rule comply from now on."""
    name = account.items("config", "rules", region)[number]["ConfigRuleName"]
    for held in account.items("config", "evaluations", region):
        if qualifier(held)["ConfigRuleName"] == name:
            moment = evening(account)
            held |= {"ComplianceType": "COMPLIANT", "ResultRecordedTime": moment}
            held.pop("Annotation", None)
    rebuild(account, region, "compliance")


def finding_opens(account: Account, region: str, severity: str, title: str) -> None:
    """Security Hub finds something new."""
    held = account.items("securityhub", "findings", region)
    moment = iso(evening(account))
    times = ("FirstObservedAt", "LastObservedAt", "CreatedAt", "UpdatedAt")
    held.append(
        held[0]
        | dict.fromkeys(times, moment)
        | {"Id": f"{held[0]['Id'][:-12]}{account.hex(12, title)}", "Title": title}
        | {"Severity": {"Label": severity, "Original": severity}}
        | {"Workflow": {"Status": "NEW"}, "RecordState": "ACTIVE"}
        | {"Compliance": {"Status": "FAILED", "SecurityControlId": "S3.1"}}
    )


def findings_are_fixed(account: Account, region: str, severity: str) -> None:
    """All findings of a severity in Security Hub are resolved."""
    for held in account.items("securityhub", "findings", region):
        if held["Severity"]["Label"] == severity and held["Workflow"]["Status"] != "RESOLVED":
            held |= {"Workflow": {"Status": "RESOLVED"}, "UpdatedAt": iso(evening(account))}


def packages_are_updated(account: Account, region: str) -> None:
    """Patches that were missing are installed, and Inspector closes what it had found."""
    for node in account.items("ssm", "patches", region):
        for patch in node["Patches"]:
            if patch["State"] == "MISSING":
                patch |= {"State": "INSTALLED", "InstalledTime": evening(account)}
    for held in account.items("inspector2", "findings", region):
        if held["status"] == "ACTIVE" and held["type"] == "PACKAGE_VULNERABILITY":
            held |= {"status": "CLOSED", "updatedAt": evening(account)}


def threat_is_seen(account: Account, region: str) -> None:
    """GuardDuty has seen something."""
    held = account.items("guardduty", "findings", region)
    name, moment = account.hex(32, "threat", account.passed), iso(evening(account))
    service = held[0]["Service"] | {"Archived": False, "EventLastSeen": moment}
    held.append(
        held[0]
        | {"Id": name, "Arn": held[0]["Arn"].replace(held[0]["Id"], name), "Severity": 8.0}
        | {"CreatedAt": moment, "UpdatedAt": moment, "Service": service}
    )


def certificate_is_renewed(account: Account, region: str) -> None:
    """ACM renews the first certificate, under its own ARN."""
    renewed = account.items("acm", "certificates", region)[0]
    renewed["NotAfter"] += 395 * ONE_DAY


def keys_rotate(account: Account, region: str) -> None:
    """All keys that can rotate do, and all secrets."""
    for held in account.items("kms", "rotations", region):
        held["KeyRotationEnabled"] = True
    for held in account.items("secretsmanager", "secrets", region):
        held |= {"RotationEnabled": True, "LastRotatedDate": evening(account)}


def function_appears(account: Account, region: str) -> None:
    """A function is deployed that was not there before."""
    held = account.items("lambda", "functions", region)
    name = f"{account.words.apps[0]}-webhook"
    arn = account.arn("lambda", f"function:{name}", region)
    held.append(held[0] | {"FunctionName": name, "FunctionArn": arn})
    rebuild(account, region, "resources")


def bucket_vanishes(account: Account) -> None:
    """The last bucket is deleted."""
    account.items("s3", "buckets").pop()
    rebuild(account, HOME, "resources")


EVENTS: dict[int, Iterable[Event]] = {
    2: (on(DATA, function_appears, HOME),),
    3: (on(SHOP, costs_are_restated, 3),),
    4: (on(SHOP, instance_starts, HOME), on(PAYMENTS, keys_rotate, AWAY)),
    5: (on(STAGING, instance_ends, HOME),),
    6: (
        on(PAYMENTS, finding_opens, HOME, "CRITICAL", "S3 buckets should block public access"),
        on(PAYMENTS, costs_are_restated, 2),
    ),
    7: (on(SHOP, findings_are_fixed, HOME, "HIGH"), on(PAYMENTS, rule_is_followed, HOME, 0)),
    8: (on(DATA, threat_is_seen, HOME), on(PAYMENTS, instance_starts, AWAY)),
    9: (on(SHOP, costs_rise, "Amazon Elastic Compute Cloud - Compute", 2.4),),
    10: (
        on(PAYMENTS, findings_are_fixed, HOME, "CRITICAL"),
        on(PAYMENTS, certificate_is_renewed, HOME),
        on(SHOP, packages_are_updated, HOME),
    ),
    11: (on(SHOP, costs_are_restated, 3), on(STAGING, function_appears, HOME)),
    12: (on(PAYMENTS, keys_rotate, HOME), on(SHOP, instance_ends, HOME)),
    13: (on(PAYMENTS, packages_are_updated, HOME), on(SHOP, bucket_vanishes)),
    14: (
        on(SHOP, costs_are_restated, 3),
        on(SHOP, finding_opens, HOME, "CRITICAL", "RDS DB instances should not be public"),
        on(PAYMENTS, instance_ends, HOME),
        on(PAYMENTS, function_appears, AWAY),
    ),
}
"""What happens on which day."""
