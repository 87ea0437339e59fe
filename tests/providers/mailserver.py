"""A mail server that says what a test tells it to."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

DROP = "drop"
SILENCE = "silence"

USUAL = {
    "MAIL": "250 2.1.0 Ok",
    "RCPT": "250 2.1.5 Ok",
    "DATA": "354 go on",
    "RSET": "250 2.0.0 Ok",
    "QUIT": "221 2.0.0 Bye",
    ".": "250 2.0.0 Ok: queued",
}


def usual(_verb: str, _line: str) -> str | None:
    """Say what servers say."""
    return None


@dataclass
class MailServer:
    """`says` may answer a verb ("MAIL", "RCPT", "DATA", "." for the end of a mail) in place of the usual reply.

    `said` holds the commands in the order they came. After SILENCE nothing more is answered.
    """

    extensions: tuple[str, ...] = ("PIPELINING", "DSN")
    says: Callable[[str, str], str | None] = usual
    protection: ssl.SSLContext | None = None
    mails: list[tuple[str, bytes]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    visits: int = 0
    port: int = 0

    async def visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.visits += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            writer.write(b"220 mail.example ESMTP\r\n")
            await _Visit(self, reader, writer).serve()
        writer.transport.abort()


class _Visit:
    def __init__(self, server: MailServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self._recipient = ""

    async def serve(self) -> None:
        while True:
            line = (await self._reader.readuntil(b"\r\n")).decode().strip()
            verb = line[:4].upper().strip()
            self._server.said.append(line)
            if verb in {"EHLO", "HELO"}:
                self._hello()
            elif verb == "STAR" and self._server.protection is not None:
                self._writer.write(b"220 2.0.0 go on\r\n")
                await self._writer.start_tls(self._server.protection)
            elif not await self._answer(verb, line):
                return

    def _hello(self) -> None:
        lines = ["mail.example", *self._server.extensions]
        text = "".join(f"250-{line}\r\n" for line in lines[:-1]) + f"250 {lines[-1]}\r\n"
        self._writer.write(text.encode())

    async def _answer(self, verb: str, line: str) -> bool:
        if verb == "RCPT":
            self._recipient = line.partition("<")[2].rstrip(">")
        reply = self._server.says(verb, line) or USUAL.get(verb, "502 5.5.2 what?")
        if reply == DROP:
            return False
        if reply == SILENCE:
            await self._reader.read()
            return False
        self._writer.write(reply.encode() + b"\r\n")
        if verb == "DATA" and reply.startswith("354"):
            return await self._mail()
        return verb != "QUIT" and not reply.startswith("421")

    async def _mail(self) -> bool:
        content = b""
        while (line := await self._reader.readuntil(b"\r\n")) != b".\r\n":
            content += line
        reply = self._server.says(".", self._recipient) or USUAL["."]
        if reply == DROP:
            return False
        if content and reply.startswith("2"):
            self._server.mails.append((self._recipient, content))
        if reply == SILENCE:
            await self._reader.read()
            return False
        self._writer.write(reply.encode() + b"\r\n")
        return not reply.startswith("421")


@contextlib.asynccontextmanager
async def mail_server(*, tls: ssl.SSLContext | None = None, **how: object) -> AsyncIterator[MailServer]:
    """Run a mail server on any free port, behind TLS from the first byte if `tls` is given."""
    server = MailServer(**how)  # type: ignore[arg-type]
    listening = await asyncio.start_server(server.visit, "127.0.0.1", 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        await asyncio.sleep(0.01)
