"""The wire protocols of the embedded cloud, held against botocore's own two halves.

What botocore's client would send must parse to what its caller wrote, and what is written as an
answer must read, through botocore, as what was meant; for every protocol and every operation that
the sender may call.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape
from botocore.parsers import create_parser
from botocore.serialize import create_serializer

from tests.cloud import wire
from tests.cloud.models import operation_model, service_model
from tests.cloud.validation import InvalidAnswerError, Mismatch, validate, validate_request

OPERATIONS = [
    ("account", "GetContactInformation"),
    ("acm", "ListCertificates"),
    ("application-signals", "ListServices"),
    ("autoscaling", "DescribeAutoScalingGroups"),
    ("ce", "GetCostAndUsage"),
    ("cloudfront", "ListDistributionsByWebACLId"),
    ("cloudtrail", "LookupEvents"),
    ("compute-optimizer", "GetEC2InstanceRecommendations"),
    ("config", "GetComplianceDetailsByConfigRule"),
    ("cost-optimization-hub", "ListRecommendationSummaries"),
    ("ec2", "DescribeInstances"),
    ("ec2", "DescribeVolumes"),
    ("elbv2", "DescribeLoadBalancers"),
    ("guardduty", "GetFindings"),
    ("health", "DescribeEvents"),
    ("inspector2", "ListFindings"),
    ("kms", "DescribeKey"),
    ("lambda", "ListFunctions"),
    ("marketplace-entitlement", "GetEntitlements"),
    ("organizations", "ListAccounts"),
    ("rds", "DescribeDBInstances"),
    ("resiliencehub", "DescribeApp"),
    ("s3", "ListBuckets"),
    ("secretsmanager", "ListSecrets"),
    ("securityhub", "GetFindings"),
    ("sqs", "ReceiveMessage"),
    ("ssm", "GetInventory"),
    ("sts", "AssumeRole"),
    ("support", "DescribeCases"),
    ("wafv2", "GetWebACL"),
]

INSTANT = datetime(2026, 2, 28, 23, 59, 58, 125000, tzinfo=UTC)
DEEPEST = 7

protocols = [
    (service, operation, protocol)
    for service, operation in OPERATIONS
    for protocol in service_model(service).metadata["protocols"]
]


class Sample:
    """Makes values that fit a shape, no two of one kind alike."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def of(self, shape: Shape, depth: int = 0) -> Any:
        """A value with all members of the shape, down to a depth that ends recursion."""
        number = next(self._numbers)
        if isinstance(shape, StructureShape):
            return {"any": "thing"} if shape.is_document_type else self._structure(shape, depth)
        if isinstance(shape, ListShape):
            return [self.of(shape.member, depth + 1) for _ in range(2)]
        if isinstance(shape, MapShape):
            pairs = [(self.of(shape.key), self.of(shape.value, depth + 1)) for _ in range(2)]
            return dict(pairs)
        if isinstance(shape, StringShape):
            return shape.enum[number % len(shape.enum)] if shape.enum else f"<é & {number}>"
        return {
            "integer": number,
            "long": number << 33,
            "float": number + 0.5,
            "double": number + 0.25,
            "boolean": number % 2 == 0,
            "timestamp": INSTANT + timedelta(seconds=number),
            "blob": b"\x00\xff" + bytes([number % 256]),
        }[shape.type_name]

    def _structure(self, shape: StructureShape, depth: int) -> dict[str, Any]:
        members = dict(self._members(shape, depth))
        return dict([members.popitem()]) if shape.is_tagged_union else members

    def _members(self, shape: StructureShape, depth: int) -> Iterator[tuple[str, Any]]:
        for name, member in shape.members.items():
            nested = isinstance(member, StructureShape | ListShape | MapShape)
            if depth < DEEPEST or not nested or name in shape.required_members:
                yield name, self.of(member, depth + 1)


def rounded(value: Any, fraction: bool) -> Any:
    """The value with its times as the protocol's default keeps them."""
    if isinstance(value, dict):
        return {key: rounded(item, fraction) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item, fraction) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC) if fraction else value.astimezone(UTC).replace(microsecond=0)
    return value


@pytest.mark.parametrize(("service", "operation", "protocol"), protocols)
def test_answer_reads_as_it_was_meant(service: str, operation: str, protocol: str) -> None:
    model = operation_model(service, operation)
    assert model.output_shape is not None
    meant = Sample().of(model.output_shape)
    status, headers, body = wire.serialise(service, operation, meant, protocol)
    read = create_parser(protocol).parse(
        {"status_code": status, "headers": headers, "body": body}, model.output_shape
    )
    assert read.pop("ResponseMetadata")["HTTPStatusCode"] == 200
    assert rounded(read, True) == meant


@pytest.mark.parametrize(("service", "operation", "protocol"), protocols)
def test_request_parses_to_what_the_caller_wrote(
    service: str, operation: str, protocol: str
) -> None:
    model = operation_model(service, operation)
    assert model.input_shape is not None
    written = Sample().of(model.input_shape)
    sent = create_serializer(protocol, include_validation=False).serialize_to_request(
        written, model
    )
    body = sent["body"]
    if isinstance(body, dict):
        body = urlencode(body).encode()
    headers = {name.lower(): str(value) for name, value in sent["headers"].items()}
    path, _, literals = sent["url_path"].partition("?")
    query = "&".join(part for part in (literals, urlencode(sent["query_string"], True)) if part)
    parsed = wire.parse_request(service, sent["method"], path, query, headers, body)
    assert parsed[0] == operation
    assert rounded(parsed[1], False) == rounded(written, False)


@pytest.mark.parametrize(("service", "operation", "protocol"), protocols)
def test_error_reads_as_it_was_meant(service: str, operation: str, protocol: str) -> None:
    model = operation_model(service, operation)
    assert model.output_shape is not None
    status, headers, body = wire.serialise_error(service, protocol, "Some.Code", "No <way> é", 418)
    read = create_parser(protocol).parse(
        {"status_code": status, "headers": headers, "body": body}, model.output_shape
    )
    assert read["Error"]["Code"] == "Some.Code"
    assert read["Error"]["Message"] == "No <way> é"
    assert read["ResponseMetadata"]["HTTPStatusCode"] == 418


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "operation"),
    [
        ("GET", "/", "", {}, "ListBuckets"),
        ("GET", "/bucket", "list-type=2&prefix=data%2F", {}, "ListObjectsV2"),
        ("GET", "/bucket/", "list-type=2", {}, "ListObjectsV2"),
        ("GET", "/bucket", "", {}, "ListObjects"),
        ("HEAD", "/bucket", "", {}, "HeadBucket"),
        ("GET", "/bucket/a/b", "", {}, "GetObject"),
        ("HEAD", "/bucket/a/b/", "", {}, "HeadObject"),
        ("PUT", "/bucket/a/b", "", {}, "PutObject"),
        ("PUT", "/bucket/a/b", "", {"x-amz-copy-source": "bucket/c"}, "CopyObject"),
        ("PUT", "/bucket/a", "partNumber=1&uploadId=x", {}, "UploadPart"),
        ("POST", "/bucket/a", "uploads", {}, "CreateMultipartUpload"),
        ("POST", "/bucket", "delete", {}, "DeleteObjects"),
        ("DELETE", "/bucket/a", "", {}, "DeleteObject"),
        ("GET", "/bucket", "location", {}, "GetBucketLocation"),
    ],
)
def test_s3_operation_is_told_by_the_whole_request(
    method: str, path: str, query: str, headers: dict[str, str], operation: str
) -> None:
    assert wire.parse_request("s3", method, path, query, headers, None)[0] == operation


def test_s3_key_keeps_its_slashes_and_odd_characters() -> None:
    _, params = wire.parse_request("s3", "GET", "/b/data//a%20b%2Bc/%C3%BC%3F/", "", {}, None)
    assert (params["Bucket"], params["Key"]) == ("b", "data//a b+c/ü?/")


KEY = {"KeyId": "k", "Enabled": True, "KeyState": "Enabled", "CreationDate": INSTANT}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Colour": "red"}, "KeyMetadata.Colour"),
        ({"Enabled": "yes"}, "boolean"),
        ({"Enabled": 1}, "boolean"),
        ({"KeyState": "Sleeping"}, "enum value set"),
        ({"KeyId": None}, "must not be null"),
        ({"KeyId": "k" * 2049}, "length less than or equal to 2048"),
        ({"CreationDate": "2026-01-01"}, "time with an offset"),
        ({"CreationDate": datetime(2026, 1, 1)}, "time with an offset"),  # noqa: DTZ001
        ({"SigningAlgorithms": "RSA"}, "must be a list"),
        ({"SigningAlgorithms": ["RSA"]}, "KeyMetadata.SigningAlgorithms.1"),
        ({"PendingDeletionWindowInDays": 7.0}, "integer"),
        ({"PendingDeletionWindowInDays": True}, "integer"),
    ],
)
def test_an_answer_that_aws_could_not_give_is_refused(change: dict[str, Any], words: str) -> None:
    validate("kms", "DescribeKey", {"KeyMetadata": KEY})
    with pytest.raises(InvalidAnswerError, match=words):
        validate("kms", "DescribeKey", {"KeyMetadata": KEY | change})


def test_an_answer_of_an_operation_that_is_gone_says_so() -> None:
    with pytest.raises(InvalidAnswerError, match=r"kms ListColours .* no such operation"):
        validate("kms", "ListColours", {})


@pytest.mark.parametrize(
    ("service", "operation", "params", "words"),
    [
        ("kms", "ListKeys", {"Limit": 1001}, "less than or equal to 1000"),
        ("kms", "ListKeys", {"Limit": 0}, "greater than or equal to 1"),
        ("kms", "DescribeKey", {}, "must not be null"),
        ("wafv2", "ListWebACLs", {"Scope": "GLOBAL"}, "enum value set"),
        ("securityhub", "GetFindings", {"MaxResults": 101}, "less than or equal to 100"),
        ("acm", "DescribeCertificate", {"CertificateArn": "no ARN, but as long as one"}, "pattern"),
        ("ec2", "DescribeInstances", {"Colour": "red"}, "Colour"),
    ],
)
def test_a_request_that_aws_would_refuse_is_refused(
    service: str, operation: str, params: dict[str, Any], words: str
) -> None:
    with pytest.raises(Mismatch, match=words):
        validate_request(service, operation, params)


def test_an_answer_may_be_below_the_model_s_lower_limits() -> None:
    validate("kms", "DescribeKey", {"KeyMetadata": KEY | {"KeyId": ""}})
