"""What the calls to providers have come to, by campaign, channel, provider and outcome; cheap to ask at any size.

A call that is closed and not in doubt rarely changes any more: the scheduler folds it into `call_totals` and marks it
as counted. Whatever is not counted yet is few, found by an index of its own, and added when somebody asks: an answer is
exact at every moment. Whoever changes a counted call says `changed` first, which takes it out of the totals again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, func, or_, select, union_all, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from notifier.delivery.models import Attempt, Batch, CallTotal
from notifier.delivery.queue import DOUBT_OPEN

UNDER_WAY = "under_way"
# How many calls are folded into the totals in one step.
AT_ONCE = 500
_SUMS = ("calls", "recipients", "taken", "refused_permille", "duration_ms")


@dataclass(frozen=True, slots=True)
class CallLine:
    """The calls with one outcome.

    `recipients` were handed over in them and `taken` by the provider (or may have been, while a call is in doubt).
    `refused_permille` adds up what part of each call was not taken: 1,000 for a call refused whole.
    """

    channel: str
    provider: str
    outcome: str
    calls: int
    recipients: int
    taken: int
    refused_permille: int
    duration_ms: int


def lines(session: Session, campaign_id: int | None = None) -> list[CallLine]:
    """Return the exact totals, of one campaign or of all, by channel, provider and outcome."""
    # One statement, so that nothing is counted twice or left out while another process counts.
    both = union_all(_kept(campaign_id), _uncounted(campaign_id)).subquery()
    groups = (both.c.channel, both.c.provider, both.c.outcome)
    sums = [func.sum(both.c[name]).label(name) for name in _SUMS]
    asked = select(*groups, *sums).group_by(*groups).having(func.sum(both.c.calls) > 0).order_by(*groups)
    return [
        CallLine(r.channel, r.provider, r.outcome, int(r.calls), int(r.recipients), int(r.taken),
                 int(r.refused_permille), int(r.duration_ms))
        for r in session.execute(asked)
    ]  # fmt: skip


def count(session: Session, *, limit: int = AT_ONCE) -> int:
    """Fold up to `limit` closed calls into the totals; return how many that were. Several may do so at once."""
    ids = session.scalars(
        select(Attempt.id)
        .where(Attempt.counted.is_(None), *_at_rest())
        .order_by(Attempt.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    _add(session, ids, sign=1)
    _mark(session, ids, counted=True)
    return len(ids)


def changed(session: Session, attempt_ids: Sequence[int]) -> None:
    """Take calls that are about to change out of the totals again."""
    ids = session.scalars(
        select(Attempt.id).where(Attempt.id.in_(attempt_ids), Attempt.counted.is_(True)).with_for_update()
    ).all()
    _add(session, ids, sign=-1)
    _mark(session, ids, counted=None)


def _at_rest() -> tuple[ColumnElement[bool], ...]:
    return Attempt.outcome.is_not(None), or_(Attempt.doubt.is_(None), Attempt.doubt != DOUBT_OPEN)


def _grouped(*groups: ColumnElement[Any]) -> Select[*tuple[Any, ...]]:
    """Add calls up; a call under way has taken nobody yet and refused nobody."""
    # With whole numbers on both sides this is a plain division on both databases.
    refused = (Attempt.recipients - Attempt.taken) * 1000 // func.nullif(Attempt.recipients, 0, type_=Integer)
    outcome = func.coalesce(Attempt.outcome, UNDER_WAY)
    keys = (*groups, func.coalesce(Batch.channel, "").label("channel"), Attempt.provider, outcome.label("outcome"))
    return (
        select(
            *keys,
            func.count().label("calls"),
            func.coalesce(func.sum(Attempt.recipients), 0).label("recipients"),
            func.coalesce(func.sum(Attempt.taken), 0).label("taken"),
            func.coalesce(func.sum(refused), 0).label("refused_permille"),
            func.coalesce(func.sum(Attempt.duration_ms), 0).label("duration_ms"),
        )
        .outerjoin(Batch, Batch.id == Attempt.batch_id)
        .group_by(*keys)
    )


def _uncounted(campaign_id: int | None) -> Select[*tuple[Any, ...]]:
    found = _grouped().where(Attempt.counted.is_(None))
    return found if campaign_id is None else found.where(Attempt.campaign_id == campaign_id)


def _kept(campaign_id: int | None) -> Select[*tuple[Any, ...]]:
    table = CallTotal
    found = select(table.channel, table.provider, table.outcome, *[getattr(table, name) for name in _SUMS])
    return found if campaign_id is None else found.where(table.campaign_id == campaign_id)


def _add(session: Session, ids: Sequence[int], *, sign: int) -> None:
    """Add calls to the totals, or take them away."""
    if not ids:
        return
    insert = (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert
    keys = ("campaign_id", "channel", "provider", "outcome")
    rows = session.execute(_grouped(Attempt.campaign_id.expression).where(Attempt.id.in_(ids)))
    # In one order, so that two that count at once never wait for each other in a circle.
    for row in sorted(rows.mappings(), key=lambda row: [row[key] for key in keys]):
        amounts = {name: row[name] * sign for name in _SUMS}
        session.execute(
            insert(CallTotal)
            .values({key: row[key] for key in keys} | amounts)
            .on_conflict_do_update(index_elements=keys, set_=_sums(amounts))
        )


def _sums(amounts: dict[str, Any]) -> dict[str, Any]:
    return {name: getattr(CallTotal, name) + amount for name, amount in amounts.items()}


def _mark(session: Session, ids: Iterable[int], *, counted: bool | None) -> None:
    session.execute(
        update(Attempt).where(Attempt.id.in_(list(ids))).values(counted=counted),
        execution_options={"synchronize_session": False},
    )
