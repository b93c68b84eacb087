"""What can be wrong, by what it means for the run or for a document."""

from __future__ import annotations


class UsageError(Exception):
    """A setting that is missing or makes no sense: a line for the user each, exit code 2."""


class Rejected(Exception):
    """The document can never be loaded as it is; `reasons` says what is wrong and where."""

    def __init__(self, *reasons: str) -> None:
        super().__init__(reasons[0] if reasons else "refused")
        self.reasons = reasons


class Transient(Exception):
    """What failed may pass later; the file stays under data/."""


class Unreachable(Transient):
    """The other side does not answer at all, so other files need not wait as long for it."""
