"""What a document says about itself, and that something is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Facts:
    """What a document says about itself beside its rows."""

    present: set[str] = field(default_factory=set)
    meta: Mapping[str, Any] = field(default_factory=dict)
    account: Mapping[str, Any] = field(default_factory=dict)
    statuses: Mapping[str, str] = field(default_factory=dict)


class DocumentProblems(Exception):
    """Something is wrong with the document; who reads it to its end knows all of it."""
