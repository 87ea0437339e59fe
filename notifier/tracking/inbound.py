"""What people write to our numbers and mailboxes: keywords are obeyed at once, the rest is kept for people to read.

A text message is proven by the provider's signature, so its sender may leave and come back with one word. A mail is
not proven by anything, so it is only kept. Never here: the words of an answer, which the surface says in the right
language.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from notifier.audiences import book
from notifier.audiences.suppressions import lift_address, suppress
from notifier.kit.errors import NotFound
from notifier.kit.tokens import Keyring
from notifier.providers.base import Event
from notifier.tracking import keywords
from notifier.tracking.inbox import remember
from notifier.tracking.keywords import Keyword
from notifier.tracking.models import InboundMessage
from notifier.tracking.optout import RECIPIENT, note_opt_out, spoken_language
from notifier.vocabulary import Channel, EventKind, SuppressionReason

# Where the provider has read the keyword itself.
_READ_BY_PROVIDER = {EventKind.OPTED_OUT: Keyword.STOP, EventKind.RESUBSCRIBED: Keyword.START}
_SOURCE = "text message"


@dataclass(frozen=True, slots=True)
class Heard:
    """What a message asked for, and the language to answer in; no answer is due where `answer` is None."""

    answer: Keyword | None
    language: str | None


def hear_text(session: Session, event: Event, *, address_secret: bytes, keyring: Keyring, now: datetime) -> Heard:
    """Obey or keep one inbound text message; a repeat of it changes nothing more."""
    number = event.destination or ""
    address_id = book.id_of(session, address_secret, Channel.SMS, number)
    new = remember(session, event, keyring=keyring, now=now)
    asked = _READ_BY_PROVIDER.get(event.kind) or keywords.read(event.text or event.code or "")
    if new and asked is Keyword.STOP:
        suppress(
            session,
            address_secret,
            Channel.SMS,
            number,
            SuppressionReason.OPT_OUT,
            source=_SOURCE,
            actor=RECIPIENT,
            now=now,
        )
        if address_id is not None:
            note_opt_out(session, address_id, now=now)
    elif new and asked is Keyword.START and address_id is not None:
        lift_address(session, address_id, source=_SOURCE, actor=RECIPIENT, now=now)
    elif new and asked is None:
        _keep(session, Channel.SMS, address_id, number, event.text or "", now)
    # With a code, the provider has recognised the word and answered already.
    return Heard(None if event.code else asked, spoken_language(session, address_id))


def hear_mail(session: Session, event: Event, *, address_secret: bytes, keyring: Keyring, now: datetime) -> None:
    """Keep one mail that a person wrote to us."""
    sender = event.destination or ""
    # Its subject is kept with its text, which is pruned and erased as such; the event need not say it again.
    if remember(session, event._replace(detail=None), keyring=keyring, now=now):
        address_id = book.id_of(session, address_secret, Channel.EMAIL, sender)
        text = f"{event.detail}\n\n{event.text or ''}" if event.detail else event.text or ""
        _keep(session, Channel.EMAIL, address_id, sender, text, now)


def unread(session: Session, *, after: int = 0, limit: int = 100) -> list[InboundMessage]:
    """Return the messages nobody has read yet, oldest first."""
    return list(
        session.scalars(
            select(InboundMessage)
            .where(InboundMessage.read_at.is_(None), InboundMessage.id > after)
            .order_by(InboundMessage.id)
            .limit(limit)
        )
    )


def mark_read(session: Session, message_id: int, *, by: str, now: datetime) -> None:
    """Note that a person has read a message and done what it asks. Raises NotFound."""
    if session.scalar(select(InboundMessage.id).where(InboundMessage.id == message_id)) is None:
        raise NotFound(f"There is no message {message_id}; `notifier reports messages` lists the unread ones")
    session.execute(
        update(InboundMessage)
        .where(InboundMessage.id == message_id, InboundMessage.read_at.is_(None))
        .values(read_at=now, read_by=by)
    )


def _keep(session: Session, channel: Channel, address_id: int | None, sender: str, text: str, now: datetime) -> None:
    session.add(InboundMessage(channel=channel, address_id=address_id, sender=sender[:254], text=text, received_at=now))
    session.flush()
