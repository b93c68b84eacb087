"""Work of which other work must not suffer, and many items at once."""

from __future__ import annotations

import contextvars
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from observability.aws.cache import Result
from observability.aws.errors import ABSENT, aws_errors, classify_error
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
    out: CategoryResult,
    *,
    absent: Result | None = None,
) -> Iterator[tuple[Item, Result | None]]:
    """Read every item, some at once; (item, what was read) in the items' order.

    What AWS refuses is None, and recorded in `out`; so is what is not as AWS's model says. What
    AWS lacks is `absent`, say because it vanished since it was listed, or is so new that it is not
    known everywhere: the listing alone says what exists. If the listing of the items breaks off,
    those that it gave are read first. The workers are this listing's own: those that wait for a
    throttled service hold up no other one.
    """
    pending: deque[tuple[Item, Future[Result | None]]] = deque()
    broken: Exception | None = None

    def one(item: Item) -> Result | None:
        try:
            return read(item)
        except aws_errors() as error:
            out.record_item_error(error, item if isinstance(item, str) else "")
            return absent if classify_error(error)[0] == ABSENT else None
        except Exception as error:  # noqa: BLE001  whatever is wrong with an item costs it only
            out.reject(item, error)
            return None

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
