"""The alarms of the templates: their page, their thresholds, and the fields that they read."""

from __future__ import annotations

import re
from typing import Any

import pytest

from observability.receiving.notices import PROBLEMS
from tests import templates
from tests.paths import ROOT

PAGE = (ROOT / "docs" / "alarms.md").read_text()
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## )", PAGE, re.M | re.S))


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    """The properties of all resources of a type, in all templates."""
    return {
        name: resource["Properties"]
        for template in templates.ALL
        for name, resource in templates.load(template)["Resources"].items()
        if resource["Type"] == kind
    }


ALARMS = {
    name.removesuffix("Alarm"): held for name, held in of_type("AWS::CloudWatch::Alarm").items()
}
FILTERS = of_type("AWS::Logs::MetricFilter")


def test_each_alarm_has_its_section_and_each_section_its_alarm() -> None:
    assert sorted(SECTIONS) == sorted(ALARMS)


@pytest.mark.parametrize("name", sorted(SECTIONS))
def test_a_section_says_what_it_means_what_to_look_at_and_how_it_ends(name: str) -> None:
    told = re.findall(r"^- \*\*(.+?)\*\*: (.{20,})$", SECTIONS[name], re.M)
    assert [title for title, _ in told] == ["Means", "Look at", "Ends"]


def test_each_alarm_tells_somebody_and_knows_what_no_data_means() -> None:
    for name, alarm in ALARMS.items():
        assert alarm["AlarmActions"], name
        assert alarm["TreatMissingData"] in ("breaching", "notBreaching"), name


def test_the_cost_of_the_hub_counts_its_alarms_and_metrics() -> None:
    page = (ROOT / "deploy" / "README.md").read_text()
    [counted] = re.findall(r"CloudWatch: (\d+) alarms, (\d+) metrics", page)
    kinds = [one["Type"] for one in templates.load(templates.ALARMS)["Resources"].values()]
    made = ("AWS::CloudWatch::Alarm", "AWS::Logs::MetricFilter")
    assert counted == tuple(str(kinds.count(kind)) for kind in made)


def test_alarms_watch_metrics_that_the_filters_make() -> None:
    made = {held["MetricTransformations"][0]["MetricName"] for held in FILTERS.values()}
    own = {a["MetricName"] for a in ALARMS.values() if isinstance(a.get("Namespace"), dict)}
    assert own == made - {"RefusedOfAccount"}, "which is read by a query"
    [query] = ALARMS["RefusedDocuments"]["Metrics"]
    assert "SUM(RefusedOfAccount)" in query["Expression"]["Fn::Sub"]


def test_filters_read_the_fields_of_a_sweeps_lines() -> None:
    read = {held["MetricTransformations"][0]["MetricValue"] for held in FILTERS.values()}
    told = {f"$.{field}" for field, _ in PROBLEMS.values()} | {"$.new_problems"}
    assert told <= read


def test_limits_are_near_those_of_the_function() -> None:
    receiver = templates.load(templates.HUB)["Resources"]["Receiver"]["Properties"]
    assert ALARMS["ReceiverDuration"]["Threshold"] == receiver["Timeout"] * 1000 * 9 // 10
    assert ALARMS["ReceiverMemory"]["Threshold"] == receiver["MemorySize"] * 9 // 10


def test_a_template_fits_into_a_request() -> None:
    """CloudFormation takes 51,200 bytes of a template that is not in S3 (its quotas)."""
    for template in templates.ALL:
        assert len(template.read_bytes()) <= 51_200, template.name
