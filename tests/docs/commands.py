"""What the pages show in the form of code: commands, settings, outputs, statements."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.paths import ROOT

PAGES = sorted(
    path
    for folder in (ROOT, ROOT / "docs", ROOT / "deploy", ROOT / "dashboards")
    for path in folder.rglob("*.md") if folder != ROOT or path.parent == ROOT
    if path.name != "CHANGELOG.md"
)  # fmt: skip
"""All but the changelog, which tells of what is no longer there."""

FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.M | re.S)
INDENTED = re.compile(r"(?:^    .*\n)+", re.M)
INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
SHELLS = ("", "sh", "console")
ASSIGNMENT = re.compile(r"([A-Z][A-Z_]*)=(.*)", re.S)
STOP = re.compile(r"[|&;<>]+|\d?>.*")


@dataclass(frozen=True)
class Shown:
    """A command on a page: the variables before it, its program and its arguments."""

    page: str
    text: str
    variables: tuple[str, ...]
    program: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"


def snippets(page: Path) -> Iterator[tuple[str, bool]]:
    """The texts in the form of code, and whether each is a block; answers of a console left out."""
    text = page.read_text()
    for language, body in FENCE.findall(text):
        if language in SHELLS:
            prompts = [line[2:] for line in body.splitlines() if line.startswith("$ ")]
            yield "\n".join(prompts) or body, True
    text = FENCE.sub("", text)
    for body in INDENTED.findall(text):
        yield body, True
    for body in INLINE.findall(INDENTED.sub("", text)):
        yield re.sub(r"\s+", " ", body), False


def commands(page: Path) -> Iterator[Shown]:
    """The commands of make, the scripts, Python and the AWS CLI on a page."""
    for body, _ in snippets(page):
        for line in body.replace("\\\n", " ").splitlines():
            for words in simple_commands(line):
                if shown := understood(page, words):
                    yield shown


def simple_commands(line: str) -> Iterator[list[str]]:
    """The words of each command of a line; a comment ends it, and what is no shell has none."""
    try:
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:
        return
    found: list[str] = []
    for word in words:
        if STOP.fullmatch(word):
            yield found
            found = []
        else:
            found.append(word)
    yield found


PROGRAMS = re.compile(r"make|aws|git|(?:.*/)?python3?|(?:.*/)?(?:sender|receiver)\.py|deploy/\S+")


def understood(page: Path, words: list[str]) -> Shown | None:
    """The command that these words are, if it is one of ours or of AWS."""
    variables = []
    rest = list(words)
    while rest and (given := ASSIGNMENT.fullmatch(rest[0])):
        variables.append(given[1])
        rest.pop(0)
    if not rest or not PROGRAMS.fullmatch(rest[0]) or (rest[0] == "aws" and len(rest) < 3):
        return None
    name = str(page.relative_to(ROOT))
    return Shown(name, " ".join(words), tuple(variables), rest[0], tuple(rest[1:]))
