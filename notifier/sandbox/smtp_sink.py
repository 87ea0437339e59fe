"""A mail server that takes nearly everything, with or without PIPELINING, fast enough not to be what is measured."""

import asyncio
from collections.abc import Callable
from typing import cast

from notifier.sandbox.behaviour import Answer, Behaviour, Dice
from notifier.sandbox.store import Store

_MESSAGE_ID = b"Message-ID: <"
_HEAD_BYTES = 4096
EXTENSIONS = ("PIPELINING", "8BITMIME", "DSN", "SMTPUTF8")
_END = b"\r\n.\r\n"


# The part of a reserved address before "@" (or "+") that asks for an answer to RCPT, and the answers to the dice.
_SPECIAL = {b"refuse": b"550 5.1.1 No such person\r\n", b"defer": b"451 4.7.1 Come back later\r\n"}
_DICE = {Answer.THROTTLE: b"452 4.3.2 Too much at once\r\n", Answer.FAIL: b"451 4.3.0 Out of order\r\n"}
_HANGS_UP = {Answer.LOSE, Answer.HANG}


class SmtpSink:
    """The listening side, under the same dice as the rest of the sandbox.

    `extensions` are what EHLO offers; without PIPELINING a client must wait for each answer.
    """

    def __init__(self, store: Store, extensions: tuple[str, ...] = EXTENSIONS) -> None:
        self.store = store
        self.dice = Dice(Behaviour())
        self.greeting = "".join(f"250-{name}\r\n" for name in ("sandbox.invalid", *extensions)) + "250 HELP\r\n"
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
        found = mail.find(_MESSAGE_ID, 0, _HEAD_BYTES)
        reference = b""
        if found >= 0:
            found += len(_MESSAGE_ID)
            reference = mail[found : mail.find(b"@", found)]
        self.store.add_smtp(reference.decode("ascii", "replace"), destination.decode("utf-8", "replace"), mail)
        return b"250 2.0.0 Ok: taken\r\n"


class _Visit(asyncio.Protocol):
    """One connection: commands are lines, a mail is everything up to a line with a dot."""

    def __init__(self, sink: SmtpSink, opened: set[asyncio.Transport]) -> None:
        self._sink = sink
        self._opened = opened
        self._rest = b""
        self._recipient = b""
        self._in_mail = False
        self._answer_due = Answer.TAKE

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # For the type checker: a TCP server makes no other, but uvloop's are no classes of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._opened.add(self._transport)
        self._transport.write(b"220 sandbox.invalid ESMTP\r\n")

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
            taken = self._sink.take(self._recipient, arrived[start : end + 2])
            if self._answer_due in _HANGS_UP:
                self._transport.abort()
            return taken
        line = arrived[start:end]
        return _ANSWERS.get(line[:4].upper(), _unknown)(self, line)

    def ehlo(self, _line: bytes) -> bytes:
        return self._sink.greeting.encode()

    def rcpt(self, line: bytes) -> bytes:
        self._recipient = line[line.find(b"<") + 1 : line.find(b">")]
        self._answer_due = self._sink.dice.answer()
        if self._answer_due is Answer.CUT:
            self._transport.abort()
        special = self._recipient.partition(b"@")[0].partition(b"+")[0]
        refused = _SPECIAL.get(special) or _DICE.get(self._answer_due)
        if refused:
            self._recipient = b""
        return refused or b"250 2.1.5 Ok\r\n"

    def mail(self, _line: bytes) -> bytes:
        self._recipient = b""
        return b"250 2.1.0 Ok\r\n"

    def data(self, _line: bytes) -> bytes:
        if not self._recipient:
            return b"503 5.5.1 No valid recipients\r\n"
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
    b"MAIL": _Visit.mail,
    b"RCPT": _Visit.rcpt,
    b"DATA": _Visit.data,
    b"RSET": _ok,
    b"NOOP": _ok,
    b"QUIT": _Visit.quit,
}
