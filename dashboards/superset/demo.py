"""The demo's database as something to show: an embedded cloud with what `make demo` has loaded."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

from dashboards.superset.start import Source
from tests.cloud.demo import play
from tests.cloud.playing import DAY, EVERY_DAY, Stage
from tests.cloud.running import forget_settings


def raise_stage(parts: ExitStack, data: Path) -> Stage:
    """The demo's cloud as a folder has it, played first if there is none; it ends with `parts`."""
    forget_settings()
    if (data / DAY).exists():
        return Stage.restored(parts, data)
    return play(parts, data, EVERY_DAY, verbose=False)


def source_of(stage: Stage) -> Source:
    """The database of the demo's cloud."""
    given = stage.environment
    return Source(
        given["AURORA_CLUSTER_ARN"],
        given["AURORA_SECRET_ARN"],
        given["DB_NAME"],
        os.environ | given,
    )
