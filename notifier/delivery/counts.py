"""Counts of deliveries that are always exact and cost next to nothing to read (docs/decisions/0041).

A batch that is done, and what a planned wave held back outside of batches, rarely change: their counts are kept, per
unit, by `refresh`, which marks batch or wave as counted. Whoever does change one says `changed` in the same
transaction, which takes the mark away, and until the next refresh that unit is counted where it stands. A batch nobody
has claimed yet is all queued. So a question reads a few rows for each batch, and deliveries only of the few units in
motion; the hot path of sending writes nothing for it.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Select,
    Update,
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from notifier.delivery import school_counts
from notifier.delivery.batches import BatchStatus
from notifier.delivery.models import Batch, Delivery, DeliveryCount, Variant, Wave
from notifier.delivery.school_counts import SchoolCell
from notifier.delivery.status import DeliveryStatus
from notifier.delivery.waves import WaveStatus
from notifier.kit.bulk import insert_plain_rows
from notifier.kit.db import perform
from notifier.kit.dialects import hold_alone, hold_shared

_LOCK = "delivery counts"
_UNCOUNT = update(Batch).values(counted=None).where(Batch.counted.is_(True))
_UNCOUNT_ONE = _UNCOUNT.where(Batch.id == bindparam("the_batch"))
_AT_REST = (BatchStatus.DONE, BatchStatus.CANCELLED)


@dataclass(frozen=True, slots=True)
class Cell:
    """How many deliveries of a campaign share everything a report asks for. `variant_id` 0 stands for none."""

    variant_id: int
    channel: str
    region: str
    status: str
    reason: str
    number: int


class _Sum(NamedTuple):
    """So many deliveries of a unit are alike. The first five are what schools are counted by."""

    unit: int
    list_ids: str
    channel: str
    status: str
    number: int
    variant_id: int
    region: str
    reason: str


def changed(session: Session, deliveries: Select[int | None]) -> None:
    """Say that these deliveries were changed, so that the kept counts of their units are not believed any more.

    Needed wherever a delivery of a finished batch changes: events, and what was unknown and is settled.
    """
    hold_shared(session, _LOCK)
    in_order, uncount = _uncount_of(deliveries)
    if session.get_bind().dialect.name != "sqlite":
        # Two schedulers may say so of the same batches; taken in order, neither can hold what the other waits for.
        perform(session, in_order).close()
    perform(session, uncount)


# Whoever names deliveries by a question asks it again and again.
@lru_cache(maxsize=8)
def _uncount_of(deliveries: Select[int | None]) -> tuple[Select[int], Update]:
    of_theirs = Batch.id.in_(select(Delivery.batch_id).where(Delivery.id.in_(deliveries)))
    in_order = select(Batch.id).where(Batch.counted.is_(True), of_theirs).order_by(Batch.id).with_for_update()
    return in_order, _UNCOUNT.where(of_theirs)


def wave_changed(session: Session, wave_ids: Collection[int]) -> None:
    """Say that deliveries these waves had planned outside of batches were changed."""
    hold_shared(session, _LOCK)
    _mark(session, Wave, wave_ids, counted=None)


def batch_changed(session: Session, batch_id: int) -> None:
    """Say that deliveries of this batch were changed."""
    hold_shared(session, _LOCK)
    perform(session, _UNCOUNT_ONE, the_batch=batch_id)


def refresh(session: Session, *, limit: int = 200) -> int:
    """Count up to `limit` units at rest that are not counted, and schools ahead; return how many that were.

    A unit with a delivery still on its way is not at rest, whatever its batch says: it is left for later.
    """
    hold_alone(session, _LOCK)
    batches = session.scalars(
        select(Batch.id)
        .where(Batch.status.in_(_AT_REST), Batch.counted.is_(None), ~_has_sending(Batch.id))
        .order_by(Batch.id)
        .limit(limit)
    ).all()
    waves = session.scalars(
        select(Wave.id).where(Wave.status == WaveStatus.PLANNED, Wave.counted.is_(None)).order_by(Wave.id).limit(limit)
    ).all()
    _keep(
        session,
        [*batches, *[-wave_id for wave_id in waves]],
        [*_of_batches(session, batches), *_of_waves(session, waves)],
    )
    ahead = school_counts.keep_ahead(session, and_(_is_untouched(), _grows_no_more()), limit=limit)
    _mark(session, Batch, batches, counted=True)
    _mark(session, Wave, waves, counted=True)
    return len(batches) + len(waves) + ahead


def school_cells(session: Session, campaign_id: int) -> list[SchoolCell]:
    """Return the exact counts of a campaign by contact list, read as cheaply as `cells`."""
    return school_counts.cells(session, campaign_id, untouched=_is_untouched())


def of_school(campaign_id: int, list_id: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Return two conditions on deliveries that together hold every one of a campaign that a list may stand in.

    The first is about batches: those whose kept counts name the list, and those in motion, so that one school's view
    need not look through everybody's. The second is about what was held back outside of batches.
    """
    waves = select(Wave.id).where(Wave.campaign_id == campaign_id)
    batches = school_counts.batches_of(campaign_id, list_id, untouched=_is_untouched())
    return Delivery.batch_id.in_(batches), school_counts.outside_batches(waves)


def cells(session: Session, campaign_id: int) -> list[Cell]:
    """Return the exact counts of a campaign: the kept ones, the ones in motion, and what nobody has begun."""
    return [
        Cell(row.variant_id, row.channel, row.region, row.status, row.reason, row.number)
        for question in (_kept(campaign_id), _in_motion(campaign_id), _unbatched(campaign_id), _untouched(campaign_id))
        for row in session.execute(question)
    ]


def _mark(session: Session, table: type[Batch | Wave], ids: Collection[int], *, counted: bool | None) -> None:
    if ids:
        session.execute(
            update(table).where(table.id.in_(ids)).values(counted=counted),
            execution_options={"synchronize_session": False},
        )


def _has_sending(batch_id: ColumnElement[int] | InstrumentedAttribute[int]) -> ColumnElement[bool]:
    return exists().where(Delivery.batch_id == batch_id, Delivery.status == DeliveryStatus.SENDING)


def _keep(session: Session, units: Sequence[int], found: Sequence[_Sum]) -> None:
    """Keep what was counted of these units."""
    if not units:
        return
    session.execute(
        delete(DeliveryCount).where(DeliveryCount.unit.in_(units)), execution_options={"synchronize_session": False}
    )
    cells: Counter[tuple[int, int, str, str, str, str]] = Counter()
    for one in found:
        cells[one.unit, one.variant_id, one.channel, one.region, one.status, one.reason] += one.number
    columns = ("unit", "variant_id", "channel", "region", "status", "reason", "number")
    insert_plain_rows(session, DeliveryCount, columns, [(*cell, number) for cell, number in cells.items()])
    school_counts.keep(session, units, (one[:5] for one in found))


def _counted() -> Select[*tuple[Any, ...]]:
    """Count deliveries by everything a report asks for; the caller says which."""
    groups = (
        func.coalesce(Delivery.variant_id, 0).label("variant_id"),
        Delivery.channel,
        Delivery.region,
        Delivery.status,
        func.coalesce(Delivery.reason, "").label("reason"),
    )
    return select(*groups, func.count().label("number")).group_by(*groups)


def _of_batches(session: Session, batch_ids: Sequence[int]) -> list[_Sum]:
    """Count batches. What all of a batch share is asked of the batch, because every column to count by costs time."""
    if not batch_ids:
        return []
    shared = select(Batch.id, Batch.channel, Batch.variant_id, Variant.region).join(
        Variant, Variant.id == Batch.variant_id
    )
    of_batch = {row.id: row for row in session.execute(shared.where(Batch.id.in_(batch_ids)))}
    groups = (Delivery.batch_id, Delivery.list_ids, Delivery.status, func.coalesce(Delivery.reason, ""))
    found = select(*groups, func.count()).where(Delivery.batch_id.in_(batch_ids)).group_by(*groups)
    return [
        _Sum(batch.id, lists, batch.channel, status, number, batch.variant_id, batch.region, reason)
        for unit, lists, status, reason, number in session.execute(found)
        for batch in (of_batch[unit],)
    ]


def _of_waves(session: Session, wave_ids: Sequence[int]) -> list[_Sum]:
    """Count what waves have outside of batches."""
    if not wave_ids:
        return []
    variant_id, reason = func.coalesce(Delivery.variant_id, 0), func.coalesce(Delivery.reason, "")
    unit = -Delivery.wave_id
    groups = (unit, Delivery.list_ids, Delivery.channel, Delivery.status, variant_id, Delivery.region, reason)
    rows = (
        select(*groups[:4], func.count(), *groups[4:]).where(school_counts.outside_batches(wave_ids)).group_by(*groups)
    )
    return [_Sum(*row) for row in session.execute(rows)]


def _kept(campaign_id: int) -> Select[*tuple[Any, ...]]:
    count = DeliveryCount
    groups = (count.variant_id, count.channel, count.region, count.status, count.reason)
    units = school_counts.counted_units(campaign_id)
    return select(*groups, func.sum(count.number).label("number")).where(count.unit.in_(units)).group_by(*groups)


def _in_motion(campaign_id: int) -> Select[*tuple[Any, ...]]:
    moving = select(Batch.id).where(Batch.campaign_id == campaign_id, Batch.counted.is_(None), ~_is_untouched())
    return _counted().where(Delivery.batch_id.in_(moving))


def _unbatched(campaign_id: int) -> Select[*tuple[Any, ...]]:
    waves = select(Wave.id).where(Wave.campaign_id == campaign_id, Wave.counted.is_(None))
    return _counted().where(school_counts.outside_batches(waves))


def _untouched(campaign_id: int) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Batch.variant_id,
            Batch.channel,
            Variant.region,
            literal(DeliveryStatus.QUEUED.value).label("status"),
            literal("").label("reason"),
            func.sum(Batch.size).label("number"),
        )
        .join(Variant, Variant.id == Batch.variant_id)
        .where(Batch.campaign_id == campaign_id, _is_untouched())
        .group_by(Batch.variant_id, Batch.channel, Variant.region)
    )


def _grows_no_more() -> ColumnElement[bool]:
    # While a wave is planned its next slice fills up the batches of the last.
    return exists().where(Wave.id == Batch.wave_id, Wave.status == WaveStatus.PLANNED)


def _is_untouched() -> ColumnElement[bool]:
    # A batch of a second try may be smaller than its size says: an event can have overtaken the refusal.
    return and_(Batch.claims == 0, Batch.tries == 0, Batch.status.in_([BatchStatus.READY, BatchStatus.PAUSED]))
