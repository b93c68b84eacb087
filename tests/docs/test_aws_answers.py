"""The page about AWS's answers is that of the table that the sender judges by."""

from __future__ import annotations

from observability.collectors import COLLECTORS
from tests.collectors.registry import stated
from tests.docs.aws_answers import COLUMNS, PAGE, page, services


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


def test_each_service_that_a_run_asks_has_a_line_of_all_kinds() -> None:
    asked = {api.partition(":")[0] for api in stated("DENIALS")} | {"sts", "s3", "organizations"}
    assert asked <= {*services()}
    _, table, _ = page().split("\n## ")
    lines = [line.split(" | ") for line in table.splitlines() if line.startswith("| `")]
    assert [cells[0].strip("| `") for cells in lines] == services()
    assert all(len(cells) == 1 + len(COLUMNS) and all(cells) for cells in lines)
