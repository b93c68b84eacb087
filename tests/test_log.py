"""The log: whatever is logged, a line is a line."""

from __future__ import annotations

import contextlib
import io
import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from observability.log import (
    LOGGER,
    EventFormatter,
    Log,
    log_event,
    log_fields,
    log_to,
    printable,
)

# Text and rows

UNSAFE = "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
"""What begins lines, steers terminals, or turns the direction of text."""


@given(st.text())
@example("line\nERROR forged\r\n\x1b[31mred\x9b2J \u2028\u2029 \u202e\u2066")
def test_no_text_can_forge_a_line_or_steer_a_terminal(text: str) -> None:
    safe = printable(text)
    assert not re.search(UNSAFE, safe)
    assert len(safe.splitlines()) <= 1


@given(st.text().filter(lambda text: not re.search(UNSAFE, text)))
def test_text_that_does_no_harm_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


# The log


def test_a_line_of_the_log_is_one_line() -> None:
    stream = io.StringIO()
    log_to(stream)
    log_event("INFO", "key a\n2026-01-01T00:00:00 ERROR forged \x1b[2J")
    log_to(stream, as_json=True)
    log_event("INFO", "a\nb", key="c\nd")
    text, machine = stream.getvalue().splitlines()
    assert "\\u000a2026" in text
    assert "\x1b" not in text
    assert json.loads(machine)["message"] == "a\nb"


# What may be read


@pytest.mark.parametrize("character", ["\n", "\r", "\x1b", "\u2028", "\u202e", "\x85"])
def test_what_aws_says_cannot_forge_a_line_of_the_log(character: str) -> None:
    story = io.StringIO()
    forged = f"ok{character}{datetime.now(UTC).isoformat()} SUCCESS all is well"
    log_to(story)
    log_event("FAIL", forged)
    assert len(story.getvalue().splitlines()) == 1
    assert character not in story.getvalue()[:-1]


def test_a_story_line_cannot_be_forged() -> None:
    formatter = EventFormatter()
    text = "a\r\x1b[2Jb\u202e 2026 SUCCESS"
    record = LOGGER.makeRecord("receiver", 20, "", 0, text, (), None)
    assert "\r" not in formatter.format(record)
    assert "\x1b" not in formatter.format(record)
    assert "\u202e" not in formatter.format(record)


# Whose line it is, and how much is logged


def logged(stream: io.StringIO) -> list[dict[str, object]]:
    """The lines of a JSON log."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_names_its_account_in_text_only_where_there_are_several() -> None:
    text, machine = io.StringIO(), io.StringIO()
    for stream, as_json in ((text, False), (machine, True)):
        log_to(stream, as_json=as_json)
        Log().of(account="111122223333").say("INFO", "one of several")
        Log().with_fields(account="111122223333").say("INFO", "the only one")
    assert [line.split(maxsplit=2)[2] for line in text.getvalue().splitlines()] == [
        "111122223333 one of several",
        "the only one",
    ]
    assert [line["account"] for line in logged(machine)] == ["111122223333"] * 2
    assert [line["message"] for line in logged(machine)] == ["one of several", "the only one"]


def test_fields_of_a_block_end_with_it_and_are_those_of_its_thread() -> None:
    stream = io.StringIO()
    log_to(stream, as_json=True)
    with log_fields(account="1"):
        with log_fields(region="here", account="2"):
            log_event("INFO", "inside")
        log_event("INFO", "between", key="k")
        with ThreadPoolExecutor(1) as pool:
            pool.submit(log_event, "INFO", "elsewhere").result()
    common = {"time", "level", "kind", "message"}
    assert [{k: v for k, v in line.items() if k not in common} for line in logged(stream)] == [
        {"account": "2", "region": "here"},
        {"account": "1", "key": "k"},
        {},
    ]


@pytest.mark.parametrize(
    ("how", "kinds"),
    [
        ({"quiet": True}, ["FAIL", "ERROR"]),
        ({}, ["SUCCESS", "FAIL", "ERROR", "INFO"]),
        ({"verbose": True}, ["SUCCESS", "FAIL", "ERROR", "INFO", "TIMING", "CALL"]),
    ],
)
def test_how_much_is_logged(how: dict[str, bool], kinds: list[str]) -> None:
    stream = io.StringIO()
    log_to(stream, **how)
    for kind in ("SUCCESS", "FAIL", "ERROR", "INFO", "TIMING", "CALL"):
        log_event(kind, "text")
    assert [line.split()[1] for line in stream.getvalue().splitlines()] == kinds


def test_a_traceback_is_for_those_who_ask_and_forges_no_line() -> None:
    for verbose in (False, True):
        stream = io.StringIO()
        log_to(stream, verbose=verbose)
        try:
            raise ValueError("bad\n2026-01-01T00:00:00 SUCCESS forged")
        except ValueError:
            Log().traceback("raised at")
        first, *rest = stream.getvalue().splitlines() or [""]
        assert (" ERROR   raised at" in first) is verbose
        assert all(line.startswith("  ") for line in rest)
        assert bool(rest) is verbose
        log_to(io.StringIO())


def test_a_log_that_takes_no_more_lines_ends_no_run() -> None:
    with Path("/dev/full").open("w") as full:
        log_to(full)
        log_event("INFO", "nobody will read this")
        log_to(io.StringIO())
        with contextlib.suppress(OSError):
            full.close()
