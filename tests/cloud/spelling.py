"""How the services spell the errors that any of them may give."""

from __future__ import annotations

from collections.abc import Mapping

from tests.cloud.answers.core import AwsError
from tests.cloud.models import operation_model, service_model

IAM_PREFIX = {
    "elbv2": "elasticloadbalancing",
    "marketplace-agreement": "aws-marketplace",
    "marketplace-entitlement": "aws-marketplace",
}
"""Prefixes of IAM actions that are not botocore's name of the service."""

THROTTLED: Mapping[str, tuple[str, str, int]] = {
    "ce": ("LimitExceededException", "You made too many calls in a short period of time.", 400),
    "ec2": ("RequestLimitExceeded", "Request limit exceeded.", 503),
    "s3": ("SlowDown", "Please reduce your request rate.", 503),
    "wafv2": ("ThrottlingException", "Rate exceeded", 400),
}
"""Errors of requests above the allowed rate that the model does not tell: code, text, status."""


def access_denied(service: str, operation: str, arn: str, reason: str = "") -> AwsError:
    """The error of a request that no policy allows, or of which another `reason` is told."""
    action = f"{iam_prefix(service)}:{operation}"
    reason = reason or f"because no identity-based policy allows the {action} action"
    message = f"User: {arn} is not authorized to perform: {action} {reason}"
    match str(service_model(service).metadata["protocol"]):
        case "ec2":
            return AwsError("UnauthorizedOperation", message, 403)
        case "query" | "rest-xml":
            return AwsError("AccessDenied", message, 403)
        case "rest-json":
            return AwsError("AccessDeniedException", message, 403)
    return AwsError("AccessDeniedException", message, 400)


def throttled(service: str, operation: str) -> AwsError:
    """The error of a request above the allowed rate, as the service spells it."""
    if service in THROTTLED:
        return AwsError(*THROTTLED[service])
    modelled = {error.name for error in operation_model(service, operation).error_shapes}
    if "TooManyRequestsException" in modelled:
        return AwsError("TooManyRequestsException", "Rate exceeded", 429)
    match str(service_model(service).metadata["protocol"]):
        case "query" | "rest-xml":
            return AwsError("Throttling", "Rate exceeded", 400)
        case "rest-json":
            return AwsError("ThrottlingException", "Rate exceeded", 429)
    return AwsError("ThrottlingException", "Rate exceeded", 400)


def iam_prefix(service: str) -> str:
    """What the service is called in IAM actions."""
    return IAM_PREFIX.get(service, service)


def unknown_key(service: str, protocol: str) -> AwsError:
    """The error of an access key that nobody has, as the service spells it."""
    message = "The security token included in the request is invalid."
    if service == "s3":
        return AwsError("InvalidAccessKeyId", message, 403)
    if protocol == "ec2":
        return AwsError("AuthFailure", message, 401)
    if protocol == "query":
        return AwsError("InvalidClientTokenId", message, 403)
    return AwsError("UnrecognizedClientException", message, 403)


def expired(service: str, protocol: str) -> AwsError:
    """The error of a session that is over, as the service spells it."""
    message = "The security token included in the request is expired"
    match protocol:
        case "ec2":
            return AwsError("RequestExpired", message, 400)
        case "query" | "rest-xml":
            return AwsError("ExpiredToken", message, 400 if service == "s3" else 403)
    return AwsError("ExpiredTokenException", message, 403)
