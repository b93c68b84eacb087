"""x"""

from tests.bench.harness import Results


def measure(results: Results, *, quick: bool) -> None: ...
