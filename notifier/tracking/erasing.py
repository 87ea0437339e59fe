"""Erase what providers told us about a person, and what the person wrote; kinds and times stay, so counts stay true."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote_plus

import phonenumbers
from sqlalchemy import Select, Text, and_, cast, delete, func, or_, select, update
from sqlalchemy.orm import Session

from notifier.audiences.forgetting import Erased
from notifier.delivery.models import Delivery
from notifier.tracking.models import InboundMessage, PendingEvent, ProviderEvent, RecipientRequest, SignUp
from notifier.tracking.requests import RequestKind

# What takes the place of an address in somebody else's message.
ERASED = "[erased]"


def erase_addresses(session: Session, addresses: Sequence[Erased], *, by: str, now: datetime) -> None:
    """Wipe the events, letters and unfinished sign-ups of addresses; close their requests to be forgotten."""
    ids = [one.id for one in addresses if one.id is not None]
    values = [one.value for one in addresses]
    _wipe_events(session, ids, values)
    session.execute(
        delete(InboundMessage).where(
            or_(InboundMessage.address_id.in_(ids), func.lower(InboundMessage.sender).in_(values))
        )
    )
    _take_out_of_letters(session, values)
    session.execute(delete(SignUp).where(SignUp.address_key.in_([one.key for one in addresses])))
    session.execute(
        update(RecipientRequest)
        .where(
            RecipientRequest.address_id.in_(ids),
            RecipientRequest.kind == RequestKind.FORGET.value,
            RecipientRequest.done_at.is_(None),
        )
        .values(done_at=now, done_by=by)
    )


def _wipe_events(session: Session, ids: Sequence[int], values: Sequence[str]) -> None:
    """Wipe what events say of addresses: those about their deliveries, and those about no delivery that name them."""
    theirs = select(Delivery.id).where(Delivery.address_id.in_(ids))
    words = [func.lower(cast(ProviderEvent.raw, Text)), func.lower(ProviderEvent.detail)]
    # What could not be read is kept as it came, where an address may stand as forms write it.
    written = {form for value in values for form in (value, quote_plus(value).lower())}
    naming = or_(*[text.contains(form, autoescape=True) for text in words for form in sorted(written)])
    session.execute(
        update(ProviderEvent)
        .where(or_(ProviderEvent.delivery_id.in_(theirs), and_(ProviderEvent.delivery_id.is_(None), naming)))
        .values(raw=None, detail=None)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(PendingEvent)
        .where(func.lower(PendingEvent.destination).in_(values))
        .values(destination=None)
        .execution_options(synchronize_session=False)
    )


def _take_out_of_letters(session: Session, values: Sequence[str]) -> None:
    """Take addresses out of what other people wrote: few letters are kept, and each is looked at."""
    written = re.compile("|".join(_spellings(value) for value in values), flags=re.IGNORECASE)
    letters = session.execute(select(InboundMessage.id, InboundMessage.text))
    changed = [(number, written.sub(ERASED, text)) for number, text in letters if written.search(text)]
    for number, text in changed:
        session.execute(update(InboundMessage).where(InboundMessage.id == number).values(text=text))


def _spellings(value: str) -> str:
    """Return a pattern of the ways an address is written: a number with or without its country, spaces or brackets."""
    if not value.startswith("+"):
        return re.escape(value)
    number = phonenumbers.parse(value)
    between = r"[\s()./-]*"
    national = between.join(phonenumbers.national_significant_number(number))
    country = rf"(?:\+|00){between}{between.join(str(number.country_code))}{between}"
    return rf"(?:{country})?(?:\(?0\)?{between})?{national}(?!\d)"


def held(session: Session, address_id: int | None, value: str) -> dict[str, list[dict[str, Any]]]:
    """Return the events, letters and requests of an address, for its owner; without an id, the letters it sent."""
    theirs = select(Delivery.id).where(Delivery.address_id == address_id)
    return {
        "events": _rows(
            session, select(ProviderEvent).where(ProviderEvent.delivery_id.in_(theirs)), "kind", "occurred_at", "code"
        ),
        "messages": _rows(
            session,
            select(InboundMessage).where(or_(InboundMessage.address_id == address_id, InboundMessage.sender == value)),
            "channel",
            "text",
            "received_at",
        ),
        "requests": _rows(
            session,
            select(RecipientRequest).where(RecipientRequest.address_id == address_id),
            "kind",
            "asked_at",
            "done_at",
        ),
    }


def _rows(session: Session, query: Select[Any], *names: str) -> list[dict[str, Any]]:
    return [{name: getattr(row, name) for name in names} for row in session.scalars(query)]
