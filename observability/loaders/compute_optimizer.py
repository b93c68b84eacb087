"""compute_optimizer: rows of compute_optimizer."""

from __future__ import annotations

from observability.database.tables import snapshot
from observability.loaders.loader import Loader
from observability.loaders.rows import Loaded, Parts, straight


def load_compute_optimizer_data(parts: Parts) -> Loaded:
    """compute_optimizer."""
    return straight(parts, {"compute_optimizer": "compute_optimizer"})


LOADER = Loader(
    category="compute_optimizer",
    function=load_compute_optimizer_data,
    rows=("compute_optimizer",),
    required=False,
    tables=(
        snapshot("compute_optimizer", moving=("cpu_utilization_max", "memory_utilization_avg")),
    ),
)
