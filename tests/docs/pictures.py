"""`make pictures`: what the documentation shows of the report, in Debian's chromium.

python -m tests.docs.pictures demo-data/report.html docs/report.png
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import FloatRect, sync_playwright

WIDTH, MARGIN = 1180, 14
"""Pixels of the picture, which shows the page down to its first section."""


def main(report: Path, target: Path) -> None:
    """Write a picture of the top of a report."""
    chromium = shutil.which("chromium") or sys.exit("chromium is missing: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": WIDTH})
        page.goto(report.resolve().as_uri())
        box = page.locator("section").first.bounding_box()
        assert box
        height = box["y"] + box["height"] + MARGIN
        clip = FloatRect(x=0, y=0, width=WIDTH, height=height)
        page.screenshot(path=target, full_page=True, clip=clip)
        browser.close()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
