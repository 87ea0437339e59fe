"""Counts of deliveries by school, kept beside the ledger by the same units as the other counts (docs/decisions/0049).

A delivery names its lists in one text, so the texts are counted by the database and taken apart here: few in a batch,
since a school's parents are imported together. Written by `counts.refresh` only, and believed as long as the unit is
counted; a batch that nobody has claimed is counted ahead, for all of it is queued.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Select, and_, delete, exists, func, or_, select, union_all
from sqlalchemy.orm import Session

from notifier.delivery.models import Batch, Delivery, SchoolCount, Wave
from notifier.kit.bulk import insert_plain_rows

Key = tuple[int, int, str, str]  # unit, list, channel, status


@dataclass(frozen=True, slots=True)
class SchoolCell:
    """How many deliveries of a campaign reached through one list have a status on a channel."""

    list_id: int
    channel: str
    status: str
    number: int


def keep(session: Session, units: Sequence[int], counted: Iterable[tuple[Any, ...]]) -> None:
    """Keep what was counted of these units anew: rows of unit, lists, channel, status, number."""
    drop(session, units)
    rows = [(*key, number) for key, number in _taken_apart(counted).items()]
    insert_plain_rows(session, SchoolCount, ("unit", "list_id", "channel", "status", "number"), rows)


def outside_batches(waves: Sequence[int] | Select[int]) -> ColumnElement[bool]:
    """Return the condition that a delivery of these waves is in no batch."""
    return Delivery.wave_id.in_(waves) & Delivery.batch_id.is_(None)


def drop(session: Session, units: Sequence[int]) -> None:
    """Forget what was counted of these units."""
    session.execute(
        delete(SchoolCount).where(SchoolCount.unit.in_(units)), execution_options={"synchronize_session": False}
    )


def keep_ahead(session: Session, untouched: ColumnElement[bool], *, limit: int) -> int:
    """Count up to `limit` batches that nobody has claimed, and that will not grow; return how many that were."""
    batches = session.scalars(
        select(Batch.id)
        .where(untouched, Batch.counted.is_(None), ~_has_rows(), exists().where(Delivery.batch_id == Batch.id))
        .order_by(Batch.id)
        .limit(limit)
    ).all()
    if batches:
        unit = Delivery.batch_id.expression
        keep(session, batches, session.execute(_texts(unit).where(Delivery.batch_id.in_(batches))))
    return len(batches)


def cells(session: Session, campaign_id: int, *, untouched: ColumnElement[bool]) -> list[SchoolCell]:
    """Return a campaign's exact counts by list: the kept ones, and from the ledger what is in motion."""
    sums: Counter[tuple[int, str, str]] = Counter()
    of_it = Batch.campaign_id == campaign_id
    ahead = select(Batch.id).where(of_it, untouched)
    counted = counted_units(campaign_id)
    for units in (counted, ahead):
        for list_id, channel, status, number in session.execute(_kept(units)):
            sums[list_id, channel, status] += number
    moving = select(Batch.id).where(of_it, Batch.counted.is_(None), ~(untouched & _has_rows()))
    unit = Delivery.batch_id.expression
    in_motion = session.execute(_texts(unit).where(Delivery.batch_id.in_(moving)))
    waves = select(Wave.id).where(Wave.campaign_id == campaign_id, Wave.counted.is_(None))
    outside = session.execute(_texts(-Delivery.wave_id).where(outside_batches(waves)))
    for rows in (in_motion, outside):
        for (_, list_id, channel, status), number in _taken_apart(rows).items():
            sums[list_id, channel, status] += number
    return [SchoolCell(*key, number) for key, number in sorted(sums.items())]


def counted_units(campaign_id: int) -> CompoundSelect[int]:
    """Return the units of a campaign whose kept counts are good: a batch's id, and minus a wave's id."""
    batches = select(Batch.id).where(Batch.campaign_id == campaign_id, Batch.counted.is_not(None))
    waves = select(-Wave.id).where(Wave.campaign_id == campaign_id, Wave.counted.is_not(None))
    return union_all(batches, waves)


def batches_of(campaign_id: int, list_id: int, *, untouched: ColumnElement[bool]) -> Select[int]:
    """Return the batches of a campaign that hold somebody of a list, or whose kept counts cannot say."""
    named = exists().where(SchoolCount.unit == Batch.id, SchoolCount.list_id == list_id)
    kept = or_(Batch.counted.is_not(None), and_(untouched, _has_rows()))
    return select(Batch.id).where(Batch.campaign_id == campaign_id, or_(named, ~kept))


def _has_rows() -> ColumnElement[bool]:
    return exists().where(SchoolCount.unit == Batch.id)


def _texts(unit: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    groups = (unit.label("unit"), Delivery.list_ids, Delivery.channel, Delivery.status)
    return select(*groups, func.count().label("number")).group_by(*groups)


def _kept(units: Select[int] | CompoundSelect[int]) -> Select[int, str, str, int]:
    groups = (SchoolCount.list_id, SchoolCount.channel, SchoolCount.status)
    return select(*groups, func.sum(SchoolCount.number)).where(SchoolCount.unit.in_(units)).group_by(*groups)


def _taken_apart(rows: Iterable[Any]) -> Counter[Key]:
    sums: Counter[Key] = Counter()
    for unit, list_ids, channel, status, number in rows:
        for one in list_ids.split(","):
            sums[unit, int(one or 0), channel, status] += number
    return sums
