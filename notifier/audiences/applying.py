"""Carry out a difference that was shown: addresses, people, and a row in the consent log for each that came or went.

Set-based statements inside the caller's one transaction. Only `importer` calls this.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, insert, literal, or_, select, true, update
from sqlalchemy.orm import Session, aliased

from notifier.audiences.difference import Difference, Terms, has_people
from notifier.audiences.models import (
    Address,
    Import,
    ImportRow,
    Subscription,
    SubscriptionChange,
    SubscriptionStatus,
)
from notifier.audiences.permission import Term
from notifier.audiences.settling import drop_erased, taken
from notifier.kit.db import UtcDateTime, all_or_nothing, insert_or_skip, refresh_statistics
from notifier.vocabulary import Channel

_SLICE = 20_000
_SUBSCRIBED, _REMOVED = "subscribed", "removed"
_ADDRESSES = (
    (Channel.EMAIL, ImportRow.email, ImportRow.email_key, Subscription.email_address_id),
    (Channel.SMS, ImportRow.mobile, ImportRow.mobile_key, Subscription.sms_address_id),
)
_LOG = ("at", "address_id", "list_id", "channel", "old", "new", "actor", "why")


def apply(session: Session, asked: Import, shown: Difference, default_role: str, *, actor: str, now: datetime) -> None:
    """Make the list what the difference said. What it said nothing of is not looked for again."""
    drop_erased(session, asked.id)
    terms = Terms(asked, default_role)
    log = _Log(session, asked, actor, now)
    if shown.added or shown.changed:
        _put_on(session, terms, log, now)
    if shown.removed:
        _take_off(session, terms, log, now)


def _put_on(session: Session, terms: Terms, log: "_Log", now: datetime) -> None:
    """Write the people who are new or changed, and their addresses."""
    ids = _new_ids(session, terms.import_id)
    _add_addresses(session, terms.import_id, ids, now)
    refresh_statistics(session, Address)
    last = session.scalar(select(func.max(Subscription.id))) or 0
    if not has_people(session, terms.list_id):
        _add(session, terms.everybody, true(), terms, ids, now)
    else:
        slices = _slices(session, terms.import_id)
        for part in slices:
            _change(session, terms, part, log, now)
        for part in slices:
            _add(session, terms.newcomers, part, terms, ids, now)
    log.added(after=last)


def _take_off(session: Session, terms: Terms, log: "_Log", now: datetime) -> None:
    session.execute(
        all_or_nothing(update(Subscription))
        .where(terms.absent)
        .values(status=SubscriptionStatus.REMOVED.value, import_id=terms.import_id, updated_at=now)
        .execution_options(synchronize_session=False)
    )
    log.removed()


def _slices(session: Session, import_id: int) -> list[ColumnElement[bool]]:
    """Cut an import into ranges of rows where that needs less memory.

    SQLite first copies all that a statement reads from the table it writes to. PostgreSQL does not, and compares sets
    by going through all addresses once, which should be once an import.
    """
    if session.get_bind().dialect.name != "sqlite":
        return [true()]
    last = session.scalar(select(func.max(ImportRow.row)).where(ImportRow.import_id == import_id)) or 0
    return [and_(ImportRow.row > after, ImportRow.row <= after + _SLICE) for after in range(0, last, _SLICE)]


def _new_ids(session: Session, import_id: int) -> Mapping[Channel, Term]:
    """Return the id that a row of the import gives to a new address on each channel, where we may choose it.

    On SQLite nobody else writes meanwhile, so ids can be told from the row: finding an address again by its id costs a
    tenth of finding it by its key, which lies anywhere. Elsewhere others add addresses too, and nothing is returned.
    """
    if session.get_bind().dialect.name != "sqlite":
        return {}
    free = session.scalar(select(func.max(Address.id))) or 0
    rows = session.scalar(select(func.max(ImportRow.row)).where(ImportRow.import_id == import_id)) or 0
    return {channel: ImportRow.row + literal(free + place * rows) for place, channel in enumerate(Channel)}


def _add_addresses(session: Session, import_id: int, ids: Mapping[Channel, Term], now: datetime) -> None:
    """Add what is not there yet; which that is the unique index says, at no more than the price of asking first."""
    for channel, value, key, _ in _ADDRESSES:
        columns: dict[str, Term] = {
            "channel": literal(channel.value),
            "value": value,
            "key": key,
            "created_at": literal(now, UtcDateTime()),
        }
        if channel in ids:
            columns["id"] = ids[channel]
        rows = select(*columns.values()).where(*taken(import_id), key.is_not(None)).order_by(ImportRow.row)
        session.execute(all_or_nothing(insert_or_skip(session, Address)).from_select(list(columns), rows))


def _add(
    session: Session,
    people: Callable[..., Select[Any]],
    part: ColumnElement[bool],
    terms: Terms,
    ids: Mapping[Channel, Term],
    now: datetime,
) -> None:
    """Add the people nobody has seen on this list before."""
    email, mobile = (_Found(channel, key, ids) for channel, _, key, _ in _ADDRESSES)
    columns: dict[str, Term] = {
        "list_id": literal(terms.list_id),
        "row_key": ImportRow.row_key,
        **terms.first_values,
        "email_address_id": email.id,
        "sms_address_id": mobile.id,
        "status": literal(SubscriptionStatus.ACTIVE.value),
        "import_id": literal(terms.import_id),
        "created_at": literal(now, UtcDateTime()),
        "updated_at": literal(now, UtcDateTime()),
    }
    new = (
        people(*columns.values())
        .outerjoin(email.address, email.is_it)
        .outerjoin(mobile.address, mobile.is_it)
        .where(part)
        .order_by(ImportRow.row)
    )
    session.execute(all_or_nothing(insert(Subscription)).from_select(list(columns), new))


class _Found:
    """The address of a row on one channel: the one this very row has added, or the one with its key."""

    def __init__(self, channel: Channel, key: Term, ids: Mapping[Channel, Term]) -> None:
        self.address = aliased(Address)
        self.is_it: ColumnElement[bool] = self.address.key == key
        self.id: Term = self.address.id
        if channel in ids:
            self.is_it = self.address.id == ids[channel]
            self.id = func.coalesce(self.address.id, _id_of(key))


def _change(session: Session, terms: Terms, part: ColumnElement[bool], log: "_Log", now: datetime) -> None:
    """Write the changed fields of people the list has, and bring back those it had before."""
    log.changed(terms, part)
    rows = (
        _to_change(
            terms,
            Subscription.id.label("id"),
            *(value.label(name) for name, value in terms.values.items()),
            terms.email_key.label("email_key"),
            terms.mobile_key.label("mobile_key"),
        )
        .where(part)
        .subquery()
    )
    session.execute(
        all_or_nothing(update(Subscription))
        .where(Subscription.id == rows.c.id)
        .values(
            {name: rows.c[name] for name in terms.values}
            | {
                "email_address_id": _id_of(rows.c.email_key),
                "sms_address_id": _id_of(rows.c.mobile_key),
                "status": SubscriptionStatus.ACTIVE.value,
                "import_id": terms.import_id,
                "updated_at": now,
            }
        )
        .execution_options(synchronize_session=False)
    )


def _to_change(terms: Terms, *columns: Term) -> Select[Any]:
    back = and_(Subscription.id.is_not(None), terms.is_new)
    return terms.matched(*columns).where(or_(back, terms.is_changed))


def _id_of(key: Term) -> ColumnElement[int]:
    return select(Address.id).where(Address.key == key).scalar_subquery()


class _Log:
    """The consent log's rows for one import: one for each address that came onto the list or went off it."""

    def __init__(self, session: Session, asked: Import, actor: str, now: datetime) -> None:
        self._session, self._asked = session, asked
        self._actor, self._now = actor, now

    def added(self, *, after: int) -> None:
        """Log the people whom this import has just put on the list for the first time, all with ids past `after`.

        "+ 0" has the databases go through the new rows as they lie; the index of the list is in another order.
        """
        for channel, _, _, address_id in _ADDRESSES:
            rows = select(*self._row(address_id, channel, None, _SUBSCRIBED)).where(
                Subscription.id > after,
                Subscription.list_id + 0 == self._asked.list_id,
                Subscription.import_id == self._asked.id,
                address_id.is_not(None),
            )
            self._write(rows)

    def removed(self) -> None:
        """Log the people whom this import has just taken off the list: asking again who is absent costs far more."""
        for channel, _, _, address_id in _ADDRESSES:
            rows = select(*self._row(address_id, channel, _SUBSCRIBED, _REMOVED)).where(
                Subscription.list_id == self._asked.list_id,
                Subscription.import_id == self._asked.id,
                Subscription.status == SubscriptionStatus.REMOVED.value,
                address_id.is_not(None),
            )
            self._write(rows)

    def changed(self, terms: Terms, part: ColumnElement[bool]) -> None:
        """Log the addresses that a change is about to take off the list, and those it puts on."""
        for (channel, _, _, before), key in zip(_ADDRESSES, (terms.email_key, terms.mobile_key), strict=True):
            differs = terms.differences["email" if channel is Channel.EMAIL else "mobile"]
            went = _to_change(terms, *self._row(before, channel, _SUBSCRIBED, _REMOVED))
            self._write(went.where(part, ~terms.is_new, differs, before.is_not(None)))
            came = aliased(Address)
            arrived = _to_change(terms, *self._row(came.id, channel, None, _SUBSCRIBED)).join(came, came.key == key)
            self._write(arrived.where(part, or_(terms.is_new, differs)))

    def _row(self, address_id: Term, channel: Channel, old: str | None, new: str) -> list[Term]:
        return [
            literal(self._now, UtcDateTime()),
            address_id,
            literal(self._asked.list_id),
            literal(channel.value),
            literal(old) if old else func.nullif("", ""),
            literal(new),
            literal(self._actor),
            literal(f"import {self._asked.id}"),
        ]

    def _write(self, rows: Select[Any]) -> None:
        self._session.execute(all_or_nothing(insert(SubscriptionChange)).from_select(list(_LOG), rows))
