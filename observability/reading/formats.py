"""The forms of an answer: a table for people, CSV for spreadsheets, JSON for programs."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import TextIO

from observability.log import log_event, printable
from observability.reading.query import BOOLEAN, JSON, NUMBER, Column, Row

SHOWN_ROWS, SHOWN_CHARACTERS = 1_000, 2_000
"""Of a table, which has to be whole before it can be drawn: rows, and characters of a cell."""

FORMULA = re.compile("(^[\t\r\n]|(?:^|(?<=[;\t\r\n]))[=+\\-@＝＋－＠])")  # noqa: RUF001  wide ones too
"""What may begin a formula: at the beginning of a text, or after what separates cells or lines for
a spreadsheet that takes semicolons or tabs for commas, as it does in many languages."""
PLAIN_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
JSON_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")


def spreadsheet_safe(text: str) -> str:
    """A cell that has no formula for any spreadsheet: what begins like one gets an apostrophe.

    A number keeps its sign (https://owasp.org/www-community/attacks/CSV_Injection).
    """
    return text if PLAIN_NUMBER.fullmatch(text) else FORMULA.sub(r"'\1", text)


def write_csv(columns: Sequence[Column], rows: Iterable[Row], out: TextIO) -> None:
    """CSV with a line of names; NULL is an empty cell. A terminal gets no control characters."""
    writer = csv.writer(out, lineterminator="\n")
    shown = printable if out.isatty() else str
    writer.writerow([spreadsheet_safe(shown(column.name)) for column in columns])
    for row in rows:
        writer.writerow(["" if value is None else spreadsheet_safe(shown(value)) for value in row])


def json_value(value: str | None, kind: str) -> str:
    """A value as JSON: numbers with all their digits, JSON and arrays as they are."""
    if value is None:
        return "null"
    raw = kind in (JSON, BOOLEAN) or (kind == NUMBER and JSON_NUMBER.fullmatch(value))
    return value if raw else json.dumps(value, ensure_ascii=False)


def json_objects(columns: Sequence[Column], rows: Iterable[Row]) -> Iterator[str]:
    """Each row as a JSON object on one line; control characters, all in texts, are escaped."""
    names = [json.dumps(column.name, ensure_ascii=False) for column in columns]
    for row in rows:
        cells = zip(names, columns, row, strict=True)
        pairs = (f"{name}: {json_value(value, column.kind)}" for name, column, value in cells)
        yield printable(f"{{{', '.join(pairs)}}}")


def write_jsonl(columns: Sequence[Column], rows: Iterable[Row], out: TextIO) -> None:
    """A JSON object per line."""
    for line in json_objects(columns, rows):
        out.write(f"{line}\n")


def write_json(columns: Sequence[Column], rows: Iterable[Row], out: TextIO) -> None:
    """An array of JSON objects."""
    before = "["
    for line in json_objects(columns, rows):
        out.write(f"{before}\n  {line}")
        before = ","
    out.write("[]\n" if before == "[" else "\n]\n")


def write_table(columns: Sequence[Column], rows: Iterable[Row], out: TextIO) -> None:
    """A table for people, by rich on a terminal; its first rows, if there are many."""
    rows = iter(rows)
    shown = [
        ["" if value is None else printable(value[: SHOWN_CHARACTERS + 1]) for value in row]
        for row in islice(rows, SHOWN_ROWS)
    ]
    cut = any(len(cell) > SHOWN_CHARACTERS for row in shown for cell in row)
    shown = [[shorter(cell) for cell in row] for row in shown]
    if not (out.isatty() and draw(columns, shown)):
        write_plain(columns, shown, out)
    more = next(rows, None) is not None
    out.write(f"({'first ' if more else ''}{len(shown):,} row{'' if len(shown) == 1 else 's'})\n")
    if more:
        log_event("INFO", f"only {SHOWN_ROWS:,} rows are shown; --format csv gives all")
    if cut:
        log_event(
            "INFO", f"texts over {SHOWN_CHARACTERS:,} characters are cut; --format csv has all"
        )


def shorter(cell: str) -> str:
    """A cell of a table, cut where it is too long."""
    return cell if len(cell) <= SHOWN_CHARACTERS else f"{cell[:SHOWN_CHARACTERS]}…"


def draw(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> bool:
    """Print a table that fits the terminal; False where rich is not installed."""
    try:
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
    except ModuleNotFoundError:
        return False
    table = Table(box=box.SIMPLE_HEAD)
    for column in columns:
        head = Text(printable(column.name))
        table.add_column(
            head, overflow="fold", justify="right" if column.kind == NUMBER else "left"
        )
    for row in rows:
        table.add_row(*map(Text, row))
    Console().print(table)
    return True


def write_plain(columns: Sequence[Column], rows: Sequence[Sequence[str]], out: TextIO) -> None:
    """A table of plain text."""
    heads = [printable(column.name) for column in columns]
    widths = [max(map(len, cells)) for cells in zip(heads, *rows, strict=True)]
    for line in (heads, ["-" * width for width in widths], *rows):
        cells = (
            text.rjust(width) if column.kind == NUMBER else text.ljust(width)
            for text, width, column in zip(line, widths, columns, strict=True)
        )
        out.write("  ".join(cells).rstrip() + "\n")


Write = Callable[[Sequence[Column], Iterable[Row], TextIO], None]

FORMATS: Mapping[str, Write] = MappingProxyType(
    {"table": write_table, "csv": write_csv, "json": write_json, "jsonl": write_jsonl}
)


def write_answer(columns: Sequence[Column], rows: Iterable[Row], form: str | None) -> None:
    """Write to stdout; without a form a table to a terminal, CSV to anything else."""
    FORMATS[form or ("table" if sys.stdout.isatty() else "csv")](columns, rows, sys.stdout)
