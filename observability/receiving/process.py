"""One document: read it, with the loaders at work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from itertools import groupby
from operator import attrgetter
from queue import Queue
from typing import Any, TypeVar

from observability.contract import LOGS, SKIPPED
from observability.errors import Rejected
from observability.limits import MIB
from observability.loaders import validate_data_structure
from observability.loaders.loader import Loader
from observability.loaders.rows import Part
from observability.receiving.facts import DocumentProblems
from observability.receiving.reader import DocumentReader
from observability.receiving.spool import DocumentSpool

T = TypeVar("T")

CHUNK_PARTS = 512
"""Parts that are handed on together, and of which a category has to have so many, or a MiB, for its
loader to get a thread: starting one for each category would be much of a small document's work."""


class PartQueue:
    """Carries the parts of one category from the reader to its loader, a bounded few ahead.

    `load` is given the queue: by a thread of the pool as soon as there is enough to do, else by the
    reader's own at the end of the category.
    """

    def __init__(self, pool: Executor, load: Callable[[PartQueue], None]) -> None:
        self.pool, self.load = pool, load
        self.queue: Queue[list[Part]] = Queue(maxsize=2)
        self.chunk: list[Part] = []
        self.running: Future[None] | None = None
        self.ended = self.over = False  # as its writer and as its reader knows

    def put(self, part: Part) -> None:
        self.chunk.append(part)
        if len(self.chunk) >= CHUNK_PARTS:
            self.flush()

    def flush(self) -> None:
        """Have the parts so far loaded while more are read."""
        self.running = self.running or self.pool.submit(self.load, self)
        self.hand_on()

    def hand_on(self) -> None:
        if self.chunk:
            self.queue.put(self.chunk)
            self.chunk = []

    def end(self) -> None:
        if not self.ended:
            self.ended = True
            self.hand_on()
            self.queue.put([])
            if not self.running:
                self.load(self)

    def result(self) -> None:
        """Wait until all is loaded; raises what the loader has raised in its thread."""
        if self.running:
            self.running.result()

    def __iter__(self) -> Iterator[Part]:
        while not self.over:
            chunk = self.queue.get()
            self.over = not chunk
            yield from chunk


class AtOnce(Executor):
    """Does at once what it is given, in the thread that gives it."""

    def submit(self, work: Callable[..., T], /, *arguments: Any, **named: Any) -> Future[T]:
        """The future of something that is done."""
        done = Future[T]()
        try:
            done.set_result(work(*arguments, **named))
        except BaseException as error:  # noqa: BLE001  as a thread of a pool hands it on
            done.set_exception(error)
        return done


def run_loader(loader: Loader, spool: DocumentSpool, queue: PartQueue) -> None:
    try:
        for loaded in loader.function(queue):
            spool.take(loaded)
    except RecursionError:
        spool.add_problems([f"{loader.category}: is nested too deeply"])
    except Rejected as refused:
        spool.add_problems(refused.reasons)
    finally:
        for _ in queue:  # after a failure: keep the reader from waiting for this loader
            pass
        spool.finish_category(loader.category)


def dispatch_all(
    reader: DocumentReader, queues: Mapping[str, PartQueue], spool: DocumentSpool
) -> None:
    """Deal the parts out as they are read, each category's last one at once."""
    for category, parts in groupby(reader.parts(), attrgetter("category")):
        for part in parts:
            dispatch(part, queues, spool)
            if reader.read_more_than(MIB):
                spool.room.check_time()
                if category in queues:
                    queues[category].flush()
        if category in queues:
            queues[category].end()


def dispatch(part: Part, queues: Mapping[str, PartQueue], spool: DocumentSpool) -> None:
    """Hand a part to its category's loader; keep what the document says about itself."""
    if spool.abandoned:
        raise DocumentProblems
    if isinstance(part.value, dict):
        if part.path == LOGS:
            part.value.update({f"{category}_status": SKIPPED for category in spool.off})
        if part.path in FACTS:
            note_facts(part, spool)
    elif not (part.opened or part.chunk) and not (
        part.path == "logs.message" and isinstance(part.value, str)
    ):
        text = f"{part.where}: must be an object, is {type(part.value).__name__}"
        if part.path == "meta" and part.value != []:
            spool.add_problems([text])
        else:
            spool.add_faults([text], part.path if part.value != [] else "")
        return
    if part.category in queues:
        queues[part.category].put(part)


FACTS = frozenset({"meta", "account", LOGS})


def note_facts(part: Part, spool: DocumentSpool) -> None:
    facts = spool.facts
    if part.path == "meta":
        spool.know_meta(part.value)
    elif part.path == "account":
        facts.account = part.value
    else:
        facts.statuses = {
            name.removesuffix("_status"): str(value)
            for name, value in part.value.items()
            if name.endswith("_status")
        }


def check_whole(reader: DocumentReader, spool: DocumentSpool) -> None:
    """Once all is read: Rejected with everything that is wrong with the document."""
    constants = [f"not JSON: {name} is not a JSON number" for name in sorted(reader.constants)]
    spool.add_faults(constants)
    spool.facts.present = reader.present
    if not spool.problems:
        spool.add_problems(validate_data_structure(reader.present))
    if spool.problems:
        more = spool.problem_count - len(spool.problems)
        raise Rejected(*spool.problems, *([f"and {more} more"] if more else []))
    spool.drop_orphans()
