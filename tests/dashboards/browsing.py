"""A browser that opens dashboards, and notes what the charts get for an answer."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Dialog, Page, Request, Response, sync_playwright

from dashboards.superset.start import Running

WAIT_SECONDS = 90
DATA = "/api/v1/chart/data"
REFUSED_BY_THE_PAGE = "csp"


@dataclass
class Visit:
    """What happened on a page.

    Attributes:
        answers: status and rows by the title of the chart.
        errors: of scripts; and the texts of dialogs.
        elsewhere: requests to other hosts that the page's policy (CSP) has let through.
    """

    page: Page
    own: str
    answers: dict[str, tuple[int, list[dict[str, Any]]]] = field(default_factory=dict)
    titles: dict[int, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Note all that happens from now on."""
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("dialog", self._dismiss)
        self.page.on("requestfinished", self._note)
        self.page.on("requestfailed", self._note)
        self.page.on("response", self._take)

    def _dismiss(self, dialog: Dialog) -> None:
        self.errors.append(dialog.message)
        dialog.dismiss()

    def _note(self, request: Request) -> None:
        own = request.url.startswith((self.own, "data:", "blob:"))
        if not own and request.failure != REFUSED_BY_THE_PAGE:
            self.elsewhere.append(f"{request.url} {request.failure}")

    def _take(self, response: Response) -> None:
        address = urlsplit(response.url)
        given = parse_qs(address.query).get("form_data")
        if not address.path.startswith(DATA) or not given:
            return
        chart = json.loads(given[0]).get("slice_id")
        if chart:
            result = response.json().get("result", []) if response.ok else []
            rows = [row for part in result for row in part.get("data") or ()]
            self.answers[self.titles[chart]] = response.status, rows

    def read_titles(self) -> None:
        """Ask Superset what its charts are called."""
        found = self.page.request.get(f"{self.own}/api/v1/chart/?q=(page_size:200)").json()
        self.titles = {one["id"]: one["slice_name"] for one in found["result"]}

    def open(self, slug: str, charts: int) -> None:
        """Open a dashboard, and wait until each of its charts has its answer and is drawn."""
        self.answers.clear()
        self.page.goto(f"{self.own}/superset/dashboard/{slug}/")
        for _ in range(WAIT_SECONDS * 2):
            if len(self.answers) >= charts:
                break
            self.page.wait_for_timeout(500)
        self.page.wait_for_load_state("networkidle")
        self.page.locator(".loading").first.wait_for(state="detached")


@contextmanager
def visit(running: Running, width: int, height: int) -> Iterator[Visit]:
    """A page of Superset, logged in."""
    chromium = shutil.which("chromium") or sys.exit("chromium is missing: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": height})
        made = Visit(page, running.url)
        made.watch()
        page.set_default_timeout(WAIT_SECONDS * 1000)
        page.goto(f"{running.url}/login/", wait_until="networkidle")
        page.fill("input#username, input[name=username]", "admin")
        page.fill("input#password, input[name=password]", running.password)
        page.click("button[type=submit]")
        page.wait_for_url(lambda url: "/login" not in url, wait_until="commit")
        assert page.request.get(f"{running.url}/api/v1/me/").ok
        made.read_titles()
        yield made
        browser.close()
