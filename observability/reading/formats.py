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

SHOWN_ROWS = 1_000
"""Of a table, which has to be whole before it can be drawn."""

FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001  spreadsheets take the wide ones too
PLAIN_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
JSON_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")


def spreadsheet_safe(text: str) -> str:
    """A cell that no spreadsheet takes for a formula: what begins like one gets an apostrophe.

    A number keeps its sign (https://owasp.org/www-community/attacks/CSV_Injection).
    """
    if text.startswith(FORMULA) and not PLAIN_NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def write_csv(columns: Sequence[Column], rows: Iterable[Row], out: TextIO) -> None:
    """CSV with a line of names; NULL is an empty cell."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([spreadsheet_safe(column.name) for column in columns])
    for row in rows:
        writer.writerow(["" if value is None else spreadsheet_safe(value) for value in row])


def json_value(value: str | None, kind: str) -> str:
    """A value as JSON: numbers with all their digits, JSON and arrays as they are."""
    if value is None:
        return "null"
    raw = kind in (JSON, BOOLEAN) or (kind == NUMBER and JSON_NUMBER.fullmatch(value))
    return value if raw else json.dumps(value, ensure_ascii=False)


def json_objects(columns: Sequence[Column], rows: Iterable[Row]) -> Iterator[str]:
    """Each row as a JSON object on one line."""
    names = [json.dumps(column.name, ensure_ascii=False) for column in columns]
    for row in rows:
        cells = zip(names, columns, row, strict=True)
        pairs = (f"{name}: {json_value(value, column.kind)}" for name, column, value in cells)
        yield f"{{{', '.join(pairs)}}}"


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
        ["" if value is None else printable(value) for value in row]
        for row in islice(rows, SHOWN_ROWS)
    ]
    if not (out.isatty() and draw(columns, shown)):
        write_plain(columns, shown, out)
    more = next(rows, None) is not None
    out.write(f"({'first ' if more else ''}{len(shown):,} row{'' if len(shown) == 1 else 's'})\n")
    if more:
        log_event("INFO", f"only {SHOWN_ROWS:,} rows are shown; --format csv gives all")


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
