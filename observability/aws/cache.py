"""What several readers need and is read once."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from observability.aws.errors import aws_errors

Result = TypeVar("Result")
Owner = TypeVar("Owner")


class Lazy(Generic[Result]):
    """A value that several collectors need and that is read once; so is the error instead."""

    def __init__(self, read: Callable[[], Result]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._value: list[Result] = []
        self._error: Exception | None = None

    def __call__(self) -> Result:
        with self._lock:
            if self._error:
                raise self._error
            if not self._value:
                try:
                    self._value.append(self._read())
                except aws_errors() as error:
                    self._error = error
                    raise
            return self._value[0]


class Memo(Generic[Owner]):
    """What is read once on behalf of its owner, by the function that reads it."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._reads: dict[Callable[[Owner], Any], Lazy[Any]] = {}
        self._lock = threading.Lock()

    def __call__(self, read: Callable[[Owner], Result]) -> Result:
        with self._lock:
            known = self._reads.setdefault(read, Lazy(functools.partial(read, self._owner)))
        found: Result = known()
        return found
