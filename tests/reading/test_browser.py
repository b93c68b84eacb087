"""The report in a real browser: Debian's chromium, where it is installed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from observability.reading.report import make_report
from tests.cloud import EmbeddedCloud
from tests.reading.conftest import settings_for
from tests.reading.pages import SECTIONS
from tests.reading.test_report import HOSTILE, load_hostile

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="chromium is not installed: apt-get install chromium"
)

WIDER_THAN_THE_PAGE = """
() => [...document.querySelectorAll("body *")].filter(one => {
    const box = one.getBoundingClientRect();
    const scrolls = one.closest(".scroll") && !one.matches(".scroll");
    return box.width && !scrolls && (box.right > innerWidth + 1 || box.left < -1);
}).map(one => one.outerHTML.slice(0, 100))"""

CONTENT = """
() => Object.fromEntries([...document.querySelectorAll("section")].map(one =>
    [one.id, one.querySelectorAll("tbody tr").length]))"""

CONTRASTS = """
() => {
    const rgb = text => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => {
        const [x, y, z] = [r, g, b].map(v => v / 255)
            .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    const behind = one => {
        for (; one; one = one.parentElement) {
            const color = rgb(getComputedStyle(one).backgroundColor);
            if (color.length < 4 || color[3] > 0) return color;
        }
    };
    return [...document.querySelectorAll("p, td, th, h1, h2, h3, a, summary, small, span, text")]
        .filter(one => one.textContent.trim()).map(one => {
            const style = getComputedStyle(one);
            const drawn = one instanceof SVGElement ? style.fill : style.color;
            const [a, b] = [light(rgb(drawn)), light(behind(one))].sort((x, y) => y - x);
            return [(a + 0.05) / (b + 0.05), one.outerHTML.slice(0, 80)];
        }).filter(([ratio]) => ratio < 4.5);
}"""
"""Texts with less contrast than WCAG 2.2 asks for (AA, 4.5 to 1), by its formula."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; in a container there are no user namespaces for its sandbox."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def written(embedded: EmbeddedCloud, database: str, credentials: None, tmp_path: Path) -> Path:
    """The report of an organization whose names are attacks."""
    load_hostile(embedded, database)
    target = tmp_path / "report.html"
    target.write_text(make_report(settings_for(embedded, database))[0], encoding="utf-8")
    return target


class Watched:
    """A page that is open, and what it asked for and complained of."""

    def __init__(self, browser: Browser, report: Path, width: int, scheme: str) -> None:
        self.page: Page = browser.new_page(viewport={"width": width, "height": 900})
        self.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        self.told: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.told.append(message.text))
        self.page.on("pageerror", lambda error: self.told.append(str(error)))
        self.page.on("dialog", lambda dialog: self.told.append(dialog.message))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(report.as_uri())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 800, 390])
def test_the_report_is_whole_at_every_width(
    browser: Browser, written: Path, width: int, scheme: str
) -> None:
    watched = Watched(browser, written, width, scheme)
    page = watched.page
    assert watched.requests == [written.as_uri()]
    rows = page.evaluate(CONTENT)
    assert [*rows] == [*SECTIONS]
    assert {name for name, number in rows.items() if not number} <= {"changes"}
    assert page.locator("figure svg").count() > 3
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(WIDER_THAN_THE_PAGE) == []
    assert page.evaluate(CONTRASTS) == []
    assert page.locator("script, img, [onerror]").count() == 0
    for text in HOSTILE[:3]:
        assert page.get_by_text(text).count() > 0
    assert watched.told == []
    page.close()


def test_it_prints_on_paper(browser: Browser, written: Path) -> None:
    watched = Watched(browser, written, 800, "dark")
    pdf = watched.page.pdf(format="A4")
    assert pdf.startswith(b"%PDF")
    assert 2 <= pdf.count(b"/Type /Page\n") <= 15
    assert watched.told == []
    watched.page.close()
