"""COLLECTORS: every category of the document."""

from __future__ import annotations

from observability.collecting.collector import ALWAYS, EVENT, NOW, PERIOD, REGION, WORLD, Collector
from observability.collectors.account import get_account_details
from observability.collectors.application import get_application_signals
from observability.collectors.compute_optimizer import get_compute_optimizer
from observability.collectors.config import get_config
from observability.collectors.config_inventory import get_config_resource_inventory
from observability.collectors.cost import get_cost
from observability.collectors.health import get_health
from observability.collectors.inventory import get_inventory
from observability.collectors.marketplace import get_marketplace
from observability.collectors.resilience_hub import get_resilience_hub_apps
from observability.collectors.ri_sp_savings import get_ri_sp_savings
from observability.collectors.security import SECURITY_PARTS, get_security
from observability.collectors.service import get_services
from observability.collectors.service_resources import get_services_resources
from observability.collectors.support_tickets import get_support_tickets
from observability.collectors.trusted_advisor import get_trusted_advisor

COLLECTORS = (
    Collector(
        "account", get_account_details, ALWAYS, NOW, True,
        (
            "sts:GetCallerIdentity", "account:GetAccountInformation",
            "account:GetContactInformation", "account:GetAlternateContact",
            "organizations:DescribeAccount",
        ),
        (),
    ),
    Collector(
        "config", get_config, REGION, NOW, True,
        (
            "config:DescribeConfigurationRecorders", "config:DescribeComplianceByConfigRule",
            "config:GetComplianceDetailsByConfigRule", "config:DescribeConformancePacks",
            "config:DescribeConformancePackCompliance", "config:SelectResourceConfig",
        ),
        ("non_compliant_resources",),
    ),
    Collector("service", get_services, WORLD, PERIOD, True, ("ce:GetCostAndUsage",)),
    Collector(
        "cost", get_cost, WORLD, PERIOD, True,
        (
            "ce:GetCostAndUsage", "ce:GetCostForecast", "ce:GetAnomalies",
            "cost-optimization-hub:ListRecommendationSummaries",
            "cost-optimization-hub:GetRecommendation",  # which the listing asks for
        ),
    ),
    Collector(
        "ri_sp_savings", get_ri_sp_savings, WORLD, PERIOD, False,
        (
            "ec2:DescribeReservedInstances", "rds:DescribeReservedDBInstances",
            "savingsplans:DescribeSavingsPlans", "ce:GetReservationUtilization",
            "ce:GetSavingsPlansUtilization", "ce:GetSavingsPlansUtilizationDetails",
        ),
        switch="reserved_capacity",
    ),
    Collector(
        "security", get_security, REGION, EVENT, True,
        (
            "securityhub:GetFindings", "guardduty:ListDetectors", "guardduty:ListFindings",
            "guardduty:GetFindings", "kms:ListKeys", "kms:DescribeKey",
            "kms:GetKeyRotationStatus", "wafv2:ListWebACLs", "wafv2:GetWebACL",
            "wafv2:ListLoggingConfigurations", "wafv2:GetLoggingConfiguration",
            "wafv2:ListResourcesForWebACL", "cloudfront:ListDistributionsByWebACLId",
            "cloudtrail:DescribeTrails", "cloudtrail:GetTrailStatus", "cloudtrail:LookupEvents",
            "secretsmanager:ListSecrets", "acm:ListCertificates", "acm:DescribeCertificate",
            "inspector2:ListFindings",
            # what ListResourcesForWebACL asks of the services that it lists, in the caller's name
            "amplify:ListResourcesForWebACL", "apprunner:ListAssociatedServicesForWebAcl",
            "appsync:ListResourcesForWebACL", "cognito-idp:ListResourcesForWebACL",
            "ec2:DescribeVerifiedAccessInstanceWebAclAssociations",
            "elasticloadbalancing:DescribeWebACLAssociation",
        ),
        SECURITY_PARTS,
    ),
    Collector(
        "inventory", get_inventory, REGION, NOW, True,
        (
            "ssm:DescribeInstanceInformation", "ssm:GetInventory", "ssm:DescribeInstancePatches",
            "ec2:DescribeInstances",
        ),
        ("instances", "applications", "patches"),
    ),
    Collector(
        "marketplace", get_marketplace, WORLD, PERIOD, False,
        (
            "license-manager:ListReceivedLicenses", "aws-marketplace:GetEntitlements",
            "ce:GetCostAndUsage",
        ),
    ),
    Collector(
        "trusted_advisor", get_trusted_advisor, WORLD, NOW, False,
        (
            "support:DescribeTrustedAdvisorChecks",
            "support:DescribeTrustedAdvisorCheckSummaries",
            "support:DescribeTrustedAdvisorCheckResult",
        ),
    ),
    Collector("health", get_health, WORLD, EVENT, False, ("health:DescribeEvents",)),
    Collector(
        "application", get_application_signals, REGION, NOW, False,
        ("application-signals:ListServices",),
    ),
    Collector(
        "resilience_hub", get_resilience_hub_apps, REGION, NOW, False,
        (
            "resiliencehub:ListApps", "resiliencehub:DescribeApp",
            "resiliencehub:DescribeResiliencyPolicy", "resiliencehub:ListAppAssessments",
        ),
    ),
    Collector(
        "service_resources", get_services_resources, REGION, NOW, False,
        (
            "ec2:DescribeInstances", "ec2:DescribeVolumes", "ec2:DescribeSubnets",
            "rds:DescribeDBInstances", "s3:ListAllMyBuckets",
            "elasticloadbalancing:DescribeLoadBalancers",
            "autoscaling:DescribeAutoScalingGroups", "lambda:ListFunctions",
        ),
    ),
    Collector(
        "compute_optimizer", get_compute_optimizer, REGION, NOW, False,
        (
            "compute-optimizer:GetEC2InstanceRecommendations",
            "compute-optimizer:GetEBSVolumeRecommendations",
            "compute-optimizer:GetLambdaFunctionRecommendations",
            # which look at the resources in the caller's name
            "ec2:DescribeInstances", "ec2:DescribeVolumes", "lambda:ListFunctions",
            "lambda:ListProvisionedConcurrencyConfigs",
        ),
    ),
    Collector(
        "config_inventory", get_config_resource_inventory, REGION, NOW, False,
        (
            "config:SelectResourceConfig", "config:DescribeConfigurationRecorders",
            "config:GetDiscoveredResourceCounts", "config:ListDiscoveredResources",
        ),
    ),
    Collector(
        "support_tickets", get_support_tickets, WORLD, EVENT, False, ("support:DescribeCases",)
    ),
)  # fmt: skip

CATEGORIES = {collector.category: collector for collector in COLLECTORS}
