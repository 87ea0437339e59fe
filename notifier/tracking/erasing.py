"""Erase what providers told us about a person, and what the person wrote; kinds and times stay, so counts stay true."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, delete, or_, select, update
from sqlalchemy.orm import Session

from notifier.delivery.models import Delivery
from notifier.tracking.models import InboundMessage, ProviderEvent, RecipientRequest, SignUp
from notifier.tracking.requests import RequestKind


def erase_addresses(session: Session, addresses: Sequence[tuple[int, str, bytes]], *, by: str, now: datetime) -> None:
    """Wipe the events, letters and unfinished sign-ups of addresses (id, value, keyed hash); close their requests."""
    ids = [address_id for address_id, _, _ in addresses]
    values = [value for _, value, _ in addresses]
    theirs = select(Delivery.id).where(Delivery.address_id.in_(ids))
    session.execute(
        update(ProviderEvent)
        .where(or_(ProviderEvent.delivery_id.in_(theirs), ProviderEvent.destination.in_(values)))
        .values(destination=None, raw=None, detail=None)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        delete(InboundMessage).where(or_(InboundMessage.address_id.in_(ids), InboundMessage.sender.in_(values)))
    )
    session.execute(delete(SignUp).where(SignUp.address_key.in_([key for _, _, key in addresses])))
    session.execute(
        update(RecipientRequest)
        .where(
            RecipientRequest.address_id.in_(ids),
            RecipientRequest.kind == RequestKind.FORGET.value,
            RecipientRequest.done_at.is_(None),
        )
        .values(done_at=now, done_by=by)
    )


def held(session: Session, address_id: int, value: str) -> dict[str, list[dict[str, Any]]]:
    """Return the events, letters and requests of an address, for its owner."""
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
