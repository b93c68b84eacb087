"""The dashboards' declarations fit schema.sql, and what is generated from them is what they say."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import psycopg
import yaml

from dashboards.superset import charts, costs, datasets, model
from dashboards.superset.assets import DASHBOARDS, make_assets, write_archive
from dashboards.superset.datasets import DATASETS
from dashboards.superset.model import Chart
from observability.database.rights import rights_sql
from observability.database.tables import PERSONAL
from tests.cloud import EmbeddedCloud
from tests.paths import ROOT

PAGE = (ROOT / "docs" / "superset.md").read_text()
VIEWS = "SELECT viewname FROM pg_views WHERE schemaname = 'public'"


def query_of(chart: Chart) -> str:
    """What Superset asks for a chart, as far as its declaration decides it."""
    listed = [*chart.by, *(f'{one.sql} AS "{one.label}"' for one in chart.metrics)]
    where = f" WHERE ({chart.where})" if chart.where else ""
    groups = f" GROUP BY {', '.join(chart.by)}" if chart.by else ""
    return f"SELECT {', '.join(listed)} FROM ({chart.dataset.sql}) d{where}{groups}"


def documented_charts() -> list[Chart]:
    """The charts that the page shows how to add."""
    names = {**vars(model), **vars(charts), **vars(datasets), **vars(costs)}
    for block in re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S):
        exec(block, names)
    return [chart for chart, _width in names["ROW"]]


def columns_of(connection: psycopg.Connection[tuple[object, ...]], query: str) -> list[str]:
    """The columns of a query's answer."""
    cursor = connection.execute(f"SELECT * FROM ({query}) q LIMIT 1".encode())
    return [column.name for column in cursor.description or ()]


def test_a_reader_may_ask_all_that_datasets_and_charts_do(
    embedded: EmbeddedCloud, database: str
) -> None:
    shown = [chart for dashboard in DASHBOARDS for chart in dashboard.charts]
    with psycopg.connect(embedded.postgres.dsn_for(database)) as connection:
        views = {str(name) for (name,) in connection.execute(VIEWS).fetchall()}
        connection.execute(rights_sql(make=True).encode())
        connection.execute(f'SET ROLE "{database}_reader"'.encode())
        for dataset in DATASETS:
            assert dataset.view in views - {*PERSONAL}, dataset.name
            assert columns_of(connection, dataset.sql) == [*dataset.columns], dataset.name
            assert not {":", "%"} & {*dataset.sql}, dataset.name
        assert {chart.dataset.name for chart in shown} == {one.name for one in DATASETS}
        for chart in (*shown, *documented_charts()):
            expected = [*chart.by, *(metric.label for metric in chart.metrics)]
            assert columns_of(connection, query_of(chart)) == expected, chart.title
        connection.rollback()  # the role is the server's


def test_the_files_parse_and_name_each_other(tmp_path: Path) -> None:
    files = make_assets("postgresql+auroradataapi://:@/observability", "assets")
    parsed = {path: yaml.safe_load(text) for path, text in files.items()}
    uuids = [one["uuid"] for one in parsed.values() if "uuid" in one]
    assert len({*uuids}) == len(uuids) == len(files) - 1
    for path, one in parsed.items():
        if path.startswith("charts/"):
            assert one["dataset_uuid"] in uuids
        if path.startswith("dashboards/"):
            position = one["position"]
            metas = [position[name]["meta"] for name in position if name.startswith("CHART-")]
            assert metas
            assert {meta["uuid"] for meta in metas} <= {*uuids}
    for dashboard in DASHBOARDS:
        assert all(sum(width for _chart, width in row) == 12 for row in dashboard.rows)
        for dataset, column in dashboard.filters.values():
            assert column in dataset.columns
    archive = tmp_path / "dashboards.zip"
    write_archive(archive)
    assert len(zipfile.ZipFile(archive).namelist()) == len(files)


def test_a_table_shows_texts_as_they_are() -> None:
    for dashboard in DASHBOARDS:
        for chart in dashboard.charts:
            if chart.kind == "table":
                assert chart.options["allow_render_html"] is False, chart.title


def test_answers_stay_small() -> None:
    """An answer of the Data API has at most 1 MiB."""
    for dashboard in DASHBOARDS:
        for chart in dashboard.charts:
            if chart.by:
                assert 0 < chart.options["row_limit"] <= 1_000, chart.title
