"""The page about AWS's answers is that of the table that the sender judges by."""

from __future__ import annotations

from observability.collectors import COLLECTORS
from tests.docs.aws_answers import PAGE, page


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.docs.aws_answers"


def test_each_service_of_the_table_is_one_that_a_collector_asks() -> None:
    asked = {action.partition(":")[0] for one in COLLECTORS for action in one.actions}
    asked |= {
        probe.call.partition(":")[0]
        for one in COLLECTORS
        for probe in (*one.probes, *(p for part in one.parts for p in part.probes))
    }
    other = {"cloudfront", "organizations", "marketplace-entitlement", "securityhub"}
    rows = [line for line in page().splitlines() if line.startswith("| `")]
    services = {line.split("`")[1].partition(":")[0] for line in rows}
    assert services <= asked | other
