"""The part of security in the documents of documents.py."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]


def finding(account: str, region: str, name: str, severity: str, **more: Any) -> Document:
    return {
        "finding_id": f"arn:aws:securityhub:{region}:{account}:finding/{name}",
        "service": "AwsS3Bucket",
        "title": f"Title of {name}",
        "description": "What it is",
        "severity": severity,
        "status": "NEW",
        "resource_type": "AwsS3Bucket",
        "resource_id": "arn:aws:s3:::logs",
        "created_at": "2026-11-01T00:00:00+00:00",
        "updated_at": "2026-11-20T00:00:00+00:00",
        "recommendation": "Do this",
        "compliance_status": "FAILED",
        "region": region,
        "workflow_state": "NEW",
        "record_state": "ACTIVE",
        "product_name": "Security Hub",
        "company_name": "AWS",
        "product_arn": f"arn:aws:securityhub:{region}::product/aws/securityhub",
        "generator_id": "aws-foundational/S3.5",
        "generator": "Security Hub",
        **more,
    }


def security_part(account: str, region: str) -> Document:
    arn = f"arn:aws:{{}}:{region}:{account}:{{}}"
    return {
        "security_hub": [
            {
                "service": "Security Hub",
                "total_findings": 2,
                "severity_counts": {"CRITICAL": 1, "HIGH": 0, "LOW": 1},
                "open_findings": 1,
                "resolved_findings": 1,
                "findings": [
                    finding(account, region, "one", "CRITICAL"),
                    finding(account, region, "two", "LOW", status="RESOLVED"),
                ],
            }
        ],
        "guard_duty": [
            {
                "id": "gd-1",
                "detector_id": "det-1",
                "type": "Recon:EC2/PortProbe",
                "severity": 8.5,
                "title": "Probe",
                "description": "Somebody probes",
                "confidence": 7.25,
                "region": region,
                "created_at": "2026-11-01T00:00:00+00:00",
                "updated_at": "2026-11-20T00:00:00+00:00",
                "resource_type": "Instance",
                "archived": False,
            }
        ],
        "kms": [
            {
                "key_id": "1234abcd",
                "arn": arn.format("kms", "key/1234abcd"),
                "description": "data",
                "key_usage": "ENCRYPT_DECRYPT",
                "key_state": "PendingDeletion",
                "creation_date": "2024-01-01T00:00:00+00:00",
                "enabled": True,
                "key_rotation_enabled": False,
                "key_manager": "CUSTOMER",
                "key_spec": "SYMMETRIC_DEFAULT",
                "origin": "AWS_KMS",
                "multi_region": False,
                "deletion_date": "2027-01-01T00:00:00+00:00",
            }
        ],
        **waf_parts(arn),
        **audit_parts(arn, region),
    }


def audit_parts(arn: str, region: str) -> Document:
    return {
        "cloudtrail": [
            {
                "name": "main",
                "arn": arn.format("cloudtrail", "trail/main"),
                "is_logging": True,
                "is_multi_region": True,
                "s3_bucket": "trail",
                "kms_key_id": "1234abcd",
                "log_file_validation": True,
                "latest_delivery_time": "2026-11-21T23:55:00+00:00",
                "is_organization_trail": False,
                "home_region": region,
                "latest_event_time": "2026-11-21T23:50:00+00:00",
            }
        ],
        **secret_parts(arn),
        "inspector": [inspector_finding(arn)],
    }


def secret_parts(arn: str) -> Document:
    return {
        "secrets_manager": [
            {
                "name": "db",
                "arn": arn.format("secretsmanager", "secret:db-Ab12"),
                "description": "database",
                "created_date": "2025-01-01T00:00:00+00:00",
                "last_changed_date": "2026-01-01T00:00:00+00:00",
                "rotation_enabled": True,
                "last_rotated_date": "2026-01-01T00:00:00+00:00",
                "last_accessed_date": "2026-11-20T00:00:00+00:00",
                "deleted_date": "2026-11-19T00:00:00+00:00",
            }
        ],
        "certificate_manager": [
            {
                "arn": arn.format("acm", "certificate/1"),
                "domain_name": "example.com",
                "status": "ISSUED",
                "type": "AMAZON_ISSUED",
                "not_after": "2026-12-24T00:00:00+00:00",
                "not_before": "2025-12-24T00:00:00+00:00",
                "key_algorithm": "EC_prime256v1",
                "in_use": True,
                "renewal_eligibility": "ELIGIBLE",
            }
        ],
    }


def inspector_finding(arn: str) -> Document:
    return {
        "finding_arn": arn.format("inspector2", "finding/1"),
        "severity": "HIGH",
        "status": "ACTIVE",
        "type": "PACKAGE_VULNERABILITY",
        "title": "CVE-2026-1 - openssl",
        "description": "A hole",
        "first_observed_at": "2026-10-01T00:00:00+00:00",
        "last_observed_at": "2026-11-20T00:00:00+00:00",
        "updated_at": "2026-11-20T00:00:00+00:00",
        "resource_type": "AWS_EC2_INSTANCE",
        "resource_id": "i-1",
        "vulnerability_id": "CVE-2026-1",
        "inspector_score": 8.1,
        "fix_available": "YES",
        "exploit_available": "NO",
    }


def waf_parts(arn: str) -> Document:
    return {
        "waf": [
            {
                "name": "edge",
                "id": "acl-1",
                "arn": arn.format("wafv2", "regional/webacl/edge/acl-1"),
                "scope": "REGIONAL",
                "description": "front",
                "default_action": {"Allow": {}},
                "rules_count": 1,
                "logging_enabled": True,
                "geo_blocking_enabled": True,
                "blocked_countries": ["KP", "RU"],
                "capacity": 50,
                "associated_resources": ["arn:aws:elasticloadbalancing:::loadbalancer/app/a/1"],
            }
        ],
        "waf_rules": [
            {
                "web_acl_name": "edge",
                "rule_name": "rate",
                "priority": 1,
                "action": {"Block": {}},
                "statement_type": "RateBasedStatement",
                "is_managed_rule": False,
                "is_custom_rule": True,
                "rate_limit": True,
                "rate_limit_requests": 2000,
                "logging_enabled": True,
                "geo_blocking": False,
                "sql_injection": False,
                "sample_request_enabled": True,
                "cloudwatch_enabled": True,
                "has_xss_protection": False,
                "waf_version": "v2",
                "is_compliant": True,
                "scope": "REGIONAL",
            }
        ],
    }
