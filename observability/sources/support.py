"""What AWS Support answers, for those who ask it."""

from __future__ import annotations

from observability.aws.errors import OFF, ExpectedError

PLAN = "the account's support plan does not include it"

SUPPORT_ERRORS = (
    ExpectedError("support", "SubscriptionRequiredException", OFF, PLAN),
)  # fmt: skip
