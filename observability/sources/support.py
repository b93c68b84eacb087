"""What AWS Support answers, for those who ask it."""

from __future__ import annotations

from observability.aws.errors import OFF, VANISHED, ExpectedError

PLAN = "the account's support plan does not include it"

SUPPORT_ERRORS = (
    ExpectedError("support", "SubscriptionRequiredException", OFF, PLAN),
    # Recorded answers; the code is in no model. A check that was retired since it was listed.
    ExpectedError(
        "support:DescribeTrustedAdvisorCheckResult", "InvalidParameterValueException", VANISHED,
        "", "Unknown ID",
    ),
)  # fmt: skip
