"""Suppressions: addresses that may not be written to, known by their keyed hash alone.

A suppression beats every subscription, and outlives the address it is about. Every change is a row in the consent log.
Nothing here asks who may lift one: the surfaces do.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import bindparam, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from notifier.audiences.models import Address, SubscriptionChange, Suppression
from notifier.kit.bulk import insert_new_rows, insert_plain_rows, moment_writer
from notifier.kit.db import perform
from notifier.kit.errors import Conflict, NotFound
from notifier.kit.tokens import address_key
from notifier.vocabulary import Channel, SuppressionReason

_SLICE = 1_000
_SUPPRESSION = ("address_key", "channel", "reason", "source", "note", "created_at")
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
    new = [(row.key, row.channel, reason.value, source, None, moment) for row in changing if row.reason is None]
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


class Wanted(NamedTuple):
    """An address that is to be suppressed, by its keyed hash, with what is to be known about it."""

    key: bytes
    channel: Channel
    reason: SuppressionReason
    source: str
    note: str | None
    since: datetime


class Done(NamedTuple):
    """How many were allowed before (`new`), had a weaker reason (`stronger`), or stay as they are (`known`)."""

    new: int
    stronger: int
    known: int


def suppress_keys(session: Session, wanted: Sequence[Wanted], *, actor: str, why: str, now: datetime) -> Done:
    """Suppress a thousand or so by keyed hash in a few statements. A weaker reason leaves a stronger one standing."""
    some = list(_strongest(wanted).values())
    moment = moment_writer(session.get_bind().dialect.name)
    rows = [(one.key, one.channel.value, one.reason.value, one.source, one.note, moment(one.since)) for one in some]
    fresh = set(insert_new_rows(session, Suppression, _SUPPRESSION, rows, key=("address_key",)))
    made = [some[place] for place in sorted(fresh)]
    raised = _strengthen(session, [one for place, one in enumerate(some) if place not in fresh])
    changes = [*((one, None) for one in made), *raised]
    _log_many(session, changes, actor=actor, why=why, now=now)
    return Done(len(made), len(raised), len(wanted) - len(changes))


def _strongest(wanted: Sequence[Wanted]) -> dict[bytes, Wanted]:
    found: dict[bytes, Wanted] = {}
    for one in wanted:
        other = found.setdefault(one.key, one)
        if _STRENGTH[one.reason] > _STRENGTH[other.reason]:
            found[one.key] = one
    return found


def _strengthen(session: Session, wanted: Sequence[Wanted]) -> list[tuple[Wanted, str]]:
    """Give suppressions that stand already their stronger reason; return those, each with the one it had."""
    if not wanted:
        return []
    standing = select(Suppression.address_key, Suppression.reason).where(
        Suppression.address_key.in_([one.key for one in wanted])
    )
    before = dict(session.execute(standing.with_for_update()).all())
    raised = [
        (one, before[one.key])
        for one in wanted
        if one.key in before and _STRENGTH[one.reason] > _STRENGTH[SuppressionReason(before[one.key])]
    ]
    if raised:
        session.connection().execute(
            _RAISE,
            [
                {"which": one.key, "reason": one.reason.value, "source": one.source, "note": one.note}
                | {"created_at": one.since}
                for one, _ in raised
            ],
        )
    return raised


_RAISE = update(Suppression).where(Suppression.address_key == bindparam("which"))


def _log_many(
    session: Session, changes: Sequence[tuple[Wanted, str | None]], *, actor: str, why: str, now: datetime
) -> None:
    """Log changes, each with the reason that stood before."""
    if not changes:
        return
    keys = [one.key for one, _ in changes]
    known = dict(session.execute(select(Address.key, Address.id).where(Address.key.in_(keys))).all())
    at = moment_writer(session.get_bind().dialect.name)(now)
    rows = [
        (
            known.get(one.key),
            one.channel.value,
            f"suppressed:{before}" if before else "allowed",
            f"suppressed:{one.reason}",
            actor,
            why[:200],
            at,
        )
        for one, before in changes
    ]
    insert_plain_rows(session, SubscriptionChange, _CHANGE, rows)


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
