"""A mail server that takes everything and keeps only what must be counted; with or without PIPELINING."""

import asyncio
import re
from collections.abc import Callable

from notifier.sandbox.store import Store

_MESSAGE_ID = re.compile(rb"^Message-ID: <([^@>\r\n]+)@", re.MULTILINE | re.IGNORECASE)
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

    def take(self, destination: bytes, mail: bytes) -> bytes:
        """Keep one mail and return the answer to it."""
        found = _MESSAGE_ID.search(mail, 0, 4096)
        self.store.add_smtp(
            found[1].decode("ascii", "replace") if found else "", destination.decode("utf-8", "replace")
        )
        return b"250 2.0.0 Ok: taken\r\n"


class _Visit(asyncio.Protocol):
    """One connection: commands are lines, a mail is everything up to a line with a dot."""

    def __init__(self, sink: SmtpSink, opened: set[asyncio.Transport]) -> None:
        self._sink = sink
        self._opened = opened
        self._buffer = bytearray()
        self._searched = 0
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
        self._buffer += data
        answers = bytearray()
        while (answer := self._next()) is not None:
            answers += answer
        if answers:
            self._transport.write(bytes(answers))

    def _next(self) -> bytes | None:
        """Return the answer to the next whole thing that arrived, or None if none has."""
        if self._in_mail:
            return self._mail()
        end = self._buffer.find(b"\r\n")
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        answer = _ANSWERS.get(line[:4].upper(), _unknown)
        return answer(self, line)

    def _mail(self) -> bytes | None:
        end = self._buffer.find(_END, max(self._searched - len(_END), 0))
        if end < 0:
            self._searched = len(self._buffer)
            return None
        mail = bytes(self._buffer[: end + 2])
        del self._buffer[: end + len(_END)]
        self._searched, self._in_mail = 0, False
        return self._sink.take(self._recipient, mail)

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
