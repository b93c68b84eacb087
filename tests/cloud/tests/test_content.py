"""The generator of accounts."""

from __future__ import annotations

import json

import pytest

from tests.cloud import Size
from tests.cloud.accounts import GLOBAL, generate
from tests.cloud.answers.core import dig
from tests.cloud.content import CONTENT
from tests.cloud.tests.answering import ONE, REGIONS, TODAY, TWO, cloud_of, hub, small

NEEDED = [
    ("account", "contact", GLOBAL, "AddressLine1 AddressLine2 AddressLine3 City CountryCode "
     "PostalCode StateOrRegion CompanyName PhoneNumber WebsiteUrl FullName"),
    ("account", "alternates", GLOBAL, "Name Title EmailAddress PhoneNumber"),
    ("acm", "certificates", "us-east-1", "DomainName Status Type NotAfter"),
    ("application-signals", "services", "us-east-1", "KeyAttributes MetricReferences"),
    ("cloudtrail", "trails", "us-east-1", "Name TrailARN IsMultiRegionTrail S3BucketName "
     "KmsKeyId LogFileValidationEnabled"),
    ("cloudtrail", "statuses", "us-east-1", "IsLogging LatestDeliveryTime"),
    ("compute-optimizer", "instances", "us-east-1", "instanceArn instanceName finding "
     "currentInstanceType utilizationMetrics recommendationOptions"),
    ("compute-optimizer", "volumes", "us-east-1", "currentConfiguration.volumeType "
     "currentConfiguration.volumeSize volumeRecommendationOptions"),
    ("compute-optimizer", "functions", "us-east-1", "currentMemorySize "
     "memorySizeRecommendationOptions"),
    ("config", "evaluations", "us-east-1", "Annotation ConfigRuleInvokedTime"),
    ("config", "resources", "us-east-1", "resourceName availabilityZone resourceCreationTime "
     "tags configuration.instanceType configuration.vpcId configuration.engine "
     "configuration.multiAZ configuration.size configuration.volumeType configuration.scheme "
     "configuration.minSize configuration.maxSize configuration.availableIpAddressCount "
     "configuration.state.name configuration.state.value configuration.type"),
    ("ec2", "instances", "us-east-1", "InstanceType State.Name VpcId LaunchTime Platform "
     "Placement.AvailabilityZone"),
    ("ec2", "volumes", "us-east-1", "Size VolumeType State CreateTime Encrypted"),
    ("ec2", "subnets", "us-east-1", "AvailableIpAddressCount VpcId State AvailabilityZone"),
    ("elbv2", "load_balancers", "us-east-1", "Scheme Type State.Code VpcId CreatedTime"),
    ("autoscaling", "groups", "us-east-1", "MinSize MaxSize Instances CreatedTime"),
    ("rds", "instances", "us-east-1", "Engine DBInstanceClass MultiAZ AllocatedStorage "
     "StorageType DBSubnetGroup.VpcId AvailabilityZone InstanceCreateTime DBInstanceStatus"),
    ("lambda", "functions", "us-east-1", "Runtime MemorySize LastModified VpcConfig.VpcId"),
    ("guardduty", "findings", "us-east-1", "Title Description Confidence Severity Type"),
    ("health", "events", GLOBAL, "arn service eventTypeCode region startTime endTime statusCode"),
    ("inspector2", "findings", "us-east-1", "severity status type title description "
     "firstObservedAt updatedAt"),
    ("kms", "keys", "us-east-1", "Description KeyUsage KeyState CreationDate Enabled"),
    ("resiliencehub", "apps", "us-east-1", "complianceStatus resiliencyScore status description "
     "creationTime lastAppComplianceEvaluationTime lastDriftEvaluationTime policyArn rpoInSecs"),
    ("resiliencehub", "assessments", "us-east-1", "cost.amount cost.currency cost.frequency"),
    ("secretsmanager", "secrets", "us-east-1", "Description CreatedDate LastChangedDate "
     "RotationEnabled"),
    ("securityhub", "findings", "us-east-1", "ProductName CompanyName ProductArn GeneratorId "
     "Remediation.Recommendation.Text Compliance.Status WorkflowState RecordState Region"),
    ("ssm", "instances", "us-east-1", "PlatformName IPAddress ComputerName PingStatus "
     "LastPingDateTime AgentVersion PlatformType PlatformVersion IsLatestVersion "
     "AssociationStatus LastAssociationExecutionDate LastSuccessfulAssociationExecutionDate"),
    ("support", "cases", GLOBAL, "displayId subject severityCode serviceCode categoryCode "
     "timeCreated submittedBy language recentCommunications.communications"),
    ("support", "results", GLOBAL, "timestamp resourcesSummary.resourcesFlagged "
     "categorySpecificSummary.costOptimizing.estimatedMonthlySavings"),
    ("wafv2", "regional", "us-east-1", "Description DefaultAction Rules"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("service", "kind", "region", "path"),
    [(*needed[:3], path) for needed in NEEDED for path in needed[3].split()],
)
def test_every_member_that_is_told_has_a_value_somewhere(
    service: str, kind: str, region: str, path: str
) -> None:
    """So that every column that rests on it can be shown to be filled."""
    found = [dig(item, path) for item in small().items(service, kind, region)]
    assert any(value not in (None, "", [], {}) for value in found)


SPREAD = [
    ("securityhub", "findings", "Severity.Label",
     {"CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL"}),
    ("securityhub", "findings", "Workflow.Status", {"NEW", "NOTIFIED", "RESOLVED", "SUPPRESSED"}),
    ("inspector2", "findings", "status", {"ACTIVE", "CLOSED", "SUPPRESSED"}),
    ("config", "evaluations", "ComplianceType",
     {"COMPLIANT", "NON_COMPLIANT", "NOT_APPLICABLE"}),
    ("config", "evaluations",
     "EvaluationResultIdentifier.EvaluationResultQualifier.EvaluationMode",
     {"DETECTIVE", "PROACTIVE"}),
    ("kms", "keys", "KeyState", {"Enabled", "Disabled", "PendingDeletion"}),
    ("kms", "keys", "KeyManager", {"AWS", "CUSTOMER"}),
]  # fmt: skip


@pytest.mark.parametrize(("service", "kind", "path", "wanted"), SPREAD)
def test_every_state_that_matters_occurs(
    service: str, kind: str, path: str, wanted: set[str]
) -> None:
    """Each severity, status and state that is treated differently."""
    assert {dig(item, path) for item in small().items(service, kind, "us-east-1")} == wanted


def test_web_acls_hold_every_kind_of_rule() -> None:
    """Countries, rates, injection, scripting, managed groups, own groups, nested ones."""
    text = json.dumps(small().items("wafv2", "regional", "us-east-1"))
    for kind in ("GeoMatch", "RateBased", "SqliMatch", "XssMatch", "ManagedRuleGroup",
                 "RuleGroupReference", "And", "Or", "Not"):  # fmt: skip
        assert f'"{kind}Statement"' in text


def test_the_same_arguments_give_the_same_account() -> None:
    """Another seed, account or region gives another."""
    for service, kind in CONTENT:
        for region in (GLOBAL, "us-east-1"):
            assert small().items(service, kind, region) == small().items(service, kind, region)
    other = generate(ONE, Size.small(), seed=8, today=TODAY, regions=REGIONS)
    ids = [
        {item["InstanceId"] for item in account.items("ec2", "instances", region)}
        for account, region in (
            (small(), "us-east-1"),
            (small(), "eu-west-1"),
            (small(TWO), "us-east-1"),
            (other, "us-east-1"),
        )
    ]
    assert len(set.union(*ids)) == sum(map(len, ids))


def test_a_changed_list_is_answered_at_once() -> None:
    """Even if an answer had been remembered."""
    account = small()
    cloud = cloud_of(account)
    before = hub(cloud)
    account.replace("securityhub", "findings", "us-east-1", before[:3])
    assert hub(cloud) == before[:3]
    account.items("securityhub", "findings", "us-east-1").pop()
    account.touch()
    assert hub(cloud) == before[:2]


def test_sizes_scale() -> None:
    """Every count, and nothing that is absent appears."""
    assert Size.small().scaled(2).instances == 2 * Size.small().instances
    assert Size.empty().scaled(100) == Size.empty()
    assert Size.small().scaled(0.01).keys == 1
    large = Size.large()
    items = large.instances * (large.applications_per_instance + large.patches_per_instance)
    findings = large.security_hub_findings + large.guardduty_findings + large.inspector_findings
    assert (large.keys, large.instances, items, findings) == (2000, 500, 100_000, 20_000)


@pytest.mark.parametrize("region", REGIONS)
def test_one_story_for_each_account(region: str) -> None:
    """Managed nodes, findings, configuration items and recommendations name EC2's instances."""
    account = small()
    servers = {item["InstanceId"] for item in account.items("ec2", "instances", region)}
    managed = {item["InstanceId"] for item in account.items("ssm", "instances", region)}
    recorded = {
        item["resourceId"]
        for item in account.items("config", "resources", region)
        if item["resourceType"] == "AWS::EC2::Instance"
    }
    advised = {
        item["instanceArn"].rpartition("/")[2]
        for item in account.items("compute-optimizer", "instances", region)
    }
    found = {
        item["Resource"]["InstanceDetails"]["InstanceId"]
        for item in account.items("guardduty", "findings", region)
    }
    assert {name for name in managed if not name.startswith("mi-")} < servers
    assert recorded == advised == servers
    assert found <= servers
