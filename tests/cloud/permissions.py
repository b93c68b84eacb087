"""Which IAM permissions a request needs: what its API is called in IAM, and on which resource.

IAM names most actions like the API's operations. The tables below hold what differs, and what AWS
asks for behind a call in the caller's name. A request whose resource is not in them is asked for
on "*", which only a statement with that resource allows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote

from tests.cloud.switches import ApiRequest


@dataclass(frozen=True)
class Permission:
    """An action on a resource; `context` has the condition keys that only this request has."""

    action: str
    resource: str = "*"
    context: Mapping[str, str] = field(default_factory=dict)


PREFIXES = {
    "elbv2": "elasticloadbalancing",
    "marketplace-entitlement": "aws-marketplace",
}
"""What IAM calls a service, where that is not what boto3 calls it."""

NAMES = {
    ("s3", "CompleteMultipartUpload"): "s3:PutObject",
    ("s3", "CopyObject"): "s3:PutObject",
    ("s3", "CreateMultipartUpload"): "s3:PutObject",
    ("s3", "DeleteObjects"): "s3:DeleteObject",
    ("s3", "HeadBucket"): "s3:ListBucket",
    ("s3", "HeadObject"): "s3:GetObject",
    ("s3", "ListBuckets"): "s3:ListAllMyBuckets",
    ("s3", "ListObjects"): "s3:ListBucket",
    ("s3", "ListObjectsV2"): "s3:ListBucket",
    ("s3", "UploadPart"): "s3:PutObject",
}
"""What IAM calls an operation, where that is not its own name."""

BEHIND: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("compute-optimizer", "GetEBSVolumeRecommendations"): ("ec2:DescribeVolumes",),
    ("compute-optimizer", "GetEC2InstanceRecommendations"): ("ec2:DescribeInstances",),
    ("compute-optimizer", "GetLambdaFunctionRecommendations"): (
        "lambda:ListFunctions",
        "lambda:ListProvisionedConcurrencyConfigs",
    ),
    ("cost-optimization-hub", "ListRecommendationSummaries"): (
        "cost-optimization-hub:GetRecommendation",
    ),
}
"""What else AWS wants the caller to be allowed (AWS's Service Authorization Reference)."""

BEHIND_WEB_ACLS: Mapping[str, tuple[str, ...]] = {
    "AGENTCORE_GATEWAY": (),
    "AMPLIFY": ("amplify:ListResourcesForWebACL",),
    "API_GATEWAY": (),
    "APPLICATION_LOAD_BALANCER": ("elasticloadbalancing:DescribeWebACLAssociation",),
    "APPSYNC": ("appsync:ListResourcesForWebACL",),
    "APP_RUNNER_SERVICE": ("apprunner:ListAssociatedServicesForWebAcl",),
    "COGNITO_USER_POOL": ("cognito-idp:ListResourcesForWebACL",),
    "VERIFIED_ACCESS_INSTANCE": ("ec2:DescribeVerifiedAccessInstanceWebAclAssociations",),
}
"""The same for wafv2's ListResourcesForWebACL, by the type of resource that is asked for."""


def needed(request: ApiRequest) -> list[Permission]:
    """The permissions that a request needs. What S3 asks KMS is a request of its own."""
    if request.service == "s3":
        return s3_permissions(request)
    if request.service == "kms" and request.via:
        return [key_permission(request)]
    action = action_of(request)
    if action == "sts:AssumeRole":
        given = request.params.get("ExternalId")
        context = {"sts:externalid": given} if given else {}
        return [Permission(action, resource_of(action, request), context)]
    behind = BEHIND.get((request.service, request.operation), ())
    if action == "wafv2:ListResourcesForWebACL":
        behind = BEHIND_WEB_ACLS[request.params["ResourceType"]]
    return [Permission(name, resource_of(name, request)) for name in (action, *behind)]


def action_of(request: ApiRequest) -> str:
    """What IAM calls a request."""
    usual = f"{PREFIXES.get(request.service, request.service)}:{request.operation}"
    return NAMES.get((request.service, request.operation), usual)


def s3_permissions(request: ApiRequest) -> list[Permission]:
    """Of a request to S3: on the bucket or the object, and on the object that it copies."""
    action, params = action_of(request), request.params
    if "Bucket" not in params:
        return [Permission(action)]
    place = f"arn:aws:s3:::{params['Bucket']}"
    if "Key" in params:
        place += f"/{params['Key']}"
    found = [Permission(action, place, s3_context(request))]
    if "CopySource" in params:
        source = f"arn:aws:s3:::{unquote(params['CopySource']).lstrip('/')}"
        found.append(Permission("s3:GetObject", source))
    if request.operation == "CompleteMultipartUpload" and "SSEKMSKeyId" in params:
        # What an encrypted upload in parts needs (S3's guide, "Multipart upload and permissions").
        found.append(key_permission(decryption(request)))
    return found


def decryption(request: ApiRequest) -> ApiRequest:
    """The request to KMS with which S3 reads what it has encrypted for the caller."""
    document = f"arn:aws:s3:::{request.params['Bucket']}/{request.params['Key']}"
    params = {
        "KeyId": request.params["SSEKMSKeyId"],
        "EncryptionContext": {"aws:s3:arn": document},
    }
    return replace(request, service="kms", operation="Decrypt", params=params, via="s3")


class Uploads:
    """Remembers how uploads in parts were begun: their parts do not say how they are encrypted."""

    PARTS = ("UploadPart", "CompleteMultipartUpload")

    def __init__(self) -> None:
        self._begun: dict[tuple[str, str], Mapping[str, Any]] = {}

    def complete(self, request: ApiRequest) -> ApiRequest:
        """A request with what is known from the beginning of its upload."""
        if request.service != "s3" or "Key" not in request.params:
            return request
        place = (request.params["Bucket"], request.params["Key"])
        if request.operation == "CreateMultipartUpload":
            self._begun[place] = request.params
        elif request.operation in self.PARTS:
            return replace(request, params={**self._begun.get(place, {}), **request.params})
        return request


def s3_context(request: ApiRequest) -> dict[str, str]:
    """The condition keys that S3 reads from a request."""
    named = {
        "s3:prefix": "Prefix",
        "s3:x-amz-server-side-encryption": "ServerSideEncryption",
        "s3:x-amz-server-side-encryption-aws-kms-key-id": "SSEKMSKeyId",
    }
    return {key: request.params[name] for key, name in named.items() if name in request.params}


def key_permission(request: ApiRequest) -> Permission:
    """Of a request to KMS that another service makes in the caller's name."""
    context = {
        f"kms:encryptioncontext:{name}": value
        for name, value in request.params["EncryptionContext"].items()
    }
    key = request.params["KeyId"]
    region = key.split(":")[3] if key.startswith("arn:") else request.region
    context["kms:viaservice"] = f"{request.via}.{region}.amazonaws.com"
    return Permission(f"kms:{request.operation}", key_arn(request), context)


def key_arn(request: ApiRequest) -> str:
    """The ARN of the key that a request names by its ARN or its id."""
    key: str = request.params["KeyId"]
    return key if key.startswith("arn:") else own_arn("kms", f"key/{key}")(request)


def own_arn(service: str, resource: str, *, everywhere: bool = False) -> Callable[..., str]:
    """Makes the ARN of a thing of the caller's account; `{Name}` is a parameter of the request."""

    def make(request: ApiRequest) -> str:
        region = "" if everywhere else request.region
        named = resource.format_map(request.params)
        return f"arn:aws:{service}:{region}:{request.account}:{named}"

    return make


def parameter(name: str) -> Callable[[ApiRequest], str]:
    """Takes the ARN that a request names."""

    def take(request: ApiRequest) -> str:
        return str(request.params[name])

    return take


def web_acl(request: ApiRequest) -> str:
    """The web ACL that a request names by its ARN, or by name, id and scope."""
    params = request.params
    for name in ("ARN", "WebACLArn", "ResourceArn"):
        if name in params:
            return str(params[name])
    scope = "global" if params["Scope"] == "CLOUDFRONT" else "regional"
    return own_arn("wafv2", f"{scope}/webacl/{{Name}}/{{Id}}")(request)


def patched(request: ApiRequest) -> str:
    """The instance whose patches are asked for, one of EC2 or a managed one."""
    managed = request.params["InstanceId"].startswith("mi-")
    kind = ("ssm", "managed-instance") if managed else ("ec2", "instance")
    return own_arn(kind[0], f"{kind[1]}/{{InstanceId}}")(request)


def in_organization(name: str) -> Callable[[ApiRequest], str]:
    """Makes the ARN of an account, a unit or a root, which the management account owns."""

    def make(request: ApiRequest) -> str:
        thing = str(request.params[name])
        kind = {"r": "root", "o": "ou"}.get(thing[0], "account")
        return f"arn:aws:organizations::999999999999:{kind}/o-abcdefghij/{thing}"

    return make


OWN_ACCOUNT = own_arn("account", "account", everywhere=True)

RESOURCES: Mapping[str, Callable[[ApiRequest], str]] = {
    "account:GetAccountInformation": OWN_ACCOUNT,
    "account:GetAlternateContact": OWN_ACCOUNT,
    "account:GetContactInformation": OWN_ACCOUNT,
    "account:ListRegions": OWN_ACCOUNT,
    "acm:DescribeCertificate": parameter("CertificateArn"),
    "apprunner:ListAssociatedServicesForWebAcl": web_acl,
    "cloudtrail:GetTrailStatus": parameter("Name"),
    "cognito-idp:ListResourcesForWebACL": web_acl,
    "config:DescribeConformancePackCompliance": own_arn(
        "config", "conformance-pack/{ConformancePackName}/conformance-pack-abcdefgh"
    ),
    "config:GetComplianceDetailsByConfigRule": own_arn("config", "config-rule/config-rule-abcdef"),
    "kms:DescribeKey": key_arn,
    "kms:GetKeyRotationStatus": key_arn,
    "lambda:ListProvisionedConcurrencyConfigs": own_arn("lambda", "function:any"),
    "organizations:DescribeAccount": in_organization("AccountId"),
    "organizations:ListAccountsForParent": in_organization("ParentId"),
    "organizations:ListOrganizationalUnitsForParent": in_organization("ParentId"),
    "organizations:ListTagsForResource": in_organization("ResourceId"),
    "rds:DescribeDBInstances": own_arn("rds", "db:*"),
    "rds:DescribeReservedDBInstances": own_arn("rds", "ri:*"),
    "resiliencehub:DescribeApp": parameter("appArn"),
    "resiliencehub:DescribeResiliencyPolicy": parameter("policyArn"),
    "securityhub:GetFindings": own_arn("securityhub", "hub/default"),
    "securityhub:ListMembers": own_arn("securityhub", "hub/default"),
    "ssm:DescribeInstancePatches": patched,
    "sts:AssumeRole": parameter("RoleArn"),
    "wafv2:GetLoggingConfiguration": web_acl,
    "wafv2:GetWebACL": web_acl,
    "wafv2:ListResourcesForWebACL": web_acl,
}
"""The resource of each action that IAM can narrow and that names one."""


def resource_of(action: str, request: ApiRequest) -> str:
    """The resource that an action is asked for on; "*" where there is none."""
    find = RESOURCES.get(action)
    return find(request) if find else "*"
