"""The log: whatever is logged, a line is a line."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from observability.log import Log, StoryFormatter, log

# Text and rows

UNSAFE = "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
"""What begins lines, steers terminals, or turns the direction of text."""


@given(st.text())
@example("line\nERROR forged\r\n\x1b[31mred\x9b2J \u2028\u2029 \u202e\u2066")
def test_no_text_can_forge_a_line_or_steer_a_terminal(text: str) -> None:
    safe = Log.safe(text)
    assert not re.search(UNSAFE, safe)
    assert len(safe.splitlines()) <= 1


@given(st.text().filter(lambda text: not re.search(UNSAFE, text)))
def test_text_that_does_no_harm_stays_as_it_is(text: str) -> None:
    assert Log.safe(text) == text


# The log


def test_a_line_of_the_log_is_one_line() -> None:
    stream = io.StringIO()
    Log(stream).say("INFO", "key a\n2026-01-01T00:00:00 ERROR forged \x1b[2J")
    Log(stream, as_json=True).say("INFO", "a\nb", key="c\nd")
    text, machine = stream.getvalue().splitlines()
    assert "\\u000a2026" in text
    assert "\x1b" not in text
    assert json.loads(machine)["message"] == "a\nb"


# What may be read


@pytest.mark.parametrize("character", ["\n", "\r", "\x1b", "\u2028", "\u202e", "\x85"])
def test_what_aws_says_cannot_forge_a_line_of_the_log(character: str) -> None:
    story = io.StringIO()
    forged = f"ok{character}{datetime.now(UTC).isoformat()} SUCCESS all is well"
    Log(story).say("FAIL", forged)
    assert len(story.getvalue().splitlines()) == 1
    assert character not in story.getvalue()[:-1]


def test_a_story_line_cannot_be_forged() -> None:
    formatter = StoryFormatter(as_json=False)
    text = "a\r\x1b[2Jb\u202e 2026 SUCCESS"
    record = log.makeRecord("receiver", 20, "", 0, text, (), None)
    assert "\r" not in formatter.format(record)
    assert "\x1b" not in formatter.format(record)
    assert "\u202e" not in formatter.format(record)
