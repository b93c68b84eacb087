"""A report as tests read it: its text, tables and sections."""

from __future__ import annotations

from html.parser import HTMLParser

SECTIONS = (
    "costs", "accounts", "rises", "savings", "findings", "compliance", "coming", "changes",
    "health",
)  # fmt: skip
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """What is in a page. `tables`: rows of cells by (section, title of the table)."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[tuple[str, str], list[list[str]]] = {}
        self.texts: dict[str, str] = {}
        self.tiles: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.section, self.title, self.style = "", "", ""
        self._tile: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where we are."""
        held = dict(attrs)
        self.tags.append((tag, held))
        if tag == "section":
            self.section = held["id"] or ""
        if tag in ("h3", "summary"):
            self.title = ""
        if tag == "tr":
            self.tables.setdefault((self.section, self.title), []).append([])
        if tag in ("td", "th"):
            self.tables[self.section, self.title][-1].append("")
        if tag == "div" and (held.get("class") or "").startswith("tile "):
            self._tile = []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Leave an element; each is closed in order, as the templates are ours."""
        if tag not in VOID:
            assert self.open.pop() == tag
        if tag == "section":
            self.section = ""

    def handle_data(self, data: str) -> None:
        """Note a text where it belongs."""
        inside = self.open[-1] if self.open else ""
        if inside == "style":
            self.style += data
            return
        self.texts[self.section] = self.texts.get(self.section, "") + data
        if inside in ("h3", "summary"):
            self.title += data
        if {"td", "th"} & {*self.open} and "title" not in self.open:
            row = self.tables[self.section, self.title][-1]
            row[-1] += data
        elif not self.section and inside in ("h2", "p"):
            if inside == "h2":
                self._tile = self.tiles.setdefault(data, [])
            else:
                self._tile.append(data)

    def table(self, section: str, title: str) -> list[list[str]]:
        """The rows of a table, its head left out."""
        return [[" ".join(it.split()) for it in row] for row in self.tables[section, title][1:]]
