"""What an answer may not do: run as a formula, drive a terminal, fill the memory."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from observability.errors import UsageError
from observability.reading.formats import FORMATS
from observability.reading.query import JSON, TEXT, Column, checked

ATTACK = "=HYPERLINK(1)"
BAD = [
    f"x;{ATTACK};y",
    f"x\t{ATTACK}",
    f"x\n{ATTACK};y",
    f'"\r\n{ATTACK}',
    ATTACK,
    "\t;@SUM(1)",
    "a;+1+1",
    ";-2+3+cmd|' /C calc'!A0",
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def written(form: str, values: list[str], out: io.StringIO | None = None, kind: str = TEXT) -> str:
    out = out or io.StringIO()
    FORMATS[form]([Column("it", kind)], [[value] for value in values], out)
    return out.getvalue()


@pytest.mark.parametrize("text", BAD)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_no_cell_is_a_formula_whatever_separates_cells(text: str, separator: str) -> None:
    """Many languages' spreadsheets take semicolons, and then quotes within a cell mean nothing."""
    made = written("csv", [f"first, quoted {text}", text])
    quoted = csv.reader(io.StringIO(made, newline=""), delimiter=separator)
    plain = (re.split(f"[{separator}\r\n]", made),)
    for rows in (quoted, plain):
        assert not [cell for row in rows for cell in row if cell.startswith(tuple("=+-@"))]


def test_a_csv_keeps_what_is_no_formula() -> None:
    values = ["-1.5", "+2e3", "a=b", "x; y", "12-13", "k=v;a@b"]
    assert list(csv.reader(io.StringIO(written("csv", values))))[1:] == [[v] for v in values]


CONTROLS = "a\x1b[2Jb\x9b31m\u202ec"


@pytest.mark.parametrize("form", FORMATS)
def test_a_terminal_gets_no_control_characters(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = written(form, [CONTROLS], Terminal()) + capsys.readouterr().out
    assert "[2J" in made
    assert not set("\x1b\x9b\u202e") & set(made)


def test_json_says_the_same_with_its_control_characters_escaped() -> None:
    held = {CONTROLS: [CONTROLS]}
    made = written("jsonl", [json.dumps(held, ensure_ascii=False)], kind=JSON)
    assert json.loads(made) == {"it": held}
    assert "\x9b" not in made


def test_a_table_is_bounded_also_in_its_cells() -> None:
    made = written("table", ["x" * 1_000_000] * 20)
    assert len(made) < 50_000
    assert made.count("…") == 20


@pytest.mark.parametrize(
    "sql",
    ["/*/* */ show */ COMMIT", "/* /* */ explain */ delete from accounts", "/**//*/**/show*/x"],
)
def test_a_statement_does_not_hide_behind_a_comment_in_a_comment(sql: str) -> None:
    with pytest.raises(UsageError, match="one statement that reads"):
        checked(sql)
