"""What `make lint` holds beside ruff, mypy and the layers: sizes, nesting, and retired names.

    python -m tests.house

Prints a line for each place that breaks a rule, and exits with 1 if there is one.
"""

from __future__ import annotations

import ast
import re
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCRIPTS = (ROOT / "sender.py", ROOT / "receiver.py")
MOST_LINES_OF_A_SCRIPT, MOST_LINES_OF_A_FILE, MOST_LINES_OF_A_FUNCTION = 430, 400, 60
MOST_LINES_OF_THE_MEDIAN_FUNCTION, MOST_NESTING = 10, 4

RETIRED = (
    "Turns", "give_back", "Watch", "NotNow", "judge", "because", "meet_", "insist", "Once", "dig",
    "Refused", "complain", "Draft", "Drafts", "Outcome", "Screen", "SAID", "vouches_for", "WORLD",
    "Directory", "Covers", "Feed", "contain", "together", "Known",
)  # fmt: skip
"""Names that the code once had for what the field calls otherwise; `meet_` stands for all such."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
BLOCKS = (ast.If, ast.For, ast.While, ast.With, ast.Try, ast.Match)


def sources() -> list[Path]:
    """The program's own files."""
    package = sorted((ROOT / "observability").rglob("*.py"))
    others = (path for name in ("deploy", "dashboards") for path in (ROOT / name).rglob("*.py"))
    return [*SCRIPTS, *package, *sorted(others)]


def functions(tree: ast.AST) -> Iterator[Function]:
    """Every function, methods and inner ones included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of(function: Function) -> int:
    """The lines of a function, its docstring included."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def nesting(node: ast.AST) -> int:
    """How deep blocks stand in one another below a node; an elif stands beside its if."""
    deepest = 0
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        is_elif = isinstance(node, ast.If) and [child] == node.orelse and isinstance(child, ast.If)
        deepest = max(deepest, nesting(child) + (isinstance(child, BLOCKS) and not is_elif))
    return deepest


def retired(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, name) of each retired name."""
    for node in ast.walk(tree):
        names = [getattr(node, field, None) for field in ("id", "attr", "name", "arg")]
        for name in (name for name in names if isinstance(name, str)):
            if any(name == old or (old[-1] == "_" and name.startswith(old)) for old in RETIRED):
                yield getattr(node, "lineno", 0), name


def broken_in(path: Path, text: str) -> Iterator[str]:
    """What a file breaks, a line each."""
    place, tree = path.relative_to(ROOT), ast.parse(text)
    lines = len(text.splitlines())
    most = MOST_LINES_OF_A_SCRIPT if path in SCRIPTS else MOST_LINES_OF_A_FILE
    if lines > most:
        yield f"{place}: {lines} lines, at most {most}"
    for function in functions(tree):
        where = f"{place}:{function.lineno} {function.name}"
        if lines_of(function) > MOST_LINES_OF_A_FUNCTION:
            yield f"{where}: {lines_of(function)} lines, at most {MOST_LINES_OF_A_FUNCTION}"
        if nesting(function) > MOST_NESTING:
            yield f"{where}: blocks nested {nesting(function)} deep, at most {MOST_NESTING}"
    yield from (f"{place}:{line}: {name} is a retired name" for line, name in retired(tree))


def main() -> int:
    """Check all files; 1 if a rule is broken."""
    texts = {path: path.read_text(encoding="utf-8") for path in sources()}
    broken = [line for path, text in texts.items() for line in broken_in(path, text)]
    sizes = [lines_of(one) for text in texts.values() for one in functions(ast.parse(text))]
    median = statistics.median(sizes)
    if median > MOST_LINES_OF_THE_MEDIAN_FUNCTION:
        broken.append(f"functions have {median} lines in the median, at most 10")
    print(*broken, sep="\n", end="\n" if broken else "")
    middle = statistics.median(len(re.findall("\n", text)) for text in texts.values())
    print(f"{len(texts)} files, {middle:g} lines in the median; functions {median:g}")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
