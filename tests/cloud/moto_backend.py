"""What moto's server answers, and how its lists are paged as AWS pages them.

Requests go to moto as they came, bodies of any size piece by piece. Lists take another way: many
of moto's come on one page whatever was asked for, so they are read whole with boto3 and cut into
pages here, with tokens that only the same request may use.
"""

from __future__ import annotations

import http.client
import json
import queue
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, BinaryIO

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.cloud.answers.core import AwsError, Call, page, parameters_digest
from tests.cloud.identity import SECRET_KEY
from tests.cloud.listener import PIECE, HttpRequest, HttpResponse
from tests.cloud.models import paginators

SNAPSHOTS = 64
"""How many lists are remembered between the requests for their pages."""

HOP_BY_HOP = frozenset(
    {"connection", "date", "expect", "host", "keep-alive", "server", "transfer-encoding"}
)

PAGE_SIZES: Mapping[tuple[str, str], tuple[int, int]] = {
    ("cloudformation", "DescribeStacks"): (100, 100),
    ("sqs", "ListQueues"): (1000, 1000),
}
"""AWS's page size if none is asked for, and the largest there is; the others: 100 and 1,000."""


class MotoBackend:
    """moto's server at a port of this machine. Thread-safe."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: queue.LifoQueue[http.client.HTTPConnection] = queue.LifoQueue()
        self._clients: dict[tuple[str, str, str], Any] = {}
        self._snapshots: OrderedDict[str, list[Any]] = OrderedDict()
        self._lock = threading.RLock()

    def close(self) -> None:
        """Close the idle connections."""
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    # Requests as they came

    def forward(self, request: HttpRequest, account: str) -> HttpResponse:
        """Let moto answer for an account."""
        connection = self._connection()
        try:
            self._send(connection, request, account)
            return self._relay(connection, connection.getresponse(), request.method)
        except ConnectionError:
            # The client left in the middle of its body, of which moto must not wait for the rest.
            connection.close()
            raise

    # What S3 asks for itself: past boto3, which takes longer than moto does

    def check_vacant(self, http: HttpRequest, account: str) -> None:
        """Refuse a copy over an object, which moto would make, as S3's CopyObject documents it."""
        signed = {"authorization": http.headers["authorization"]}
        if self.forward(HttpRequest("HEAD", http.path, "", signed, iter([])), account).status < 400:
            message = "At least one of the pre-conditions you specified did not hold"
            raise AwsError("PreconditionFailed", message, 412)

    def key_state(self, key: str, account: str, region: str) -> str:
        """The state of a KMS key, as KMS's DescribeKey tells it."""
        body = json.dumps({"KeyId": key}).encode()
        headers = {
            "authorization": f"AWS4-HMAC-SHA256 Credential=moto/20260101/{region}/kms/aws4_request",
            "content-length": str(len(body)),
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": "TrentService.DescribeKey",
        }
        answer = self.forward(HttpRequest("POST", "/", "", headers, iter([body])), account)
        assert isinstance(answer.body, bytes)
        told = json.loads(answer.body)
        if answer.status >= 400:
            raise AwsError("KMS.NotFoundException", told["message"], 400)
        return str(told["KeyMetadata"]["KeyState"])

    def _send(
        self, connection: http.client.HTTPConnection, request: HttpRequest, account: str
    ) -> None:
        target = f"{request.path}?{request.query}" if request.query else request.path
        connection.putrequest(request.method, target, skip_accept_encoding=True)
        for name, value in request.headers.items():
            if name not in HOP_BY_HOP and name != "user-agent":
                connection.putheader(name, value)
        connection.putheader("x-moto-account-id", account)
        if request.is_chunked:
            connection.putheader("transfer-encoding", "chunked")
        connection.endheaders(request.body, encode_chunked=request.is_chunked)

    def _relay(
        self,
        connection: http.client.HTTPConnection,
        response: http.client.HTTPResponse,
        method: str,
    ) -> HttpResponse:
        headers = {
            name.lower(): value
            for name, value in response.getheaders()
            if name.lower() not in HOP_BY_HOP
        }
        if method != "HEAD" and _is_not_implemented(response.status, headers):
            response.read()
            self._idle.put(connection)
            raise _not_implemented()
        length = response.length
        if method == "HEAD" or length is None or length <= PIECE:
            body = response.read()
            self._idle.put(connection)
            return HttpResponse(response.status, headers, body)
        return HttpResponse(response.status, headers, self._pieces(connection, response))

    def _pieces(
        self, connection: http.client.HTTPConnection, response: BinaryIO | Any
    ) -> Iterator[bytes]:
        while piece := response.read(PIECE):
            yield piece
        self._idle.put(connection)

    def _connection(self) -> http.client.HTTPConnection:
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return http.client.HTTPConnection("127.0.0.1", self._port)

    # Lists

    def pages(self, service: str, operation: str) -> bool:
        """Whether the operation is a list that is paged here; S3's own paging is right."""
        if service == "s3" or operation == "DescribeChangeSet":  # which is no list alone
            return False
        config = paginators(service).get(operation, {})
        names = (config.get("input_token"), config.get("output_token"), config.get("result_key"))
        return all(isinstance(name, str) and name.isalpha() for name in names)

    def page(self, call: Call) -> dict[str, Any]:
        """One page of a list. Raises the AwsError that moto answers with, if it does."""
        config = paginators(call.service)[call.operation]
        token, size = str(config["input_token"]), config.get("limit_key")
        result = str(config["result_key"])
        default, maximum = PAGE_SIZES.get((call.service, call.operation), (100, 1000))
        items, following = page(
            call,
            self._items(call, token, str(size)),
            token=token,
            size=str(size) if size else None,
            default=default,
            maximum=maximum,
            token_out=str(config["output_token"]),
        )
        response: dict[str, Any] = {result: items, **following}
        if "more_results" in config:
            response[str(config["more_results"])] = bool(following)
        return response

    def _items(self, call: Call, token: str, size: str) -> list[Any]:
        """The whole list: read anew for its first page, remembered for the others."""
        digest = parameters_digest(call, token, size)
        with self._lock:
            if token in call.params and digest in self._snapshots:
                return self._snapshots[digest]
        items = self._read(call, token, size)
        with self._lock:
            self._snapshots[digest] = items
            while len(self._snapshots) > SNAPSHOTS:
                self._snapshots.popitem(last=False)
        return items

    def _read(self, call: Call, token: str, size: str) -> list[Any]:
        client = self.client(call.service, call.account.id, call.region)
        method = client.meta.method_to_api_mapping
        name = next(key for key, value in method.items() if value == call.operation)
        params = {key: value for key, value in call.params.items() if key not in (token, size)}
        result = str(paginators(call.service)[call.operation]["result_key"])
        try:
            whole = client.get_paginator(name).paginate(**params).build_full_result()
        except ClientError as error:
            raise _translated(error) from None
        found: list[Any] = whole.get(result, [])
        return found

    def client(self, service: str, account: str, region: str) -> Any:
        """A boto3 client whose calls moto answers for an account, past all switches."""
        key = (service, account, region)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._make_client(service, account, region)
            return self._clients[key]

    def _make_client(self, service: str, account: str, region: str) -> Any:
        session = boto3.session.Session(
            aws_access_key_id="moto", aws_secret_access_key=SECRET_KEY, region_name=region
        )
        client = session.client(
            service,  # type: ignore[call-overload]
            endpoint_url=f"http://127.0.0.1:{self._port}",
            config=Config(
                proxies={},
                retries={"total_max_attempts": 1},
                max_pool_connections=32,
                parameter_validation=False,
                read_timeout=300,
            ),
        )

        def name_account(request: Any, **_kwargs: Any) -> None:
            request.headers["x-moto-account-id"] = account

        client.meta.events.register("before-sign", name_account)
        return client


def _is_not_implemented(status: int, headers: Mapping[str, str]) -> bool:
    """Whether moto says, by a web page instead of an error of AWS, that it lacks something."""
    return status in (404, 500, 501) and headers.get("content-type", "").startswith("text/html")


def _not_implemented() -> AwsError:
    return AwsError("NotImplemented", "The embedded cloud does not implement this operation.", 501)


def _translated(error: ClientError) -> AwsError:
    """moto's error; botocore puts the status in place of the code where there is no code."""
    details, status = error.response["Error"], error.response["ResponseMetadata"]["HTTPStatusCode"]
    if details["Code"] == str(status):
        return _not_implemented()
    return AwsError(details["Code"], details["Message"], status)
