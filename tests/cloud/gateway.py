"""The one port of the embedded cloud: who calls what, and which part of the cloud answers.

The SigV4 credential scope of a request tells its access key (hence account and identity), region
and service, as it does to AWS; signatures are not checked. Then the switches have their say, and
the answer comes from the Data API, the token service, the canned answers or moto.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import UnknownServiceError

from tests.cloud import wire
from tests.cloud.accounts import Cloud
from tests.cloud.answers import ANSWERS, AwsError, Call
from tests.cloud.answers.core import INVALID, page
from tests.cloud.calls import CallRecord, Exchange
from tests.cloud.data_api import DataApi
from tests.cloud.identity import AccessKeys, Identity, caller_identity
from tests.cloud.listener import HttpRequest, HttpResponse, Server
from tests.cloud.models import protocol_of, service_of
from tests.cloud.moto_backend import MotoBackend
from tests.cloud.spelling import expired, unknown_key
from tests.cloud.switches import ApiRequest, CutError, InstantAnswer, RawAnswer, Switches
from tests.cloud.validation import InvalidAnswerError, Mismatch, validate, validate_request

SCOPE = re.compile(r"Credential=(?P<key>[^/,]+)/\d{8}/(?P<region>[^/]+)/(?P<service>[^/]+)/")
ATTEMPT = re.compile(r"attempt=(\d+)")

DATA_API_OPERATIONS = {
    "/Execute": "ExecuteStatement",
    "/BatchExecute": "BatchExecuteStatement",
    "/BeginTransaction": "BeginTransaction",
    "/CommitTransaction": "CommitTransaction",
    "/RollbackTransaction": "RollbackTransaction",
}

ENCRYPTING = frozenset({"PutObject", "CopyObject", "CreateMultipartUpload"})
"""S3's operations that may name a KMS key, which then has to exist."""


class Gateway:
    """Answers the requests of all clients. `serve` and `stop` run its HTTP server.

    Attributes:
        calls: the log of all requests; tests may begin another one, which requests that are
            still being answered do not get into.
        answers: what answers in place of moto, by service and operation.
        invalid_answers: what was wrong with answers that are not AWS's, a line each.
    """

    def __init__(
        self,
        cloud: Cloud,
        *,
        moto: MotoBackend,
        data_api: DataApi,
        switches: Switches,
        keys: AccessKeys,
    ) -> None:
        self.calls: list[CallRecord] = []
        self.invalid_answers: set[str] = set()
        self._cloud = cloud
        self._moto = moto
        self._data_api = data_api
        self._switches = switches
        self._keys = keys
        self.answers = ANSWERS | {("s3", "ListBuckets"): self._list_buckets}
        self._server: Server | None = None

    def serve(self, port: int = 0) -> int:
        """Listen on 127.0.0.1, on a free port unless one is given; return the port."""
        self._server = Server(("127.0.0.1", port), self)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return int(self._server.server_address[1])

    def stop(self) -> None:
        """Stop listening. What hangs must be released by the switches."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()

    def answer(self, http: HttpRequest, exchange: Exchange) -> HttpResponse:
        """Answer one request; errors of AWS are answers, too.

        Raises CutError to give none, and ConnectionError if the client has left.
        """
        exchange.log = self.calls
        try:
            return self._answer(http, exchange)
        except AwsError as error:
            return _error(exchange, error)
        except InvalidAnswerError as error:
            print(error, file=sys.stderr)
            self.invalid_answers.add(str(error))
            return _error(exchange, AwsError("InvalidEmbeddedAnswer", str(error), 400))
        except (ConnectionError, CutError):
            raise
        except Exception as error:  # whatever broke, the client has to be told
            if self._server is None:  # what it needed is being stopped, too
                raise CutError from error
            traceback.print_exc()
            return _error(exchange, AwsError("EmbeddedCloudError", repr(error), 400))

    def record(self, http: HttpRequest, exchange: Exchange) -> CallRecord:
        """Write an exchange into the call log; the answer is still to be sent."""
        attempt = ATTEMPT.search(http.headers.get("amz-sdk-request", ""))
        record = CallRecord(
            exchange.service,
            exchange.operation,
            exchange.account,
            exchange.region,
            self._cloud.now(),
            time.perf_counter() - exchange.began,
            exchange.status,
            exchange.error,
            exchange.received,
            0,
            int(attempt[1]) if attempt else 1,
            exchange.identity,
        )
        exchange.log.append(record)
        return record

    # From the request to what it means

    def _answer(self, http: HttpRequest, exchange: Exchange) -> HttpResponse:
        identity = self._identify(http, exchange)
        if exchange.service == "s3":
            http.path = _path_style(http)
            return self._carry_out(http, None, identity, exchange)
        return self._carry_out(http, b"".join(http.body), identity, exchange)

    def _identify(self, http: HttpRequest, exchange: Exchange) -> Identity:
        """Service, region and identity out of the Authorization header."""
        scope = SCOPE.search(http.headers.get("authorization", ""))
        if scope is None:
            raise AwsError("MissingAuthenticationToken", "Missing Authentication Token", 403)
        target = http.headers.get("x-amz-target", http.path)
        exchange.service, exchange.region = service_of(scope["service"], target), scope["region"]
        try:
            exchange.protocol = protocol_of(exchange.service, http.headers)
        except UnknownServiceError:
            message = f"AWS has no service {exchange.service}"
            raise AwsError("UnknownService", message, 404) from None
        identity = self._keys.find(scope["key"])
        if identity is None or identity.account not in self._cloud.accounts:
            raise unknown_key(exchange.service, exchange.protocol)
        if self._cloud.accounts[identity.account].is_off(exchange.region):
            raise unknown_key(exchange.service, exchange.protocol)
        if identity.is_expired(self._cloud.now()):
            raise expired(exchange.service, exchange.protocol)
        exchange.account, exchange.identity = identity.account, identity.arn
        return identity

    def _carry_out(
        self, http: HttpRequest, body: bytes | None, identity: Identity, exchange: Exchange
    ) -> HttpResponse:
        """Name the request, let the switches have their say, and have it answered."""
        exchange.operation, params = _parse(http, body, exchange)
        request = ApiRequest(
            exchange.service,
            exchange.operation,
            exchange.account,
            exchange.region,
            params,
            identity,
            self._cloud.now(),
        )
        try:
            self._switches.before(request)
            response = self._dispatch(http, body, request, exchange)
            self._switches.after(request)
        except InstantAnswer as instant:
            return _serialised(exchange, instant.response)
        except RawAnswer as raw:
            exchange.error = "raw"
            return HttpResponse(raw.status, raw.headers, raw.body, as_is=True)
        for edit in self._switches.edits:
            if isinstance(response.body, bytes):
                response = replace(response, body=edit(request, response.body))
        return response

    def _dispatch(
        self, http: HttpRequest, body: bytes | None, request: ApiRequest, exchange: Exchange
    ) -> HttpResponse:
        if exchange.service == "rds-data":
            return self._ask_data_api(http, body or b"", exchange)
        if exchange.service == "sts" and exchange.operation in self._token_service:
            return _serialised(exchange, self._token_service[exchange.operation](self, request))
        call = Call(
            self._cloud,
            self._cloud.accounts[request.account],
            request.region,
            request.service,
            request.operation,
            dict(request.params),
        )
        canned = self.answers.get((request.service, request.operation))
        if canned is not None:
            try:
                return _serialised(exchange, canned(call))
            except AwsError as error:
                # The key that encrypts the documents is no account's, but moto's.
                if (call.service, error.code) != ("kms", "NotFoundException"):
                    raise
        if call.service == "s3":
            return self._ask_s3(http, call, request, exchange)
        return self._ask_moto(http, body, call, exchange)

    # Who answers

    def _ask_data_api(self, http: HttpRequest, body: bytes, exchange: Exchange) -> HttpResponse:
        answer = self._data_api.handle(http.path, http.headers, body)
        if answer.cut:
            raise CutError
        if answer.status >= 400:
            exchange.error = _error_name(answer.headers, answer.body)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return HttpResponse(answer.status, headers, answer.body)

    def _get_caller_identity(self, request: ApiRequest) -> dict[str, Any]:
        return caller_identity(request.identity)

    def _assume_role(self, request: ApiRequest) -> dict[str, Any]:
        params = dict(request.params)
        return self._keys.assume(request.identity, params, self._cloud.now(), self._cloud.accounts)

    _token_service: Mapping[str, Callable[[Gateway, ApiRequest], dict[str, Any]]] = {
        "GetCallerIdentity": _get_caller_identity,
        "AssumeRole": _assume_role,
    }

    def _ask_moto(
        self, http: HttpRequest, body: bytes | None, call: Call, exchange: Exchange
    ) -> HttpResponse:
        if self._moto.pages(call.service, call.operation):
            return _serialised(exchange, self._moto.page(call), checked=False)
        if body is not None:
            http.body = iter([body])
        if call.operation == "CopyObject" and call.params.get("IfNoneMatch"):
            self._moto.check_vacant(http, call.account.id)
        response = self._moto.forward(http, call.account.id)
        if response.status >= 400:
            content = response.body if isinstance(response.body, bytes) else b""
            exchange.error = _error_name(response.headers, content) or str(response.status)
        return response

    def _ask_s3(
        self, http: HttpRequest, call: Call, request: ApiRequest, exchange: Exchange
    ) -> HttpResponse:
        """Let moto's S3 answer, and KMS in so far as S3 would ask it."""
        key = request.params.get("SSEKMSKeyId")
        if key is not None and request.operation in ENCRYPTING:
            self._use_key(key, "GenerateDataKey", request)
        self._shorten_listing(http, call)
        response = self._ask_moto(http, None, call, exchange)
        key = response.headers.get("x-amz-server-side-encryption-aws-kms-key-id")
        if key is not None and request.operation == "GetObject":
            self._use_key(key, "Decrypt", request)
        return response

    def _use_key(self, key: str, operation: str, request: ApiRequest) -> None:
        """Use a KMS key for an S3 request, as S3 does in the name of its caller.

        The key has to exist and be enabled, and the caller may be denied it.
        """
        parts = key.split(":")
        region, owner = (
            (parts[3], parts[4]) if len(parts) > 4 else (request.region, request.account)
        )
        state = self._key_state(key, region, owner)
        if state == "Disabled":
            raise AwsError("KMS.DisabledException", f"{key} is disabled.", 400)
        if state != "Enabled":
            raise AwsError("KMS.KMSInvalidStateException", f"{key} is {state}.", 400)
        document = f"arn:aws:s3:::{request.params['Bucket']}/{request.params['Key']}"
        params = {"KeyId": key, "EncryptionContext": {"aws:s3:arn": document}}
        use = replace(request, service="kms", operation=operation, params=params, via="s3")
        try:
            self._switches.check(use)
        except AwsError as error:
            if error.code.startswith("AccessDenied"):
                raise AwsError("AccessDenied", error.message, 403) from None
            raise

    def _key_state(self, key: str, region: str, owner: str) -> str:
        """The state of an account's own key, or of one that somebody has created in moto."""
        if owner in self._cloud.accounts:
            account = self._cloud.accounts[owner]
            call = Call(self._cloud, account, region, "kms", "DescribeKey", {"KeyId": key})
            with contextlib.suppress(AwsError):
                return str(self.answers["kms", "DescribeKey"](call)["KeyMetadata"]["KeyState"])
        return self._moto.key_state(key, owner, region)

    def _list_buckets(self, call: Call) -> dict[str, Any]:
        """Answer ListBuckets: the account's buckets, and those that somebody has created in moto.

        AWS pages only if asked to, and names regions only if there is any parameter.
        """
        created = self._moto.client("s3", call.account.id, call.region).list_buckets()
        buckets = [*call.own_global("buckets"), *created["Buckets"]]
        found = sorted((b for b in buckets if _is_asked_for(b, call)), key=lambda b: b["Name"])
        if not call.params:
            found = [{**bucket, "BucketRegion": None} for bucket in found]
        if "MaxBuckets" not in call.params:
            return {"Buckets": found, "Owner": created["Owner"]}
        shown, following = page(call, found, token="ContinuationToken", size="MaxBuckets")
        return {"Buckets": shown, "Owner": created["Owner"], **following}

    def _shorten_listing(self, http: HttpRequest, call: Call) -> None:
        """Have S3 list no more objects at once than the cloud's page size."""
        size = self._cloud.page_size
        if size is None or call.operation not in ("ListObjects", "ListObjectsV2"):
            return
        others = [part for part in http.query.split("&") if not part.startswith("max-keys=")]
        wanted = min(size, call.params.get("MaxKeys", size))
        http.query = "&".join([*others, f"max-keys={wanted}"])


def _parse(http: HttpRequest, body: bytes | None, exchange: Exchange) -> tuple[str, dict[str, Any]]:
    """Operation and parameters, held to the model; the Data API and S3 do that themselves."""
    service = exchange.service
    if service == "rds-data" and http.path in DATA_API_OPERATIONS:
        return DATA_API_OPERATIONS[http.path], {}
    try:
        operation, params = wire.parse_request(
            service, http.method, http.path, http.query, http.headers, body
        )
    except wire.UnknownOperationError as error:
        raise AwsError("UnknownOperationException", str(error), 404) from None
    except ValueError as error:
        raise AwsError("SerializationException", str(error), 400) from None
    if body is not None and exchange.protocol != "rest-xml":
        exchange.operation = operation
        _hold_to_model(exchange, params)
    return operation, params


def _hold_to_model(exchange: Exchange, params: dict[str, Any]) -> None:
    """Refuse parameters that break the model's constraints, in the service's own spelling."""
    try:
        validate_request(exchange.service, exchange.operation, params)
    except Mismatch as mismatch:
        by_protocol = {"ec2": "InvalidParameterValue", "query": "ValidationError"}
        usual = by_protocol.get(exchange.protocol, "ValidationException")
        raise AwsError(INVALID.get(exchange.service, usual), str(mismatch), 400) from None


def _is_asked_for(bucket: Mapping[str, Any], call: Call) -> bool:
    """Whether a bucket has the prefix and the region that ListBuckets asks for."""
    wanted = call.params.get("BucketRegion")
    return bucket["Name"].startswith(call.params.get("Prefix", "")) and (
        wanted is None or bucket.get("BucketRegion", call.account.home_region) == wanted
    )


def _path_style(http: HttpRequest) -> str:
    """The path with the bucket in it, which a virtual-hosted request has in its host."""
    host = http.headers.get("host", "").partition(":")[0]
    bucket = re.fullmatch(r"(.+?)\.(?:s3[.-].+|localhost)", host)
    return f"/{bucket[1]}{http.path}" if bucket else http.path


def _serialised(
    exchange: Exchange, response: dict[str, Any], *, checked: bool = True
) -> HttpResponse:
    """An answer of our own, held to botocore's model, in the protocol of the request."""
    if checked:
        validate(exchange.service, exchange.operation, response)
    answer = wire.serialise(exchange.service, exchange.operation, response, exchange.protocol)
    return HttpResponse(*answer)


def _error(exchange: Exchange, error: AwsError) -> HttpResponse:
    exchange.error = error.code
    answer = wire.serialise_error(
        exchange.service, exchange.protocol, error.code, error.message, error.status
    )
    return HttpResponse(*answer)


def _error_name(headers: Mapping[str, str], body: bytes) -> str:
    """The code of an error that another part of the cloud has written."""
    for name, value in headers.items():
        if name.lower() == "x-amzn-errortype":
            return value.partition(":")[0]
    xml = re.search(rb"<Code>([^<]*)</Code>", body)
    if xml:
        return xml[1].decode()
    try:
        return str(json.loads(body).get("__type", "")).rpartition("#")[2]
    except (ValueError, AttributeError):
        return ""
