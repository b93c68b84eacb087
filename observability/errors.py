"""What can be wrong, by what it means for the run or for a document."""

from __future__ import annotations

ADVICE = {"NoCredentialsError": " (set AWS_PROFILE, or run with a role)"}
"""What to do about an error of the SDK, by the name of its class."""


class UsageError(Exception):
    """A setting that is missing or makes no sense: a line for the user each, exit code 2."""


class Forbidden(UsageError):
    """What the policies of AWS do not allow to whoever runs this."""


class Rejected(Exception):
    """The document can never be loaded as it is; `reasons` says what is wrong and where."""

    def __init__(self, *reasons: str) -> None:
        super().__init__(reasons[0] if reasons else "refused")
        self.reasons = reasons


class Transient(Exception):
    """What failed may pass later; the file stays under data/."""


class Unreachable(Transient):
    """The other side does not answer at all, so other files need not wait as long for it."""


class NotAsNoted(Transient):
    """Rows that were passed over may not be as they were noted: the next try reads all."""


class Blocked(Exception):
    """The document may be right, but somebody has to act before it is loaded; the file waits."""


class OverLimit(Blocked):
    """The document takes more time or disk than one may; it is tried again, a few times."""


class DatabaseFault(Blocked):
    """The database refuses what is right; `raised`: by an error of a function of somebody's."""

    def __init__(self, reason: str, *, raised: bool = False) -> None:
        super().__init__(reason)
        self.raised = raised


class ValueRefused(Rejected):
    """The database refuses a value, or something that was added to a table does."""
