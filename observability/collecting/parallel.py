"""Work of which other work must not suffer, and many items at once."""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from observability.aws.cache import Result
from observability.aws.errors import aws_errors
from observability.aws.session import WORKERS, Aws
from observability.collecting.result import CategoryResult
from observability.log import Log
from observability.rows import Item


def run_isolated(work: Callable[[], None], on_error: Callable[[Exception], None], log: Log) -> None:
    """Do some work of which other work must not suffer: whatever goes wrong in it is only told.

    But BrokenPipeError is raised: nobody reads any longer what the run writes.
    """
    try:
        work()
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001  a category or an account must not take others down
        on_error(error)
        if not isinstance(error, aws_errors()):
            log.traceback(f"{type(error).__name__}, raised at:")


def map_items(
    aws: Aws,
    items: Iterable[Item],
    read: Callable[[Item], Result],
    result: CategoryResult,
    *,
    absent: Result | None = None,
    fills: Iterable[str] = (),
) -> Iterator[tuple[Item, Result | None]]:
    """Read every item, some at once; (item, what was read) in the items' order.

    What was not read is None, and recorded in `result`: see `CategoryResult.try_read`. The listing
    alone says what exists, so that an item without it is an item all the same, unless rows come of
    what is read: lists that it `fills` are not complete without it. If the listing of the items
    breaks off, those that it gave are read first. The workers are this listing's own: those that
    wait for a throttled service hold up no other one.
    """
    pending: deque[tuple[Item, Future[Result | None]]] = deque()
    broken: Exception | None = None

    def one(item: Item) -> Result | None:
        name = item if isinstance(item, str) else ""
        return result.try_read(lambda: read(item), name, absent, fills)

    pool = ThreadPoolExecutor(WORKERS, "item")
    try:
        try:
            for item in items:
                run = contextvars.copy_context().run
                pending.append((item, pool.submit(run, one, item)))
                if len(pending) > 4 * WORKERS:
                    first, future = pending.popleft()
                    yield first, future.result()
        except aws_errors() as error:
            broken = error
        while pending:
            first, future = pending.popleft()
            yield first, future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    if broken:
        raise broken
