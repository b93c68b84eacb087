"""botocore's descriptions of the AWS services, and which service a signature's name means."""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping

from botocore.loaders import create_loader
from botocore.model import OperationModel, ServiceModel

SIGNED_AS = {
    "elasticloadbalancing": "elbv2",
    "email": "ses",
    "entitlement.marketplace": "marketplace-entitlement",
    "monitoring": "cloudwatch",
    "s3express": "s3",
    "states": "stepfunctions",
    "tagging": "resourcegroupstaggingapi",
}
"""Names in the SigV4 credential scope that are not botocore's name of the service."""

SHARED = {
    "aws-marketplace": ("marketplace-entitlement", "marketplace-agreement"),
}
"""Names that several services sign with; the request's target tells them apart."""

_loader = create_loader()  # of its own, since clients change the models that theirs loads
_loading = threading.Lock()


def service_of(signing_name: str, target: str = "") -> str:
    """botocore's name of the service that the credential scope names.

    Args:
        target: the X-Amz-Target header, or in CBOR the path, in which the service is named too.
    """
    for service in SHARED.get(signing_name, ()):
        if str(service_model(service).metadata["targetPrefix"]) in target:
            return service
    return SIGNED_AS.get(signing_name, signing_name)


@functools.cache
def service_model(service: str) -> ServiceModel:
    """The model of a service. Raises botocore's UnknownServiceError for one that AWS has not."""
    with _loading:
        return ServiceModel(_loader.load_service_model(service, "service-2"), service)


@functools.cache
def operation_model(service: str, operation: str) -> OperationModel:
    """The model of an operation. Raises botocore's OperationNotFoundError if there is none."""
    return service_model(service).operation_model(operation)


@functools.cache
def paginators(service: str) -> Mapping[str, Mapping[str, object]]:
    """How boto3 pages the service's operations, by operation; empty for a service without."""
    with _loading:
        if service not in _loader.list_available_services("paginators-1"):
            return {}
        found: Mapping[str, Mapping[str, object]]
        found = _loader.load_service_model(service, "paginators-1")["pagination"]
        return found


def protocol_of(service: str, headers: Mapping[str, str]) -> str:
    """The wire protocol of a request, told by its headers (their names in lower case).

    A client chooses among those a service speaks; Health, for one, speaks both JSON and CBOR.
    """
    if headers.get("smithy-protocol") == "rpc-v2-cbor":
        return "smithy-rpc-v2-cbor"
    if "x-amz-target" in headers:
        return "json"
    protocols = service_model(service).metadata.get("protocols", [])
    if "query" in protocols and "json" in protocols:
        return "query"
    return str(service_model(service).metadata["protocol"])
