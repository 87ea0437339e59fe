"""The outbox: every message becomes a file, `.eml` or `.txt`, that a mail program or an editor opens.

For development, and for looking at what would go out. Nothing leaves the machine and nobody answers.
"""

import asyncio
import re
from collections.abc import Sequence
from email.utils import formatdate
from pathlib import Path

from notifier.kit.errors import Invalid
from notifier.providers.base import (
    BadSignature,
    ErasedBy,
    Event,
    Permanent,
    Receipt,
    SettledBy,
    Temporary,
    WebhookRequest,
)
from notifier.providers.mime import EmailTemplate
from notifier.providers.personal import Blanks
from notifier.providers.settings import OutboxSettings
from notifier.vocabulary import Channel, EmailMessage, Envelope, Message, SmsMessage

# A file says to whom it is in its first lines.
_HEAD_BYTES = 8_192
_UNSAFE = re.compile(r"[^0-9A-Za-z_-]")


class Outbox:
    """A provider of either channel that writes files, one per message, named after the delivery."""

    name = "outbox"
    settled_by = SettledBy.PERSON
    erased_by = ErasedBy.ANY_ADDRESS
    group_size = 100

    def __init__(self, settings: OutboxSettings, channel: Channel) -> None:
        self.channel = channel
        self._folder = Path(settings.folder)

    async def send(self, message: Message, envelopes: Sequence[Envelope]) -> list[Receipt]:
        """Write one file for each recipient. A file that is there already is the same message, and is written again."""
        if isinstance(message, SmsMessage) is (self.channel is Channel.EMAIL):
            raise Permanent(f"This outbox takes {self.channel} only", code="wrong_channel")
        return await asyncio.to_thread(self._write, message, envelopes)

    def verify(self, request: WebhookRequest) -> None:  # noqa: ARG002 - the seam's own form
        """Refuse: an outbox has no webhooks."""
        raise BadSignature("The outbox has no webhooks.")

    def parse(self, request: WebhookRequest) -> list[Event]:  # noqa: ARG002 - the seam's own form
        """Refuse: an outbox tells nothing later."""
        raise Invalid("The outbox has no webhooks.")

    async def close(self) -> None:
        """Nothing is open."""

    async def erase(self, subject: str) -> None:
        """Delete the file of every message to an address. Raises Temporary if one cannot be deleted."""
        try:
            await asyncio.to_thread(self._delete, subject)
        except OSError as failed:
            raise Temporary(f"A file cannot be deleted: {failed.strerror}", code="no_access") from None

    def _delete(self, destination: str) -> None:
        for suffix in ("eml", "txt"):
            for file in self._folder.glob(f"*.{suffix}"):
                if _is_to(file, destination):
                    file.unlink(missing_ok=True)

    def _write(self, message: Message, envelopes: Sequence[Envelope]) -> list[Receipt]:
        self._folder.mkdir(parents=True, exist_ok=True)
        return [self._write_one(name, content) for name, content in _files(message, envelopes)]

    def _write_one(self, name: str, content: bytes) -> Receipt:
        (self._folder / name).write_bytes(content)
        return Receipt(message_id=name)


def _files(message: Message, envelopes: Sequence[Envelope]) -> list[tuple[str, bytes]]:
    if isinstance(message, EmailMessage):
        mail, date = EmailTemplate(message), formatdate(usegmt=True)
        return [(f"{_safe(one.reference)}.eml", mail.fill(one, date)) for one in envelopes]
    blanks = Blanks(message.text, message.markers)
    return [(f"{_safe(one.reference)}.txt", _sms_file(message, one, blanks)) for one in envelopes]


def _sms_file(message: SmsMessage, envelope: Envelope, blanks: Blanks) -> bytes:
    text = blanks.fill(envelope.values)
    return f"From: {message.sender}\nTo: {envelope.destination}\n\n{text}\n".encode()


def _is_to(file: Path, destination: str) -> bool:
    with file.open("rb") as opened:
        head = opened.read(_HEAD_BYTES).replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    return f"\nTo: {destination}\n".encode() in b"\n" + head + b"\n"


def _safe(reference: str) -> str:
    return _UNSAFE.sub("_", reference)[:100]
