"""S3: keys, uploads, listings."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import pytest

from tests.cloud import EmbeddedCloud, Size
from tests.cloud.tests.waiting import error_of
from tests.conftest import ANALYTICS, MakeAccount


def test_an_object_s_encryption_key_can_be_seen(embedded: EmbeddedCloud, bucket: str) -> None:
    s3 = embedded.client("s3", ANALYTICS)
    s3.put_object(Bucket=bucket, Key="none", Body=b"1")
    s3.put_object(
        Bucket=bucket,
        Key="cmk",
        Body=b"1",
        ServerSideEncryption="aws:kms",
        SSEKMSKeyId=embedded.key_arn,
    )
    assert s3.head_object(Bucket=bucket, Key="cmk")["SSEKMSKeyId"] == embedded.key_arn
    assert s3.head_object(Bucket=bucket, Key="cmk")["ServerSideEncryption"] == "aws:kms"
    assert "SSEKMSKeyId" not in s3.head_object(Bucket=bucket, Key="none")


def test_an_object_cannot_be_encrypted_with_a_key_that_does_not_exist(
    embedded: EmbeddedCloud, bucket: str
) -> None:
    s3 = embedded.client("s3", ANALYTICS)
    missing = embedded.key_arn[:-4] + "0000"

    def put() -> Any:
        return s3.put_object(
            Bucket=bucket,
            Key="k",
            Body=b"1",
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=missing,
        )

    assert error_of(put) == ("KMS.NotFoundException", 400)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_who_may_not_use_the_key_may_neither_write_nor_read(
    embedded: EmbeddedCloud, bucket: str
) -> None:
    s3 = embedded.client("s3", ANALYTICS)
    encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": embedded.key_arn}
    s3.put_object(Bucket=bucket, Key="k", Body=b"1", **encrypted)
    embedded.switches.deny("kms", "GenerateDataKey")
    denied = error_of(lambda: s3.put_object(Bucket=bucket, Key="other", Body=b"1", **encrypted))
    assert denied == ("AccessDenied", 403)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"
    embedded.switches.deny("kms", "Decrypt")
    assert error_of(lambda: s3.get_object(Bucket=bucket, Key="k")) == ("AccessDenied", 403)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ("Enabled", ""),
        ("Disabled", "KMS.DisabledException"),
        ("PendingDeletion", "KMS.KMSInvalidStateException"),
    ],
)
def test_an_account_s_own_key_encrypts_while_it_is_enabled(
    embedded: EmbeddedCloud, bucket: str, make_account: MakeAccount, state: str, error: str
) -> None:
    account = make_account(Size.small())
    key = account.items("kms", "keys", "us-east-1")[0]
    key["KeyState"] = state
    encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key["Arn"]}
    s3 = embedded.client("s3", account.id)
    put = {"Bucket": bucket, "Key": "k", "Body": b"1", **encrypted}
    if error:
        assert error_of(lambda: s3.put_object(**put)) == (error, 400)
    else:
        assert s3.put_object(**put)["SSEKMSKeyId"] == key["Arn"]


def test_another_account_may_write_to_the_bucket(
    embedded: EmbeddedCloud, bucket: str, make_account: MakeAccount
) -> None:
    spoke = make_account(Size.empty())
    embedded.client("s3", spoke.id).put_object(Bucket=bucket, Key="data/x", Body=b"from a spoke")
    body = embedded.client("s3", ANALYTICS).get_object(Bucket=bucket, Key="data/x")["Body"]
    assert body.read() == b"from a spoke"


@pytest.mark.parametrize("key", ["data/a b+c/ü?&=%41/x.json", "data//twice//", "data/../up", "é"])
def test_keys_with_odd_characters_come_back_as_they_were(
    embedded: EmbeddedCloud, bucket: str, key: str
) -> None:
    s3 = embedded.client("s3", ANALYTICS)
    s3.put_object(Bucket=bucket, Key=key, Body=b"odd")
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"odd"
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
    s3.delete_object(Bucket=bucket, Key=key)
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["copy"]


def test_listings_of_objects_come_in_pages(embedded: EmbeddedCloud, bucket: str) -> None:
    s3 = embedded.client("s3", ANALYTICS)
    for number in range(5):
        s3.put_object(Bucket=bucket, Key=f"data/{number}", Body=b"")
    embedded.cloud.page_size = 2
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="data/"))
    assert [len(page["Contents"]) for page in pages] == [2, 2, 1]


def test_buckets_of_account_and_moto_are_listed_together(
    embedded: EmbeddedCloud, make_account: MakeAccount
) -> None:
    account = make_account(Size(buckets=5))
    s3 = embedded.client("s3", account.id)
    s3.create_bucket(Bucket=f"made-{account.id}")
    expected = [bucket["Name"] for bucket in account.items("s3", "buckets")]
    expected.append(f"made-{account.id}")
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == expected
    pages = list(s3.get_paginator("list_buckets").paginate(PaginationConfig={"PageSize": 4}))
    assert [[b["Name"] for b in page["Buckets"]] for page in pages] == [expected[:4], expected[4:]]
    assert pages[0]["Buckets"][1]["BucketRegion"] == "eu-west-1"


def pieces(total: int) -> Iterator[bytes]:
    """A body of so many bytes whose length nobody knows beforehand."""
    for position in range(0, total, 64 << 10):
        yield bytes([position >> 16 & 255]) * min(64 << 10, total - position)


class Unseekable:
    """A file that can only be read on, so that the client has to send it in chunks."""

    def __init__(self, total: int) -> None:
        self._pieces = pieces(total)
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._rest) < size:
            piece = next(self._pieces, b"")
            if not piece:
                break
            self._rest += piece
        taken, self._rest = self._rest[: size if size >= 0 else None], self._rest[size:]
        return taken


def test_uploads_in_chunks_with_trailing_checksums_arrive_whole(
    embedded: EmbeddedCloud, bucket: str
) -> None:
    s3 = embedded.client("s3", ANALYTICS)
    size = 9 << 20
    s3.upload_fileobj(Unseekable(size), bucket, "many parts")
    s3.put_object(Bucket=bucket, Key="one", Body=b"".join(pieces(size)), ChecksumAlgorithm="SHA256")
    expected = hashlib.sha256(b"".join(pieces(size))).hexdigest()
    for key in ("many parts", "one"):
        body = s3.get_object(Bucket=bucket, Key=key)["Body"]
        assert hashlib.sha256(body.read()).hexdigest() == expected


def test_half_an_upload_is_none(embedded: EmbeddedCloud, bucket: str) -> None:
    key = embedded.keys.user_key(ANALYTICS)
    head = (
        f"PUT /{bucket}/half HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000\r\n"
        f"authorization: AWS4-HMAC-SHA256 Credential={key}/20261122/us-east-1/s3/aws4_request\r\n"
        "\r\n"
    )
    port = int(embedded.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head.encode() + b"x" * 500_000)
    s3 = embedded.client("s3", ANALYTICS)
    s3.put_object(Bucket=bucket, Key="whole", Body=b"1")
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["whole"]


def test_a_refused_upload_leaves_the_connection_in_order(
    embedded: EmbeddedCloud, bucket: str
) -> None:
    s3 = embedded.client("s3", ANALYTICS, max_pool_connections=1)
    rule = embedded.switches.deny("s3", "PutObject")
    denied = error_of(lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"GET / " * 200_000))
    assert denied == ("AccessDenied", 403)
    embedded.switches.remove(rule)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert error_of(lambda: s3.head_object(Bucket=bucket, Key="k")) == ("404", 404)


def test_a_range_of_an_object_can_be_read(embedded: EmbeddedCloud, bucket: str) -> None:
    s3 = embedded.client("s3", ANALYTICS)
    s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    answer = s3.get_object(Bucket=bucket, Key="k", Range="bytes=3-5")
    assert answer["Body"].read() == b"345"
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 206


def test_virtual_hosted_buckets_are_found(embedded: EmbeddedCloud, bucket: str) -> None:
    """Only a name server can give a bucket a host, so this speaks HTTP itself."""
    embedded.client("s3", ANALYTICS).put_object(Bucket=bucket, Key="data/x", Body=b"virtual")
    key = embedded.keys.user_key(ANALYTICS)
    headers = {
        "host": f"{bucket}.s3.us-east-1.example.com",
        "authorization": f"AWS4-HMAC-SHA256 Credential={key}/20261122/us-east-1/s3/aws4_request",
    }
    with urlopen(Request(f"{embedded.url}/data/x", headers=headers)) as answer:
        assert answer.read() == b"virtual"
