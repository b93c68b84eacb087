"""HTTP/1.1 of the embedded cloud: connections that stay open, bodies that are never held whole."""

from __future__ import annotations

import socket
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from tests.cloud.calls import CallRecord, Exchange
from tests.cloud.switches import CutError

PIECE = 256 << 10
"""Bytes of a body that are held at a time."""


@dataclass
class HttpRequest:
    """A request as it came. `path` is percent-encoded, headers' names are in lower case.

    `body` yields the body piece by piece, once; its framing has been taken off.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Iterator[bytes]

    @property
    def is_chunked(self) -> bool:
        """Whether the length of the body is not known beforehand."""
        return "chunked" in self.headers.get("transfer-encoding", "")


@dataclass
class HttpResponse:
    """An answer; a body that is not bytes yields its pieces.

    One `as_is` is sent with the headers that it has; if its body ends before those say, the
    connection is closed.
    """

    status: int
    headers: dict[str, str]
    body: bytes | Iterator[bytes]
    as_is: bool = False


class Application(Protocol):
    """What answers the requests."""

    def answer(self, http: HttpRequest, exchange: Exchange) -> HttpResponse:
        """The answer to a request. Raises CutError to close the connection instead."""

    def record(self, http: HttpRequest, exchange: Exchange) -> CallRecord:
        """Log a request whose answer is about to be sent."""


class Server(ThreadingHTTPServer):
    """A thread for each connection, of which a client keeps as many open as it has workers."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024

    def __init__(self, address: tuple[str, int], application: Application) -> None:
        super().__init__(address, Connection)
        self.application = application

    def server_bind(self) -> None:
        """Bind without asking the network for this machine's name, as the base class would."""
        socket_address = self.server_address
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(socket_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away; they are killed by some tests."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            traceback.print_exc()


class Connection(BaseHTTPRequestHandler):
    """HTTP/1.1 of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    rbufsize = PIECE
    server: Server

    def _handle(self) -> None:
        exchange = Exchange()
        path, _, query = self.path.partition("?")
        headers = _merged(self.headers.items())
        body = self._body(headers, exchange)
        http = HttpRequest(self.command, path, query, headers, body)
        application = self.server.application
        try:
            response = application.answer(http, exchange)
        except CutError:
            exchange.error = "cut"
            application.record(http, exchange)
            self._cut()
            return
        for _ in body:
            pass  # What a refused request still sends must not be taken for the next one.
        exchange.status = response.status
        record = application.record(http, exchange)
        for piece in self._framed(response):
            self.wfile.write(piece)
            record.response_bytes += len(piece)
        if _is_cut_off(response):
            self._cut()
        record.seconds = time.perf_counter() - exchange.began

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = _handle

    def _body(self, headers: Mapping[str, str], exchange: Exchange) -> Iterator[bytes]:
        """The body, piece by piece, whichever way its end is marked."""
        if "chunked" in headers.get("transfer-encoding", ""):
            pieces = self._chunks()
        else:
            pieces = self._read(int(headers.get("content-length", 0)))
        for piece in pieces:
            exchange.received += len(piece)
            yield piece

    def _read(self, length: int) -> Iterator[bytes]:
        while length > 0:
            piece = self.rfile.read1(min(length, PIECE))
            if not piece:
                raise ConnectionResetError("the client left in the middle of a body")
            length -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            yield from self._read(size)
            self.rfile.readline()
        while self.rfile.readline() not in (b"\r\n", b"\n", b""):
            pass

    def _framed(self, response: HttpResponse) -> Iterator[bytes]:
        """The answer as it goes over the wire, the head together with the first piece."""
        headers = response.headers
        pieces = response.body
        if self.command == "HEAD":
            pieces = iter([])
        elif isinstance(pieces, bytes):
            if not response.as_is or not headers.keys() & {"content-length", "transfer-encoding"}:
                headers["content-length"] = str(len(pieces))
            pieces = iter([pieces])
        if not response.as_is:
            headers.setdefault("date", format_datetime(datetime.now(UTC), usegmt=True))
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {response.status} {_phrase(response.status)}\r\n{lines}\r\n".encode()
        yield head + next(pieces, b"")
        yield from pieces

    def _cut(self) -> None:
        """Close the connection the hard way, so that the client sees it at once."""
        self.close_connection = True
        with suppress(OSError):  # The client may have closed it first.
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Write nothing; the call log has it all."""


def _is_cut_off(response: HttpResponse) -> bool:
    """Whether a body ends before its headers or its chunks say."""
    if not response.as_is or not isinstance(response.body, bytes):
        return False
    if "transfer-encoding" in response.headers:
        return not response.body.endswith(b"0\r\n\r\n")
    return len(response.body) < int(response.headers.get("content-length", 0))


def _merged(headers: Any) -> dict[str, str]:
    """Headers under their names in lower case, repeated ones joined with commas."""
    merged: dict[str, str] = {}
    for name, value in headers:
        name = name.lower()
        merged[name] = f"{merged[name]},{value}" if name in merged else value
    return merged


def _phrase(status: int) -> str:
    phrases = BaseHTTPRequestHandler.responses.get(status)
    return phrases[0] if phrases else "Unknown"
