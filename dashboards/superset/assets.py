"""The declarations as the files that Superset imports: YAML, of which JSON is a part.

Each thing has the same UUID at every start, so that an import replaces what an earlier one brought
and leaves alone what people have made themselves.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from dashboards.superset import costs, platform, security
from dashboards.superset.datasets import DATASETS
from dashboards.superset.model import DATE, TIME, Chart, Dashboard, Dataset

DASHBOARDS = (costs.DASHBOARD, security.DASHBOARD, platform.DASHBOARD)
DATABASE, VERSION = "observability", "1.0.0"
SPACE = uuid5(NAMESPACE_URL, "urn:multi-account-observability:superset")
ANY_DATABASE = "postgresql+auroradataapi://:@/observability"
"""The address of the database in an archive, which whoever imports it replaces."""

TOTAL_HEIGHT, HEIGHT = 17, 44
"""Of a row with one number per chart, and of others, in Superset's units of 8 pixels."""

Config = dict[str, Any]


def identifier(*parts: str) -> str:
    """The UUID of a thing."""
    return str(uuid5(SPACE, "/".join(parts)))


def chart_uuid(dashboard: Dashboard, chart: Chart) -> str:
    """The UUID of a chart."""
    return identifier("chart", dashboard.slug, chart.title)


def label(name: str) -> str:
    """A column's heading."""
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def database_config(uri: str) -> Config:
    """The database. Superset neither writes to it nor takes files for it."""
    return {
        "database_name": DATABASE,
        "sqlalchemy_uri": uri,
        "expose_in_sqllab": True,
        "allow_run_async": False,
        "allow_ctas": False,
        "allow_cvas": False,
        "allow_dml": False,
        "allow_csv_upload": False,
        "extra": {"allows_virtual_table_explore": True},
        "uuid": identifier("database"),
        "version": VERSION,
    }


def column_config(name: str, kind: str) -> Config:
    """A column of a dataset."""
    return {
        "column_name": name,
        "verbose_name": label(name),
        "type": kind,
        "is_dttm": kind in (DATE, TIME),
        "groupby": True,
        "filterable": True,
        "is_active": True,
    }


def dataset_config(dataset: Dataset) -> Config:
    """A dataset."""
    return {
        "table_name": dataset.name,
        "description": f"{dataset.about} (view {dataset.view})",
        "main_dttm_col": "day" if "day" in dataset.columns else None,
        "schema": None,
        "sql": dataset.sql,
        "filter_select_enabled": True,
        "columns": [column_config(name, column.kind) for name, column in dataset.columns.items()],
        "metrics": [
            {"metric_name": name, "verbose_name": label(name), "expression": f"SUM({name})"}
            for name in dataset.measures
        ],
        "uuid": identifier("dataset", dataset.name),
        "database_uuid": identifier("database"),
        "version": VERSION,
    }


def chart_config(dashboard: Dashboard, chart: Chart) -> Config:
    """A chart."""
    where = {"clause": "WHERE", "expressionType": "SQL", "sqlExpression": chart.where}
    return {
        "slice_name": chart.title,
        "description": chart.dataset.about,
        "viz_type": chart.kind,
        "params": {
            "viz_type": chart.kind,
            "adhoc_filters": [where] if chart.where else [],
            "color_scheme": "supersetColors",
            **chart.options,
        },
        "uuid": chart_uuid(dashboard, chart),
        "dataset_uuid": identifier("dataset", chart.dataset.name),
        "version": VERSION,
    }


def position_of(dashboard: Dashboard) -> Config:
    """Where each chart is: a grid of rows."""
    rows = {f"ROW-{number}": row for number, row in enumerate(dashboard.rows, 1)}
    position: Config = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "GRID_ID": {"type": "GRID", "id": "GRID_ID", "children": [*rows], "parents": ["ROOT_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": dashboard.title}},
    }
    for name, row in rows.items():
        totals = all(chart.kind == "big_number_total" for chart, _width in row)
        height = TOTAL_HEIGHT if totals else HEIGHT
        places = {f"CHART-{name}-{place}": part for place, part in enumerate(row, 1)}
        position[name] = {
            "type": "ROW", "id": name, "children": [*places], "parents": ["ROOT_ID", "GRID_ID"],
            "meta": {"background": "BACKGROUND_TRANSPARENT"},
        }  # fmt: skip
        for place, (chart, width) in places.items():
            position[place] = {
                "type": "CHART", "id": place, "children": [],
                "parents": ["ROOT_ID", "GRID_ID", name],
                "meta": {
                    "uuid": chart_uuid(dashboard, chart), "chartId": 0, "sliceName": chart.title,
                    "width": width, "height": height,
                },
            }  # fmt: skip
    return position


def filter_config(dashboard: Dashboard, name: str, dataset: Dataset, column: str) -> Config:
    """A filter of a dashboard, for all charts whose dataset has the column."""
    target = {
        "column": {"name": column},
        "datasetUuid": identifier("dataset", dataset.name),
    }
    return {
        "id": f"NATIVE_FILTER-{identifier('filter', dashboard.slug, name)}",
        "name": name,
        "type": "NATIVE_FILTER",
        "filterType": "filter_select",
        "targets": [target],
        "controlValues": {
            "multiSelect": True, "enableEmptyFilter": False, "defaultToFirstItem": False,
            "inverseSelection": False, "searchAllOptions": True,
        },
        "defaultDataMask": {"extraFormData": {}, "filterState": {}, "ownState": {}},
        "cascadeParentIds": [],
        "scope": {"rootPath": ["ROOT_ID"], "excluded": []},
        "description": "",
    }  # fmt: skip


def dashboard_config(dashboard: Dashboard) -> Config:
    """A dashboard."""
    return {
        "dashboard_title": dashboard.title,
        "slug": dashboard.slug,
        "description": dashboard.about,
        "css": "",
        "published": True,
        "position": position_of(dashboard),
        "metadata": {
            "native_filter_configuration": [
                filter_config(dashboard, name, *target)
                for name, target in dashboard.filters.items()
            ],
            "color_scheme": "supersetColors",
            "cross_filters_enabled": True,
            "refresh_frequency": 0,
            "expanded_slices": {},
            "label_colors": dict(dashboard.colors),
            "timed_refresh_immune_slices": [],
        },
        "uuid": identifier("dashboard", dashboard.slug),
        "version": VERSION,
    }


def configs(uri: str) -> Iterator[tuple[str, Config]]:
    """(path, content) of each file."""
    yield f"databases/{DATABASE}.yaml", database_config(uri)
    for dataset in DATASETS:
        name = dataset.name.replace(" ", "_")
        yield f"datasets/{DATABASE}/{name}.yaml", dataset_config(dataset)
    for dashboard in DASHBOARDS:
        for chart in dashboard.charts:
            yield f"charts/{chart_uuid(dashboard, chart)}.yaml", chart_config(dashboard, chart)
        yield f"dashboards/{dashboard.slug}.yaml", dashboard_config(dashboard)


def make_assets(uri: str, kind: str) -> dict[str, str]:
    """The files by path. kind: what Superset calls the whole, "assets" or "Dashboard"."""
    metadata: Mapping[str, str] = {
        "version": VERSION, "type": kind, "timestamp": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    files: Iterator[tuple[str, Mapping[str, Any]]] = configs(uri)
    made = {path: json.dumps(content, indent=2) for path, content in files}
    return {"metadata.yaml": json.dumps(metadata, indent=2), **made}


def write_archive(target: Path) -> None:
    """Write what another Superset imports by hand (Dashboards, Import)."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in make_assets(ANY_DATABASE, "Dashboard").items():
            archive.writestr(f"dashboards/{path}", content)
