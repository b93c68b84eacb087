"""What an error of AWS means: absent, off, refused to everybody, or failed.

A table has those that are expected; each row has its code and the words that say so, since AWS
uses one code for several meanings. What no row knows is a failure, named by its call, code and
words. Where words stand in no documentation, they are those of recorded answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from observability.contract import FAIL, SKIPPED
from observability.errors import ADVICE

ABSENT = "Absent"
"""Outcome of an error that is an answer: AWS has no such value."""
REFUSED = "Refused"
"""Outcome of an error that no permission of ours can lift: the value stays unknown."""

OFF = "off"
"""The service, or a feature, is not in use in the account."""
NOT_HERE = "not here"
"""The region or the partition does not have it."""
NOT_YET = "not yet"
"""AWS has no data yet."""
TOO_OLD = "too old"
"""AWS keeps no data of so long ago."""
NO_VALUE = "no value"
"""What was asked about is there, and has no such value, or it is not for the account to know."""
VANISHED = "vanished"
"""What was listed is gone, or is so new that AWS does not know it everywhere."""
UNLIFTABLE = "refused to everybody"
"""A resource's own policy refuses, whatever the identity may do."""

OUTCOMES = {
    OFF: SKIPPED,
    NOT_HERE: SKIPPED,
    NOT_YET: SKIPPED,
    TOO_OLD: SKIPPED,
    NO_VALUE: ABSENT,
    VANISHED: ABSENT,
    UNLIFTABLE: REFUSED,
}
"""What becomes of each meaning: what is skipped is no failure; what is absent or refused is NULL
in the row of what was listed.
"""


WITHOUT_REASON = {
    NO_VALUE: "{call} has no such value ({code})",
    VANISHED: "{call} does not know what was listed, any longer or yet ({code})",
}
"""What is said of a meaning, where an error has no reason of its own."""


class ExpectedError(NamedTuple):
    """An error that AWS is expected to answer: of which calls, with which code and words.

    `call` is a service, service:Operation, or "" for all; `code` may be "" if the words are all.
    In the reason, {call} is the call.
    """

    call: str
    code: str
    meaning: str
    reason: str = ""
    words: str = ""

    def matches(self, call: str, code: str, message: str) -> bool:
        """Whether an error is this one; `call` is a service, or service:Operation."""
        ours = not self.call or call == self.call or call.startswith(f"{self.call}:")
        same = not self.code or code == self.code
        return ours and same and bool(re.search(self.words, message, re.S))


LACKING = "the region does not have {call}"

EXPECTED_ERRORS: list[ExpectedError] = []
"""Those that collectors declare, in the order of `expect_errors`; the first that matches counts."""


def expect_errors(errors: Iterable[ExpectedError]) -> None:
    """Take errors into the table, each once: services serve several categories."""
    EXPECTED_ERRORS.extend(error for error in errors if error not in EXPECTED_ERRORS)


NOT_IN_REGION = (
    r"(?i)not (currently )?(supported|available) in (this|the called|the current|current) region"
    r"|unsupported in this region|disabled in this region|not valid for this web service"
    r"|unable to determine service/operation name to be authorized"
)
"""What services say of a call that their region lacks, whatever the code. The last are those of a
service's own authorization, as of Lambda's code signing in eu-central-2:
https://github.com/aws-controllers-k8s/community/issues/2971
An AccessDeniedException without words says so too, but of some calls only, which have rows of
their own: it is known of AWS Config's conformance packs, and of no call of Lambda that is made.
"""
BY_IAM = "(?i)not authorized"
"""What IAM says of each denial. Names in it (of a role, a policy) say nothing of a region."""

OF_ANY_SERVICE = (
    # What a role lacks is "because no identity-based policy allows".
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    ExpectedError(
        "",
        "",
        UNLIFTABLE,
        "{call} is refused by the resource's own policy",
        "not authorized to perform.*"
        "(no resource-based policy allows|explicit deny in a resource-based policy)",
    ),
    ExpectedError("", "UnknownOperationException", NOT_HERE, LACKING),
    ExpectedError("", "InvalidAction", NOT_HERE, LACKING),
    ExpectedError("", "", NOT_HERE, LACKING, NOT_IN_REGION),
    ExpectedError(
        "",
        "SubscriptionRequiredException",
        OFF,
        "the account's plan does not include {call}",
        "needs a subscription for the service",
    ),
)
"""What any service may say of a region that lacks it, or of an account that may not use it."""

CREDENTIALS_REFUSED = frozenset({
    "AuthFailure", "InvalidAccessKeyId", "InvalidClientTokenId", "InvalidToken",
    "UnrecognizedClientException",
})  # fmt: skip
"""Codes by which a region says that it does not know the credentials: it is not enabled, or they
are a token of the global STS endpoint, or wrong. Neither code nor words tell which.
"""
NOT_ACTIVATED = frozenset({"OptInRequired", "NotSignedUp"})
"""Codes of an account that has not been activated, or that a plan shuts out; in every region."""

HINTS = {
    **dict.fromkeys(
        CREDENTIALS_REFUSED,
        "a session token of the global STS endpoint is not valid in opt-in regions: take a "
        "regional one, AWS_STS_REGIONAL_ENDPOINTS=regional",
    ),
    **dict.fromkeys(
        NOT_ACTIVATED, "the account is not activated, or its plan does not include the service"
    ),
    "RegionDisabledException": "STS is off for this region in the account's IAM settings",
}
"""What may be behind a code, and what to do."""

DENIED = frozenset({
    "AccessDenied", "AccessDeniedError", "AccessDeniedException", "AuthorizationError",
    "AuthorizationErrorException", "AuthorizationException", "UnauthorizedException",
    "UnauthorizedOperation",
})  # fmt: skip

THROTTLED = frozenset({
    "BandwidthLimitExceeded", "EC2ThrottledException", "LimitExceededException",
    "RateLimitExceededException", "RequestLimitExceeded", "RequestThrottled",
    "RequestThrottledException", "SlowDown", "Throttling", "ThrottledException",
    "ThrottlingException", "TooManyRequestsException",
})  # fmt: skip

PASSING = frozenset({
    "BadDigest", "ConcurrentModificationException", "DependencyTimeoutException",
    "IncompleteBody", "InternalError", "InternalServerError", "InternalServerErrorException",
    "InternalServerException", "InternalServiceError", "InternalServiceErrorException",
    "KMSInternalException", "PriorRequestNotComplete", "RequestChangedException",
    "ServerInternalException", "ServiceException", "ServiceUnavailable",
    "ServiceUnavailableException", "WAFInternalErrorException", "WAFUnavailableEntityException",
    "XAmzContentSHA256Mismatch",
})  # fmt: skip
"""Codes of what passes, also where AWS answers them with a status that botocore does not retry:
a few more tries are made of the call.
"""

NOT_OFFERED = "not_offered"
"""Where `ApiCallHooks` notes in a connection error that the region lacks the service."""


class ReadError(RuntimeError):
    """Something was not read, for a reason that is no answer of AWS."""


class NothingToRead(ReadError):
    """A call was not made, as AWS has nothing to tell: no such service there, or too old a day."""


class DeadlineExceeded(ReadError):
    """A call was not made, as the time for it is used up."""


class EndpointUnavailable(ReadError):
    """A call was not made, as its endpoint has not answered several before it."""


class RegionUnreadable(ReadError):
    """A region that the account has enabled does not let it in."""


class ListingError(ReadError):
    """A listing is not what a listing is: pages without end, or items that could not be read."""


class SharedReadUnavailable(ReadError):
    """What one identity would read for many accounts: each account reads its own instead."""


def aws_errors() -> tuple[type[Exception], ...]:
    """All that an AWS call may raise; botocore is only imported once something was raised.

    Beyond botocore's two families: its parser's error, and what a body that is a stream raises
    while it is read.
    """
    import http.client
    import ssl

    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError
    from urllib3.exceptions import HTTPError

    streams = (HTTPError, http.client.HTTPException, ssl.SSLError)
    return ClientError, BotoCoreError, Boto3Error, ResponseParserError, ReadError, *streams


def classify_error(error: Exception) -> tuple[str, str, str]:
    """(outcome, what happened, detail) of an error, the outcome by the table of expected ones.

    The outcome is SKIPPED, ABSENT, REFUSED or FAIL.
    """
    response = getattr(error, "response", None)
    if isinstance(error, NothingToRead):
        return SKIPPED, str(error), ""
    if isinstance(error, ReadError):
        return FAIL, str(error), ""
    if NOT_OFFERED in vars(error):
        return SKIPPED, vars(error)[NOT_OFFERED], ""
    if response is None:
        return FAIL, type(error).__name__, reason_of(error)
    facts = response.get("Error", {})
    call = facts.get("Call") or getattr(error, "operation_name", "")
    code, message = str(facts.get("Code") or ""), str(facts.get("Message") or "")
    what = f"{call} {'denied' if code in DENIED else 'failed'}, {code}"
    denied = code in DENIED and re.search(BY_IAM, message)
    for known in (*EXPECTED_ERRORS, *OF_ANY_SERVICE):
        if denied and known.meaning != UNLIFTABLE:
            continue
        if known.matches(call, code, message):
            usual = WITHOUT_REASON.get(known.meaning, what)
            reason = (known.reason or usual).format(call=call, code=code)
            return OUTCOMES[known.meaning], reason, message[:300]
    hint = f" ({HINTS[code]})" if code in HINTS else ""
    return FAIL, what, message[:300] + hint


def reason_of(error: Exception) -> str:
    """What an error says; of a proxy that did not connect, also what it answered."""
    inner = getattr(error, "kwargs", {}).get("error")
    text = str(error) if inner is None or str(inner) in str(error) else f"{error} ({inner})"
    return text[:300] + ADVICE.get(type(error).__name__, "")


def describe_error(error: Exception) -> str:
    """An error of AWS in one line."""
    _, what, detail = classify_error(error)
    return f"{what}: {detail}" if detail else what
