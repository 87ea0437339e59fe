"""The conversation with a mail server once it has greeted us: every reply is matched to the command it answers.

With PIPELINING (RFC 2920) the next message's MAIL, RCPT and DATA travel with the end of the last one, so that a message
costs one round trip instead of four. A connection that is lost leaves at most one message that may have been taken.
"""

import asyncio
import re
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from notifier.providers.base import (
    INVALID_ADDRESS,
    AccountTrouble,
    Ambiguous,
    Permanent,
    ProviderError,
    Receipt,
    Temporary,
)
from notifier.providers.mail_reports import HARD_STATUS, UNAUTHENTICATED_STATUS
from notifier.providers.rounds import Round

_ENHANCED = re.compile(rb"[245]\.\d{1,3}\.\d{1,3}(?= |$)")
# Four whole replies of one line: the last mail taken, the next sender and recipient fine, and go on.
_USUAL = re.compile(rb"(?:250 [^\n]*\n){3}354 [^\n]*\n")
_USUAL_REPLIES = 4
_CLOSING = 421
_START_MAIL = 354
_SYNTAX_OK = range(200, 300)
_LATER = range(400, 500)
_AUTHENTICATION = {530, 534, 535, 538}
_MAX_REPLY_BYTES = 64 * 1024
_CHECKS_PER_TIMEOUT = 4
_GOODBYE_S = 2.0


class Reply(NamedTuple):
    """A server's answer: its code, and the enhanced status (RFC 3463) where it gives one."""

    code: int
    status: str

    @property
    def is_ok(self) -> bool:
        """Whether the command was done."""
        return self.code in _SYNTAX_OK


class Mail(NamedTuple):
    """One message as the server will hear it, ending in CRLF and without a line that begins with a dot."""

    sender: bytes
    recipient: bytes
    content: bytes
    message_id: str


# Makes the mail for one number of a round, or None if it settled the number without one.
Writer = Callable[[int], Mail | None]


class Conversation(asyncio.Protocol):
    """One connection, taken over from the library that opened it. The plain way: one command, one reply."""

    def __init__(self, transport: asyncio.Transport, timeout_s: float) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._timeout_s = timeout_s
        self._buffer = b""
        self._expected: deque[tuple[Callable[[int, Reply], None], int]] = deque()
        self._heard_at = 0.0
        self._current: tuple[int, Mail] | None = None
        self._sent: tuple[int, Mail] | None = None
        self._refusal: ProviderError | None = None
        self._done: asyncio.Future[None] | None = None
        self._closed = asyncio.Event()
        self._watching: asyncio.TimerHandle | None = None
        self.taken = 0
        transport.set_protocol(self)

    async def run(self, messages: Round, write: Writer, most: int) -> None:
        """Send what is waiting in a round, at most so many messages, until that is all or the connection is lost."""
        self._round, self._write, self._left = messages, write, most
        self._done = self._loop.create_future()
        self._heard_at = self._loop.time()
        self._watch()
        try:
            self._next(b"")
            await self._done
        except asyncio.CancelledError:
            self._transport.abort()  # nobody will read the replies that are still to come
            raise
        finally:
            if self._watching is not None:
                self._watching.cancel()

    @property
    def is_open(self) -> bool:
        """Whether the server is still there, as far as we know."""
        return not self._closed.is_set() and not self._transport.is_closing()

    async def close(self) -> None:
        """Say goodbye and hang up."""
        if self.is_open:
            self._transport.write(b"QUIT\r\n")
            self._transport.close()
        try:
            async with asyncio.timeout(_GOODBYE_S):
                await self._closed.wait()
        except TimeoutError:
            self._transport.abort()

    # ── what the server says ────────────────────────────────────────────────────────────────────────────────────

    def data_received(self, data: bytes) -> None:
        """Take the replies out of what arrived."""
        self._heard_at = self._loop.time()
        lines = (self._buffer + data).split(b"\n")
        self._buffer = lines.pop()
        if len(self._buffer) > _MAX_REPLY_BYTES:
            self._transport.abort()
            return
        for line in lines:
            if line[3:4] != b"-":
                self._replied(line)

    def eof_received(self) -> bool:
        """Let the transport close: a server that has hung up answers nothing more."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's own form
        """Sort what was under way into what may have been taken and what never left."""
        self._closed.set()
        self._expected.clear()
        if self._sent is not None:
            lost = Ambiguous("The mail server was lost before it answered a message", code="no_answer")
            self._round.settle(self._sent[0], Receipt(error=lost))
        if self._current is not None:
            self._round.put_back(self._current[0])
        self._sent = self._current = None
        self._finish()

    def _replied(self, line: bytes) -> None:
        try:
            reply = Reply(int(line[:3]), _status(line))
        except ValueError:
            self._transport.abort()
            return
        if not self._expected:
            self._transport.abort()  # an answer to nothing: a goodbye (421), or a conversation out of step
            return
        meaning, number = self._expected.popleft()
        meaning(number, reply)
        if reply.code == _CLOSING:
            self._transport.abort()

    def _watch(self) -> None:
        if self._expected and self._loop.time() - self._heard_at > self._timeout_s:
            self._transport.abort()
            return
        self._watching = self._loop.call_later(self._timeout_s / _CHECKS_PER_TIMEOUT, self._watch)

    # ── what we say ─────────────────────────────────────────────────────────────────────────────────────────────

    def _next(self, before: bytes) -> None:
        """Begin the next message, sending `before` ahead of it; finish when there is none."""
        mail = self._take() if self.is_open else None
        if mail is not None:
            self._begin(before, mail)
        elif before:
            self._transport.write(before)
        elif not self._expected:
            self._finish()

    def _take(self) -> Mail | None:
        while self._left > 0 and (number := self._round.next()) is not None:
            mail = self._write(number)
            if mail is not None:
                self._left -= 1
                self._current, self._refusal = (number, mail), None
                return mail
        return None

    def _begin(self, before: bytes, mail: Mail) -> None:
        self._say(before + mail.sender, self._on_sender)

    def _on_sender(self, _number: int, reply: Reply) -> None:
        self._judge(reply, "MAIL")
        if self._refusal is not None:
            self._drop()
        elif self._current is not None:
            self._say(self._current[1].recipient, self._on_recipient)

    def _on_recipient(self, _number: int, reply: Reply) -> None:
        self._judge(reply, "RCPT")
        if self._refusal is not None:
            self._drop()
        else:
            self._say(b"DATA\r\n", self._on_data)

    def _on_data(self, _number: int, reply: Reply) -> None:
        if reply.code != _START_MAIL:
            self._judge(reply, "DATA")
            self._drop()
        elif self._refusal is not None:
            # Nobody may get this one, but the server is waiting for a mail: an empty one ends its wait (RFC 2920, 3.1).
            self._drop(b".\r\n")
        else:
            self._send_content()

    def _send_content(self) -> None:
        assert self._current is not None  # noqa: S101 - a reply to DATA belongs to a message
        number, mail = self._current
        self._sent, self._current = self._current, None
        self._expected.append((self._on_content, number))
        self._after_content(mail.content + b".\r\n")

    def _after_content(self, content: bytes) -> None:
        self._transport.write(content)

    def _on_content(self, number: int, reply: Reply) -> None:
        assert self._sent is not None  # noqa: S101 - a reply to a mail belongs to a message
        mail, self._sent = self._sent[1], None
        self.taken += 1
        error = None if reply.is_ok else refusal(reply, "the message")
        self._round.settle(number, Receipt(None if error else mail.message_id, error))
        self._go_on()

    def _go_on(self) -> None:
        self._next(b"")

    def _drop(self, clearing: bytes = b"RSET\r\n") -> None:
        """Settle a refused message and clear the server's table for the next."""
        self._settle_refused()
        self._clear(clearing)

    def _clear(self, line: bytes) -> None:
        self._say(line, self._on_cleared)

    def _on_cleared(self, _number: int, _reply: Reply) -> None:
        self._go_on()

    def _settle_refused(self) -> None:
        if self._current is not None:
            self.taken += 1
            self._round.settle(self._current[0], Receipt(error=self._refusal))
            self._current = None

    def _judge(self, reply: Reply, command: str) -> None:
        if not reply.is_ok and self._refusal is None:
            self._refusal = refusal(reply, command)

    def _say(self, line: bytes, meaning: Callable[[int, Reply], None]) -> None:
        self._expected.append((meaning, 0))
        self._transport.write(line)

    def _finish(self) -> None:
        if self._done is not None and not self._done.done():
            self._done.set_result(None)


class PipelinedConversation(Conversation):
    """The way of RFC 2920: the next message begins in the same breath in which the last one ends."""

    def data_received(self, data: bytes) -> None:
        """Take the replies out of what arrived; at once, where it is the usual yes to everything asked."""
        is_usual = len(self._expected) == _USUAL_REPLIES and not self._buffer and _USUAL.fullmatch(data)
        if is_usual and self._sent is not None:
            self._heard_at = self._loop.time()
            self._expected.clear()
            (number, mail), self._sent = self._sent, None
            self.taken += 1
            self._round.settle(number, Receipt(mail.message_id))
            self._send_content()
        else:
            super().data_received(data)

    def _begin(self, before: bytes, mail: Mail) -> None:
        self._expected += ((self._on_sender, 0), (self._on_recipient, 0), (self._on_data, 0))
        self._transport.write(b"".join((before, mail.sender, mail.recipient, b"DATA\r\n")))

    def _on_sender(self, _number: int, reply: Reply) -> None:
        self._judge(reply, "MAIL")

    def _on_recipient(self, _number: int, reply: Reply) -> None:
        self._judge(reply, "RCPT")

    def _after_content(self, content: bytes) -> None:
        self._next(content)

    def _clear(self, line: bytes) -> None:
        self._expected.append((self._on_cleared, 0))
        self._next(line)

    def _go_on(self) -> None:
        if self._current is None and not self._expected:
            self._finish()


def refusal(reply: Reply, command: str) -> ProviderError:
    """Return what a refusing reply means. The server's sentence may repeat the address, so it is not passed on."""
    sentence = f"The mail server answered {reply.code} {reply.status}".rstrip() + f" to {command}"
    code = f"{reply.code} {reply.status}".rstrip()
    if reply.code in _LATER:
        return Temporary(sentence, code=code)
    if command == "MAIL" or reply.code in _AUTHENTICATION or UNAUTHENTICATED_STATUS.fullmatch(reply.status):
        return AccountTrouble(sentence, code=code)
    if command == "RCPT" and HARD_STATUS.fullmatch(reply.status):
        return Permanent(sentence, code=INVALID_ADDRESS)
    return Permanent(sentence, code=code)


def _status(line: bytes) -> str:
    found = _ENHANCED.match(line, 4)
    return found[0].decode() if found else ""
