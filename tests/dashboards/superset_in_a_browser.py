"""`make test-superset`: each dashboard in a real browser, on the demo's data.

Not a part of `make test`, which collects files that begin with test_. One account has a name that
is an attack.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from dashboards.superset.assets import DASHBOARDS
from dashboards.superset.demo import raise_stage, source_of
from dashboards.superset.model import Chart, Dashboard
from dashboards.superset.start import Running, StartError, require_port, superset
from tests.cloud.playing import Stage
from tests.dashboards.browsing import Visit, visit

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed: apt install chromium"),
    pytest.mark.timeout(900),
]

HOSTILE, SHOWN = "<img src=x onerror=alert(1)>", "<img src"
"""A name, and what a table shows of it, as text: Superset leaves out attributes."""

DATA = Path(os.environ.get("DATA", "demo-data"))
WIDTH, HEIGHT = 1600, 3200
"""So high that all charts are in sight: Superset asks for the data of no other."""

ERRORS = ".ant-alert-error, [data-test='error-message'], .chart-container [role='alert']"
"""What Superset shows where a chart has failed."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Superset keeps its own data."""
    return tmp_path_factory.mktemp("superset")


TRUTHS = {
    "Newest seven days": "SELECT sum(unblended_cost) FROM weekly_cost_changes",
    "Cost per day by service": "SELECT sum(unblended_cost) FROM daily_costs"
    " WHERE day > current_date - 60",
    "Critical": "SELECT count(*) FROM open_findings WHERE severity = 'CRITICAL'",
    "Open findings by account": "SELECT count(*) FROM open_findings",
    "Fixed per day": "SELECT count(*) FROM fixed_findings WHERE fixed_at > current_date - 60",
    "Accounts": "SELECT count(DISTINCT account_id) FROM freshness",
    "Resources": "SELECT count(*) FROM existing_resources",
    "Changes per day": "SELECT count(*) FROM recent_changes",
}
"""What all numbers of a chart add up to: the demo has few enough accounts for all to be shown."""


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """The demo's cloud, in which one account has another name."""
    with ExitStack() as parts:
        made = raise_stage(parts, DATA)
        with psycopg.connect(made.dsn) as connection:
            account = connection.execute("SELECT min(account_id) FROM accounts").fetchone()
            assert account
            change = "UPDATE accounts SET account_name = %s WHERE account_id = %s"
            connection.execute(change, (HOSTILE, account[0]))
        yield made


@pytest.fixture(scope="module")
def running(home: Path, stage: Stage) -> Iterator[Running]:
    """Superset on the demo's data."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    with superset(source_of(stage), home, port) as made:
        yield made


@pytest.fixture(scope="module")
def visitor(running: Running) -> Iterator[Visit]:
    """Who has logged in."""
    with visit(running, WIDTH, HEIGHT) as made:
        yield made


def total_of(visitor: Visit, title: str) -> float:
    """The sum of all numbers of a chart, days left out."""
    _status, rows = visitor.answers[title]
    values = [value for row in rows for name, value in row.items() if name != "day"]
    return sum(float(value) for value in values if isinstance(value, int | float))


def assert_is_answered(visitor: Visit, chart: Chart) -> None:
    """The answer has no error, a row, and a value."""
    status, rows = visitor.answers[chart.title]
    assert status == 200, chart.title
    assert rows, chart.title
    assert any(value not in (None, "") for row in rows for value in row.values()), chart.title


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: str(dashboard.slug))
def test_each_chart_of_a_dashboard_shows_what_there_is(
    visitor: Visit, dashboard: Dashboard, stage: Stage
) -> None:
    page = visitor.page
    visitor.open(dashboard.slug, len(dashboard.charts))
    assert {*visitor.answers} == {chart.title for chart in dashboard.charts}
    for chart in dashboard.charts:
        assert_is_answered(visitor, chart)
    with psycopg.connect(stage.dsn) as connection:
        for title in {*visitor.answers} & {*TRUTHS}:
            [[expected]] = connection.execute(TRUTHS[title].encode()).fetchall()
            assert total_of(visitor, title) == pytest.approx(float(expected)), title
    assert page.locator(ERRORS).all_text_contents() == []
    assert page.get_by_text("No results were returned").count() == 0
    drawn = sum(chart.kind not in ("table", "big_number_total") for chart in dashboard.charts)
    assert page.locator(".chart-container canvas").count() >= drawn
    assert page.locator("td").get_by_text(SHOWN).count() > 0
    for canvas in page.locator(".chart-container canvas").all():
        canvas.hover()  # shows names in a box
    assert page.locator("img[src=x], [onerror]").count() == 0
    assert visitor.errors == []
    assert visitor.elsewhere == []


def test_nobody_gets_in_without_the_login(visitor: Visit, running: Running) -> None:
    browser = visitor.page.context.browser
    assert browser
    stranger = browser.new_page()
    for path in ("/superset/dashboard/costs/", "/api/v1/chart/"):
        answer = stranger.goto(f"{running.url}{path}")
        assert answer
        assert "/login/" in answer.url or answer.status == 401
    stranger.close()


def test_a_port_that_is_taken_is_told(running: Running) -> None:
    port = int(running.url.rpartition(":")[2])
    with pytest.raises(StartError, match=f"port {port}"):
        require_port(port)


def test_superset_listens_on_this_machine_only_and_keeps_its_data_to_itself(
    running: Running, home: Path
) -> None:
    port = int(running.url.rpartition(":")[2])
    with socket.create_server(("127.0.0.2", port)):
        pass  # which fails where somebody listens on all addresses
    kept = home / "superset"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert stat.S_IMODE((kept / "secret_key").stat().st_mode) == 0o600
    assert running.password not in (kept / "log.txt").read_text()
