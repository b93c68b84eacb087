"""Cutting lists into chunks: what is passed over is exactly what the list has there."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from observability.errors import Rejected
from observability.loaders.rows import Chunk
from observability.receiving.chunks import KnownChunks
from observability.receiving.reader import DocumentReader
from observability.receiving.steps import PORTION, portions

PATH = "config_inventory"
KEYS = {PATH: "this version", "security.security_hub.findings": "this version"}
ROWS = (PATH, "security.security_hub", "security.security_hub.findings", "meta")
SPARE = 10**6
Noted = dict[int, list[Any]]
"""The rows of each chunk by its number."""


def pieces(text: str, size: int) -> Iterator[bytes]:
    data = text.encode()
    return (data[at : at + size] for at in range(0, len(data), size))


def read(
    text: str, known: KnownChunks | None, noted: Mapping[int, list[Any]], size: int = 7
) -> tuple[list[Any], list[Chunk], list[list[Any]], int]:
    """The rows of a document, its new chunks with their rows, and how many were passed over."""
    rows: list[Any] = []
    chunks: list[Chunk] = []
    made: list[list[Any]] = []
    passed = 0
    for part in DocumentReader(pieces(text, size), ROWS, known).parts():
        if part.chunk and part.chunk.number:
            rows += noted[part.chunk.number]
            passed += part.chunk.rows
        elif part.chunk:
            chunks.append(part.chunk)
            made.append(rows[-part.chunk.rows :])
        elif part.value is not None and part.path in KEYS:
            rows.append(part.value)
    return rows, chunks, made, passed


def known_of(text: str, characters: int) -> tuple[KnownChunks, Noted]:
    """The chunks of a document, as the database would have noted all of them."""
    _, chunks, made, _ = read(text, KnownChunks((), KEYS, characters, SPARE), {}, len(text))
    numbered = [replace(chunk, number=n) for n, chunk in enumerate(chunks, 1)]
    return KnownChunks(((PATH, chunk) for chunk in numbered), KEYS, characters, SPARE), dict(
        enumerate(made, 1)
    )


HOSTILE = ["", "a", "},{", '"},{"', "\\", "]", "é€", '","v":"', "\n", "😀" * 3]
VALUE = st.sampled_from(HOSTILE) | st.integers(0, 99) | st.lists(st.sampled_from(HOSTILE))
LIST = st.lists(st.fixed_dictionaries({"k": st.integers(0, 9), "v": VALUE}), max_size=30)


def text_of(rows: list[Any], separator: str, ascii_only: bool = True) -> str:
    body = separator.join(json.dumps(row, ensure_ascii=ascii_only) for row in rows)
    return f'{{"meta": {{}}, "{PATH}": [{body}]}}'


@given(
    before=LIST, edits=st.integers(0, 2**16), separator=st.sampled_from([",", ", ", " ,", ",\n "]),
    characters=st.integers(1, 200), size=st.integers(1, 300), ascii_only=st.booleans(),
)  # fmt: skip
def test_a_list_is_read_as_it_is_whatever_is_known(
    before: list[Any], edits: int, separator: str, characters: int, size: int, ascii_only: bool
) -> None:
    known, noted = known_of(text_of(before, separator, ascii_only), characters)
    chance = random.Random(edits)
    after = [row for row in before if chance.random() > 0.1]
    for place in range(len(after)):
        if chance.random() < 0.1:
            after[place] = {**after[place], "v": chance.choice(HOSTILE)}
    after += before[: chance.randrange(4)]
    other = chance.choice([separator, separator, ",", ", "])
    text = text_of(after, other, ascii_only)
    assert read(text, known, noted, size)[0] == json.loads(text)[PATH]


@pytest.mark.parametrize("separator", [",", ", ", ",\n", "\n  ,\n"])
def test_a_change_costs_the_chunk_that_it_is_in(separator: str) -> None:
    rows: list[Any] = [{"k": n, "v": "x" * (n % 7)} for n in range(100)]
    known, noted = known_of(text_of(rows, separator), 60)
    assert read(text_of(rows, separator), known, noted)[-1] == 100
    largest = max(map(len, noted.values()))
    for place in (0, 50, 99):
        for other in ([], [{"k": -1}], [{"k": -1}, {"k": -2}]):
            changed = [*rows[:place], *other, *rows[place + 1 :]]
            text = text_of(changed, separator)
            read_rows, _, _, passed = read(text, known, noted, 10_000)
            assert read_rows == changed
            assert 100 - largest <= passed < 100


def test_the_same_text_of_another_group_is_another_chunk() -> None:
    def hub(service: str) -> str:
        findings = json.dumps([{"k": n} for n in range(20)])
        return f'{{"security": {{"security_hub": [{{{service} "findings": {findings}}}]}}}}'

    known, noted = known_of(hub('"service": "A",'), 40)
    assert read(hub('"service": "A",'), known, noted)[-1] == 20
    for other in ('"service": "B",', '"service": null,', '"service": ["A"],', ""):
        assert read(hub(other), known, noted)[-1] == 0


def test_a_chunk_is_of_the_version_that_compared_it() -> None:
    text = text_of([{"k": n} for n in range(20)], ",")
    known, noted = known_of(text, 40)
    noted_before = [chunk for found in known.found.values() for chunk in found]
    other = KnownChunks(((PATH, c) for c in noted_before), {PATH: "another"}, 40, SPARE)
    assert read(text, other, noted)[-1] == 0


def test_a_list_that_ends_within_a_chunk_does_not_have_it() -> None:
    rows: list[Any] = [{"k": n} for n in range(20)]
    known, noted = known_of(text_of(rows, ","), 10_000)
    assert noted == {1: rows}
    shorter = text_of(rows[:-1], ",")
    assert read(shorter, known, noted)[0] == rows[:-1]
    with pytest.raises(Rejected, match="cut off"):
        read(text_of(rows, ",")[:-2], known, noted)


@pytest.mark.parametrize("number", [0, 1, 9, 10, 11, 25])
def test_events_that_are_passed_over_fit_into_statements(number: int) -> None:
    chunks = [Chunk(PORTION // 10, 1, "head", str(n), n + 1) for n in range(number)]
    found = list(portions(chunks))
    assert [chunk for portion in found for chunk in portion] == chunks
    assert all(sum(chunk.rows for chunk in portion) <= PORTION for portion in found)
    assert len(found) == -(-number // 10)
