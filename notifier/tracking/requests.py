"""What recipients ask for that takes more than a click: a copy of their data, or to be forgotten."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from notifier.audiences.models import Address
from notifier.kit.errors import NotFound
from notifier.tracking.models import RecipientRequest


class RequestKind(StrEnum):
    """What is asked for."""

    DATA = "data"
    FORGET = "forget"


def ask(session: Session, address_id: int, kind: RequestKind, *, now: datetime) -> None:
    """Write a request down; asking twice for the same open one adds nothing."""
    same = select(RecipientRequest.id).where(
        RecipientRequest.address_id == address_id, RecipientRequest.kind == kind, RecipientRequest.done_at.is_(None)
    )
    if session.scalar(same) is None:
        session.add(RecipientRequest(address_id=address_id, kind=kind, asked_at=now))
        session.flush()


@dataclass(frozen=True, slots=True)
class Asked:
    """A request and whose it is; without channel and address where the address is held no more."""

    id: int
    kind: str
    address_id: int
    channel: str | None
    address: str | None
    asked_at: datetime


def open_requests(session: Session) -> list[Asked]:
    """Return what is still to be done, oldest first."""
    rows = session.execute(
        select(
            RecipientRequest.id,
            RecipientRequest.kind,
            RecipientRequest.address_id,
            Address.channel,
            Address.value,
            RecipientRequest.asked_at,
        )
        .outerjoin(Address, Address.id == RecipientRequest.address_id)
        .where(RecipientRequest.done_at.is_(None))
        .order_by(RecipientRequest.id)
    )
    return [Asked(*row) for row in rows]


def close_request(session: Session, request_id: int, *, by: str, now: datetime) -> None:
    """Note that a request was carried out. Raises NotFound."""
    if session.get(RecipientRequest, request_id) is None:
        raise NotFound(f"There is no request {request_id}; `notifier reports requests` lists the open ones")
    session.execute(
        update(RecipientRequest)
        .where(RecipientRequest.id == request_id, RecipientRequest.done_at.is_(None))
        .values(done_at=now, done_by=by)
    )
