"""One document: read it, with the loaders at work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from operator import attrgetter
from queue import Queue

from observability.errors import Refused
from observability.limits import MIB
from observability.loaders import LOADERS, ROW_PATHS, Loader, validate_data_structure
from observability.loaders.rows import Part
from observability.receiving.reader import DocumentReader
from observability.receiving.spool import Facts, Spool, Unusable

CHUNK_PARTS = 256


class Feed:
    """Carries the parts of one category from the reader to its loader, a bounded few ahead."""

    def __init__(self) -> None:
        self.queue: Queue[list[Part]] = Queue(maxsize=4)
        self.chunk: list[Part] = []
        self.ended = self.over = False  # as its writer and as its reader knows

    def put(self, part: Part) -> None:
        self.chunk.append(part)
        if len(self.chunk) >= CHUNK_PARTS:
            self.flush()

    def flush(self) -> None:
        if self.chunk:
            self.queue.put(self.chunk)
            self.chunk = []

    def end(self) -> None:
        if not self.ended:
            self.ended = True
            self.flush()
            self.queue.put([])

    def __iter__(self) -> Iterator[Part]:
        while not self.over:
            chunk = self.queue.get()
            self.over = not chunk
            yield from chunk


def run_loader(loader: Loader, feed: Feed, spool: Spool) -> None:
    try:
        for loaded in loader.function(feed):
            spool.take(loaded)
    except Refused as refused:
        spool.complain(refused.reasons)
    except RecursionError:
        spool.complain([f"{loader.category}: is nested too deeply"])
    finally:
        for _ in feed:  # after a failure: keep the reader from waiting for this loader
            pass
        spool.finish_category(loader.category)


def process_file_data(chunks: Iterator[bytes], spool: Spool) -> Facts:
    """Read a document and run its loaders concurrently: the account, the categories, the logs.

    Raises Refused with everything that is wrong with the document.
    """
    reader = DocumentReader(chunks, (*ROW_PATHS, "meta"))
    feeds = {loader.category: Feed() for loader in LOADERS}
    with ThreadPoolExecutor(len(LOADERS), "loader") as pool:
        running = [pool.submit(run_loader, x, feeds[x.category], spool) for x in LOADERS]
        try:
            deal_all(reader, feeds, spool)
        except Refused as refused:
            spool.complain(refused.reasons)
        finally:
            for feed in feeds.values():
                feed.end()
        for done in running:
            done.result()
    spool.facts.present = reader.present
    if not spool.problems:
        spool.complain(validate_data_structure(reader.present))
    if spool.problems:
        more = spool.problem_count - len(spool.problems)
        raise Refused(*spool.problems, *([f"and {more} more"] if more else []))
    return spool.facts


def deal_all(reader: DocumentReader, feeds: Mapping[str, Feed], spool: Spool) -> None:
    """Deal the parts out as they are read, each category's last one at once."""
    for category, parts in groupby(reader.parts(), attrgetter("category")):
        for part in parts:
            deal(part, feeds, spool)
            if reader.read_more_than(MIB) and category in feeds:
                feeds[category].flush()
        if category in feeds:
            feeds[category].end()


def deal(part: Part, feeds: Mapping[str, Feed], spool: Spool) -> None:
    """Hand a part to its category's loader; keep what the document says about itself."""
    if spool.abandoned:
        raise Unusable
    if isinstance(part.value, dict):
        if part.path in FACTS:
            note_facts(part, spool.facts)
    elif not part.opened and not (part.path == "logs.message" and isinstance(part.value, str)):
        spool.complain([f"{part.where}: must be an object, is {type(part.value).__name__}"])
        return
    if part.category in feeds:
        feeds[part.category].put(part)


FACTS = frozenset({"meta", "account", "logs"})


def note_facts(part: Part, facts: Facts) -> None:
    if part.path == "meta":
        facts.meta = part.value
    elif part.path == "account":
        facts.account = part.value
    else:
        facts.statuses = {
            name.removesuffix("_status"): str(value)
            for name, value in part.value.items()
            if name.endswith("_status")
        }
