"""`make picture-superset`: what the documentation shows of Superset, in Debian's chromium.

python -m tests.dashboards.picture demo-data docs/superset.png
"""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from dashboards.superset.__main__ import PORT
from dashboards.superset.assets import DASHBOARDS
from dashboards.superset.demo import raise_stage, source_of
from dashboards.superset.start import superset
from tests.dashboards.browsing import visit

WIDTH, HEIGHT = 1400, 1180
DRAWN_MS = 3_000
"""Charts grow for a moment after they have their data."""


def main(data: Path, target: Path) -> None:
    """Write a picture of the top of the first dashboard."""
    with ExitStack() as parts:
        home = Path(parts.enter_context(tempfile.TemporaryDirectory()))
        source = source_of(raise_stage(parts, data))
        running = parts.enter_context(superset(source, home, PORT))
        visitor = parts.enter_context(visit(running, WIDTH, HEIGHT))
        visitor.open(DASHBOARDS[0].slug, charts=1)
        visitor.page.wait_for_timeout(DRAWN_MS)
        visitor.page.screenshot(path=target)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
