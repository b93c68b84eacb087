"""Every listing that has pages, and what all its pages hold together."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta

from tests.cloud.accounts import GLOBAL
from tests.cloud.tests.answering import (
    ALL_CERTIFICATES,
    HOUR,
    NOW,
    TODAY,
    Listing,
    by_assessment,
    detector,
    expected_compliance,
    first_instance,
    first_product,
    first_rule,
    held,
    pack_rules,
    pairs,
    recorded,
    rule_results,
    saving_groups,
    seen_in,
    values,
)

EVERY_CASE = {"includeResolvedCases": True}

LISTINGS = [
    Listing("account", "ListRegions", "Regions",
            lambda account: [
                {"RegionName": name, "RegionOptStatus": "ENABLED_BY_DEFAULT"}
                for name in sorted(account.regions)
            ],
            lambda account: {"RegionOptStatusContains": ["ENABLED", "ENABLED_BY_DEFAULT"]},
            size={"MaxResults": 50}, page_size=1, empty=False),
    Listing("acm", "ListCertificates", "CertificateSummaryList", held("acm", "certificates"),
            lambda account: ALL_CERTIFICATES, size={"MaxItems": 1000}),
    Listing("application-signals", "ListServices", "ServiceSummaries",
            held("application-signals", "services"),
            lambda account: {"StartTime": NOW - 24 * HOUR, "EndTime": NOW},
            size={"MaxResults": 100}),
    Listing("autoscaling", "DescribeAutoScalingGroups", "AutoScalingGroups",
            held("autoscaling", "groups"), size={"MaxRecords": 100}),
    Listing("ce", "GetAnomalies", "Anomalies", held("ce", "anomalies", GLOBAL),
            lambda account: {"DateInterval": {"StartDate": f"{TODAY - timedelta(days=90)}"}},
            token="NextPageToken", size={"MaxResults": 100}),
    Listing("cloudfront", "ListDistributionsByWebACLId", "DistributionList.Items",
            lambda account: account.items("cloudfront", "distributions")[:3],
            lambda account: {
                "WebACLId": account.items("wafv2", "cloudfront", "us-east-1")[0]["ARN"]
            },
            token="Marker", token_out="NextMarker", page_size=2, empty=False),
    Listing("cloudtrail", "LookupEvents", "Events", held("cloudtrail", "events"),
            size={"MaxResults": 50}),
    Listing("compute-optimizer", "GetEC2InstanceRecommendations", "instanceRecommendations",
            held("compute-optimizer", "instances"), token="nextToken", size={"maxResults": 1000}),
    Listing("compute-optimizer", "GetEBSVolumeRecommendations", "volumeRecommendations",
            held("compute-optimizer", "volumes"), token="nextToken", size={"maxResults": 1000}),
    Listing("compute-optimizer", "GetLambdaFunctionRecommendations",
            "lambdaFunctionRecommendations", held("compute-optimizer", "functions"),
            token="nextToken", size={"maxResults": 1000}),
    Listing("config", "DescribeComplianceByConfigRule", "ComplianceByConfigRules",
            expected_compliance),
    Listing("config", "GetComplianceDetailsByConfigRule", "EvaluationResults", rule_results,
            first_rule, size={"Limit": 100}, empty=False),
    Listing("config", "DescribeConformancePacks", "ConformancePackDetails",
            held("config", "packs"), size={"Limit": 20}),
    Listing("config", "DescribeConformancePackCompliance", "ConformancePackRuleComplianceList",
            pack_rules, lambda account: {"ConformancePackName": "pack-00"}, page_size=2,
            empty=False),
    Listing("config", "SelectResourceConfig", "Results",
            lambda account: [
                json.dumps({"resourceId": item["resourceId"]}, separators=(",", ":"),
                           ensure_ascii=False)
                for item in recorded(account)
            ],
            lambda account: {"Expression": "SELECT resourceId"}, size={"Limit": 100}),
    Listing("config", "ListDiscoveredResources", "resourceIdentifiers",
            lambda account: [
                {"resourceType": "AWS::EC2::Volume", "resourceId": item["VolumeId"]}
                for item in account.items("ec2", "volumes", "us-east-1")
            ],
            lambda account: {"resourceType": "AWS::EC2::Volume"}, token="nextToken",
            size={"limit": 100}, empty=False),
    Listing("config", "GetDiscoveredResourceCounts", "resourceCounts",
            lambda account: [
                {"resourceType": kind, "count": count}
                for kind, count in Counter(
                    item["resourceType"] for item in recorded(account)
                ).most_common()
            ],
            token="nextToken", size={"limit": 100}),
    Listing("cost-optimization-hub", "ListRecommendationSummaries", "items",
            lambda account: saving_groups(account),
            lambda account: {"groupBy": "ResourceType"}, token="nextToken", page_size=2,
            size={"maxResults": 1000}),
    Listing("ec2", "DescribeInstances", "Reservations",
            lambda account: pairs(account.items("ec2", "instances", "us-east-1")),
            size={"MaxResults": 1000}),
    Listing("ec2", "DescribeSubnets", "Subnets", held("ec2", "subnets"),
            size={"MaxResults": 1000}),
    Listing("ec2", "DescribeVolumes", "Volumes", held("ec2", "volumes"),
            size={"MaxResults": 1000}),
    Listing("elbv2", "DescribeLoadBalancers", "LoadBalancers", held("elbv2", "load_balancers"),
            token="Marker", token_out="NextMarker", size={"PageSize": 400}),
    Listing("guardduty", "ListFindings", "FindingIds", values("guardduty", "findings", "Id"),
            detector, size={"MaxResults": 50}, empty=False),
    Listing("health", "DescribeEvents", "events", held("health", "events", GLOBAL),
            token="nextToken", size={"maxResults": 100}),
    Listing("inspector2", "ListFindings", "findings", held("inspector2", "findings"),
            token="nextToken", size={"maxResults": 100}),
    Listing("kms", "ListKeys", "Keys",
            lambda account: [
                {"KeyId": item["KeyId"], "KeyArn": item["Arn"]}
                for item in account.items("kms", "keys", "us-east-1")
            ],
            token="Marker", token_out="NextMarker", size={"Limit": 1000}),
    Listing("lambda", "ListFunctions", "Functions", held("lambda", "functions"),
            token="Marker", token_out="NextMarker", size={"MaxItems": 10_000}),
    Listing("license-manager", "ListReceivedLicenses", "Licenses",
            held("license-manager", "received", GLOBAL), size={"MaxResults": 100}),
    Listing("marketplace-entitlement", "GetEntitlements", "Entitlements",
            lambda account: account.items("marketplace-entitlement", "entitlements")[:3],
            first_product, page_size=2, size={"MaxResults": 25}, empty=False),
    Listing("rds", "DescribeDBInstances", "DBInstances", held("rds", "instances"),
            token="Marker", size={"MaxRecords": 100}),
    Listing("resiliencehub", "ListApps", "appSummaries", by_assessment, token="nextToken",
            size={"maxResults": 100}),
    Listing("rds", "DescribeReservedDBInstances", "ReservedDBInstances", held("rds", "reserved"),
            lambda account: {}, token="Marker", size={"MaxRecords": 100}),
    Listing("resiliencehub", "ListAppAssessments", "assessmentSummaries",
            lambda account: sorted(
                account.items("resiliencehub", "assessments", "us-east-1"),
                key=lambda item: item["startTime"],
            ),
            token="nextToken", size={"maxResults": 100}),
    Listing("s3", "ListBuckets", "Buckets", held("s3", "buckets", GLOBAL),
            lambda account: {"MaxBuckets": 1000}, token="ContinuationToken"),
    Listing("savingsplans", "DescribeSavingsPlans", "savingsPlans",
            held("savingsplans", "plans", GLOBAL),
            lambda account: {"states": ["active", "retired"]}, token="nextToken",
            size={"maxResults": 1000}),
    Listing("secretsmanager", "ListSecrets", "SecretList", held("secretsmanager", "secrets"),
            lambda account: {"IncludePlannedDeletion": True}, size={"MaxResults": 100}),
    Listing("securityhub", "GetFindings", "Findings", held("securityhub", "findings"),
            size={"MaxResults": 100}),
    Listing("ssm", "DescribeInstanceInformation", "InstanceInformationList",
            held("ssm", "instances"), size={"MaxResults": 50}),
    Listing("ssm", "GetInventory", "Entities", seen_in("AWS:Application"),
            lambda account: {"ResultAttributes": [{"TypeName": "AWS:Application"}]},
            size={"MaxResults": 50}),
    Listing("ssm", "DescribeInstancePatches", "Patches",
            lambda account: account.items("ssm", "patches", "us-east-1")[0]["Patches"],
            first_instance, size={"MaxResults": 100}, empty=False),
    Listing("support", "DescribeCases", "cases", held("support", "cases", GLOBAL),
            lambda account: EVERY_CASE, token="nextToken", size={"maxResults": 100}),
    Listing("wafv2", "ListWebACLs", "WebACLs",
            lambda account: [
                {name: item[name] for name in ("Name", "Id", "Description", "ARN") if name in item}
                | {"LockToken": account.uuid("lock", item["Id"])}
                for item in account.items("wafv2", "regional", "us-east-1")
            ],
            lambda account: {"Scope": "REGIONAL"}, token="NextMarker", size={"Limit": 100}),
    Listing("wafv2", "ListLoggingConfigurations", "LoggingConfigurations",
            lambda account: [
                item for item in account.items("wafv2", "logging", "us-east-1")
                if ":global/" in item["ResourceArn"]
            ],
            lambda account: {"Scope": "CLOUDFRONT"}, token="NextMarker", page_size=2,
            size={"Limit": 100}),
]  # fmt: skip
