"""Documents in the contract's shapes, as another producer would write them: every field filled."""

from __future__ import annotations

import copy
import json
from datetime import date, timedelta
from typing import Any

from observability.loaders import LOADERS
from tests.security_documents import security_part

ACCOUNT = "111122223333"
REGION = "eu-west-1"
CATEGORIES = tuple(loader.category for loader in LOADERS)

Document = dict[str, Any]


def document(
    day: date = date(2026, 11, 21),
    account: str = ACCOUNT,
    region: str = REGION,
    *,
    meta: bool = True,
) -> Document:
    """A document of one day with a row or two in every table and a value in every field."""
    after = (day + timedelta(days=1)).isoformat()
    made: Document = {
        "logs": logs_part(f"{after}T03:00:00+00:00"),
        "account": account_part(account, region),
        "config": config_part(day),
        "service": service_part(day),
        "cost": cost_part(day),
        "cost_by_tag": [
            {
                "day": day.isoformat(),
                "tag_key": "team",
                "tag_value": "Web",
                "cost": "1.2345678901",
                "amortized_cost": "1.5",
                "currency": "USD",
            }
        ],
        "ri_sp_savings": [savings_plan(day)],
        "security": security_part(account, region),
        "inventory": inventory_part(),
        "marketplace": [
            {
                "product_code": "prod-abc",
                "product_name": "Log analyser",
                "cost_consumed": "12.3400000001",
                "currency": "USD",
                "period_start": day.isoformat(),
                "period_end": after,
                "status": "ACTIVE",
            }
        ],
        **operations_part(account, region),
        **resources_part(account, region),
        "support_tickets": [support_ticket()],
    }
    if meta:
        made = {"meta": meta_part(day, account, region, f"{after}T03:00:00+00:00"), **made}
    return copy.deepcopy(made)


def key(day: date = date(2026, 11, 21), account: str = ACCOUNT, region: str = REGION) -> str:
    return f"data/{account}/{region}/{day}_DAILY.json"


def encode(made: Document) -> bytes:
    return json.dumps(made).encode()


def meta_part(day: date, account: str, region: str, collected_at: str) -> Document:
    return {
        "format": 1,
        "collected_at": collected_at,
        "period": {"start": day.isoformat(), "end": (day + timedelta(days=1)).isoformat()},
        "interval": "DAILY",
        "account_id": account,
        "region": region,
        "sender": "another producer 1.0",
    }


def account_part(account: str, region: str) -> Document:
    contact = {"name": "Ada Ops", "title": "Lead", "email": "ada@example.com", "phone": "+49 30 1"}
    return {
        "account_id": account,
        "account_name": "Shop “prod”",
        "account_email": "aws@example.com",
        "account_status": "ACTIVE",
        "account_arn": f"arn:aws:organizations::999999999999:account/o-1/{account}",
        "partner_name": "Partner",
        "customer_name": "Customer",
        "category": "production",
        "account_type": "member",
        "joined_method": "CREATED",
        "joined_timestamp": "2020-02-29T12:00:00+00:00",
        "region": region,
        "product": "Shop, Search",
        "contact_info": {
            "address_line1": "Street 1",
            "address_line2": "Floor 2",
            "address_line3": "Door 3",
            "city": "Berlin",
            "country_code": "DE",
            "postal_code": "10115",
            "state_or_region": "BE",
            "company_name": "Example GmbH",
            "phone_number": "+49 30 2",
            "website_url": "https://example.com",
            "full_name": "Ada Example",
        },
        "alternate_contacts": {
            "billing": contact,
            "operations": {**contact, "name": "Bob Ops"},
            "security": None,
        },
    }


def config_part(day: date) -> Document:
    return {
        "date_from": day.isoformat(),
        "date_to": (day + timedelta(days=1)).isoformat(),
        "compliance_score": 66.67,
        "total_rules": 3,
        "compliant_rules": 2,
        "non_compliant_rules": 1,
        "rules_without_result": 1,
        "curr_compliant": 10,
        "curr_non_compliant": 2,
        "non_compliant_resources": [
            {
                "resource_type": "AWS::S3::Bucket",
                "resource_id": bucket,
                "compliance_type": "NON_COMPLIANT",
                "rule_name": "s3-bucket-ssl",
                "annotation": "No policy",
                "evaluation_mode": "DETECTIVE",
                "conformance_pack": "basics",
                "config_rule_invoked_time": "2026-11-20T10:00:00.123000+00:00",
            }
            for bucket in ("logs", "photos")
        ],
    }


def service_part(day: date) -> list[Document]:
    return [
        {
            "service": service,
            "usage_types": usage,
            "date_from": day.isoformat(),
            "date_to": (day + timedelta(days=1)).isoformat(),
            "cost": cost,
            "amortized_cost": cost,
            "currency": "USD",
            "utilization": "24.0000",
            "utilization_unit": "Hrs",
        }
        for service, usage, cost in (
            ("Amazon EC2", ["BoxUsage:t3.micro", "EBS:VolumeUsage"], "1.2345678901"),
            ("Amazon S3", "Requests-Tier1", "0.0000000004"),
        )
    ]


def cost_part(day: date) -> list[Document]:
    after = day + timedelta(days=1)
    return [
        {
            "current_period_cost": "1.2345678905",
            "amortized_cost": "1.5000000001",
            "previous_period_cost": "1.00",
            "cost_difference": "0.2345678905",
            "cost_difference_percentage": "23.46",
            "potential_monthly_savings": "17.5",
            "anomalies_detected": 1,
            "saving_opportunities_count": 4,
            "period": {"start": day.isoformat(), "end": after.isoformat(), "granularity": "DAILY"},
            "top_services": [
                {"service": "Amazon EC2", "cost": "1.2345678901", "amortized_cost": "1.5"},
                {
                    "service": "Amazon S3",
                    "cost": "0.0000000004",
                    "amortized_cost": "0.0000000001",
                },
            ],
            "forecast": [
                {
                    "period": {
                        "start": after.isoformat(),
                        "end": (after + timedelta(days=1)).isoformat(),
                    },
                    "amount": "1.3",
                    "prediction_interval_lower_bound": "1.1",
                    "prediction_interval_upper_bound": "1.5",
                }
            ],
        }
    ]


def savings_plan(day: date) -> Document:
    return {
        "date_from": day.isoformat(),
        "date_to": (day + timedelta(days=1)).isoformat(),
        "reservation_type": "Savings Plan",
        "subscription_id": "sp-1",
        "offering_id": "offering-1",
        "savings_plan_arn": "arn:aws:savingsplans::111122223333:savingsplan/sp-1",
        "service": "Savings Plans for AWS Compute usage",
        "instance_type": "m6i.large",
        "instance_count": 2,
        "instance_family": "m6i",
        "instance_tenancy": "default",
        "offering_class": "EC2Instance",
        "product_types": "EC2,Fargate",
        "region": "eu-west-1",
        "utilization_percentage": "97.5",
        "on_demand_cost": "3.4000000001",
        "reservation_cost": "2.40",
        "net_savings": "1.0000000001",
        "commitment": "0.1",
        "upfront_cost": "0",
        "recurring_cost": "0.1",
        "recurring_frequency": "Hourly",
        "usage_price": 0.0,
        "currency": "USD",
        "start_date": "2026-01-01T00:00:00+00:00",
        "end_date": "2027-01-01T00:00:00+00:00",
        "returnable_until": "2026-01-08T00:00:00+00:00",
        "duration_seconds": 31536000,
        "offering_type": "No Upfront",
        "state": "active",
        "description": "1 year No Upfront EC2 Instance Savings Plan",
    }


def inventory_part() -> Document:
    return {
        "instances": [
            {
                "instance_id": instance,
                "instance_type": "EC2Instance",
                "platform": "Amazon Linux",
                "ip_address": "10.0.0.1",
                "computer_name": "host",
                "ping_status": "Online",
                "last_ping_date_time": "2026-11-21T23:59:00+00:00",
                "agent_version": "3.3",
                "platform_type": "Linux",
                "platform_version": "2023",
                "is_latest_version": True,
                "association_status": "Success",
                "association_execution_date": "2026-11-21T01:00:00+00:00",
                "association_success_date": "2026-11-21T01:00:00+00:00",
            }
            for instance in ("i-1", "i-2")
        ],
        "applications": [
            {
                "instance_id": "i-1",
                "name": name,
                "version": version,
                "publisher": "Example",
                "architecture": "x86_64",
                "application_type": "System",
                "install_time": "2026-01-01T00:00:00+00:00",
            }
            for name, version in (("bash", "5.2"), ("bash", "5.3"), ("tool", None))
        ],
        "patches": [
            {
                "instance_id": "i-2",
                "title": "kernel.x86_64",
                "classification": "Security",
                "severity": "Important",
                "state": "Installed",
                "installed_time": "2026-10-01T00:00:00+00:00",
                "kb_id": "kernel",
                "cve_ids": "CVE-2026-2",
            }
        ],
    }


def operations_part(account: str, region: str) -> Document:
    return {
        "trusted_advisor": [
            {
                "check_name": "Idle load balancers",
                "category": "cost_optimizing",
                "severity": "warning",
                "recommendation": "Delete them",
                "affected_resources_count": 2,
                "potential_savings": 34.5,
                "timestamp": "2026-11-21T12:00:00+00:00",
                "check_id": "hjLMh88uM8",
            }
        ],
        "health": [
            {
                "arn": f"arn:aws:health:{region}::event/EC2/X/1",
                "service": "EC2",
                "event_type_code": "AWS_EC2_OPERATIONAL_ISSUE",
                "region": region,
                "start_time": "2026-11-20T00:00:00+00:00",
                "end_time": "2026-11-20T02:00:00+00:00",
                "status_code": "closed",
                "event_type_category": "issue",
                "event_scope_code": "PUBLIC",
                "last_updated_time": "2026-11-20T02:10:00+00:00",
            }
        ],
        "application": [
            {
                "service_name": "checkout",
                "namespace": "prod",
                "key_attributes": {"Type": "Service", "Name": "checkout", "Environment": "prod"},
            }
        ],
        "resilience_hub": [
            {
                "app_arn": f"arn:aws:resiliencehub:{region}:{account}:app/1",
                "name": "shop",
                "compliance_status": "PolicyMet",
                "resiliency_score": 87.5,
                "status": "Active",
                "cost": 100.25,
                "description": "The shop",
                "creation_time": "2025-01-01T00:00:00+00:00",
                "last_assessment_time": "2026-11-20T00:00:00+00:00",
                "rpo": 300,
                "rto": 900,
                "last_drill": "2026-06-01T00:00:00+00:00",
            }
        ],
    }


def resources_part(account: str, region: str) -> Document:
    resource = {
        "resource_type": "instance",
        "resource_id": "i-1",
        "resource_name": "web",
        "region": region,
        "availability_zone": f"{region}a",
        "state": "running",
        "instance_type": "t3.micro",
        "vpc_id": "vpc-1",
        "engine": "postgres",
        "instance_class": "db.t3.micro",
        "multi_az": True,
        "size_gb": 20,
        "volume_type": "gp3",
        "creation_date": "2025-01-01T00:00:00+00:00",
        "type": "application",
        "scheme": "internal",
        "instance_count": 2,
        "min_size": 1,
        "max_size": 3,
        "available_ip_count": 250,
    }
    return {
        "service_resources": [
            {"service_name": "EC2", "arn": f"arn:aws:ec2:{region}:{account}:i/i-1", **resource},
            {"service_name": "S3", "resource_type": "bucket", "resource_id": "logs"},
        ],
        "compute_optimizer": [
            {
                "resource_type": "EC2",
                "resource_arn": f"arn:aws:ec2:{region}:{account}:instance/i-1",
                "resource_name": "web",
                "finding": "OVER_PROVISIONED",
                "current_instance_type": "m5.large",
                "current_memory_size": 8192,
                "current_volume_type": "gp2",
                "current_volume_size": 100,
                "recommended_instance_type": "t3.micro",
                "recommended_memory_size": 1024,
                "recommended_volume_type": "gp3",
                "recommended_volume_size": 50,
                "savings_opportunity_percentage": 41.5,
                "estimated_monthly_savings_usd": 12.34,
                "performance_risk": 2.5,
                "current_performance_risk": "Low",
                "cpu_utilization_max": 17.5,
                "memory_utilization_avg": 33.25,
                "migration_effort": "Medium",
            }
        ],
        "config_inventory": [{"resource_subtype": "burstable", **resource}],
    }


def support_ticket() -> Document:
    return {
        "case_id": "case-1",
        "display_id": "1001",
        "subject": "Help",
        "status": "resolved",
        "severity_code": "low",
        "service_code": "amazon-ec2",
        "category_code": "other",
        "time_created": "2026-11-01T00:00:00+00:00",
        "submitted_by": "ops@example.com",
        "language": "en",
        "date_from": "2026-11-21",
        "date_to": "2026-11-22",
    }


def logs_part(created: str) -> Document:
    return {
        **{f"{category}_status": "Pass" for category in CATEGORIES},
        "date_created": created,
        "message": [{"SUCCESS": "cost collected", "TIMING": "cost 1.2 s"}, "a bare text"],
    }
