"""Clients of boto3 that are handed from one account of a run to the next.

Building a client takes botocore 4 ms and 0.25 MiB, and its first connection another 18 ms and
0.7 MiB for the certificate authorities; an account in three regions takes about 80. None of what a
client keeps reaches the next account:

- Credentials: it has none. Each request is signed with those of the account that makes the call.
- Calls under way: a client that has one is closed, not handed on, and what an account holds of a
  client that is handed on makes no further call.
- Hooks and the rate limiter: they come with an account and go with it.
- The retry quota: only retries use it up, and a client that has made one is closed.
- Connections: one stays open if all calls were answered at the first try, one after the other.
- Endpoints: they follow from service and region, or from the account's id, which is asked for anew.
- What S3's clients remember, regions of buckets and credentials of sessions: they are closed.

All of it is public: the component of a session that loads credentials, clients' events, and the
function that gives a client the rate limiter of the retry mode "adaptive".
"""

from __future__ import annotations

import contextvars
import functools
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Protocol

from observability.aws.clients import open_session

if TYPE_CHECKING:
    from botocore.credentials import Credentials

CREDENTIALS: contextvars.ContextVar[Credentials] = contextvars.ContextVar("credentials")
"""Those of the account for which a call is being made."""

KEEP_MORE = frozenset({"s3"})
"""Services whose clients remember what they have learned of an account."""

Build = Callable[[Any, str, str], Any]
"""Makes a client of a session, for a service and a region."""


class ClientPool:
    """The clients of a run's accounts, of which up to `most_idle` wait for the next account."""

    def __init__(self, session: Any, build: Build, most_idle: int) -> None:
        self.most_idle = most_idle
        self._given, self._session = session, None
        self._build = build
        self._idle: list[tuple[str, str, Any]] = []
        self._lock = threading.Lock()

    def take(self, service: str, region: str) -> Any:
        """A client that nobody else has; making one is not thread-safe."""
        with self._lock:
            for place, (name, where, client) in enumerate(self._idle):
                if (name, where) == (service, region):
                    del self._idle[place]
                    return client
            self._session = self._session or session_of_calls(self._given)
            return self._build(self._session, service, region)

    def release(self, client: Any, service: str, region: str) -> None:
        """Keep a client for the next account, or close it where enough are kept."""
        with self._lock:
            if len(self._idle) < self.most_idle:
                self._idle.append((service, region, client))
                return
        client.close()

    def close(self) -> None:
        """Close what waits, and keep nothing from now on."""
        with self._lock:
            self.most_idle, idle = 0, self._idle
            self._idle = []
        for _, _, client in idle:
            client.close()


def session_of_calls(session: Any) -> Any:
    """A session whose clients sign each request with the credentials of its call (CREDENTIALS).

    It shares the loader of `session`, so that each service's model is parsed once.
    """
    from botocore.credentials import Credentials
    from botocore.session import Session

    class CredentialsOfCall(Credentials):
        """Those in CREDENTIALS; LookupError without any, so that no call is made with others."""

        def get_frozen_credentials(self) -> Any:
            return CREDENTIALS.get().get_frozen_credentials()

        def get_deferred_property(self, property_name: str) -> Callable[[], Any]:
            return lambda: getattr(CREDENTIALS.get(), property_name, None)

    core = Session()
    core.register_component("data_loader", session._session.get_component("data_loader"))
    resolver = SimpleNamespace(load_credentials=lambda: CredentialsOfCall("", "", method="role"))
    core.register_component("credential_provider", resolver)
    return open_session(core, session.region_name)


class Hooks(Protocol):
    """What an account has happen around the calls of a client."""

    has_retried: bool
    """Whether a call was made again, or got no answer at all."""

    def register(self, client: Any) -> None:
        """Begin to listen to a client's events."""

    def unregister(self, client: Any) -> None:
        """End it."""

    def refusal(self) -> Exception:
        """The error of a call that comes too late."""


class PooledClient:
    """A client while an account has it: the methods of its API, paginators, exceptions and `meta`.

    What would make calls in other threads, or later, is not there.
    """

    def __init__(
        self, pool: ClientPool, service: str, region: str, credentials: Credentials, hooks: Hooks
    ) -> None:
        from botocore.retries import adaptive

        self._client = pool.take(service, region)
        self.meta, self.exceptions = self._client.meta, self._client.exceptions
        self._pool, self._place = pool, (service, region)
        self._credentials, self._hooks = credentials, hooks
        self._closed = self._broken = False
        self._under_way = self._most_at_once = 0
        self._lock = threading.Lock()
        hooks.register(self._client)
        self._limiter = adaptive.register_retry_handler(self._client)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in self.meta.method_to_api_mapping:
            raise AttributeError(f"a client of an account has no {name}")
        return functools.partial(self._call, getattr(self._client, name))

    def get_paginator(self, name: str) -> Any:
        """A paginator; each page is a call of this account."""
        paginate = self._client.get_paginator(name).paginate

        def pages(**parameters: Any) -> Iterator[Any]:
            listing = iter(paginate(**parameters))
            while (page := self._call(next, listing, None)) is not None:
                yield page

        return SimpleNamespace(paginate=pages)

    def close(self) -> None:
        """Make no further call; the next account gets the client if nothing of this one is left."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            left = self._under_way or self._broken or self._hooks.has_retried
        if left or self._place[0] in KEEP_MORE:
            self._client.close()
            return
        self._hooks.unregister(self._client)
        events = self.meta.events
        events.unregister("before-send", self._limiter.on_sending_request)
        events.unregister("needs-retry", self._limiter.on_receiving_response)
        if self._most_at_once > 1:
            self._client.close()  # its connections: it opens others when it needs some
        self._pool.release(self._client, *self._place)

    def _call(self, ask: Callable[..., Any], *arguments: Any, **parameters: Any) -> Any:
        from botocore.exceptions import ClientError

        with self._lock:
            if self._closed:
                raise self._hooks.refusal()
            self._under_way += 1
            self._most_at_once = max(self._most_at_once, self._under_way)
        before = CREDENTIALS.set(self._credentials)
        try:
            return ask(*arguments, **parameters)
        except ClientError:
            raise  # an answer
        except BaseException:
            self._broken = True
            raise
        finally:
            CREDENTIALS.reset(before)
            with self._lock:
                self._under_way -= 1
