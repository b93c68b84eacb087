"""The kinds of charts, each with the settings that Superset's own export has of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dashboards.superset.model import Chart, Dataset, Metric

MOST_SERIES, MOST_BARS, MOST_ROWS, MOST_POINTS = 10, 15, 50, 1_000
"""The most that a chart asks for: an answer of the Data API has at most 1 MiB."""

WHOLE, MONEY, DECIMAL = ",d", ",.2f", ",.1f"
"""Formats of numbers, in d3's words."""

STACKED = {"stack": "Stack", "x_axis_sort": "sum", "x_axis_sort_asc": True}
"""Bars of several metrics, sorted by their sum."""


def metric_params(metric: Metric) -> dict[str, Any]:
    """A metric as a chart has it."""
    return {
        "expressionType": "SQL",
        "sqlExpression": metric.sql,
        "label": metric.label,
        "hasCustomLabel": True,
        "optionName": "metric_" + "".join(it for it in metric.label.lower() if it.isalnum()),
    }


def total(
    title: str, dataset: Dataset, sql: str, under: str = "", form: str = WHOLE, where: str = ""
) -> Chart:
    """One number, and what it is of in small letters under it."""
    metric = Metric(title, sql)
    options = {
        "metric": metric_params(metric),
        "subtitle": under,
        "subtitle_font_size": 0.15,
        "header_font_size": 0.4,
        "y_axis_format": form,
    }
    return Chart(title, dataset, "big_number_total", (metric,), (), where, options)


def trend(
    title: str,
    dataset: Dataset,
    *metrics: Metric,
    by: str = "",
    kind: str = "bar",
    form: str = WHOLE,
    where: str = "",
) -> Chart:
    """A measure per day: stacked bars, a stacked area or lines."""
    viz = {"bar": "echarts_timeseries_bar", "area": "echarts_area"}
    options: dict[str, Any] = {
        "x_axis": "day",
        "time_grain_sqla": "P1D",
        "metrics": [metric_params(metric) for metric in metrics],
        "groupby": [by] if by else [],
        "limit": MOST_SERIES,
        "group_others_when_limit_reached": True,
        "timeseries_limit_metric": metric_params(metrics[0]),
        "order_desc": True,
        "row_limit": MOST_POINTS,
        "show_legend": bool(by) or len(metrics) > 1,
        "legendOrientation": "bottom",
        "legendType": "scroll",
        "rich_tooltip": True,
        "x_axis_time_format": "%d %b",
        "y_axis_format": form,
        "truncate_metric": True,
    }
    if kind != "line":
        options["stack"] = "Stack"
    groups = ("day", by) if by else ("day",)
    name = viz.get(kind, "echarts_timeseries_line")
    return Chart(title, dataset, name, metrics, groups, where, options)


def bars(
    title: str,
    dataset: Dataset,
    over: str,
    *metrics: Metric,
    order: Metric | None = None,
    form: str = WHOLE,
    where: str = "",
) -> Chart:
    """The largest of something, as bars that lie; several metrics are stacked.

    `order`: what is large, if not the first metric. A column that stacks would not do: of many bars
    only parts would be shown.
    """
    several = len(metrics) > 1
    options = {
        "x_axis": over,
        "metrics": [metric_params(metric) for metric in metrics],
        "groupby": [],
        "orientation": "horizontal",
        "timeseries_limit_metric": metric_params(order or metrics[0]),
        "order_desc": True,
        "row_limit": MOST_BARS,
        "legendOrientation": "bottom",
        **(STACKED if several else {"x_axis_sort": metrics[0].label, "x_axis_sort_asc": True}),
        "show_legend": several,
        "show_value": not several,
        "y_axis_format": form,
        "truncate_metric": True,
    }
    return Chart(title, dataset, "echarts_timeseries_bar", metrics, (over,), where, options)


def share(
    title: str, dataset: Dataset, metric: Metric, by: str, form: str = WHOLE, where: str = ""
) -> Chart:
    """The parts of a whole, as a ring."""
    options = {
        "metric": metric_params(metric),
        "groupby": [by],
        "row_limit": MOST_SERIES,
        "sort_by_metric": True,
        "donut": True,
        "innerRadius": 45,
        "outerRadius": 75,
        "label_type": "key_value",
        "number_format": form,
        "show_labels": True,
        "labels_outside": True,
        "legendOrientation": "bottom",
        "legendType": "scroll",
        "show_legend": True,
    }
    return Chart(title, dataset, "pie", (metric,), (by,), where, options)


def table(
    title: str,
    dataset: Dataset,
    by: Sequence[str],
    *metrics: Metric,
    form: str = WHOLE,
    where: str = "",
    ascending: bool = False,
) -> Chart:
    """Rows, sorted by the first metric. Texts are shown as they are: AWS's are not ours."""
    options = {
        "query_mode": "aggregate",
        "groupby": [*by],
        "metrics": [metric_params(metric) for metric in metrics],
        "timeseries_limit_metric": metric_params(metrics[0]),
        "order_desc": not ascending,
        "row_limit": MOST_ROWS,
        "server_pagination": False,
        "allow_render_html": False,
        "allow_rearrange_columns": False,
        "show_cell_bars": False,
        "color_pn": False,
        "table_timestamp_format": "%Y-%m-%d",
        "column_config": {metric.label: {"d3NumberFormat": form} for metric in metrics},
    }
    return Chart(title, dataset, "table", metrics, tuple(by), where, options)
