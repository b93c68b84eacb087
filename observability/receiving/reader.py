"""A document, parsed as it arrives."""

from __future__ import annotations

import codecs
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from observability.database.values import Number
from observability.errors import Rejected
from observability.limits import MEMBERS, MIB, NAME_CHARACTERS, VALUE_CHARACTERS
from observability.loaders.rows import Chunk, Part
from observability.receiving.chunks import KnownChunks, ListChunks


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its members; refuses a name that occurs twice, and very many of them."""
    if len(pairs) > MEMBERS:
        raise Rejected(f"an object has over {MEMBERS} members")
    members = dict(pairs)
    if len(members) != len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise Rejected(f"not usable JSON: an object has the member {twice[:60]!r} twice")
    return members


OBJECTS = frozenset({"meta", "account"})  # always one object, never a list of rows


class DocumentReader:
    """Parse one JSON object from chunks of bytes, holding no more than a chunk and a value.

    Lists named in `rows` are taken apart, so that memory does not grow with them; everything
    else is one value. json's own decoder does the parsing (ijson would take four times as long).
    Raises Rejected for what is not JSON in UTF-8.
    """

    def __init__(
        self, chunks: Iterator[bytes], rows: Iterable[str], known: KnownChunks | None = None
    ) -> None:
        self.chunks = chunks
        self.known = known
        self.rows = frozenset(rows)
        self.holders = {
            row.rsplit(".", depth)[0] for row in self.rows for depth in range(1, row.count(".") + 1)
        }
        self.utf8 = codecs.getincrementaldecoder("utf-8")("strict")
        self.json = json.JSONDecoder(
            parse_float=Number, parse_constant=self.constant, object_pairs_hook=unique
        )
        self.constants: set[str] = set()  # no numbers of JSON, which some write nevertheless
        self.text, self.position, self.consumed, self.ended = "", 0, 0, False
        self.asked_at = 0
        self.present: set[str] = set()

    def constant(self, name: str) -> Number:
        self.constants.add(name)
        return Number(name)

    def parts(self) -> Iterator[Part]:
        """Yield the document's parts in its own order; the last is the object itself (path '')."""
        if self.peek() != "{":
            raise Rejected(self.not_an_object())
        yield from self.read_object("", "", {})
        if self.peek():
            raise Rejected(f"not JSON: more text after the document, at {self.place()}")

    def read_more_than(self, characters: int) -> bool:
        """Whether so many were read since this last was so."""
        here = self.consumed + self.position
        if here - self.asked_at <= characters:
            return False
        self.asked_at = here
        return True

    def not_an_object(self) -> str:
        first = self.peek()
        if not first:
            return "the object is empty"
        if first == "\ufeff":
            return "not JSON: the object begins with a byte order mark"
        return "not a document: it must be one JSON object"

    def place(self) -> str:
        return f"character {self.consumed + self.position}"

    def fill(self) -> bool:
        """Append the next chunk; False at the end of the object."""
        if self.ended:
            return False
        chunk = next(self.chunks, None)
        self.ended = chunk is None
        try:
            more = self.utf8.decode(chunk or b"", final=self.ended)
        except UnicodeDecodeError as error:
            raise Rejected(f"not UTF-8 text, near {self.place()}: {error.reason}") from None
        self.consumed += self.position
        self.text, self.position = self.text[self.position :] + more, 0
        return True

    def peek(self) -> str:
        """The next character that is not white space, or '' at the end."""
        while True:
            while self.position < len(self.text) and self.text[self.position] in " \t\r\n":
                self.position += 1
            if self.position < len(self.text):
                return self.text[self.position]
            if not self.fill():
                return ""

    def expect(self, character: str) -> None:
        found = self.peek()
        if found != character:
            raise Rejected(f"not JSON: {character!r} expected at {self.place()}" + cut_off(found))
        self.position += 1

    def value(self) -> Any:
        """Decode the next value, reading on while it is not complete."""
        self.peek()
        while True:
            try:
                value, end = self.json.raw_decode(self.text, self.position)
            except json.JSONDecodeError as error:
                if not self.read_on():
                    raise Rejected(self.no_value(error)) from None
            except RecursionError:
                raise Rejected(f"nested too deeply, in the value at {self.place()}") from None
            except ValueError:
                raise Rejected(f"a number of over 4,000 digits, near {self.place()}") from None
            else:
                if len(self.text) - end > 2 or not self.fill():  # 12 may go on as 12.5 or 12e+3
                    self.position = end
                    return value

    def no_value(self, error: json.JSONDecodeError) -> str:
        """What to say of a value that json cannot decode although all of the object is there."""
        unended = error.msg.startswith("Unterminated string") or error.pos >= len(self.text)
        problem = "the text is cut off" if unended else error.msg
        return f"not JSON: {problem}, in the value at {self.place()}"

    def measured_value(self) -> tuple[Any, int]:
        """The next value, and the characters of its text."""
        begin = self.consumed + self.position
        value = self.value()
        return value, self.consumed + self.position - begin

    def name(self, seen: set[str], where: str) -> str:
        """The name of an object's next member, which is none of those `seen`, and added to them."""
        name = self.value() if self.peek() == '"' else None
        if not isinstance(name, str) or isinstance(name, Number):
            raise Rejected(f"not JSON: a member's name expected at {self.place()}")
        if name in seen:
            raise Rejected(f"not usable JSON: {where or 'the document'} has {name[:60]!r} twice")
        seen.add(name)
        if len(name) > NAME_CHARACTERS or len(seen) > MEMBERS:
            raise Rejected(
                f"{where or 'the document'} has over {MEMBERS} members, or a name of over "
                f"{NAME_CHARACTERS} characters, at {self.place()}"
            )
        return name

    def read_on(self) -> bool:
        """At least double what is there of an incomplete value, within VALUE_CHARACTERS."""
        had = len(self.text) - self.position
        while len(self.text) - self.position < 2 * had + 1:
            if not self.fill():
                return len(self.text) - self.position > had
            if len(self.text) - self.position > VALUE_CHARACTERS:
                raise Rejected(f"a value of over {VALUE_CHARACTERS // MIB} MiB, at {self.place()}")
        return True

    def read_object(self, path: str, where: str, context: dict[str, Any]) -> Iterator[Part]:
        """Walk an object's members; those that hold no rows go into `context`."""
        self.expect("{")
        seen: set[str] = set()
        size_so_far = 0
        while self.peek() != "}":
            if seen:
                self.expect(",")
            name = self.name(seen, where)
            self.expect(":")
            child = f"{path}.{name}" if path else name
            if not path and self.peek() != "n":  # null says nothing
                self.present.add(name)
            if child in self.rows or child in self.holders:
                yield from self.walk(child, f"{where}.{name}" if where else name, context)
            elif path:
                context[name], size = self.measured_value()
                size_so_far += size
                if size_so_far > VALUE_CHARACTERS:
                    raise Rejected(f"{where}: its members have over {VALUE_CHARACTERS // MIB} MiB")
            else:
                self.value()  # a category of others: nothing here is for us
        self.position += 1
        yield Part(path, where, context, context, category_of(path))

    def walk(self, path: str, where: str, context: Mapping[str, Any]) -> Iterator[Part]:
        first = self.peek()
        if first == "{" and path in self.holders:
            yield from self.read_object(path, where, {})
        elif first == "[" and path in self.rows - OBJECTS:
            yield Part(path, where, None, context, category_of(path), opened=True)
            known = self.known.of_list(path, context) if self.known is not None else None
            if known and path not in self.holders:
                yield from self.chunked(path, where, context, known)
            else:
                yield from self.elements(path, where, context)
        else:
            value = self.value()
            if value is not None:
                yield Part(path, where, value, context, category_of(path), MIB)

    def elements(self, path: str, where: str, context: Mapping[str, Any]) -> Iterator[Part]:
        self.expect("[")
        position, category = 0, category_of(path)
        while self.peek() != "]":
            if position:
                self.expect(",")
            if path in self.holders and self.peek() == "{":
                yield from self.read_object(path, f"{where}[{position}]", {})
            else:
                value, size = self.measured_value()
                yield Part(path, f"{where}[{position}]", value, context, category, size)
            position += 1
        self.position += 1

    def chunked(
        self, path: str, where: str, context: Mapping[str, Any], known: ListChunks
    ) -> Iterator[Part]:
        """The rows of a list but those of chunks that the database has noted, and the others."""
        self.expect("[")
        position, ended, category = 0, 0, category_of(path)

        def chunk_part(chunk: Chunk) -> Part:
            return Part(path, f"{where}[{position}]", None, context, category, chunk=chunk)

        while self.peek() != "]":
            if position:
                self.expect(",")
                self.peek()
            separator = self.text_since(ended)
            value, size = self.measured_value()
            text = self.text[self.position - size : self.position]
            noted = self.skip(size, known, known.candidates(text))
            if (noted or not separator) and (chunk := known.end()):
                yield chunk_part(chunk)
            if noted:
                yield chunk_part(noted)
                position += noted.rows
            else:
                yield Part(path, f"{where}[{position}]", value, context, category, size)
                position += 1
                if chunk := known.add(text, separator):
                    yield chunk_part(chunk)
            ended = self.consumed + self.position
        if chunk := known.end():
            yield chunk_part(chunk)
        self.position += 1

    def text_since(self, place: int) -> str:
        """What is between there and here; '' if it is not at hand any more."""
        characters = self.consumed + self.position - place
        return (
            self.text[self.position - characters : self.position]
            if characters <= self.position
            else ""
        )

    def skip(self, size: int, known: ListChunks, candidates: Sequence[Chunk]) -> Chunk | None:
        """The noted chunk that begins with the row just read, once all of it is behind."""
        self.position -= size
        for chunk in candidates:
            while len(self.text) - self.position < chunk.length and self.fill():
                pass
            text = self.text[self.position : self.position + chunk.length]
            if known.digest_of(text) == chunk.digest:
                self.position += chunk.length
                known.hit()
                return chunk
            known.miss(chunk)
        self.position += size
        return None


def category_of(path: str) -> str:
    return path.partition(".")[0]


def cut_off(found: str) -> str:
    return "" if found else ", where the text ends: it is cut off"
