"""SMTP: email through a relay of one's own, over a few connections that stay open.

TLS, AUTH and the greeting are aiosmtplib's work; the conversation after them is `smtp_conversation`'s. Every message is
answered by itself. What happens to it later comes back as mail, which `mail_reports` reads. Nothing is retried here.
"""

import asyncio
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from typing import cast

from aiosmtplib import SMTP, SMTPAuthenticationError, SMTPException, SMTPResponseException

from notifier.providers.base import (
    INVALID_ADDRESS,
    AccountTrouble,
    BadSignature,
    Event,
    Permanent,
    ProviderError,
    Receipt,
    SettledBy,
    Temporary,
    WebhookRequest,
)
from notifier.providers.mail_reports import read_mail
from notifier.providers.mime import EmailTemplate
from notifier.providers.rounds import Round
from notifier.providers.settings import Security, SmtpSettings
from notifier.providers.smtp_conversation import Conversation, Mail, PipelinedConversation
from notifier.vocabulary import Channel, EmailMessage, Envelope, Message

_ADDRESS = re.compile(r"[^\s<>\x00-\x1f\x7f@]+@[^\s<>\x00-\x1f\x7f@]+")
_PLAIN_REFERENCE = re.compile(r"[0-9A-Za-z_.-]{1,90}")
_REFERENCE_PLACE = "{reference}"
_TEMPLATES_KEPT = 32


@dataclass(slots=True)
class _Connection:
    """A conversation, and what its server can do."""

    conversation: Conversation
    knows_dsn: bool
    knows_utf8: bool
    is_fresh: bool = True


class Smtp:
    """A mail relay."""

    name = "smtp"
    channel = Channel.EMAIL
    settled_by = SettledBy.PERSON

    def __init__(self, settings: SmtpSettings) -> None:
        self.group_size = settings.group_size
        self._settings = settings
        self._idle: deque[_Connection] = deque()
        self._places: tuple[asyncio.AbstractEventLoop, asyncio.Semaphore] | None = None
        self._templates: dict[object, EmailTemplate] = {}

    async def send(self, message: Message, envelopes: Sequence[Envelope]) -> list[Receipt]:
        """Send one message to each recipient, over as many connections as the settings allow."""
        if not isinstance(message, EmailMessage):
            raise Permanent("SMTP sends email only", code="not_an_email")
        delivery = _Delivery(message, self._template(message), envelopes, self._settings.return_path)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._settings.connections, len(envelopes))):
                group.create_task(self._work(delivery))
        if delivery.failures:
            delivery.round.stop(delivery.failures[-1])
        return delivery.round.receipts()

    def verify(self, request: WebhookRequest) -> None:  # noqa: ARG002 - the seam's own form
        """Refuse: a relay has no webhooks. Its reports come as mail, from a mailbox we trust or not at all."""
        raise BadSignature("A mail relay has no webhooks.")

    def parse(self, request: WebhookRequest) -> list[Event]:
        """Read one mail that came back: a delivery report, a complaint or a reply."""
        return read_mail(request.body, received_at=request.received_at)

    async def close(self) -> None:
        """Say goodbye on every connection."""
        while self._idle:
            await self._idle.pop().conversation.close()

    async def _work(self, delivery: "_Delivery") -> None:
        """Send over one connection after the other until nobody waits. A connection that got nowhere is the last."""
        async with self._place():
            while delivery.round.has_waiting:
                try:
                    connection = self._reused() or await self._open()
                except ProviderError as failed:
                    delivery.failures.append(failed)
                    return
                if not await self._use(connection, delivery):
                    delivery.failures.append(Temporary("The mail server hung up", code="lost"))
                    return

    async def _use(self, connection: _Connection, delivery: "_Delivery") -> bool:
        """Send over one connection; return whether it is worth opening another when this one is lost."""
        conversation = connection.conversation
        before = conversation.taken
        write = partial(delivery.mail, connection=connection)
        await conversation.run(delivery.round, write, self._settings.messages_per_connection - before)
        was_idle, connection.is_fresh = not connection.is_fresh, False
        if not conversation.is_open:
            return was_idle or conversation.taken > before
        if conversation.taken < self._settings.messages_per_connection:
            self._idle.append(connection)
        else:
            await conversation.close()
        return True

    def _reused(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.conversation.is_open:
                return connection
        return None

    async def _open(self) -> _Connection:
        """Connect, greet, protect and log in. Raises Temporary or AccountTrouble."""
        settings = self._settings
        client = SMTP(
            hostname=settings.host,
            port=settings.port,
            use_tls=settings.security is Security.TLS,
            start_tls=settings.security is Security.STARTTLS,
            username=settings.username or None,
            password=settings.password or None,
            cert_bundle=settings.ca_file or None,
            local_hostname=settings.hello_name or None,
            timeout=settings.timeout_s,
        )
        try:
            await client.connect()
            if client.last_ehlo_response is None:
                await client.ehlo()
        except (SMTPException, OSError, ValueError) as failed:
            client.close()
            raise _connection_error(failed) from None
        return _take_over(client, settings.timeout_s)

    def _place(self) -> asyncio.Semaphore:
        """Return the places for connections of the running loop."""
        loop = asyncio.get_running_loop()
        if self._places is None or self._places[0] is not loop:
            self._places = (loop, asyncio.Semaphore(self._settings.connections))
            self._idle.clear()
        return self._places[1]

    def _template(self, message: EmailMessage) -> EmailTemplate:
        """Return the message encoded, which a variant needs only once."""
        key = (
            *(message.sender, message.sender_name, message.subject, message.text, message.html, message.language),
            *(message.reply_to, tuple(message.headers.items()), message.markers),
        )
        found = self._templates.get(key)
        if found is None:
            if len(self._templates) >= _TEMPLATES_KEPT:
                self._templates.pop(next(iter(self._templates)))
            found = self._templates[key] = EmailTemplate(message)
        return found


class _Delivery:
    """One call of `send`: the message, who gets it, and what became of it."""

    def __init__(
        self, message: EmailMessage, template: EmailTemplate, envelopes: Sequence[Envelope], return_path: str
    ) -> None:
        self.round = Round(len(envelopes))
        self.failures: list[ProviderError] = []
        self._template = template
        self._envelopes = envelopes
        self._return_path = return_path or message.sender
        self._date = formatdate(usegmt=True)

    def mail(self, number: int, connection: _Connection) -> Mail | None:
        """Make one mail, or settle the number if there can be none."""
        envelope = self._envelopes[number]
        destination = envelope.destination
        if not _ADDRESS.fullmatch(destination):
            self._refuse(number, "The address cannot be written in an SMTP command")
            return None
        extension = ""
        if not destination.isascii():
            if not connection.knows_utf8:
                self._refuse(number, "The mail server takes no address beyond ASCII")
                return None
            extension = " SMTPUTF8"
        if connection.knows_dsn and _PLAIN_REFERENCE.fullmatch(envelope.reference):
            extension += f" RET=HDRS ENVID={envelope.reference}"
        sender = self._return_path.replace(_REFERENCE_PLACE, envelope.reference)
        return Mail(
            f"MAIL FROM:<{sender}>{extension}\r\n".encode(),
            f"RCPT TO:<{destination}>\r\n".encode(),
            self._template.fill(envelope, self._date),
            self._template.message_id(envelope.reference),
        )

    def _refuse(self, number: int, sentence: str) -> None:
        self.round.settle(number, Receipt(error=Permanent(sentence, code=INVALID_ADDRESS)))


def _take_over(client: SMTP, timeout_s: float) -> _Connection:
    if client.transport is None:
        raise Temporary("The mail server hung up", code="lost")
    kind = PipelinedConversation if client.supports_extension("pipelining") else Conversation
    return _Connection(
        # What can be written to is known by what it does: uvloop's transports are no classes of asyncio's.
        kind(cast("asyncio.Transport", client.transport), timeout_s),
        knows_dsn=client.supports_extension("dsn"),
        knows_utf8=client.supports_extension("smtputf8"),
    )


def _connection_error(failed: Exception) -> ProviderError:
    if isinstance(failed, SMTPAuthenticationError) and failed.code not in range(400, 500):
        return AccountTrouble("The mail server refused the user name or password", code=str(failed.code))
    code = str(failed.code) if isinstance(failed, SMTPResponseException) else "unreachable"
    return Temporary(f"The mail server could not be reached: {type(failed).__name__}", code=code)
