"""Clients that go from one account of a run to the next: nothing of one account goes with them."""

from __future__ import annotations

import gc
import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from botocore.retries.adaptive import ClientRateLimiter

from observability.aws.errors import DeadlineExceeded
from observability.aws.session import ApiCallHooks, Aws
from observability.log import Log, log_to
from tests.cloud import Account, ApiRequest, EmbeddedCloud, Size
from tests.cloud.switches import Switches
from tests.conftest import MakeAccount

HOME = "us-east-1"

Enter = Callable[[Account], Aws]
"""Gives a run's access to one of its accounts."""


@pytest.fixture
def accounts(make_account: MakeAccount) -> tuple[Account, Account]:
    """Two accounts with keys, trails and secrets of their own."""
    return make_account(Size.small()), make_account(Size.small())


@pytest.fixture
def enter(
    embedded: EmbeddedCloud, accounts: tuple[Account, Account], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Enter]:
    """A run in which one client may wait for the next account."""
    for name, value in embedded.environment(accounts[0].id).items():
        monkeypatch.setenv(name, value)
    caller = Aws(HOME, Log(), time.monotonic() + 60, idle_clients=1)
    caller.identify()

    def enter(account: Account) -> Aws:
        keys = embedded.environment(account.id)
        credentials = Credentials(
            keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"], account_id=account.id
        )
        aws = Aws(HOME, Log(), caller.deadline, credentials=credentials, caller=caller)
        aws.identity = {"Account": account.id, "Arn": f"arn:aws:iam::{account.id}:user/a"}
        return aws

    yield enter
    caller.close()


def is_handed_on(client: Any, following: Any) -> bool:
    """Whether both accounts have had the same client of boto3."""
    return client.meta is following.meta


def keys_of(client: Any) -> set[str]:
    """The ids of all KMS keys that a client lists."""
    pages = client.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 1})
    return {key["KeyId"] for page in pages for key in page["Keys"]}


def who(client: Any) -> str:
    """The account as which a client's calls are made."""
    return str(client.get_caller_identity()["Account"])


def test_each_account_reads_its_own_with_a_client_that_is_handed_on(
    embedded: EmbeddedCloud, accounts: tuple[Account, Account], enter: Enter
) -> None:
    one, other = accounts
    truth = [keys_of(embedded.client("kms", account.id)) for account in accounts]
    assert not truth[0] & truth[1]
    first, second = enter(one), enter(other)
    client = first.client("kms", HOME)
    assert keys_of(client) == truth[0]
    first.close()
    following = second.client("kms", HOME)
    assert is_handed_on(client, following)
    embedded.forget_calls()
    assert keys_of(following) == truth[1]
    assert {call.account for call in embedded.calls} == {other.id}


def test_what_an_account_still_holds_of_a_client_makes_no_call(
    embedded: EmbeddedCloud, accounts: tuple[Account, Account], enter: Enter
) -> None:
    """Neither a method nor a listing in the middle: it would be made among the next one's."""
    embedded.cloud.page_size = 1
    first, second = enter(accounts[0]), enter(accounts[1])
    client = first.client("kms", HOME)
    method = client.list_keys
    listing = client.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 1})
    next(listing)
    first.forget(HOME)
    assert is_handed_on(client, second.client("kms", HOME))
    embedded.forget_calls()
    for ask in (method, client.list_keys, lambda: next(listing)):
        with pytest.raises(DeadlineExceeded):
            ask()
    assert not list(embedded.calls)


def test_a_client_with_a_call_under_way_is_not_handed_on(
    embedded: EmbeddedCloud, accounts: tuple[Account, Account], enter: Enter
) -> None:
    asked, go_on = threading.Event(), threading.Event()

    def wait(_: ApiRequest) -> None:
        asked.set()
        go_on.wait(30)

    embedded.switches.intercept("sts", "GetCallerIdentity", wait, account=accounts[0].id)
    first, second = enter(accounts[0]), enter(accounts[1])
    client = first.client("sts", HOME)
    with ThreadPoolExecutor(1) as pool:
        try:
            answer = pool.submit(who, client)
            assert asked.wait(30)
            first.close()
            following = second.client("sts", HOME)
            assert not is_handed_on(client, following)
            assert who(following) == accounts[1].id
        finally:
            go_on.set()
        assert answer.result() == accounts[0].id


FAULTS: dict[str, Callable[[Switches], object]] = {
    "throttled": lambda switches: switches.throttle("sts", times=1),
    "a fault of the server": lambda switches: switches.fail(
        "sts", "*", "InternalFailure", status=500, times=1
    ),
    "no answer": lambda switches: switches.cut("sts", times=1),
    "a foreign page": lambda switches: switches.answer_raw("sts", "*", b"<p>busy</p>", times=1),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_client_that_had_to_try_again_is_not_handed_on(
    fault: str, embedded: EmbeddedCloud, accounts: tuple[Account, Account], enter: Enter
) -> None:
    """It has used up a part of its retries, or has been slowed down."""
    first, second = enter(accounts[0]), enter(accounts[1])
    client = first.client("sts", HOME)
    FAULTS[fault](embedded.switches)
    assert who(client) == accounts[0].id
    first.close()
    assert not is_handed_on(client, second.client("sts", HOME))


def test_a_refusal_is_an_answer_and_does_not_reach_the_next_account(
    embedded: EmbeddedCloud, accounts: tuple[Account, Account], enter: Enter
) -> None:
    embedded.switches.deny("kms", account=accounts[0].id)
    first, second = enter(accounts[0]), enter(accounts[1])
    client = first.client("kms", HOME)
    with pytest.raises(ClientError, match="AccessDenied"):
        client.list_keys()
    first.close()
    following = second.client("kms", HOME)
    assert is_handed_on(client, following)
    assert keys_of(following) == keys_of(embedded.client("kms", accounts[1].id))


def test_an_account_that_was_slowed_down_does_not_slow_down_the_next(
    embedded: EmbeddedCloud, accounts: tuple[Account, Account], enter: Enter
) -> None:
    """The limiter that an account's throttled call has set going is taken off with the account,
    also from a client that was handed to it.
    """
    calm, busy = accounts
    clients = []
    for account in (calm, busy, calm):
        if account is busy:
            embedded.switches.throttle("sts", times=1)
        aws = enter(account)
        clients.append(aws.client("sts", HOME))
        assert who(clients[-1]) == account.id
        assert aws.throttles == (account is busy)
        aws.close()
    assert is_handed_on(clients[0], clients[1])
    assert not is_handed_on(clients[1], clients[2])


def test_hooks_of_earlier_accounts_hear_nothing_of_later_calls(
    accounts: tuple[Account, Account], enter: Enter
) -> None:
    """Each call is logged once, for the account that made it."""
    log_to(lines := io.StringIO(), verbose=True, as_json=True)
    order = (*accounts, *accounts)
    for account in order:
        aws = enter(account)
        aws.client("sts", HOME).get_caller_identity()
        aws.close()
    made = [line for line in lines.getvalue().splitlines() if "sts:GetCallerIdentity" in line]
    assert all(
        account.id in line for account, line in zip((*accounts, *accounts), made, strict=True)
    )


def test_what_comes_with_an_account_is_gone_after_it(
    accounts: tuple[Account, Account], enter: Enter
) -> None:
    """However many have had the client, only the last one's hooks and rate limiter are left."""

    def alive() -> tuple[int, int]:
        gc.collect()
        found = [type(thing) for thing in gc.get_objects()]
        return found.count(ApiCallHooks), found.count(ClientRateLimiter)

    counts = []
    for account in (*accounts, *accounts, *accounts):
        aws = enter(account)
        who(aws.client("sts", HOME))
        aws.close()
        del aws
        counts.append(alive())
    assert counts[0] == counts[-1]


def test_what_s3_clients_remember_is_not_handed_on(
    accounts: tuple[Account, Account], enter: Enter
) -> None:
    first, second = enter(accounts[0]), enter(accounts[1])
    client = first.client("s3", HOME)
    client.list_buckets()
    first.close()
    assert not is_handed_on(client, second.client("s3", HOME))


class Body(io.BytesIO):
    """The body of an answer, as botocore reads it."""

    def stream(self) -> Iterator[bytes]:
        """The body, in pieces."""
        yield self.read()


def test_an_endpoint_of_an_account_is_that_of_the_account_which_calls(
    accounts: tuple[Account, Account], enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DynamoDB has an endpoint for each account's id."""
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    asked: list[str] = []

    def answer(request: AWSRequest, **_: Any) -> AWSResponse:
        asked.append(str(request.url))
        headers: Any = {"x-amzn-requestid": "1"}
        return AWSResponse(asked[-1], 200, headers, Body(b'{"TableNames": []}'))

    clients = []
    for account in accounts:
        aws = enter(account)
        clients.append(aws.client("dynamodb", HOME))
        clients[-1].meta.events.register("before-send", answer, unique_id="answer")
        clients[-1].list_tables()
        aws.close()
    assert is_handed_on(*clients)
    assert [account.id in url for account, url in zip(accounts, asked, strict=True)] == [True] * 2


def test_no_more_clients_wait_than_may(accounts: tuple[Account, Account], enter: Enter) -> None:
    first, second = enter(accounts[0]), enter(accounts[1])
    clients = [first.client(service, HOME) for service in ("kms", "sts")]
    first.close()
    following = [second.client(service, HOME) for service in ("kms", "sts")]
    assert [*map(is_handed_on, clients, following)] == [True, False]


ANSWER = b"""HTTP/1.1 200 OK\r\nx-amzn-requestid: 1\r\nContent-Length: %d\r\n\r\n%s"""


def test_bytes_behind_an_answer_are_not_taken_for_the_next_accounts(
    accounts: tuple[Account, Account], enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that answers more than it was asked: the connection that is kept has it unread."""

    def answer_of(key: str) -> bytes:
        body = b'{"Keys": [{"KeyId": "%s"}]}' % key.encode()
        return ANSWER % (len(body), body)

    server = socket.create_server(("127.0.0.1", 0))
    answers = iter([answer_of("first") + answer_of("not asked for"), answer_of("second")])

    def serve(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as request:
            while head := [*iter(request.readline, b"\r\n")]:
                [length] = [line for line in head if line.lower().startswith(b"content-length:")]
                request.read(int(length.partition(b":")[2]))
                connection.sendall(next(answers))

    def accept() -> None:
        for _ in accounts:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.getsockname()[1]}")
    clients = []
    for account, key in zip(accounts, ("first", "second"), strict=True):
        aws = enter(account)
        clients.append(aws.client("kms", HOME))
        assert [found["KeyId"] for found in clients[-1].list_keys()["Keys"]] == [key]
        aws.close()
    server.close()
    assert is_handed_on(*clients)
