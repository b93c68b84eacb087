"""Charts as SVG without scripts and styles: pygal draws, the page's style sheet colors.

pygal's own styles and scripts are taken out, so that one style sheet serves light, dark and paper,
and the page may forbid all scripts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from observability.reading.report.model import Chart

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from pygal.graph.graph import Graph

WIDTH, HEIGHT = 760, 200
LABEL_SIZE = 16
"""Of labels on the axes, for which pygal leaves room: on a phone they are larger than elsewhere."""
DROPPED = {
    "defs", "desc", "title", "style", "script", "tooltip-overlay", "text-overlay", "titles",
    "background",
}  # fmt: skip
"""Elements, and groups by their class."""
PLACES = {"x", "y", "cx", "cy", "r", "width", "height", "d", "transform"}
DIGITS = re.compile(r"(\d+\.\d)\d+|\.0+(?!\d)")
SERIES = re.compile(r"series serie-(\d+) ")
KEPT = "kept"

Format = Callable[[float], str]


def stacked_bars(
    title: str,
    labels: Sequence[str],
    series: Sequence[tuple[str, str, Sequence[float | None]]],
    form: Format,
    axis: Format,
) -> Chart:
    """A stacked bar per label; a series is (color, name, values), `axis` writes its labels."""
    import pygal

    return drawn(pygal.StackedBar(spacing=3, **options(labels, form, axis)), title, series)


def lines(
    title: str,
    labels: Sequence[str],
    series: Sequence[tuple[str, str, Sequence[float | None]]],
    form: Format,
    bounds: tuple[float, float] | None = None,
) -> Chart:
    """A line per series, within the bounds of the axis if they are given."""
    import pygal

    return drawn(pygal.Line(range=bounds, dots_size=2, **options(labels, form)), title, series)


def options(labels: Sequence[str], form: Format, axis: Format | None = None) -> dict[str, Any]:
    """What all charts share."""
    from pygal.style import Style

    return {
        "x_labels": list(labels),
        "x_labels_major_count": 5,
        "show_minor_x_labels": False,
        "truncate_label": -1,
        "formatter": form,
        "value_formatter": axis or form,
        "max_scale": 5,
        "width": WIDTH,
        "height": HEIGHT,
        "margin": 4,
        "show_legend": False,
        "style": Style(label_font_size=LABEL_SIZE, major_label_font_size=LABEL_SIZE),
        "js": (),
        "css": (),
        "disable_xml_declaration": True,
        "no_prefix": True,
    }


def drawn(
    chart: Graph, title: str, series: Sequence[tuple[str, str, Sequence[float | None]]]
) -> Chart:
    """Draw the series."""
    for _, name, values in series:
        chart.add(name, list(values))

    def clean(root: Element) -> Element:
        for plot in root.iter("g"):
            if found := SERIES.match(plot.get("class", "")):
                color, name, _ = series[int(found[1])]
                add_tooltips(plot, name)
                plot.set("class", f"s-{color}")
        add_title(root, title)
        strip(root)
        root.attrib.clear()
        root.attrib.update({"viewBox": f"0 0 {WIDTH} {HEIGHT}", "role": "img"})
        return root

    chart.xml_filters = [clean]
    return Chart(title, str(chart.render()), [(color, name) for color, name, _ in series])


def add_title(element: Element, text: str) -> None:
    """Add what browsers show as a tooltip, and read aloud."""
    title = element.makeelement("title", {"class": KEPT})
    title.text = text
    element.insert(0, title)


def add_tooltips(plot: Element, name: str) -> None:
    """Give each bar and dot of a series a tooltip: its label, its series and its value."""
    for point in list(plot.iter("g")):
        described = {one.get("class", ""): one.text or "" for one in point.iter("desc")}
        shapes = [one for one in point if one.tag in ("rect", "circle")]
        if len(shapes) == 1 and "value" in described:
            add_title(shapes[0], f"{described.get('x_label', '')}: {name}, {described['value']}")


def strip(element: Element) -> None:
    """Take out what the page does not need, all the way down."""
    for child in list(element):
        kinds = child.get("class", "").split()
        if KEPT in kinds:
            child.attrib.pop("class")
        elif not isinstance(child.tag, str) or child.tag in DROPPED or DROPPED & {*kinds}:
            element.remove(child)
        else:
            shorten(child, kinds)
            strip(child)


def shorten(element: Element, kinds: Sequence[str]) -> None:
    """Keep of a shape what draws it: places to a tenth, and the classes that its style needs."""
    for name in ("rx", "ry", "style"):
        element.attrib.pop(name, None)
    for name in PLACES.intersection(element.keys()):
        element.set(name, DIGITS.sub(r"\1", element.get(name, "")))
    used = [kind for kind in kinds if kind not in ("reactive", "tooltip-trigger")]
    element.attrib.pop("class", None)
    if used:
        element.set("class", " ".join(used))
