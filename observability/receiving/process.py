"""One document: read it, with the loaders at work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from itertools import groupby
from operator import attrgetter
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

LOADERS_AT_ONCE = 2
"""One reads while another encodes its last rows. As a document is one stream, others would have
nothing to do, and the memory that each thread keeps is some MiB.
"""


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


def run_loaders(
    pool: Executor, loaders: Iterable[Loader], reader: DocumentReader, spool: DocumentSpool
) -> list[Future[None]]:
    """Read the document; each loader begins where its category does. Returns their futures.

    A loader reads by itself: to hand each part from one thread to another takes a third longer.
    While it encodes its last rows, the next one reads on. What the document is refused for is noted
    in the spool; raises DocumentProblems, and what else keeps it from being read.
    """
    left = {loader.category: loader for loader in loaders}
    running = []
    try:
        for category, parts in parts_by_category(reader, spool):
            if loader := left.pop(category, None):
                read = Future[None]()
                running.append(pool.submit(run_loader, loader, spool, parts, read))
                read.result()
    except Rejected as refused:
        spool.add_problems(refused.reasons)
    for loader in left.values():  # the document has nothing for them
        running.append(pool.submit(run_loader, loader, spool, iter(()), Future[None]()))
    return running


def run_loader(
    loader: Loader, spool: DocumentSpool, parts: Iterator[Part], read: Future[None]
) -> None:
    """Load the parts of a category; `read` is done once others may read what follows, or fail."""
    try:
        load_parts(loader, spool, parts)
    except BaseException as error:
        read.set_exception(error)
        raise
    else:
        read.set_result(None)
    finally:
        spool.finish_category(loader.category)


def load_parts(loader: Loader, spool: DocumentSpool, parts: Iterator[Part]) -> None:
    try:
        for loaded in loader.function(parts):
            spool.take(loaded)
    except RecursionError:
        spool.add_problems([f"{loader.category}: is nested too deeply"])
    except Rejected as refused:
        spool.add_problems(refused.reasons)


def parts_by_category(
    reader: DocumentReader, spool: DocumentSpool
) -> Iterator[tuple[str, Iterator[Part]]]:
    """Each category of the document with its parts, which have to be read before the next."""
    for category, parts in groupby(reader.parts(), attrgetter("category")):
        unread = checked_parts(reader, parts, spool)
        yield category, unread
        for _ in unread:  # those of no loader, or of one that has refused a part
            pass


def checked_parts(
    reader: DocumentReader, parts: Iterable[Part], spool: DocumentSpool
) -> Iterator[Part]:
    """Parts as they are read; raises DocumentProblems once nobody wants them any more."""
    for part in parts:
        if spool.abandoned:
            raise DocumentProblems
        if reader.read_more_than(MIB):
            spool.room.check_time()
        if check_part(part, spool):
            yield part


def check_part(part: Part, spool: DocumentSpool) -> bool:
    """Whether a part has a form that its loader knows; keep what the document says of itself."""
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
        return False
    return True


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
