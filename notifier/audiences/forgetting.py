"""Show everything a contact list holds about an address, and erase it at its owner's request.

What stays after an erasure is a keyed hash among the suppressions, so that the next upload of a school cannot bring the
address back. Copies in other rooms (deliveries, events, letters) are theirs to erase.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, delete, or_, select, update
from sqlalchemy.orm import Session

from notifier.audiences import book
from notifier.audiences.addresses import normalise
from notifier.audiences.models import (
    Address,
    ContactList,
    Import,
    ImportRow,
    ListChoice,
    Subscription,
    SubscriptionChange,
    Suppression,
    TopicChoice,
)
from notifier.audiences.suppressions import suppress_key
from notifier.kit.errors import Invalid
from notifier.kit.tokens import address_key
from notifier.vocabulary import Channel, SuppressionReason


class Erased(NamedTuple):
    """One erased address: its id, unless no list ever had it, its value and its keyed hash."""

    id: int | None
    value: str
    key: bytes


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What an erasure did. `addresses` is what was erased, for the other rooms.

    `rows` of contact lists were deleted whole. From `shared_rows` only this address was taken: they are of different
    people, who did not all ask. `staying` are other addresses of the deleted rows that are somebody else's too, and
    `names` the given names of those rows: copies of the names are not theirs to keep.
    """

    addresses: tuple[Erased, ...]
    rows: int = 0
    shared_rows: int = 0
    staying: tuple[int, ...] = ()
    names: tuple[str, ...] = ()


def read_address(text: str, country: str) -> tuple[Channel, str]:
    """Return the channel and the normalised form of an address somebody typed. Raises Invalid."""
    channel = Channel.EMAIL if "@" in text else Channel.SMS
    value, why = normalise(channel, text, country=country)
    if value is None:
        raise Invalid(
            f"{text!r} is no email address and no mobile number ({why}); write a number with + and its country"
        )
    return channel, value


def find_address(session: Session, secret: bytes, channel: Channel, value: str) -> int | None:
    """Return the id of a normalised address, None if no list ever had it or it was erased."""
    return book.id_of(session, secret, channel, value)


def held_by_key(session: Session, secret: bytes, channel: Channel, value: str) -> dict[str, Any]:
    """Return what this room holds about an address no list has: at most that it may not be written to."""
    key = address_key(secret, channel, value)
    suppressed = session.scalars(select(Suppression).where(Suppression.address_key == key)).one_or_none()
    return {"suppression": None if suppressed is None else _plain(suppressed, "reason", "source", "created_at")}


def held(session: Session, address_id: int) -> dict[str, Any]:
    """Return everything this room holds about an address, for its owner."""
    address = session.get_one(Address, address_id)
    rows = session.execute(
        select(Subscription, ContactList)
        .join(ContactList, ContactList.id == Subscription.list_id)
        .where(_has(address_id))
        .order_by(Subscription.id)
    )
    suppressed = session.scalars(select(Suppression).where(Suppression.address_key == address.key)).one_or_none()
    log = session.scalars(
        select(SubscriptionChange).where(SubscriptionChange.address_id == address_id).order_by(SubscriptionChange.id)
    )
    return {
        "address": _plain(
            address, "channel", "value", "language", "paused_until", "quiet_from", "quiet_until", "created_at"
        ),
        "subscriptions": [
            _plain(row, "reference", "given_name", "family_name", "role", "year_levels", "language", "status")
            | _plain(row, "created_at", "updated_at")
            | {"list": found.name, "lawful_basis": found.lawful_basis, "source": found.source}
            for row, found in rows
        ],
        "topics": _choices(
            session, select(TopicChoice.topic, TopicChoice.wanted, TopicChoice.changed_at), TopicChoice, address_id
        ),
        "lists": _choices(
            session,
            select(ContactList.name, ListChoice.wanted, ListChoice.changed_at).join(
                ContactList, ContactList.id == ListChoice.list_id
            ),
            ListChoice,
            address_id,
        ),
        "suppression": None if suppressed is None else _plain(suppressed, "reason", "source", "created_at"),
        "log": [_plain(entry, "at", "channel", "topic", "old", "new", "why") for entry in log],
    }


def _choices(
    session: Session, query: Select[str, bool, datetime], table: type[TopicChoice | ListChoice], address_id: int
) -> list[dict[str, Any]]:
    rows = session.execute(query.where(table.address_id == address_id).order_by(table.changed_at))
    return [{"what": what, "wanted": wanted, "changed_at": at} for what, wanted, at in rows]


def _plain(row: object, *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def forget(session: Session, secret: bytes, channel: Channel, value: str, *, actor: str, now: datetime) -> Forgotten:
    """Erase an address and what contact lists hold about its owner; keep its keyed hash as a suppression.

    The owner's rows go whole, and with them an address that stands nowhere else. If the address is on rows with
    different other addresses (a shared phone), only the address itself is taken from them. An address nobody holds is
    suppressed all the same.
    """
    key = address_key(secret, channel, value)
    address_id = session.scalar(select(Address.id).where(Address.key == key))
    if address_id is None:
        suppress_key(
            session, channel, key, SuppressionReason.ERASED, address_id=None, source="erasure", actor=actor, now=now
        )
        forget_uploads(session, [key])
        return Forgotten((Erased(None, value, key),))
    partners = _partners(session, address_id)
    if len(partners) > 1:
        shared = _take_off(session, address_id)
        return Forgotten((_erase(session, address_id, actor=actor, now=now),), shared_rows=shared)
    rows, names = _delete_rows(session, address_id)
    orphans = [other for other in partners if rows and not _is_used(session, other)]
    erased = tuple(_erase(session, found, actor=actor, now=now) for found in (address_id, *orphans))
    return Forgotten(erased, rows, staying=tuple(partners - set(orphans)), names=names)


def _delete_rows(session: Session, address_id: int) -> tuple[int, tuple[str, ...]]:
    """Delete the rows of an address, and what uploads say of the same people; return how many, and their names."""
    rows = session.execute(
        delete(Subscription)
        .where(_has(address_id))
        .returning(Subscription.list_id, Subscription.row_key, Subscription.given_name)
    ).all()
    for list_id, row_key, _ in rows:
        uploads = select(Import.id).where(Import.list_id == list_id)
        session.execute(delete(ImportRow).where(ImportRow.import_id.in_(uploads), ImportRow.row_key == row_key))
    _have_changed(session, {row.list_id for row in rows})
    return len(rows), tuple({row.given_name for row in rows if row.given_name})


def _have_changed(session: Session, list_ids: Collection[int]) -> None:
    """Say that lists are no longer what an upload was compared with; it has to be shown again before it is applied."""
    session.execute(
        update(ContactList).where(ContactList.id.in_(list_ids)).values(version=ContactList.version + 1),
        execution_options={"synchronize_session": False},
    )


def _has(address_id: int) -> ColumnElement[bool]:
    return or_(Subscription.email_address_id == address_id, Subscription.sms_address_id == address_id)


def _partners(session: Session, address_id: int) -> set[int]:
    """Return the other addresses on the rows of an address."""
    rows = session.execute(select(Subscription.email_address_id, Subscription.sms_address_id).where(_has(address_id)))
    return {found for row in rows for found in row if found is not None and found != address_id}


def _is_used(session: Session, address_id: int) -> bool:
    return session.scalar(select(Subscription.id).where(_has(address_id)).limit(1)) is not None


def _take_off(session: Session, address_id: int) -> int:
    email, mobile = Subscription.email_address_id, Subscription.sms_address_id
    alone = or_(email == address_id, email.is_(None)) & or_(mobile == address_id, mobile.is_(None))
    lists = session.scalars(delete(Subscription).where(_has(address_id), alone).returning(Subscription.list_id)).all()
    count = len(lists)
    changed_lists = set(lists)
    for column in (email, mobile):
        changed = update(Subscription).where(column == address_id).values({column: None})
        of_lists = session.scalars(changed.returning(Subscription.list_id)).all()
        count += len(of_lists)
        changed_lists |= set(of_lists)
    _have_changed(session, changed_lists)
    return count


def _erase(session: Session, address_id: int, *, actor: str, now: datetime) -> Erased:
    address = session.get_one(Address, address_id)
    channel, value, key = Channel(address.channel), address.value, address.key
    suppress_key(
        session, channel, key, SuppressionReason.ERASED, address_id=address_id, source="erasure", actor=actor, now=now
    )
    session.execute(delete(TopicChoice).where(TopicChoice.address_id == address_id))
    session.execute(delete(ListChoice).where(ListChoice.address_id == address_id))
    session.execute(delete(Address).where(Address.id == address_id))
    # An officer's own words may name a person; that an act was done, and when, stays.
    session.execute(
        update(SubscriptionChange)
        .where(SubscriptionChange.address_id == address_id, SubscriptionChange.actor.contains("@"))
        .values(why=None)
    )
    forget_uploads(session, [key])
    return Erased(address_id, value, key)


def forget_uploads(session: Session, keys: Sequence[bytes] | Select[bytes]) -> None:
    """Delete the rows of uploads that hold one of these addresses; a difference that waits has to be shown again."""
    mentioned = or_(ImportRow.email_key.in_(keys), ImportRow.mobile_key.in_(keys))
    uploads = session.scalars(delete(ImportRow).where(mentioned).returning(ImportRow.import_id)).all()
    _have_changed(session, session.scalars(select(Import.list_id).where(Import.id.in_(uploads)).distinct()).all())
