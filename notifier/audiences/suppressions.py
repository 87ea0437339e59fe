"""Suppressions: addresses that may not be written to, known by their keyed hash alone.

A suppression beats every subscription, and outlives the address it is about. Every change is a row in the consent log.
Nothing here asks who may lift one: the surfaces do.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from notifier.audiences.addresses import normalise
from notifier.audiences.columns import Column
from notifier.audiences.models import Address, SubscriptionChange, Suppression
from notifier.audiences.reading import Sheet
from notifier.kit.bulk import insert_new_rows, insert_plain_rows, moment_writer
from notifier.kit.db import perform
from notifier.kit.errors import Conflict, NotFound
from notifier.kit.tokens import address_key
from notifier.vocabulary import Channel, SuppressionReason

_SLICE = 1_000
_SUPPRESSION = ("address_key", "channel", "reason", "source", "created_at")
_CHANGE = ("address_id", "channel", "old", "new", "actor", "why", "at")

# Somebody waits for these, so they are put together once.
_SUPPRESS = {
    "postgresql": postgresql.insert(Suppression).on_conflict_do_nothing().returning(Suppression.id),
    "sqlite": sqlite.insert(Suppression).on_conflict_do_nothing().returning(Suppression.id),
}
_LOG = insert(SubscriptionChange)

# A later, weaker reason never hides an earlier, stronger one: a person's own word and an erasure outrank a bounce.
_STRENGTH = {
    SuppressionReason.HARD_BOUNCE: 1,
    SuppressionReason.MANUAL: 2,
    SuppressionReason.COMPLAINT: 3,
    SuppressionReason.OPT_OUT: 4,
    SuppressionReason.ERASED: 5,
}


def suppress_address(
    session: Session, address_id: int, reason: SuppressionReason, *, source: str, actor: str, now: datetime
) -> bool:
    """Suppress an address by its id; return whether that changed anything. Raises NotFound."""
    found = session.execute(select(Address.channel, Address.key).where(Address.id == address_id)).one_or_none()
    if found is None:
        raise NotFound(f"There is no address {address_id}; it may have been erased")
    return suppress_key(
        session, Channel(found.channel), found.key, reason, address_id=address_id, source=source, actor=actor, now=now
    )


def suppress_many(
    session: Session, address_ids: Sequence[int], reason: SuppressionReason, *, source: str, actor: str, now: datetime
) -> int:
    """Suppress many addresses by id in a few statements, leaving out the erased; return how many that changed."""
    found = session.execute(
        select(Address.id, Address.channel, Address.key, Suppression.reason)
        .outerjoin(Suppression, Suppression.address_key == Address.key)
        .where(Address.id.in_(address_ids))
        .order_by(Address.id)
    ).all()
    changing = [
        row for row in found if row.reason is None or _STRENGTH[reason] > _STRENGTH[SuppressionReason(row.reason)]
    ]
    moment = moment_writer(session.get_bind().dialect.name)(now)
    new = [(row.key, row.channel, reason.value, source, moment) for row in changing if row.reason is None]
    insert_new_rows(session, Suppression, _SUPPRESSION, new, key=("address_key",))
    stronger = [row.key for row in changing if row.reason is not None]
    if stronger:
        session.execute(
            update(Suppression)
            .where(Suppression.address_key.in_(stronger))
            .values(reason=reason.value, source=source, note=None, created_at=now)
        )
    line = (f"suppressed:{reason}", actor, source[:200], moment)
    changes = [
        (row.id, row.channel, f"suppressed:{row.reason}" if row.reason else "allowed", *line) for row in changing
    ]
    insert_plain_rows(session, SubscriptionChange, _CHANGE, changes)
    return len(changing)


def suppress(
    session: Session,
    secret: bytes,
    channel: Channel,
    value: str,
    reason: SuppressionReason,
    *,
    source: str,
    actor: str,
    now: datetime,
    note: str | None = None,
) -> bool:
    """Suppress a normalised address, whether or not any list knows it; return whether that changed anything."""
    key = address_key(secret, channel, value)
    address_id = session.scalar(select(Address.id).where(Address.key == key))
    return suppress_key(
        session, channel, key, reason, address_id=address_id, source=source, actor=actor, now=now, note=note
    )


def suppress_key(
    session: Session,
    channel: Channel,
    key: bytes,
    reason: SuppressionReason,
    *,
    address_id: int | None,
    source: str,
    actor: str,
    now: datetime,
    note: str | None = None,
) -> bool:
    """Suppress by keyed hash. A weaker reason leaves a stronger one standing."""
    row = {
        "address_key": key,
        "channel": channel.value,
        "reason": reason.value,
        "source": source,
        "note": note,
        "created_at": now,
    }
    if perform(session, _SUPPRESS[session.get_bind().dialect.name], **row).first() is not None:
        _log(session, address_id, channel, None, reason, actor=actor, now=now, why=source)
        return True
    found = session.scalars(select(Suppression).where(Suppression.address_key == key).with_for_update()).one()
    old = SuppressionReason(found.reason)
    if _STRENGTH[reason] <= _STRENGTH[old]:
        return False
    found.reason, found.source, found.note, found.created_at = reason.value, source, note, now
    session.flush()
    _log(session, address_id, channel, old, reason, actor=actor, now=now, why=source)
    return True


def lift(session: Session, secret: bytes, channel: Channel, value: str, *, actor: str, now: datetime, why: str) -> None:
    """Allow a normalised address again. Raises NotFound if it is not suppressed, Conflict if its owner was erased."""
    key = address_key(secret, channel, value)
    found = session.scalar(select(Suppression).where(Suppression.address_key == key))
    if found is None:
        raise NotFound(f"{value} is not suppressed on {channel}")
    if found.reason == SuppressionReason.ERASED:
        raise Conflict(
            f"{value} was erased at its owner's request and cannot be allowed again; only its owner can sign up anew"
        )
    address_id = session.scalar(select(Address.id).where(Address.key == key))
    session.execute(delete(Suppression).where(Suppression.id == found.id))
    _log(session, address_id, channel, SuppressionReason(found.reason), None, actor=actor, now=now, why=why)


def lift_address(session: Session, address_id: int, *, source: str, actor: str, now: datetime) -> bool:
    """Undo an owner's own opt-out (START, the preference page) and nothing else; return whether there was one."""
    found = session.execute(select(Address.channel, Address.key).where(Address.id == address_id)).one_or_none()
    if found is None:
        return False
    lifted = session.execute(
        delete(Suppression)
        .where(Suppression.address_key == found.key, Suppression.reason == SuppressionReason.OPT_OUT)
        .returning(Suppression.id)
    ).first()
    if lifted is not None:
        _log(
            session,
            address_id,
            Channel(found.channel),
            SuppressionReason.OPT_OUT,
            None,
            actor=actor,
            now=now,
            why=source,
        )
    return lifted is not None


def is_suppressed(session: Session, secret: bytes, channel: Channel, value: str) -> SuppressionReason | None:
    """Return why a normalised address may not be written to, or None if nothing stands against it."""
    key = address_key(secret, channel, value)
    reason = session.scalar(select(Suppression.reason).where(Suppression.address_key == key))
    return None if reason is None else SuppressionReason(reason)


class Listed(NamedTuple):
    """One suppression as it is shown. `address` is empty once its owner was erased, or if no list ever had it."""

    channel: str
    reason: str
    since: datetime
    source: str
    note: str | None
    address: str | None
    key: str


def counts(session: Session) -> dict[str, int]:
    """Return how many addresses are suppressed, by reason."""
    rows = session.execute(select(Suppression.reason, func.count()).group_by(Suppression.reason))
    return dict(sorted(rows.all()))


def listed(session: Session, reason: SuppressionReason | None, *, limit: int | None = None) -> Iterator[Listed]:
    """Give the suppressions, newest first."""
    query = (
        select(Suppression, Address.value)
        .outerjoin(Address, Address.key == Suppression.address_key)
        .order_by(Suppression.id.desc())
        .limit(limit)
    )
    if reason is not None:
        query = query.where(Suppression.reason == reason.value)
    for found, value in session.execute(query.execution_options(yield_per=_SLICE)):
        key = found.address_key.hex()
        yield Listed(found.channel, found.reason, found.created_at, found.source, found.note, value, key)


@dataclass(frozen=True, slots=True)
class TakenOver:
    """What taking over another system's suppressions did, in addresses."""

    new: int
    known: int
    unreadable: int


def take_over(
    session: Session,
    secret: bytes,
    sheet: Sheet,
    reason: SuppressionReason,
    *,
    country: str,
    source: str,
    actor: str,
    now: datetime,
) -> TakenOver:
    """Suppress every address of a file; what is suppressed already stays as it is."""
    new = known = unreadable = 0
    moment = moment_writer(session.get_bind().dialect.name)(now)
    some = _addresses_of(sheet, country)
    while part := list(islice(some, _SLICE)):
        readable = [(channel, value) for channel, value in part if value is not None]
        keys = {address_key(secret, channel, value): channel for channel, value in readable}
        rows = [(key, channel.value, reason.value, source, moment) for key, channel in keys.items()]
        fresh = insert_new_rows(session, Suppression, _SUPPRESSION, rows, key=("address_key",))
        made = [rows[place][0] for place in fresh]
        _log_many(session, made, keys, reason, actor=actor, now=now, why=source)
        new, known, unreadable = (
            new + len(made),
            known + len(readable) - len(made),
            unreadable + len(part) - len(readable),
        )
    return TakenOver(new, known, unreadable)


def _addresses_of(sheet: Sheet, country: str) -> Iterator[tuple[Channel, str | None]]:
    for _, cells in sheet.rows:
        for column, channel in ((Column.EMAIL, Channel.EMAIL), (Column.MOBILE, Channel.SMS)):
            place = sheet.places.get(column, len(cells))
            if place < len(cells) and cells[place].strip():
                yield channel, normalise(channel, cells[place], country=country)[0]


def _log_many(
    session: Session,
    made: Sequence[bytes],
    keys: Mapping[bytes, Channel],
    reason: SuppressionReason,
    *,
    actor: str,
    now: datetime,
    why: str,
) -> None:
    if not made:
        return
    known = dict(session.execute(select(Address.key, Address.id).where(Address.key.in_(made))).all())
    line = ("allowed", f"suppressed:{reason}", actor, why[:200], moment_writer(session.get_bind().dialect.name)(now))
    insert_plain_rows(session, SubscriptionChange, _CHANGE, [(known.get(key), keys[key].value, *line) for key in made])


def _log(
    session: Session,
    address_id: int | None,
    channel: Channel,
    old: SuppressionReason | None,
    new: SuppressionReason | None,
    *,
    actor: str,
    now: datetime,
    why: str,
) -> None:
    perform(
        session,
        _LOG,
        at=now,
        address_id=address_id,
        channel=channel.value,
        old=f"suppressed:{old}" if old else "allowed",
        new=f"suppressed:{new}" if new else "allowed",
        actor=actor,
        why=why[:200],
    )
