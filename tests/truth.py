"""What a document must say of an account: rows made of what AWS holds, not of what sender.py does.

Values are what they are in AWS: instants are datetimes, money and other decimals are Decimals.
`TRUTH` has a function per list of the document; `same_rows` compares a list of a document, or a
table's rows, to what it returns.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from tests.cloud.accounts import GLOBAL, Account, Item
from tests.cloud.answers.commitments import EC2, SOLD_BY, in_force, plan_detail, reservation_group
from tests.cloud.content.costs import MONEY_DIGITS, USAGE_DIGITS, charges, usual_total

Row = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where and of which days a document tells.

    `since`: events that were updated from then on, all that are open if it is None, and both if
    `full`. `others` are the regions that have documents of their own.
    """

    account: Account
    region: str
    start: date
    end: date
    since: datetime | None = None
    until: datetime | None = None
    costs_from: date | None = None
    others: tuple[str, ...] = ()
    full: bool = False

    @property
    def home(self) -> bool:
        """Whether the document has what is global."""
        return self.region == self.account.home_region

    @property
    def cost_days(self) -> list[date]:
        """The days that costs are told of: the last three, unless it is said otherwise."""
        first = self.costs_from or self.end - timedelta(days=3)
        return [first + timedelta(days=back) for back in range((self.end - first).days)]

    def own(self, service: str, kind: str) -> list[Item]:
        """What the account holds of a kind in the region."""
        return self.account.items(service, kind, self.region)

    def everywhere(self, service: str, kind: str) -> list[Item]:
        """What the account holds of a kind that is global; nothing outside of the home region."""
        return self.account.items(service, kind, GLOBAL) if self.home else []

    def tells(self, updated: datetime, is_open: bool) -> bool:
        """Whether an event is to be told that was updated then."""
        if self.since is None:
            return is_open
        changed = self.since <= updated and (self.until is None or updated <= self.until)
        return changed or (self.full and is_open)


def moment(text: str) -> datetime:
    """The instant that a text of AWS names."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def number(value: float) -> Decimal:
    """A number with the digits that JSON would show."""
    return Decimal(repr(value))


def money(amount: int) -> Decimal:
    """An amount of money that is counted in its last digit."""
    return Decimal(amount).scaleb(-MONEY_DIGITS)


def tag(held: Item, name: str) -> str | None:
    """The value of a tag."""
    return {pair["Key"]: pair["Value"] for pair in held["Tags"]}.get(name)


# Money


def spent(account: Account, day: date) -> dict[tuple[str, str], tuple[int, int, str]]:
    """Cost, usage and the usage's unit of a day by service and usage type."""
    found: dict[tuple[str, str], tuple[int, int, str]] = {}
    for held in charges(account, day):
        name = held.line.service, held.line.usage_type
        cost, usage, _ = found.get(name, (0, 0, ""))
        found[name] = cost + held.cost, usage + held.usage, held.line.unit
    return found


def day_cost(account: Account, day: date) -> dict[str, Decimal]:
    """What each service cost on a day."""
    found: defaultdict[str, Decimal] = defaultdict(Decimal)
    for (service, _), (cost, _, _) in spent(account, day).items():
        found[service] += money(cost)
    return dict(found)


def services(place: Place) -> Iterator[Row]:
    """A row per service, usage type and day."""
    for day in place.cost_days if place.home else ():
        for (service, usage_type), (cost, usage, unit) in spent(place.account, day).items():
            yield {
                "service": service,
                "usage_types": usage_type,
                "date_from": day,
                "date_to": day + timedelta(days=1),
                "cost": money(cost),
                "currency": "USD",
                "utilization": Decimal(usage).scaleb(-USAGE_DIGITS),
                "utilization_unit": unit,
            }


def marketplace(place: Place) -> Iterator[Row]:
    """A row per product and day, from the day on which it was licensed."""
    for held in place.everywhere("license-manager", "received"):
        ends = [
            entitlement["ExpirationDate"]
            for entitlement in place.everywhere("marketplace-entitlement", "entitlements")
            if entitlement["ProductCode"] == held["ProductSKU"]
        ]
        for day in place.cost_days:
            cost = day_cost(place.account, day).get(held["ProductName"])
            over = max(ends) <= datetime.combine(day + timedelta(days=1), time(), UTC)
            yield {
                "product_code": held["ProductSKU"],
                "product_name": held["ProductName"],
                "cost_consumed": cost,
                "currency": None if cost is None else "USD",
                "period_start": day,
                "period_end": day + timedelta(days=1),
                "status": "EXPIRED" if over else "ACTIVE",
            }


def ri_sp_savings(place: Place) -> Iterator[Row]:
    """A row per day and reservation or savings plan that was in force on it."""
    for day in place.cost_days if place.home else ():
        period = (day, day + timedelta(days=1))
        dates = {"date_from": period[0], "date_to": period[1]}
        for service, sold_by in SOLD_BY.items():
            for region in (place.region, *place.others):
                for held in place.account.items(sold_by, "reserved", region):
                    bought = instances_bought(held) if service == EC2 else databases_bought(held)
                    if in_force(bought["start_date"], bought["end_date"], period):
                        used = reservation_group(place.account, region, held, period, service)
                        known = {"region": region, "service": service} | dates
                        yield bought | known | reservation_used(used)
        for held in place.everywhere("savingsplans", "plans"):
            if in_force(held["start"], held["end"], period):
                yield (
                    plan_bought(held) | dates | plan_used(plan_detail(place.account, held, period))
                )


def instances_bought(held: Item) -> Row:
    """What a reservation of EC2 is."""
    return {
        "reservation_type": "ReservedInstance",
        "instance_type": held["InstanceType"],
        "instance_family": held["InstanceType"].split(".")[0],
        "instance_count": held["InstanceCount"],
        "instance_tenancy": held["InstanceTenancy"],
        "offering_class": held["OfferingClass"],
        "offering_type": held["OfferingType"],
        "description": held["ProductDescription"],
        "upfront_cost": number(held["FixedPrice"]),
        "usage_price": number(held["UsagePrice"]),
        "recurring_cost": number(held["RecurringCharges"][0]["Amount"]),
        "recurring_frequency": held["RecurringCharges"][0]["Frequency"],
        "currency": held["CurrencyCode"],
        "start_date": held["Start"],
        "end_date": held["End"],
        "duration_seconds": held["Duration"],
        "state": held["State"],
    }


def databases_bought(held: Item) -> Row:
    """What a reservation of RDS is."""
    return {
        "reservation_type": "ReservedInstance",
        "offering_id": held["ReservedDBInstancesOfferingId"],
        "instance_type": held["DBInstanceClass"],
        "instance_family": ".".join(held["DBInstanceClass"].split(".")[:2]),
        "instance_count": held["DBInstanceCount"],
        "offering_type": held["OfferingType"],
        "description": held["ProductDescription"],
        "upfront_cost": number(held["FixedPrice"]),
        "usage_price": number(held["UsagePrice"]),
        "recurring_cost": number(held["RecurringCharges"][0]["RecurringChargeAmount"]),
        "recurring_frequency": held["RecurringCharges"][0]["RecurringChargeFrequency"],
        "currency": held["CurrencyCode"],
        "start_date": held["StartTime"],
        "end_date": held["StartTime"] + timedelta(seconds=held["Duration"]),
        "duration_seconds": held["Duration"],
        "state": held["State"],
    }


def plan_bought(held: Item) -> Row:
    """What a savings plan is."""
    returnable = held.get("returnableUntil")
    return {
        "reservation_type": "SavingsPlan",
        "subscription_id": held["savingsPlanId"],
        "offering_id": held["offeringId"],
        "savings_plan_arn": held["savingsPlanArn"],
        "instance_family": held.get("ec2InstanceFamily"),
        "offering_class": held["savingsPlanType"],
        "product_types": ",".join(held["productTypes"]),
        "region": held.get("region"),
        "commitment": Decimal(held["commitment"]),
        "upfront_cost": Decimal(held["upfrontPaymentAmount"]),
        "recurring_cost": Decimal(held["recurringPaymentAmount"]),
        "currency": held["currency"],
        "start_date": moment(held["start"]),
        "end_date": moment(held["end"]),
        "returnable_until": moment(returnable) if returnable else None,
        "duration_seconds": held["termDurationInSeconds"],
        "offering_type": held["paymentOption"],
        "state": held["state"],
        "description": held["description"],
    }


def reservation_used(group: Item) -> Row:
    """What Cost Explorer tells of a reservation on a day."""
    used = group["Utilization"]
    return {
        "subscription_id": group["Attributes"]["subscriptionId"],
        "utilization_percentage": Decimal(used["UtilizationPercentage"]),
        "on_demand_cost": Decimal(used["OnDemandCostOfRIHoursUsed"]),
        "reservation_cost": Decimal(used["TotalAmortizedFee"]),
        "net_savings": Decimal(used["NetRISavings"]),
    }


def plan_used(detail: Item) -> Row:
    """What Cost Explorer tells of a savings plan on a day."""
    return {
        "utilization_percentage": Decimal(detail["Utilization"]["UtilizationPercentage"]),
        "on_demand_cost": Decimal(detail["Savings"]["OnDemandCostEquivalent"]),
        "reservation_cost": Decimal(detail["AmortizedCommitment"]["TotalAmortizedCommitment"]),
        "net_savings": Decimal(detail["Savings"]["NetSavings"]),
    }


def forecast(account: Account, start: date) -> list[Row]:
    """What an ordinary day costs, for thirty days, give or take a fifth."""
    mean = usual_total(account)
    return [
        {
            "period_start": start + timedelta(days=ahead),
            "period_end": start + timedelta(days=ahead + 1),
            "amount": money(mean),
            "prediction_interval_lower_bound": money(mean - mean * 80 // 400),
            "prediction_interval_upper_bound": money(mean + mean * 80 // 400),
        }
        for ahead in range(30)
    ]


# Security


def findings(place: Place) -> Iterator[Row]:
    """Security Hub's findings."""
    for held in place.own("securityhub", "findings"):
        updated = moment(held["UpdatedAt"])
        if place.tells(updated, is_open=held["RecordState"] == "ACTIVE"):
            yield {
                "finding_id": held["Id"],
                "service": held["ProductName"],
                "title": held["Title"],
                "description": held["Description"],
                "severity": held["Severity"]["Label"],
                "status": held["Workflow"]["Status"],
                "resource_type": held["Resources"][0]["Type"],
                "resource_id": held["Resources"][0]["Id"],
                "created_at": moment(held["CreatedAt"]),
                "updated_at": updated,
                "recommendation": held["Remediation"]["Recommendation"]["Text"],
                "compliance_status": held.get("Compliance", {}).get("Status"),
                "region": place.region,
                "workflow_state": held["WorkflowState"],
                "record_state": held["RecordState"],
                "product_name": held["ProductName"],
                "company_name": held["CompanyName"],
                "product_arn": held["ProductArn"],
                "generator_id": held["GeneratorId"],
                "generator": "security-control",
            }


def guard_duty(place: Place) -> Iterator[Row]:
    """GuardDuty's findings."""
    for held in place.own("guardduty", "findings"):
        updated = moment(held["UpdatedAt"])
        if place.tells(updated, is_open=True):
            yield {
                "id": held["Id"],
                "detector_id": held["Service"]["DetectorId"],
                "type": held["Type"],
                "severity": number(held["Severity"]),
                "title": held["Title"],
                "description": held["Description"],
                "confidence": number(held["Confidence"]) if "Confidence" in held else None,
                "region": place.region,
                "created_at": moment(held["CreatedAt"]),
                "updated_at": updated,
                "resource_type": "Instance",
                "archived": held["Service"]["Archived"],
            }


def inspector(place: Place) -> Iterator[Row]:
    """Inspector's findings."""
    for held in place.own("inspector2", "findings"):
        is_open = held["status"] == "ACTIVE"
        if place.tells(held["updatedAt"], is_open):
            score = held.get("inspectorScore")
            package = held.get("packageVulnerabilityDetails", {})
            yield {
                "finding_arn": held["findingArn"],
                "severity": held["severity"],
                "status": held["status"],
                "type": held["type"],
                "title": held["title"],
                "description": held["description"],
                "first_observed_at": held["firstObservedAt"],
                "last_observed_at": held["lastObservedAt"],
                "updated_at": held["updatedAt"],
                "resource_type": held["resources"][0]["type"],
                "resource_id": held["resources"][0]["id"],
                "vulnerability_id": package.get("vulnerabilityId"),
                "inspector_score": None if score is None else number(score),
                "fix_available": held.get("fixAvailable"),
                "exploit_available": held.get("exploitAvailable"),
            }


def kms(place: Place) -> Iterator[Row]:
    """KMS keys; only some can rotate."""
    rotates = {held["KeyId"]: held["KeyRotationEnabled"] for held in place.own("kms", "rotations")}
    for held in place.own("kms", "keys"):
        yield {
            "key_id": held["KeyId"],
            "arn": held["Arn"],
            "description": held["Description"],
            "key_usage": held["KeyUsage"],
            "key_state": held["KeyState"],
            "creation_date": held["CreationDate"],
            "enabled": held["Enabled"],
            "key_rotation_enabled": rotates.get(held["KeyId"]),
            "key_manager": held["KeyManager"],
            "key_spec": held["KeySpec"],
            "origin": held["Origin"],
            "multi_region": held["MultiRegion"],
            "deletion_date": held.get("DeletionDate"),
        }


def secrets(place: Place) -> Iterator[Row]:
    """Secrets that are not about to be deleted."""
    for held in place.own("secretsmanager", "secrets"):
        if "DeletedDate" not in held:
            yield {
                "name": held["Name"],
                "arn": held["ARN"],
                "description": held.get("Description"),
                "created_date": held["CreatedDate"],
                "last_changed_date": held["LastChangedDate"],
                "last_rotated_date": held.get("LastRotatedDate"),
                "last_accessed_date": held["LastAccessedDate"],
                "rotation_enabled": "LastRotatedDate" in held,
            }


def certificates(place: Place) -> Iterator[Row]:
    """Certificates of every key type and origin."""
    for held in place.own("acm", "certificates"):
        yield {
            "arn": held["CertificateArn"],
            "domain_name": held["DomainName"],
            "status": held["Status"],
            "type": held["Type"],
            "not_after": held.get("NotAfter"),
            "not_before": held.get("NotBefore"),
            "key_algorithm": held["KeyAlgorithm"],
            "in_use": held["InUse"],
            "renewal_eligibility": held["RenewalEligibility"],
        }


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


def web_acls(place: Place) -> Iterator[tuple[str, Item, bool]]:
    """(scope, web ACL, whether it logs); those of CloudFront belong to the home region's document.

    The cloud keeps the latter in us-east-1, as AWS does.
    """
    scopes = [("REGIONAL", place.region), *([("CLOUDFRONT", "us-east-1")] if place.home else [])]
    for scope, region in scopes:
        logging = place.account.items("wafv2", "logging", region)
        logged = {held["ResourceArn"] for held in logging}
        for held in place.account.items("wafv2", scope.lower(), region):
            yield scope, held, held["ARN"] in logged


BLOCKED = {"block-countries": None, "either": ["CN"], "scoped-rate": ["CN"]}
"""Rules of the account that block countries: those that the rule lists itself, or these."""


def waf(place: Place) -> Iterator[Row]:
    """Web ACLs."""
    protected: defaultdict[str, list[str]] = defaultdict(list)
    for region in {place.region, "us-east-1"}:
        for held in place.account.items("wafv2", "associations", region):
            protected[held["WebACLArn"]].append(held["ResourceArn"])
    for held in place.account.items("cloudfront", "distributions"):
        protected[held["WebACLId"]].append(held["ARN"])
    for scope, held, logs in web_acls(place):
        blocking = [rule for rule in held["Rules"] if rule["Name"] in BLOCKED]
        countries = {code for rule in blocking for code in countries_of(rule)}
        yield {
            "id": held["Id"],
            "name": held["Name"],
            "arn": held["ARN"],
            "scope": scope,
            "description": held.get("Description"),
            "default_action": held["DefaultAction"],
            "rules_count": len(held["Rules"]),
            "logging_enabled": logs,
            "geo_blocking_enabled": bool(countries),
            "blocked_countries": sorted(countries),
            "capacity": held["Capacity"],
            "associated_resources": sorted(protected[held["ARN"]]),
        }


def countries_of(rule: Item) -> list[str]:
    """The countries that one of the blocking rules names."""
    own: list[str] = rule["Statement"].get("GeoMatchStatement", {}).get("CountryCodes")
    return BLOCKED[rule["Name"]] or own


RULES: dict[str, Row] = {
    "block-countries": {"statement_type": "GeoMatchStatement", "action": "Block",
                        "geo_blocking": True},
    "limit-rate": {"statement_type": "RateBasedStatement", "action": "Count", "rate_limit": 2000},
    "sql-injection": {"statement_type": "SqliMatchStatement", "action": "Block",
                      "sql_injection": True},
    "scripting": {"statement_type": "XssMatchStatement", "action": "Captcha",
                  "has_xss_protection": True},
    "common": {"statement_type": "ManagedRuleGroupStatement", "action": "Override None",
               "is_managed_rule": True, "has_xss_protection": True},
    "sqli": {"statement_type": "ManagedRuleGroupStatement", "action": "Override Count",
             "is_managed_rule": True, "sql_injection": True},
    "own": {"statement_type": "RuleGroupReferenceStatement", "action": "Override None"},
    "either": {"statement_type": "OrStatement", "action": "Block", "geo_blocking": True,
               "has_xss_protection": True},
    "both": {"statement_type": "AndStatement", "action": "Challenge", "sql_injection": True},
    "scoped-rate": {"statement_type": "RateBasedStatement", "action": "Block", "rate_limit": 500,
                    "geo_blocking": True},
}  # fmt: skip
"""What each rule of the account's web ACLs is, where it is more than a custom rule."""


def waf_rules(place: Place) -> Iterator[Row]:
    """The rules of the web ACLs."""
    for scope, acl, logs in web_acls(place):
        for rule in acl["Rules"]:
            seen = rule["VisibilityConfig"]
            sampled, counted = seen["SampledRequestsEnabled"], seen["CloudWatchMetricsEnabled"]
            known = {"is_managed_rule": False, "rate_limit": None} | RULES[rule["Name"]]
            yield {
                "geo_blocking": False,
                "sql_injection": False,
                "has_xss_protection": False,
                **known,
                "web_acl_name": acl["Name"],
                "rule_name": rule["Name"],
                "priority": rule["Priority"],
                "is_custom_rule": not known["is_managed_rule"],
                "logging_enabled": logs,
                "sample_request_enabled": sampled,
                "cloudwatch_enabled": counted,
                "waf_version": "WAFv2",
                "is_compliant": sampled and counted and logs,
                "scope": scope,
            }


# Compliance and inventory


def rule_states(place: Place) -> dict[str, str]:
    """The worst that each rule found."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for held in place.own("config", "evaluations"):
        qualifier = held["EvaluationResultIdentifier"]["EvaluationResultQualifier"]
        found[qualifier["ConfigRuleName"]].add(held["ComplianceType"])
    names = [held["ConfigRuleName"] for held in place.own("config", "rules")]
    return {name: worst(found[name], "INSUFFICIENT_DATA") for name in names}


def worst(kinds: set[str], otherwise: str) -> str:
    """The compliance that results of these kinds come to."""
    return next((kind for kind in ("NON_COMPLIANT", "COMPLIANT") if kind in kinds), otherwise)


def config_report(place: Place) -> Row:
    """How many rules and resources comply."""
    rules = Counter(rule_states(place).values())
    resources = Counter(
        held["configuration"]["complianceType"] for held in place.own("config", "compliance")
    )
    good, bad = rules["COMPLIANT"], rules["NON_COMPLIANT"]
    return {
        "date_from": place.start,
        "date_to": place.end,
        "compliance_score": round(Decimal(100 * good) / (good + bad), 2),
        "total_rules": rules.total(),
        "compliant_rules": good,
        "non_compliant_rules": bad,
        "curr_compliant": resources["COMPLIANT"],
        "curr_non_compliant": resources["NON_COMPLIANT"],
    }


def non_compliant(place: Place) -> Iterator[Row]:
    """Each resource that breaks a rule."""
    packs = {
        held["ConfigRuleName"]: held["ConformancePackName"]
        for held in place.own("config", "pack_rules")
    }
    for held in place.own("config", "evaluations"):
        qualifier = held["EvaluationResultIdentifier"]["EvaluationResultQualifier"]
        if held["ComplianceType"] == "NON_COMPLIANT":
            yield {
                "rule_name": qualifier["ConfigRuleName"],
                "resource_type": qualifier["ResourceType"],
                "resource_id": qualifier["ResourceId"],
                "evaluation_mode": qualifier["EvaluationMode"],
                "compliance_type": "NON_COMPLIANT",
                "annotation": held["Annotation"],
                "config_rule_invoked_time": held["ConfigRuleInvokedTime"],
                "conformance_pack": packs.get(qualifier["ConfigRuleName"]),
            }


def instances(place: Place) -> Iterator[Row]:
    """Managed machines; EC2 knows the type of those that are its own."""
    types = {held["InstanceId"]: held["InstanceType"] for held in place.own("ec2", "instances")}
    for held in place.own("ssm", "instances"):
        yield {
            "instance_id": held["InstanceId"],
            "instance_type": types.get(held["InstanceId"]),
            "platform": held["PlatformName"],
            "ip_address": held["IPAddress"],
            "computer_name": held["ComputerName"],
            "ping_status": held["PingStatus"],
            "last_ping_date_time": held["LastPingDateTime"],
            "agent_version": held["AgentVersion"],
            "platform_type": held["PlatformType"],
            "platform_version": held["PlatformVersion"],
            "is_latest_version": held["IsLatestVersion"],
            "association_status": held.get("AssociationStatus"),
            "association_execution_date": held.get("LastAssociationExecutionDate"),
            "association_success_date": held.get("LastSuccessfulAssociationExecutionDate"),
        }


def applications(place: Place) -> Iterator[Row]:
    """What is installed on the machines that exist."""
    alive = {held["InstanceId"] for held in place.own("ssm", "instances")}
    for node in place.own("ssm", "entities"):
        for held in node["Data"].get("AWS:Application", {"Content": []})["Content"]:
            if node["Id"] in alive:
                installed = held.get("InstalledTime")
                yield {
                    "instance_id": node["Id"],
                    "name": held["Name"],
                    "version": held["Version"],
                    "publisher": held.get("Publisher"),
                    "architecture": held["Architecture"],
                    "application_type": held["ApplicationType"],
                    "install_time": moment(installed) if installed else None,
                }


def patches(place: Place) -> Iterator[Row]:
    """Patches; what is missing was installed never, not in 1970."""
    for node in place.own("ssm", "patches"):
        for held in node["Patches"]:
            missing = held["State"] == "MISSING"
            yield {
                "instance_id": node["InstanceId"],
                "title": held["Title"],
                "classification": held["Classification"],
                "severity": held["Severity"],
                "state": held["State"],
                "installed_time": None if missing else held["InstalledTime"],
                "kb_id": held["KBId"],
                "cve_ids": held.get("CVEIds"),
            }


# Operations


def trusted_advisor(place: Place) -> Iterator[Row]:
    """Checks in warning or error."""
    checks = {held["id"]: held for held in place.everywhere("support", "checks")}
    for held in place.everywhere("support", "results"):
        if held["status"] in ("warning", "error"):
            check = checks[held["checkId"]]
            saved = held["categorySpecificSummary"].get("costOptimizing")
            yield {
                "check_id": held["checkId"],
                "check_name": check["name"],
                "category": check["category"],
                "severity": held["status"],
                "recommendation": check["description"],
                "affected_resources_count": held["resourcesSummary"]["resourcesFlagged"],
                "potential_savings": number(saved["estimatedMonthlySavings"]) if saved else None,
                "timestamp": moment(held["timestamp"]),
            }


def health(place: Place) -> Iterator[Row]:
    """Health events."""
    for held in place.everywhere("health", "events"):
        if place.tells(held["lastUpdatedTime"], is_open=True):
            yield {
                "arn": held["arn"],
                "service": held["service"],
                "event_type_code": held["eventTypeCode"],
                "event_type_category": held["eventTypeCategory"],
                "event_scope_code": held["eventScopeCode"],
                "region": held["region"],
                "start_time": held["startTime"],
                "end_time": held.get("endTime"),
                "last_updated_time": held["lastUpdatedTime"],
                "status_code": held["statusCode"],
            }


def application_signals(place: Place) -> Iterator[Row]:
    """Services that Application Signals has seen."""
    for held in place.own("application-signals", "services"):
        yield {
            "service_name": held["KeyAttributes"]["Name"],
            "namespace": "ApplicationSignals",
            "key_attributes": held["KeyAttributes"],
        }


def resilience_hub(place: Place) -> Iterator[Row]:
    """Applications, with the strictest goals of their policy and what their last state costs."""
    policies = {
        held["policyArn"]: held["policy"].values()
        for held in place.own("resiliencehub", "policies")
    }
    newest: dict[str, Item] = {}
    for held in place.own("resiliencehub", "assessments"):
        newest[held["appArn"]] = max(
            newest.get(held["appArn"], held), held, key=lambda made: made["endTime"]
        )
    for held in place.own("resiliencehub", "apps"):
        goals = policies.get(held.get("policyArn", ""), ())
        cost = newest.get(held["appArn"], {}).get("cost", {}).get("amount")
        yield {
            "app_arn": held["appArn"],
            "name": held["name"],
            "compliance_status": held["complianceStatus"],
            "resiliency_score": number(held["resiliencyScore"]),
            "status": held["status"],
            "cost": None if cost is None else number(cost),
            "description": held["description"],
            "creation_time": held["creationTime"],
            "last_assessment_time": held.get("lastAppComplianceEvaluationTime"),
            "rto": min((goal["rtoInSecs"] for goal in goals), default=None),
            "rpo": min((goal["rpoInSecs"] for goal in goals), default=None),
        }


def compute_optimizer(place: Place) -> Iterator[Row]:
    """Recommendations for instances, volumes and functions."""
    for held in place.own("compute-optimizer", "instances"):
        best = first(held["recommendationOptions"])
        yield advice(held, held["instanceArn"], "Ec2Instance", best) | {
            "resource_name": held.get("instanceName"),
            "current_instance_type": held["currentInstanceType"],
            "recommended_instance_type": best["instanceType"],
        }
    for held in place.own("compute-optimizer", "volumes"):
        better = first(held["volumeRecommendationOptions"])
        advised = better.get("configuration", {})
        yield advice(held, held["volumeArn"], "EbsVolume", better) | {
            "resource_name": held["volumeArn"].split("/")[-1],
            "current_volume_type": held["currentConfiguration"]["volumeType"],
            "current_volume_size": held["currentConfiguration"]["volumeSize"],
            "recommended_volume_type": advised.get("volumeType"),
            "recommended_volume_size": advised.get("volumeSize"),
        }
    for held in place.own("compute-optimizer", "functions"):
        better = first(held["memorySizeRecommendationOptions"])
        yield advice(held, held["functionArn"], "LambdaFunction", better) | {
            "resource_name": held["functionArn"].split(":")[-2],
            "current_memory_size": held["currentMemorySize"],
            "recommended_memory_size": better.get("memorySize"),
        }


def first(options: Sequence[Item]) -> Item:
    """The option that AWS ranks first, if there is any."""
    return next((option for option in options if option["rank"] == 1), {})


def advice(held: Item, arn: str, kind: str, best: Item) -> Row:
    """What all recommendations have in common."""
    metrics = {
        (metric["name"], metric["statistic"]): number(metric["value"])
        for metric in held["utilizationMetrics"]
    }
    saving = best.get("savingsOpportunity")
    return {
        "resource_type": kind,
        "resource_arn": arn,
        "finding": held["finding"],
        "savings_opportunity_percentage": saving and number(saving["savingsOpportunityPercentage"]),
        "estimated_monthly_savings_usd": saving
        and number(saving["estimatedMonthlySavings"]["value"]),
        "performance_risk": held["currentPerformanceRisk"],
        "cpu_utilization_max": metrics.get(("Cpu", "Maximum")),
        "memory_utilization_avg": metrics.get(("Memory", "Average")),
        "migration_effort": best.get("migrationEffort"),
    }


def support_tickets(place: Place) -> Iterator[Row]:
    """Support cases, the resolved ones too."""
    for held in place.everywhere("support", "cases"):
        yield {
            "case_id": held["caseId"],
            "display_id": held["displayId"],
            "subject": held["subject"],
            "status": held["status"],
            "severity_code": held["severityCode"],
            "service_code": held["serviceCode"],
            "category_code": held["categoryCode"],
            "time_created": moment(held["timeCreated"]),
            "submitted_by": held["submittedBy"],
            "language": held["language"],
            "date_from": place.start,
            "date_to": place.end,
        }


# Resources


def resource(service: str, kind: str, name: str | None, **columns: Any) -> Row:
    """A row of service_resources."""
    held = {"service_name": service, "resource_type": kind, "resource_name": name}
    return held | columns


def computing(place: Place) -> Iterator[Row]:
    """EC2's resources."""
    for held in place.own("ec2", "instances"):
        yield resource(
            "EC2", "Instance", tag(held, "Name"), resource_id=held["InstanceId"],
            region=place.region, availability_zone=held["Placement"]["AvailabilityZone"],
            state=held["State"]["Name"], instance_type=held["InstanceType"],
            vpc_id=held["VpcId"], creation_date=held["LaunchTime"],
        )  # fmt: skip
    for held in place.own("ec2", "volumes"):
        yield resource(
            "EC2", "Volume", tag(held, "Name"), resource_id=held["VolumeId"], region=place.region,
            availability_zone=held["AvailabilityZone"], state=held["State"],
            size_gb=Decimal(held["Size"]), volume_type=held["VolumeType"],
            creation_date=held["CreateTime"],
        )  # fmt: skip
    for held in place.own("ec2", "subnets"):
        yield resource(
            "EC2", "Subnet", tag(held, "Name"), resource_id=held["SubnetId"], region=place.region,
            availability_zone=held["AvailabilityZone"], state=held["State"], vpc_id=held["VpcId"],
            available_ip_count=held["AvailableIpAddressCount"],
        )  # fmt: skip


def storing(place: Place) -> Iterator[Row]:
    """Databases, and buckets of all regions."""
    for held in place.own("rds", "instances"):
        name = held["DBInstanceIdentifier"]
        yield resource(
            "RDS", "DBInstance", name, resource_id=name, region=place.region,
            availability_zone=held["AvailabilityZone"], state=held["DBInstanceStatus"],
            vpc_id=held["DBSubnetGroup"]["VpcId"], engine=held["Engine"],
            instance_class=held["DBInstanceClass"], multi_az=held["MultiAZ"],
            size_gb=Decimal(held["AllocatedStorage"]), volume_type=held["StorageType"],
            creation_date=held.get("InstanceCreateTime"),
        )  # fmt: skip
    for held in place.everywhere("s3", "buckets"):
        yield resource(
            "S3", "Bucket", held["Name"], resource_id=held["Name"], region=held["BucketRegion"],
            creation_date=held["CreationDate"],
        )  # fmt: skip


def serving(place: Place) -> Iterator[Row]:
    """Load balancers, Auto Scaling groups and functions."""
    for held in place.own("elbv2", "load_balancers"):
        zones = sorted(zone["ZoneName"] for zone in held["AvailabilityZones"])
        yield resource(
            "ELB", "LoadBalancer", held["LoadBalancerName"], region=place.region,
            resource_id=held["LoadBalancerArn"], availability_zone=",".join(zones),
            state=held["State"]["Code"], vpc_id=held["VpcId"], type=held["Type"],
            scheme=held.get("Scheme"), creation_date=held["CreatedTime"],
        )  # fmt: skip
    for held in place.own("autoscaling", "groups"):
        yield resource(
            "AutoScaling", "AutoScalingGroup", held["AutoScalingGroupName"], region=place.region,
            resource_id=held["AutoScalingGroupARN"], state=None, min_size=held["MinSize"],
            availability_zone=",".join(held["AvailabilityZones"]), max_size=held["MaxSize"],
            instance_count=len(held["Instances"]), creation_date=held["CreatedTime"],
        )  # fmt: skip
    for held in place.own("lambda", "functions"):
        yield resource(
            "Lambda", "Function", held["FunctionName"], resource_id=held["FunctionArn"],
            region=place.region, state=None, vpc_id=held.get("VpcConfig", {}).get("VpcId"),
            engine=held["Runtime"], type="Zip",
        )  # fmt: skip


def service_resources(place: Place) -> Iterator[Row]:
    """The main resources."""
    yield from (*computing(place), *storing(place), *serving(place))


NO_CONFIGURATION = dict.fromkeys((
    "state", "instance_type", "vpc_id", "engine", "instance_class", "multi_az", "size_gb",
    "volume_type", "type", "scheme", "instance_count", "min_size", "max_size",
    "available_ip_count",
))  # fmt: skip


def nothing(_held: Item) -> Row:
    """What the columns can tell of other types."""
    return {}


CONFIGURATION: dict[str, Callable[[Item], Row]] = {
    "AWS::EC2::Instance": lambda held: {
        "state": held["state"]["name"], "instance_type": held["instanceType"],
        "vpc_id": held["vpcId"],
    },
    "AWS::EC2::Volume": lambda held: {
        "state": held["state"]["value"], "size_gb": Decimal(held["size"]),
        "volume_type": held["volumeType"],
    },
    "AWS::EC2::Subnet": lambda held: {
        "state": held["state"]["value"], "vpc_id": held["vpcId"],
        "available_ip_count": held["availableIpAddressCount"],
    },
    "AWS::RDS::DBInstance": lambda held: {
        "state": held["dBInstanceStatus"], "vpc_id": held["dBSubnetGroup"]["vpcId"],
        "engine": held["engine"], "instance_class": held["dBInstanceClass"],
        "multi_az": held["multiAZ"], "size_gb": Decimal(held["allocatedStorage"]),
        "volume_type": held["storageType"],
    },
    "AWS::ElasticLoadBalancingV2::LoadBalancer": lambda held: {
        "state": held["state"]["code"], "vpc_id": held["vpcId"], "type": held["type"],
        "scheme": held.get("scheme"),
    },
    "AWS::AutoScaling::AutoScalingGroup": lambda held: {
        "instance_count": held["desiredCapacity"], "min_size": held["minSize"],
        "max_size": held["maxSize"],
    },
    "AWS::Lambda::Function": lambda held: {
        "state": held["state"]["value"], "engine": held["runtime"],
    },
}  # fmt: skip
"""What AWS Config records of each type of resource that the columns can tell."""


def config_inventory(place: Place) -> Iterator[Row]:
    """Every resource that AWS Config has recorded; what it keeps of their compliance is none."""
    for held in place.own("config", "resources"):
        created = held.get("resourceCreationTime")
        known = CONFIGURATION.get(held["resourceType"], nothing)(held["configuration"])
        if place.home or held["awsRegion"] != "global":
            yield (
                NO_CONFIGURATION
                | known
                | {
                    "resource_type": held["resourceType"],
                    "resource_subtype": held["resourceType"].split("::")[2],
                    "resource_id": held["resourceId"],
                    "resource_name": held.get("resourceName"),
                    "region": held["awsRegion"],
                    "availability_zone": held["availabilityZone"],
                    "creation_date": moment(created) if created else None,
                }
            )


@dataclass(frozen=True)
class Truth:
    """A list of the document: what its rows must be, and what tells one from the other."""

    rows: Callable[[Place], Iterator[Row]]
    key: tuple[str, ...]


TRUTH: Mapping[str, Truth] = {
    "config.non_compliant_resources": Truth(
        non_compliant, ("rule_name", "resource_type", "resource_id", "evaluation_mode")
    ),
    "service": Truth(services, ("service", "usage_types", "date_from")),
    "ri_sp_savings": Truth(ri_sp_savings, ("reservation_type", "subscription_id", "date_to")),
    "security.security_hub": Truth(findings, ("finding_id",)),
    "security.guard_duty": Truth(guard_duty, ("id",)),
    "security.kms": Truth(kms, ("key_id",)),
    "security.waf": Truth(waf, ("arn",)),
    "security.waf_rules": Truth(waf_rules, ("scope", "web_acl_name", "rule_name")),
    "security.cloudtrail": Truth(cloudtrail, ("arn",)),
    "security.secrets_manager": Truth(secrets, ("arn",)),
    "security.certificate_manager": Truth(certificates, ("arn",)),
    "security.inspector": Truth(inspector, ("finding_arn",)),
    "inventory.instances": Truth(instances, ("instance_id",)),
    "inventory.applications": Truth(
        applications, ("instance_id", "name", "version", "architecture")
    ),
    "inventory.patches": Truth(patches, ("instance_id", "title")),
    "marketplace": Truth(marketplace, ("product_code", "period_start")),
    "trusted_advisor": Truth(trusted_advisor, ("category", "check_name")),
    "health": Truth(health, ("arn",)),
    "application": Truth(application_signals, ("key_attributes",)),
    "resilience_hub": Truth(resilience_hub, ("app_arn",)),
    "service_resources": Truth(service_resources, ("service_name", "resource_type", "resource_id")),
    "compute_optimizer": Truth(compute_optimizer, ("resource_arn",)),
    "config_inventory": Truth(config_inventory, ("resource_type", "resource_id")),
    "support_tickets": Truth(support_tickets, ("case_id",)),
}
"""All lists of the document but `cost`, whose rows are reports, by their path."""

UNORDERED = ("associated_resources",)
"""Lists within a row whose order means nothing."""


def like(found: Any, expected: Any) -> Any:
    """A value of a document or a database in the type of the expected one."""
    if found is None or expected is None:
        return found
    if isinstance(expected, datetime):
        return found if isinstance(found, datetime) else datetime.fromisoformat(found)
    if isinstance(expected, date):
        return found if isinstance(found, date) else date.fromisoformat(found)
    if isinstance(expected, Decimal):
        return Decimal(str(found))
    if isinstance(expected, list | dict) and isinstance(found, str):
        return json.loads(found)
    return found


def comparable(found: Row, expected: Row) -> Row:
    """A row with its values in the types of the expected ones."""
    row = {name: like(value, expected.get(name)) for name, value in found.items()}
    return row | {name: sorted(row[name]) for name in UNORDERED if row.get(name)}


def same_rows(found: Sequence[Row], expected: Sequence[Row], key: Sequence[str]) -> None:
    """Fail unless the rows are the expected ones, each once, all columns and values alike."""
    by_key = {name_of(row, key): row for row in found}
    wanted = {name_of(row, key): row for row in expected}
    assert len(wanted) == len(expected), "the truth has a key twice"
    assert len(by_key) == len(found), "a row is there twice"
    assert not wanted.keys() - by_key.keys(), f"lost: {sorted(wanted.keys() - by_key.keys())}"
    assert not by_key.keys() - wanted.keys(), f"invented: {sorted(by_key.keys() - wanted.keys())}"
    for name, row in wanted.items():
        assert not (wrong := differences(comparable(by_key[name], row), row)), f"{name}: {wrong}"


def differences(found: Row, expected: Row) -> dict[str, tuple[Any, Any]]:
    """(found, expected) of each column that differs or that one of the rows lacks."""
    return {
        name: (found.get(name, "no column"), expected.get(name, "no column"))
        for name in found.keys() | expected.keys()
        if found.get(name, "no column") != expected.get(name, "no column")
    }


def name_of(row: Row, key: Sequence[str]) -> tuple[str, ...]:
    """What tells a row from others, as text."""
    return tuple(
        json.dumps(row[column], sort_keys=True)
        if isinstance(row[column], dict)
        else str(row[column])
        for column in key
    )
