"""The report: its numbers are the database's, it is one page, and no name in it becomes code."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from observability.errors import DatabaseFault
from observability.reading.command import write_report
from observability.reading.query import open_database
from observability.reading.report import make_report
from observability.reading.report.costs import on_day
from observability.reading.report.facts import ask
from observability.reading.report.queries import PARAMETERS
from observability.reading.report.words import UNKNOWN, change, day, direction
from observability.reading.session import read_only
from observability.settings.receiver import Settings
from tests.bench.estate import generate_estate
from tests.cloud import EmbeddedCloud
from tests.reading.conftest import ACCOUNTS, settings_for
from tests.reading.pages import SECTIONS, Page

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)


def asked(embedded: EmbeddedCloud, database: str, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a query, past everything that is tested."""
    with psycopg.connect(embedded.postgres.dsn_for(database)) as connection:
        return connection.execute(sql.encode()).fetchall()


@pytest.fixture
def page(estate: Settings) -> Page:
    """The report of the estate."""
    return Page(make_report(estate)[0])


def dollars(amount: Decimal) -> str:
    """An amount as the page writes it."""
    return f"${amount:,.0f}" if amount >= 1000 else f"${amount:,.2f}"


def number(text: str) -> Decimal:
    """An amount or a count in a cell."""
    return Decimal(re.sub(r"[^\d.]", "", text.partition("(")[0]))


def test_the_sections_are_all_there_and_each_number_says_of_when_it_is(page: Page) -> None:
    sections = [held for tag, held in page.tags if tag == "section"]
    assert [held["id"] for held in sections] == [*SECTIONS]
    for name in set(SECTIONS) - {"changes"}:
        assert re.search(r"As of \d|Costs of \d|up to \d|seen at \d", page.texts[name]), name
    assert all(re.search(r"\d\d? [A-Z][a-z]{2}", texts[-1]) for texts in page.tiles.values())


def test_costs_are_those_of_the_tables(
    page: Page, embedded: EmbeddedCloud, estate: Settings
) -> None:
    """Each amount is summed anew from the rows that Cost Explorer's answers became."""

    def cost(first: int, last: int) -> Decimal:
        [[amount]] = asked(
            embedded,
            estate.database,
            f"""
            SELECT sum(cost) FROM services
            WHERE date_from BETWEEN current_date - {first} AND current_date - {last}""",
        )
        return Decimal(amount)

    newest, before = cost(7, 1), cost(14, 8)
    value, detail, when = page.tiles["Cost of the last 7 days"]
    assert value == dollars(newest)
    assert number(detail) == number(dollars(abs(newest - before)))
    assert detail.startswith("▲" if newest > before else "▼")
    assert when.endswith(f"{YESTERDAY.day} {YESTERDAY:%b %Y}")
    for section, title in (("costs", "Services"), ("accounts", "Accounts"),
                           ("accounts", "Customers")):  # fmt: skip
        head = page.tables[section, title][0]
        column = head.index("Last 7 days")
        summed = sum(number(row[column]) for row in page.table(section, title))
        assert abs(summed - newest) < len(page.table(section, title)), title
    per_day = page.table("costs", "Values per day")
    assert len(per_day) == PARAMETERS["days"]
    assert number(per_day[0][1]) == number(dollars(cost(1, 1)))


def test_lists_are_bounded_and_the_rest_is_summed(page: Page) -> None:
    accounts = page.table("accounts", "Accounts")
    assert len(accounts) == PARAMETERS["most"] + 1
    assert accounts[-1][0] == f"{ACCOUNTS - PARAMETERS['most']} other accounts"


def test_findings_are_counted_by_account_and_severity(
    page: Page, embedded: EmbeddedCloud, estate: Settings
) -> None:
    """By the view, which has its own tests."""
    counted = dict(asked(embedded, estate.database,
                         "SELECT severity, count(*) FROM open_findings GROUP BY 1"))  # fmt: skip
    *rows, total = page.table("findings", "By account and severity")
    assert total[0] == "All accounts"
    assert number(total[1]) == counted["CRITICAL"]
    assert number(total[2]) == counted["HIGH"]
    for column in range(1, 5):
        assert sum(number(row[column]) for row in rows) == number(total[column])
    assert page.tiles["Open critical findings"][0] == f"{counted['CRITICAL']:,}"


def test_data_health_names_what_fails_since_when(
    page: Page, embedded: EmbeddedCloud, estate: Settings
) -> None:
    """The log says it; in the estate costs are all that fails."""
    failed = asked(
        embedded,
        estate.database,
        """
        SELECT a.account_id, min(l.date_created) FROM logs l JOIN accounts a ON a.id = l.account_id
        WHERE l.cost_status = 'Fail' AND NOT EXISTS (
            SELECT FROM logs x WHERE x.account_id = l.account_id AND x.cost_status = 'Pass'
            AND x.date_created > l.date_created)
        GROUP BY 1""",
    )
    rows = page.table("health", "Accounts that are late")
    assert {row[0].split()[-1]: row[-1] for row in rows} == {
        account: f"cost since {since.day} {since:%b %Y}" for account, since in failed
    }
    assert page.tiles["Accounts that are late"][0] == str(len(rows))


def test_the_page_has_no_script_and_forbids_everything_but_its_own_style(estate: Settings) -> None:
    html, _ = make_report(estate)
    page = Page(html)
    [policy] = [
        held["content"] or ""
        for tag, held in page.tags
        if tag == "meta" and held.get("http-equiv") == "Content-Security-Policy"
    ]
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert policy.split("; ")[:2] == ["default-src 'none'", f"style-src 'sha256-{digest}'"]
    assert "script" not in {tag for tag, _ in page.tags}
    names = {name for _, held in page.tags for name in held}
    assert not [name for name in names if name.startswith("on") or name in ("style", "src")]
    links = {held.get("href") or "" for tag, held in page.tags if tag in ("a", "link", "use")}
    assert all(link.startswith(("#", "data:,")) for link in links)
    assert "url(" not in page.style
    assert "http" not in page.style


HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "{{ 7 * 7 }}{% for x in y %}",
    "\u202eevil\u2066 & \x1b[31m </style></svg>",
)


def test_names_stay_text_wherever_they_are(embedded: EmbeddedCloud, database: str,
                                           credentials: None) -> None:  # fmt: skip
    load_hostile(embedded, database)
    html, _ = make_report(settings_for(embedded, database))
    page = Page(html)
    assert {"script", "img"}.isdisjoint(tag for tag, _ in page.tags)
    assert not [name for _, held in page.tags for name in held if name.startswith("on")]
    for section in ("costs", "accounts", "savings", "findings", "compliance"):
        for text in HOSTILE[:3]:
            assert text in page.texts[section], section
    assert f"${10**60:,}" in page.texts["savings"]
    assert r"\u202eevil\u2066 & \u001b[31m </style></svg>" in page.texts["findings"]


NAMES = {
    "accounts": ("account_name", "customer_name"),
    "services": ("service",),
    "findings": ("title",),
    "non_compliant_resources": ("rule_name",),
    "certificates": ("domain_name",),
    "compute_optimizer": ("resource_name", "finding"),
}
"""Columns of names that people or AWS choose."""


def load_hostile(embedded: EmbeddedCloud, database: str) -> None:
    """A small organization in which every name is an attack, and some amounts are."""
    dsn = embedded.postgres.dsn_for(database)
    with psycopg.connect(dsn, autocommit=True) as connection:
        generate_estate(connection, len(HOSTILE), 20)
        texts = [*HOSTILE]
        # Costs are random, and only the six largest services are shown.
        connection.execute("UPDATE services SET cost = cost + 100 WHERE service ~ ' [1-4]$'")
        for table, name in ((table, name) for table, names in NAMES.items() for name in names):
            number = "CAST(substring(service FROM '[0-9]+$') AS integer)"
            place = number if table == "services" else "id / 2"
            changed = f"{name} = (CAST(%s AS text[]))[1 + {place} %% 4] || coalesce({name}, '')"
            connection.execute(f"UPDATE {table} SET {changed}".encode(), (texts,))
        amount = "estimated_monthly_savings_usd = 1e60"
        connection.execute(f"UPDATE compute_optimizer SET {amount} WHERE id % 50 = 0".encode())


def test_an_empty_database_gives_a_page_that_says_so(
    embedded: EmbeddedCloud, database: str, credentials: None
) -> None:
    page = Page(make_report(settings_for(embedded, database))[0])
    assert page.tables == {}
    assert [held["id"] for tag, held in page.tags if tag == "section"] == [*SECTIONS]
    assert page.tiles["Cost of the last 7 days"][:2] == [UNKNOWN, "No costs are known yet."]
    assert "No account is known yet" in page.texts["health"]


def test_accounts_of_another_currency_are_told_and_not_added(
    embedded: EmbeddedCloud, database: str, credentials: None
) -> None:
    with psycopg.connect(embedded.postgres.dsn_for(database), autocommit=True) as connection:
        generate_estate(connection, 3, 20)
        connection.execute("UPDATE services SET currency = 'CNY' WHERE account_id = 1")
        [[others]] = connection.execute(
            "SELECT sum(cost) FROM services WHERE account_id > 1 AND date_from >= current_date - 7"
        ).fetchall()
    page = Page(make_report(settings_for(embedded, database))[0])
    assert page.tiles["Cost of the last 7 days"][0] == dollars(others)
    assert "left out: 1 in CNY" in page.texts["costs"]


def test_an_account_whose_costs_end_earlier_is_named_wherever_it_is_in_a_sum(
    embedded: EmbeddedCloud, database: str, credentials: None
) -> None:
    """Its newest seven days are older, so they are not those of the label."""
    with psycopg.connect(embedded.postgres.dsn_for(database), autocommit=True) as connection:
        generate_estate(connection, 3, 20)
        for table, column in (("services", "date_from"), ("cost_reports", "period_start")):
            late = f"DELETE FROM {table} WHERE account_id = 1 AND {column} > current_date - 5"
            connection.execute(late.encode())
        [[cost]] = connection.execute("""
            SELECT sum(cost) FROM services
            WHERE date_from >= current_date - CASE account_id WHEN 1 THEN 11 ELSE 7 END
            """).fetchall()  # fmt: skip
    page = Page(make_report(settings_for(embedded, database))[0])
    ended = YESTERDAY - timedelta(days=4)
    value, _, label = page.tiles["Cost of the last 7 days"]
    assert value == dollars(cost)
    assert label == (
        f"Costs of the newest 7 days of each account, up to {day(YESTERDAY)}; 1 account ends"
        f"{on_day(ended, YESTERDAY)}"
    )
    per_day = page.table("costs", "Values per day")
    assert abs(sum(number(row[1]) for row in per_day[:7]) - cost) > 10  # so a note is needed
    for section in ("costs", "accounts"):
        assert f"end earlier: Account 1{on_day(ended, YESTERDAY)}." in page.texts[section], section
        assert "Values per day do not add up to them" in page.texts[section], section
    assert all(label in page.texts[section] for section in ("accounts", "rises"))


def test_of_many_accounts_whose_costs_end_earlier_a_few_are_named(
    embedded: EmbeddedCloud, database: str, credentials: None
) -> None:
    with psycopg.connect(embedded.postgres.dsn_for(database), autocommit=True) as connection:
        generate_estate(connection, 7, 20)
        connection.execute("""
            DELETE FROM services
            WHERE account_id < 12 AND date_from > current_date - 2 - CAST(account_id AS integer)
            """)  # fmt: skip
    page = Page(make_report(settings_for(embedded, database))[0])
    first = on_day(YESTERDAY - timedelta(days=12), YESTERDAY)
    label = page.tiles["Cost of the last 7 days"][-1]
    assert label.endswith(f"; 6 accounts end earlier, the first{first}")
    assert f"end earlier: Account 6{first}, Account 5" in page.texts["accounts"]
    assert ", 3 other accounts." in page.texts["accounts"]


def test_what_rounds_to_nothing_has_neither_arrow_nor_color() -> None:
    assert (direction("0.0049"), change("0.0049", "0.1", "USD")) == ("", "= $0.00")
    assert (direction("-0.0049"), change("-0.0049", "0.1", "USD")) == ("", "= $0.00")
    assert (direction("0.01"), change("0.01", "0.1", "USD")) == ("up", "▲ $0.01 (10.0 %)")
    assert (direction("-12.3"), change("-12.3", "-24.6", "USD")) == ("down", "▼ $12.30 (50.0 %)")
    assert (direction(None), change(None, None, "USD")) == ("", UNKNOWN)


def test_a_user_who_may_only_read_is_enough(embedded: EmbeddedCloud, estate: Settings) -> None:
    reader = embedded.secret_arn.replace("-Ab1Cd2", "-Re4d3r")
    with psycopg.connect(embedded.postgres.dsn_for(estate.database), autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS report_reader")
        connection.execute("CREATE ROLE report_reader LOGIN IN ROLE pg_read_all_data")
    embedded.data_api.logins[reader] = "report_reader"
    assert "<h1>" in make_report(replace(estate, reader_secret_arn=reader).as_reader())[0]


def test_what_was_not_read_costs_its_own_section_and_says_so(
    estate: Settings, embedded: EmbeddedCloud, tmp_path: Path
) -> None:
    """A page that says "none" of findings that it has not read is worse than no page."""
    target = tmp_path / "report.html"
    assert write_report(estate, target) == 0
    whole = Page(target.read_text())
    embedded.data_api.faults.database_error("57014", sql="CASE severity_level WHEN 5")
    assert write_report(estate, target) == 1
    page = Page(target.read_text())
    unread = [name for name in SECTIONS if "could not be read" in page.texts[name]]
    assert unread == ["findings"]
    why = "the query takes more than the 45 s of the RDS Data API"
    assert f"This could not be read: {why}" in page.texts["findings"]
    assert page.tiles["Open critical findings"][:2] == [UNKNOWN, "could not be read"]
    assert page.table("accounts", "Accounts") == whole.table("accounts", "Accounts")
    others = page.tiles.keys() - {"Open critical findings"}
    before, after = ({name: made.tiles[name][:2] for name in others} for made in (whole, page))
    assert after == before  # but for the minute in which each was made


def test_an_answer_that_is_too_large_is_none(estate: Settings) -> None:
    large = "SELECT CAST(to_json(repeat('x', 1200000)) AS text)"
    with (
        read_only(open_database(estate)) as reading,
        pytest.raises(DatabaseFault, match=r"has more than the 1 MiB that the Data API returns"),
    ):
        ask(reading, large)
