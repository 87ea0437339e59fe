"""A mail server that takes everything and keeps only what must be counted; with or without PIPELINING."""

import asyncio
from collections.abc import Callable

from notifier.sandbox.store import Store

_MESSAGE_ID = b"Message-ID: <"
_HEAD_BYTES = 4096
_END = b"\r\n.\r\n"


class SmtpSink:
    """The listening side. `pipelining` False hides the extension and answers one command at a time."""

    def __init__(self, store: Store, *, pipelining: bool = True) -> None:
        self.store = store
        self.pipelining = pipelining
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Transport] = set()

    async def start(self, host: str, port: int) -> int:
        """Begin to listen and return the port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Visit(self, self._open), host, port)
        address = self._server.sockets[0].getsockname()
        return int(address[1])

    async def stop(self) -> None:
        """Stop listening and hang up."""
        if self._server is not None:
            self._server.close()
            for transport in list(self._open):
                transport.abort()
            await self._server.wait_closed()

    def take(self, destination: bytes, arrived: bytes, start: int, end: int) -> bytes:
        """Keep what must be counted of one mail, and return the answer to it."""
        found = arrived.find(_MESSAGE_ID, start, min(end, start + _HEAD_BYTES))
        reference = b""
        if found >= 0:
            found += len(_MESSAGE_ID)
            reference = arrived[found : arrived.find(b"@", found, end)]
        self.store.add_smtp(reference.decode("ascii", "replace"), destination.decode("utf-8", "replace"))
        return b"250 2.0.0 Ok: taken\r\n"


class _Visit(asyncio.Protocol):
    """One connection: commands are lines, a mail is everything up to a line with a dot."""

    def __init__(self, sink: SmtpSink, opened: set[asyncio.Transport]) -> None:
        self._sink = sink
        self._opened = opened
        self._rest = b""
        self._recipient = b""
        self._in_mail = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker: a TCP server makes no other
        self._transport = transport
        self._opened.add(transport)
        transport.write(b"220 sandbox.invalid ESMTP\r\n")

    def connection_lost(self, _failure: Exception | None) -> None:
        self._opened.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        arrived = self._rest + data if self._rest else data
        answers: list[bytes] = []
        place = 0
        while True:
            ending = _END if self._in_mail else b"\r\n"
            end = arrived.find(ending, place)
            if end < 0:
                break
            answers.append(self._answer(arrived, place, end))
            place = end + len(ending)
        self._rest = arrived[place:]
        if answers:
            self._transport.write(b"".join(answers))

    def _answer(self, arrived: bytes, start: int, end: int) -> bytes:
        """Return the answer to a command, or to a mail."""
        if self._in_mail:
            self._in_mail = False
            return self._sink.take(self._recipient, arrived, start, end)
        line = arrived[start:end]
        return _ANSWERS.get(line[:4].upper(), _unknown)(self, line)

    def ehlo(self, _line: bytes) -> bytes:
        extensions = [b"250-sandbox.invalid", b"250-8BITMIME", b"250-DSN", b"250 SMTPUTF8"]
        if self._sink.pipelining:
            extensions.insert(1, b"250-PIPELINING")
        return b"\r\n".join(extensions) + b"\r\n"

    def rcpt(self, line: bytes) -> bytes:
        self._recipient = line[line.find(b"<") + 1 : line.find(b">")]
        return b"250 2.1.5 Ok\r\n"

    def data(self, _line: bytes) -> bytes:
        self._in_mail = True
        return b"354 End data with <CR><LF>.<CR><LF>\r\n"

    def quit(self, _line: bytes) -> bytes:
        asyncio.get_running_loop().call_soon(self._transport.close)
        return b"221 2.0.0 Bye\r\n"


def _ok(_visit: _Visit, _line: bytes) -> bytes:
    return b"250 2.0.0 Ok\r\n"


def _unknown(_visit: _Visit, _line: bytes) -> bytes:
    return b"502 5.5.2 Command not recognised\r\n"


_ANSWERS: dict[bytes, Callable[[_Visit, bytes], bytes]] = {
    b"EHLO": _Visit.ehlo,
    b"HELO": _ok,
    b"MAIL": _ok,
    b"RCPT": _Visit.rcpt,
    b"DATA": _Visit.data,
    b"RSET": _ok,
    b"NOOP": _ok,
    b"QUIT": _Visit.quit,
}
