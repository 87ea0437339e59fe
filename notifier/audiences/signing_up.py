"""People who sign up themselves: what a confirmed wish turns into.

Each region, and each school that offers it, has a list of its own for them, so that no school's upload can ever take
them off. Who has shown that an address is theirs may also come back after having left; a complaint or an officer's
suppression stays.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from notifier.audiences.lists import LawfulBasis, NewList, create_list
from notifier.audiences.models import (
    Address,
    ContactList,
    ListChoice,
    Subscription,
    SubscriptionChange,
    SubscriptionStatus,
    Suppression,
    TopicChoice,
)
from notifier.kit.db import insert_or_skip
from notifier.kit.tokens import address_key
from notifier.vocabulary import Channel, Readers, Role, SuppressionReason

# What the owner of an address may take back by confirming that it is theirs.
_TAKEN_BACK = (SuppressionReason.OPT_OUT, SuppressionReason.ERASED, SuppressionReason.HARD_BOUNCE)
_ACTOR = "recipient"


@dataclass(frozen=True, slots=True)
class Place:
    """Where somebody signs up: a region, or a school's list."""

    code: str
    name: str
    region: str
    country: str


@dataclass(frozen=True, slots=True)
class SigningUp:
    """A confirmed wish. `declined` are the topics that were offered and not chosen."""

    channel: Channel
    value: str
    place: Place
    language: str | None
    declined: frozenset[str]
    wording: str


def may_be_asked(session: Session, secret: bytes, channel: Channel, value: str) -> bool:
    """Whether a confirmation may be sent to an address: not after a complaint or an officer's suppression."""
    key = address_key(secret, channel, value)
    reason = session.scalar(select(Suppression.reason).where(Suppression.address_key == key))
    return reason is None or reason in _TAKEN_BACK


def sign_up(session: Session, wish: SigningUp, *, secret: bytes, now: datetime) -> int:
    """Put a confirmed address on the list of its place; return the address's id. Doing it twice adds nothing."""
    address_id = _address(session, wish, secret, now)
    list_id = _own_list(session, wish.place, now)
    _subscribe(session, wish, address_id, list_id, now)
    session.execute(delete(ListChoice).where(ListChoice.address_id == address_id, ListChoice.list_id == list_id))
    session.execute(delete(TopicChoice).where(TopicChoice.address_id == address_id))
    _decline(session, address_id, wish.declined, now)
    _log(session, wish, address_id, list_id, now)
    return address_id


def _address(session: Session, wish: SigningUp, secret: bytes, now: datetime) -> int:
    key = address_key(secret, wish.channel, wish.value)
    row = {"channel": wish.channel.value, "value": wish.value, "key": key, "created_at": now}
    session.execute(insert_or_skip(session, Address).values(row))
    session.execute(update(Address).where(Address.key == key).values(language=wish.language, paused_until=None))
    session.execute(delete(Suppression).where(Suppression.address_key == key, Suppression.reason.in_(_TAKEN_BACK)))
    return session.scalars(select(Address.id).where(Address.key == key)).one()


def _own_list(session: Session, place: Place, now: datetime) -> int:
    code = f"self-{place.code.lower()}"[:80].rstrip("-")
    found = session.scalar(select(ContactList.id).where(ContactList.code == code))
    if found is not None:
        return found
    new = NewList(
        code=code,
        name=place.name,
        region=place.region,
        country=place.country,
        readers=Readers.PARENTS,
        lawful_basis=LawfulBasis.CONSENT,
        attested_by="each person, by double opt-in",
        source="sign-up page",
    )
    return create_list(session, new, actor="sign-up page", now=now).id


def _subscribe(session: Session, wish: SigningUp, address_id: int, list_id: int, now: datetime) -> None:
    column = "email_address_id" if wish.channel is Channel.EMAIL else "sms_address_id"
    row_key = f"{wish.channel}:{address_id}"
    row = {
        "list_id": list_id,
        "row_key": row_key,
        "role": Role.PARENT.value,
        "language": wish.language,
        column: address_id,
        "status": SubscriptionStatus.ACTIVE.value,
        "created_at": now,
        "updated_at": now,
    }
    session.execute(insert_or_skip(session, Subscription).values(row))
    session.execute(
        update(Subscription)
        .where(Subscription.list_id == list_id, Subscription.row_key == row_key)
        .values(status=SubscriptionStatus.ACTIVE, language=wish.language, updated_at=now)
    )


def _decline(session: Session, address_id: int, topics: Collection[str], now: datetime) -> None:
    for topic in sorted(topics):
        row = {"address_id": address_id, "topic": topic, "wanted": False, "changed_at": now}
        session.execute(insert(TopicChoice).values(row))


def _log(session: Session, wish: SigningUp, address_id: int, list_id: int, now: datetime) -> None:
    session.execute(
        insert(SubscriptionChange).values(
            at=now,
            address_id=address_id,
            list_id=list_id,
            channel=wish.channel.value,
            old="asked",
            new="confirmed",
            actor=_ACTOR,
            why=f"sign-up page, wording {wish.wording}",
        )
    )
