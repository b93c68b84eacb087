"""The demo as a user runs it: two days of the story, what it keeps, and `make cloud` on it."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import psycopg
import pytest

from tests.cloud.tests.waiting import DEADLINE_SECONDS, wait_for
from tests.paths import ROOT
from tests.reading.pages import Page

DAYS = "1,14"
TILE = "Cost of the last 7 days"
ODD_SHELL = {
    "AWS_PROFILE": "mine", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9",
    "no_proxy": "localhost", "BUCKET": "mine", "ORGANIZATION": "1", "ACCOUNTS": "1",
}  # fmt: skip


@dataclass
class Up:
    """A demo that has been played, and its cloud, which is up again."""

    played: list[str]
    printed: list[str]
    process: subprocess.Popen[str]
    connection: psycopg.Connection[Any]
    folder: Path

    def rows(self, query: str) -> list[Any]:
        """What a query finds in the demo's database."""
        return self.connection.execute(query.encode()).fetchall()

    @property
    def exports(self) -> dict[str, str]:
        """What `make cloud` says to export."""
        lines = (shlex.split(line) for line in self.printed if line.startswith("export "))
        return dict(words[1].split("=", 1) for words in lines)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """`make demo`, in an odd shell, then `make cloud`."""
    folder = tmp_path_factory.mktemp("demo") / "data"
    program = [sys.executable, "-m", "tests.cloud.demo", "--data", str(folder)]
    played = subprocess.run(
        [*program, "--days", DAYS], env=os.environ | ODD_SHELL, capture_output=True, text=True,
        timeout=4 * DEADLINE_SECONDS, cwd=ROOT, check=False,
    )  # fmt: skip
    log = (folder / "log.txt").read_text(errors="replace")
    assert played.returncode == 0, played.stderr + log
    process = subprocess.Popen(
        [*program, "--up"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # else ignored under `&`
    )  # fmt: skip
    assert process.stdout is not None
    printed = []
    try:
        for line in process.stdout:
            printed.append(line.rstrip("\n"))
            if "Ctrl-C" in line:
                break
        psql = shlex.split(next(line for line in printed if "psql" in line))
        with psycopg.connect(psql[1], autocommit=True) as connection:
            yield Up(played.stdout.splitlines(), printed, process, connection, folder)
    finally:
        process.kill()
        process.wait()


def test_the_demo_prints_ten_lines(up: Up) -> None:
    assert len(up.played) <= 10
    told = dict(line.split(maxsplit=1) for line in up.played)
    assert told["playing"] == "2 daily runs for 6 accounts in eu-west-1 and us-east-1"
    assert told["loaded"].startswith("13 documents: ")  # one a day has stopped by then
    figure = r"[\d,]+ USD in 7 days, [+-]\d+\.\d % against the 7 before"
    assert re.fullmatch(figure, told["costs"])
    assert told["failing"].startswith("payments-staging: health since ")
    assert told["silent"].startswith("data-platform: the last document is of ")
    assert "EC2 Instance 3" in told["gone"]
    assert told["done"].endswith(f"all is kept in {up.folder}/")


def test_the_demo_prints_the_costs_of_its_report(up: Up) -> None:
    """Of the same days, and compared where both weeks are known."""
    [printed] = [line.split(maxsplit=1)[1] for line in up.played if line.startswith("costs ")]
    amount, percent = re.findall(r"[+-]?[\d,.]+\d", printed)[:2]
    value, change, days = Page((up.folder / "report.html").read_text()).tiles[TILE]
    assert value == f"${amount}"
    assert f"{'▲' if percent[0] == '+' else '▼'} $" in change
    assert f"({percent[1:]} %) on the 7 days before" in change
    assert "; 1 account ends on " in days  # one has stopped, so its days are others


def test_the_documentation_shows_what_the_demo_prints(up: Up) -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    shown = page.partition("$ make demo\n")[2].partition("\n```")[0]

    def shape(line: str) -> str:
        """A line without its numbers, days and folder."""
        line = line.replace(str(up.folder), "demo-data").replace("…", "0")
        return re.sub(r"[+-]?[\d,.-]*\d", "0", line)

    assert [*map(shape, shown.splitlines())] == [*map(shape, up.played)]


def test_each_day_has_its_documents_and_all_clocks_agree(up: Up) -> None:
    days = up.rows(
        "SELECT CAST(collected_at AS date) - period_start, CAST(last_modified AS date)"
        " - period_start, count(*) FROM documents GROUP BY 1, 2"
    )
    assert days == [(1, 1, 13)]
    [(apart,)] = up.rows("SELECT max(period_start) - min(period_start) FROM documents")
    assert apart == 13


def test_an_account_stops_delivering_and_a_category_fails(up: Up) -> None:
    delivery = dict(up.rows("SELECT account_name, delivery FROM account_overview"))
    assert delivery["data-platform"] == "silent"
    assert delivery["payments-staging"] == "failing"
    assert delivery["payments-prod"] == "complete"
    statuses = up.rows(
        "SELECT l.health_status FROM logs l JOIN accounts a ON a.id = l.account_id"
        " WHERE a.account_name = 'payments-staging' ORDER BY l.date_created"
    )
    assert statuses == [("Pass",), ("Fail",)]


def test_what_vanishes_is_gone(up: Up) -> None:
    gone = up.rows(
        "SELECT DISTINCT a.account_name FROM service_resources r"
        " JOIN accounts a ON a.id = r.account_id WHERE r.gone_at IS NOT NULL ORDER BY 1"
    )
    assert gone == [("payments-prod",), ("payments-staging",), ("webshop-prod",)]


def test_the_cloud_is_up_as_it_was_and_can_be_used(up: Up) -> None:
    assert {"AWS_ENDPOINT_URL", "BUCKET", "DB_NAME"} <= up.exports.keys()
    assert (up.folder / "cloud.env").read_text().splitlines() == [
        line for line in up.printed if line.startswith("export ")
    ]
    done = subprocess.run(
        [sys.executable, "receiver.py", "--check"], env=os.environ | up.exports, cwd=ROOT,
        capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    story = subprocess.run(
        [sys.executable, "sender.py", "--only", "application", "--accounts", "222233334444"],
        env=os.environ | up.exports, cwd=ROOT,
        capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False,
    )  # fmt: skip
    assert story.returncode == 0, story.stderr
    assert "everything open is read" not in story.stderr  # the bucket has what was loaded


def test_ctrl_c_ends_the_cloud_and_its_children(up: Up) -> None:
    children = psutil.Process(up.process.pid).children(recursive=True)
    up.connection.close()
    up.process.send_signal(signal.SIGINT)
    _, errors = up.process.communicate(timeout=DEADLINE_SECONDS)
    assert (up.process.returncode, errors) == (0, "")
    wait_for(lambda: not any(child.is_running() for child in children))
    assert {path.name for path in up.folder.iterdir()} >= {"database.dump", "bucket.zip", "day"}


@pytest.mark.parametrize("days", ["", "0", "15", "1,x"])
def test_a_day_that_the_story_has_not_is_wrong(days: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.cloud.demo", "--days", days],
        capture_output=True, text=True, timeout=DEADLINE_SECONDS, cwd=ROOT, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "is not days from 1 to 14" in done.stderr
