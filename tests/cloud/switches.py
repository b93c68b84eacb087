"""What shall go wrong, and when: faults, refusals, limits and delays, in AWS's own spelling.

Every switch is a rule: which requests it concerns, and what it does to them. `Switches.reset`
takes all of them back.

    cloud.switches.deny("guardduty")
    cloud.switches.fail("s3", "DeleteObject", "InternalError", "We encountered ...", 500, times=1)
    cloud.switches.rate_limit("acm", "DescribeCertificate", per_second=10, burst=10)
"""

from __future__ import annotations

import fnmatch
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.cloud.answers.core import AwsError
from tests.cloud.identity import Identity
from tests.cloud.quotas import ALL, QUOTAS, TokenBucket
from tests.cloud.spelling import access_denied, throttled


@dataclass(frozen=True)
class ApiRequest:
    """One request as switches and policies see it; of S3 the parameters lack the body.

    `via` is the AWS service that makes it in the caller's name, empty for the caller itself.
    """

    service: str
    operation: str
    account: str
    region: str
    params: Mapping[str, Any]
    identity: Identity
    started: datetime
    via: str = ""


Predicate = Callable[[ApiRequest], bool]
Policy = Callable[[ApiRequest], bool]
Edit = Callable[[ApiRequest, bytes], bytes]


class CutError(Exception):
    """The connection shall be closed without an answer."""


class InstantAnswer(Exception):
    """This is the answer, whatever would have answered."""

    def __init__(self, response: dict[str, Any]) -> None:
        super().__init__(response)
        self.response = response


class RawAnswer(Exception):
    """These bytes are the answer, whoever might have sent them: a proxy, say.

    If there are fewer of them than a content-length among the headers says, or if they are chunks
    without an end, the connection is closed after them.
    """

    def __init__(self, body: bytes, status: int = 200, headers: Mapping[str, str] = {}) -> None:
        super().__init__(body)
        self.body, self.status, self.headers = body, status, dict(headers)


@dataclass
class Rule:
    """Something that happens to the requests that match, `times` times or always (None).

    The names may hold wildcards. `effect` returns, delays, or raises AwsError, CutError,
    InstantAnswer or RawAnswer; with `after` it does so once the request has been carried out.
    """

    service: str
    operation: str
    effect: Callable[[ApiRequest], None]
    account: str = ALL
    region: str = ALL
    times: int | None = None
    predicate: Predicate | None = None
    after: bool = False

    def matches(self, request: ApiRequest) -> bool:
        """Whether the rule concerns the request and has not been used up."""
        return (
            self.times != 0
            and fnmatch.fnmatchcase(request.service, self.service)
            and fnmatch.fnmatchcase(request.operation, self.operation)
            and fnmatch.fnmatchcase(request.account, self.account)
            and fnmatch.fnmatchcase(request.region, self.region)
            and (self.predicate is None or self.predicate(request))
        )


class Switches:
    """All rules of a cloud. Thread-safe.

    Attributes:
        latency: seconds that each request waits first, by service; "*" is for the others.
        policies: what decides, by account, whether an identity of it may make a request.
        edits: what becomes of the bodies of answers before they are sent.
    """

    def __init__(self, latency: float = 0.0) -> None:
        self._default_latency = latency
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._released = threading.Event()
        self.latency: dict[str, float] = {ALL: latency}
        self.policies: dict[str, Policy] = {}
        self.edits: list[Edit] = []

    def reset(self) -> None:
        """Take every switch back; what hangs is cut."""
        with self._lock:
            self._rules.clear()
            self.policies.clear()
            self.edits.clear()
            self.latency = {ALL: self._default_latency}
            self._released.set()
            self._released = threading.Event()

    def add(self, rule: Rule) -> Rule:
        """Set a rule of one's own; rules are tried in the order in which they were set."""
        with self._lock:
            self._rules.append(rule)
        return rule

    def remove(self, rule: Rule) -> None:
        """Take one rule back."""
        with self._lock:
            self._rules.remove(rule)

    def deny(self, service: str, operation: str = ALL, **where: Any) -> Rule:
        """Refuse operations as AWS refuses what no policy allows."""
        return self.add(Rule(service, operation, _refuse, **where))

    def deny_by_scp(self, region: str, **where: Any) -> Rule:
        """Refuse a region as AWS's example of a service control policy does: but global things."""
        return self.add(
            Rule(ALL, ALL, _refuse_by_scp, region=region, predicate=_is_refusable, **where)
        )

    def fail(
        self,
        service: str,
        operation: str,
        code: str,
        message: str = "",
        status: int = 400,
        **where: Any,
    ) -> Rule:
        """Answer operations with an error; `where` takes times, account, region, predicate."""
        return self.add(Rule(service, operation, _raiser(AwsError(code, message, status)), **where))

    def answer_raw(
        self,
        service: str,
        operation: str,
        body: bytes,
        status: int = 200,
        headers: Mapping[str, str] = {},
        **where: Any,
    ) -> Rule:
        """Answer operations with bytes that are no answer of AWS, or a part of one."""

        def answer(_request: ApiRequest) -> None:
            raise RawAnswer(body, status, headers)

        return self.add(Rule(service, operation, answer, **where))

    def throttle(self, service: str, operation: str = ALL, **where: Any) -> Rule:
        """Refuse operations as AWS does above the rate that it allows."""
        return self.add(Rule(service, operation, _throttle, **where))

    def rate_limit(
        self,
        service: str,
        operation: str,
        per_second: float,
        burst: float,
        *,
        used_up: bool = False,
        **where: Any,
    ) -> Rule:
        """Throttle operations above a rate, for each account and region by itself.

        With `used_up` nothing is left of it at the first request, which is throttled, therefore.
        """
        buckets: dict[tuple[str, str], TokenBucket] = {}
        lock = threading.Lock()
        level = 0.0 if used_up else burst

        def limit(request: ApiRequest) -> None:
            with lock:
                place = (request.account, request.region)
                bucket = buckets.setdefault(place, TokenBucket(per_second, burst, level))
                allowed = bucket.take()
            if not allowed:
                _throttle(request)

        return self.add(Rule(service, operation, limit, **where))

    def realistic_quotas(self, *, used_up: bool = False) -> None:
        """Set the rates that AWS allows an account by default.

        With `used_up` other programs of the account have just taken all that there was, so that
        the first request that each of them counts is throttled, however slow the caller is.
        """
        for (service, operation), rate in QUOTAS.items():
            self.rate_limit(service, operation, *rate, used_up=used_up)

    def hang(self, service: str, operation: str = ALL, **where: Any) -> Rule:
        """Let operations wait for an answer that never comes, until `reset`."""
        released = self._released

        def wait(_request: ApiRequest) -> None:
            released.wait()
            raise CutError

        return self.add(Rule(service, operation, wait, **where))

    def cut(self, service: str, operation: str = ALL, **where: Any) -> Rule:
        """Close the connection instead of answering; with `after` once it has been done."""
        return self.add(Rule(service, operation, _cut, **where))

    def slow(self, service: str, operation: str, seconds: float, **where: Any) -> Rule:
        """Delay operations."""
        return self.add(Rule(service, operation, lambda _request: time.sleep(seconds), **where))

    def intercept(
        self, service: str, operation: str, action: Callable[[ApiRequest], None], **where: Any
    ) -> Rule:
        """Do something of one's own before (or `after`) operations: replace an object, say."""
        return self.add(Rule(service, operation, action, **where))

    def not_enabled(self, service: str, **where: Any) -> None:
        """Answer as AWS does where the service is off, or the support plan does not cover it."""
        for operation, effect in NOT_ENABLED[service].items():
            self.add(Rule(service, operation, effect, **where))

    def before(self, request: ApiRequest) -> None:
        """Apply what is due before the request is carried out."""
        seconds = self.latency.get(request.service, self.latency[ALL])
        if seconds:
            time.sleep(seconds)
        self.check(request)

    def check(self, request: ApiRequest) -> None:
        """Ask the policy, then apply the rules; also for what one AWS service asks of another."""
        policy = self.policies.get(request.account)
        if policy is not None and not policy(request):
            _refuse(request)
        for rule in self._due(request, after=False):
            rule.effect(request)

    def after(self, request: ApiRequest) -> None:
        """Apply what is due once the request has been carried out."""
        for rule in self._due(request, after=True):
            rule.effect(request)

    def _due(self, request: ApiRequest, *, after: bool) -> Iterator[Rule]:
        """The rules that concern a request, one by one: an effect may end it before the next."""
        for rule in tuple(self._rules):
            if rule.after == after and rule.matches(request) and self._use(rule):
                yield rule

    def _use(self, rule: Rule) -> bool:
        """Use a rule up by one; False if another request was faster."""
        with self._lock:
            if rule.times == 0:
                return False
            if rule.times is not None:
                rule.times -= 1
            return True


def _raiser(error: AwsError) -> Callable[[ApiRequest], None]:
    def fail(_request: ApiRequest) -> None:
        raise AwsError(error.code, error.message, error.status)

    return fail


def _cut(_request: ApiRequest) -> None:
    raise CutError


def _refuse(request: ApiRequest) -> None:
    raise access_denied(request.service, request.operation, request.identity.arn)


def _refuse_by_scp(request: ApiRequest) -> None:
    words = "with an explicit deny in a service control policy"
    raise access_denied(request.service, request.operation, request.identity.arn, words)


SPARED = frozenset(
    {
        "acm", "ce", "cloudfront", "config", "health", "kms", "organizations", "sts", "support",
        "wafv2",
    }
)  # fmt: skip
"""Services that AWS's example of a policy that closes regions leaves open, of those used here."""


def _is_refusable(request: ApiRequest) -> bool:
    """Whether a policy that closes a region concerns a request."""
    lists_regions = (request.service, request.operation) == ("ec2", "DescribeRegions")
    return request.service not in SPARED and not lists_regions


def _throttle(request: ApiRequest) -> None:
    raise throttled(request.service, request.operation)


PLAN = "Amazon Web Services Premium Support Subscription is required to use this service."


def _off(code: str, message: str, status: int = 400) -> Callable[[ApiRequest], None]:
    """The effect of a service that is off and says so; `{account}` is the caller's."""

    def refuse(request: ApiRequest) -> None:
        raise AwsError(code, message.format(account=request.account), status)

    return refuse


def _empty(response: dict[str, Any]) -> Callable[[ApiRequest], None]:
    """The effect of a service that is off and just has nothing."""

    def answer(_request: ApiRequest) -> None:
        raise InstantAnswer(response)

    return answer


NOT_ENABLED: Mapping[str, Mapping[str, Callable[[ApiRequest], None]]] = {
    "ce": {ALL: _off("AccessDeniedException", "User not enabled for cost explorer access")},
    "compute-optimizer": {
        ALL: _off(
            "OptInRequiredException",
            "AWS account {account} is not registered for recommendations.",
            403,
        )
    },
    "config": {
        "DescribeComplianceByConfigRule": _empty({"ComplianceByConfigRules": []}),
        "DescribeConfigurationRecorders": _empty({"ConfigurationRecorders": []}),
        "DescribeConformancePacks": _empty({"ConformancePackDetails": []}),
        "GetDiscoveredResourceCounts": _empty({"totalDiscoveredResources": 0}),
        "ListDiscoveredResources": _off(
            "NoAvailableConfigurationRecorderException",
            "Configuration recorder is not available.",
        ),
        "SelectResourceConfig": _empty({"Results": [], "QueryInfo": {"SelectFields": []}}),
    },
    "cost-optimization-hub": {
        ALL: _off("AccessDeniedException", "AWS account {account} is not enrolled in the service."),
    },
    "guardduty": {"ListDetectors": _empty({"DetectorIds": []})},
    "health": {ALL: _off("SubscriptionRequiredException", PLAN)},
    "inspector2": {
        ALL: _off("AccessDeniedException", "Invoking account is not enabled for Inspector.", 403)
    },
    "license-manager": {
        ALL: _off(
            "AccessDeniedException",
            "Service role not found. Consult setup procedures in the user guide.",
        )
    },
    "organizations": {
        ALL: _off(
            "AWSOrganizationsNotInUseException",
            "Your account is not a member of an organization.",
        )
    },
    "securityhub": {
        ALL: _off(
            "InvalidAccessException",
            "Account {account} is not subscribed to AWS Security Hub",
            401,
        )
    },
    "support": {ALL: _off("SubscriptionRequiredException", PLAN)},
}
"""What AWS answers where a service is not in use, by service and operation."""
