"""An account's session, its clients, and what happens around every call of theirs."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from observability.aws.bodies import UNREADABLE
from observability.aws.clients import CallObserver, open_client, open_session
from observability.aws.errors import (
    NOT_OFFERED,
    PASSING,
    THROTTLED,
    DeadlineExceeded,
    EndpointUnavailable,
    NothingToRead,
    ReadError,
)
from observability.aws.limits import (
    ASKED_AGAIN,
    CALLS,
    CALLS_AT_ONCE,
    CONCURRENCY,
    GRACE,
    LONGEST_WAIT,
    NO_LATER,
    UNREACHABLE_AFTER,
)
from observability.aws.partitions import Partition
from observability.aws.pool import ClientPool, PooledClient
from observability.log import Log
from observability.rows import Row

if TYPE_CHECKING:
    from botocore.credentials import Credentials

READ_TIMEOUT, RETRIES = 10, 2

WORKERS = 10
"""Items of a listing that are read at once, and connections of a client."""

ABORT_WITHIN = 3.0
"""Seconds for aborting the uploads that a run leaves unfinished when it is told to stop."""


class Aws:
    """One account's session, and the only place that makes clients.

    `is_caller` is that of the run's caller, who lists accounts, assumes roles and uploads; another
    account's calls may be made until its own `deadline`, which is that of `limited`: the account or
    the run. Each region is read through an `Aws` of its own, with clients and workers that no other
    region can hold up.

    Throttling is met in one place, botocore's own retry loop: its adaptive mode slows the client
    down, and `ApiCallHooks.wait` lets a throttled call try again for as long as the run has time.
    """

    def __init__(
        self,
        home: str,
        log: Log,
        deadline: float,
        *,
        credentials: Credentials | None = None,
        limited: str = "the run",
        caller: Aws | None = None,
        idle_clients: int = 0,
    ) -> None:
        self.home = home
        self.log = log
        self.deadline = deadline
        self.limited = limited
        self.is_caller = caller is None
        self.stopped = threading.Event()
        self.identity: Row = {}
        self.throttles = 0
        self._session: Any = caller._session if caller else open_session(region=home)
        self._pool: ClientPool = (
            caller._pool if caller else ClientPool(self._session, build_client, idle_clients)
        )
        self._credentials = credentials
        self.answered: set[str] = caller.answered if caller else set()
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock: threading.Lock = caller._lock if caller else threading.Lock()

    @property
    def credentials(self) -> Credentials:
        """What its calls are signed with."""
        return self._credentials or self._session.get_credentials()

    def identify(self) -> None:
        """Learn whose credentials these are (STS: GetCallerIdentity)."""
        answer = self.client("sts", self.home).get_caller_identity()
        self.identity = {name: answer[name] for name in ("Account", "Arn", "UserId")}

    def for_region(self, log: Log) -> Aws:
        """The same account for one of its regions, with a log of its own."""
        aws = Aws(
            self.home,
            log,
            self.deadline,
            credentials=self.credentials,
            limited=self.limited,
            caller=self,
        )
        aws.identity = self.identity
        return aws

    def assume(self, role: str, external_id: str | None) -> Credentials:
        """Credentials of a role of another account (STS: AssumeRole, once they are needed).

        botocore assumes the role anew before they expire, all roles by this account's STS client.
        """
        from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials

        known = {"ExternalId": external_id} if external_id else {}
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=lambda service, **_: self.client(service, self.home),
            source_credentials=self.credentials,
            role_arn=role,
            extra_args={"RoleSessionName": "observability-sender", **known},
        )
        return DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")

    @property
    def account(self) -> str:
        """The account id."""
        return str(self.identity["Account"])

    @property
    def partition(self) -> str:
        """`aws`, `aws-cn` or `aws-us-gov`."""
        return str(self.identity["Arn"]).split(":")[1]

    @property
    def global_region(self) -> str:
        """Where AWS serves its global services."""
        return Partition(self._session, self.partition).global_region or self.home

    def knows(self, region: str) -> bool:
        """Whether it is a region of the partition, by what botocore knows of AWS."""
        return Partition(self._session, self.partition).has_region(region)

    def why_lacking(self, service: str) -> str | None:
        """Why a service is not asked, if the partition does not have it: botocore would ask an
        endpoint that does not exist, or one of another partition.
        """
        if self.identity and Partition(self._session, self.partition).lacks(service):
            return f"{self.partition} does not have {service}"
        return None

    def client(self, service: str, region: str) -> Any:
        """The client of a service in a region, made once (making one is not thread-safe)."""
        with self._lock:
            if (service, region) not in self._clients:
                self._clients[service, region] = self._open(service, region)
            return self._clients[service, region]

    def open_client(self, service: str, region: str) -> Any:
        """A client beside the one that others use; who asks for it closes it."""
        with self._lock:
            return self._open(service, region)

    def _open(self, service: str, region: str) -> Any:
        hooks = ApiCallHooks(self, service, region)
        if not self.is_caller:
            return PooledClient(self._pool, service, region, self.credentials, hooks)
        client = build_client(self._session, service, region, retry_mode="adaptive")
        hooks.register(client)
        return client

    def why_silent(self, service: str, region: str) -> str | None:
        """Why a service cannot be reached in a region, if that is so because AWS has none there.

        The partition's lists say so, or they know nothing of the service, while others answer in
        the region.
        """
        if not self.identity:
            return None
        partition = Partition(self._session, self.partition)
        unlisted = partition.is_unlisted(service) and region in self.answered
        if unlisted or partition.lacks_in(service, region):
            return f"{region} does not have {service}"
        return None

    def time_left(self, grace: float = 0.0) -> float:
        """Seconds until the run's time, and some `grace`, is used up; none once told to stop."""
        if self.stopped.is_set():
            return 0.0
        return min(self.deadline + grace, NO_LATER.get()) - time.monotonic()

    def close(self) -> None:
        """Refuse every further call, give back what clients hold."""
        self.stopped.set()
        self.forget(*{region for _, region in tuple(self._clients)})
        if self.is_caller:
            self._pool.close()

    def forget(self, *regions: str) -> None:
        """Give back what the clients of regions hold; who needs one again gets a new one."""
        with self._lock:
            places = [place for place in self._clients if place[1] in regions]
            clients = [self._clients.pop(place) for place in places]
        for client in clients:
            client.close()


def build_client(
    session: Any,
    service: str,
    region: str,
    retry_mode: Literal["standard", "adaptive"] = "standard",
) -> Any:
    """A client of a session; one that accounts share gets its rate limiter from each of them."""
    return open_client(
        session,
        service,
        region,
        read_timeout=READ_TIMEOUT,
        attempts=RETRIES + 1,
        retry_mode=retry_mode,
        connections=WORKERS,
    )


class ApiCallHooks(CallObserver):
    """What happens around every call of one client, through botocore's events.

    Calls are counted for the category that makes them, held back where too many are under way,
    refused when the time is used up, and made again when they were throttled.
    """

    attempts = RETRIES + 1

    def __init__(self, aws: Aws, service: str, region: str) -> None:
        super().__init__(aws.log, region)
        self.aws, self.service = aws, service
        self._gate = threading.Semaphore(CONCURRENCY.get(service, CALLS_AT_ONCE))
        self._unanswered = 0
        self.has_retried = False

    def listeners(self) -> dict[str, Callable[..., Any]]:
        """What is done at which of botocore's events."""
        return {**super().listeners(), "needs-retry": self.wait}

    def refusal(self) -> DeadlineExceeded:
        """The error of a call that may not be made any longer."""
        return DeadlineExceeded(f"{self.whose}'s time is used up")

    def before(self, model: Any, context: Row, **_: Any) -> None:
        """Count a call and wait for its turn; ReadError if it is not to be made."""
        if why := self.aws.why_lacking(self.service):
            raise NothingToRead(why)
        self._check_limits(model.name)
        self._gate.acquire()
        try:
            self._check_limits(model.name)
        except ReadError:
            self._gate.release()
            raise
        super().before(model, context)

    def count(self, name: str) -> None:
        """Count a call for the category that makes it."""
        if calls := CALLS.get():
            calls.add(name)

    def caller(self, parsed: Row) -> str:
        """The session's account, as STS has told it."""
        return str((self.aws.identity or parsed).get("Account", ""))

    def _check_limits(self, operation: str) -> None:
        """DeadlineExceeded, or EndpointUnavailable where nothing answers.

        An upload may always be aborted: that is how it ends once the time is used up.
        """
        if self._time_left() <= 0 and operation != "AbortMultipartUpload":
            raise self.refusal()
        asked_again = self.aws.is_caller and self.service in ASKED_AGAIN
        if self._unanswered >= UNREACHABLE_AFTER and not asked_again:
            raise EndpointUnavailable(f"{self.service} in {self.region} does not answer")

    def _time_left(self) -> float:
        """Seconds for calls; what was collected may be shipped if collecting took all the time."""
        return self.aws.time_left(GRACE if self.aws.is_caller and self.service == "s3" else 0.0)

    @property
    def whose(self) -> str:
        """What calls have a limit of: a read that others wait for, an account among several,
        or the run.
        """
        return "the read" if NO_LATER.get() != math.inf else self.aws.limited

    def after(self, parsed: Row, context: Row, **_: Any) -> None:
        """Note how a call ended, before the next one has its turn, and in an error which it was."""
        self._unanswered = 0
        self.has_retried |= parsed.get("ResponseMetadata", {}).get("RetryAttempts", 0) > 0
        self._gate.release()
        error = parsed.get("Error")
        if error:
            error["Call"] = context["observed"][0]
        if not error or error.get("Code") != UNREADABLE:
            self.aws.answered.add(self.region)
        super().after(parsed, context)

    def broke(self, exception: Exception, context: Row, **_: Any) -> None:
        """Note a call that got no answer at all, before the next one has its turn.

        A part of an upload that ends because another part was refused says nothing of the service.
        """
        from botocore import exceptions as known

        self.has_retried = True
        silent = (known.ConnectionClosedError, known.ConnectionError, known.ReadTimeoutError)
        nowhere = isinstance(exception, known.ConnectionError)  # timeouts, TLS, proxies
        try:
            if nowhere and (why := self.aws.why_silent(self.service, self.region)):
                vars(exception)[NOT_OFFERED] = why
            else:
                self._unanswered += isinstance(exception, silent)
        finally:
            self._gate.release()
        super().broke(exception, context)

    def wait(self, response: Any, attempts: int, **_: Any) -> float | None:
        """Seconds after which a throttled call is made again; None leaves the rest to botocore.

        What passes by itself is tried as often as botocore tries what it knows to pass.
        """
        code = response[1].get("Error", {}).get("Code") if response else None
        if code in PASSING:
            return random.uniform(0.5, 1.0) * 2.0**attempts if attempts <= RETRIES else None
        if code not in THROTTLED:
            return None
        with self.aws._lock:
            self.aws.throttles += 1
        pause = random.uniform(0.5, 1.0) * min(2.0 ** (attempts - 1), LONGEST_WAIT)
        return pause if pause < self._time_left() else None
