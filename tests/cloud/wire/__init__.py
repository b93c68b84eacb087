"""AWS's wire protocols, seen from the server: requests parsed, answers and errors written.

Everything follows from botocore's models. Requests come back as boto3's callers write them
(`MaxResults`, aware datetimes, bytes); answers go in as boto3 returns them. The protocols are json,
rest-json, rest-xml, query, ec2 and smithy-rpc-v2-cbor.
"""

from tests.cloud.wire.answers import Answer, serialise, serialise_error
from tests.cloud.wire.requests import UnknownOperationError, parse_request

__all__ = ["Answer", "UnknownOperationError", "parse_request", "serialise", "serialise_error"]
