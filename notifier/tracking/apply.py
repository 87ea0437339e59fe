"""Apply what providers told us: in order of meaning, whatever the order of arrival, set by set.

An outcome (delivered, bounced, failed) keeps its own time on the delivery, and the status is the outcome with the
latest time by the provider's clock; where two share a moment the worse one stands. Both are a maximum, so any order,
delay or repetition of the same events ends in the same row. A complaint or an opt-out is a fact with a time, and a
suppression.
Never here: a query per event, or a decision about whether an event is genuine.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, func, null, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from notifier.audiences import book
from notifier.audiences.suppressions import suppress_many
from notifier.delivery import counts, fallback, guards
from notifier.delivery.models import Delivery
from notifier.delivery.status import DeliveryStatus, sources
from notifier.tracking.models import ProviderEvent
from notifier.tracking.trouble import hold_for_trouble
from notifier.vocabulary import EventKind, SuppressionReason

_K = EventKind

# Whatever a provider or a mailbox says about a message, it says that the message was taken.
_TAKEN = (_K.ACCEPTED, _K.DEFERRED, _K.OPENED, _K.CLICKED, _K.COMPLAINED, _K.UNSUBSCRIBED)

# The reason on the delivery: the provider's own code where it gave one, else our word.
_REASONS = {_K.HARD_BOUNCED: "hard_bounce", _K.SOFT_BOUNCED: "soft_bounce", _K.OPTED_OUT: "opt_out"}


# The column of a moment. The type checker cannot see that such a column can be compared and be NULL.
Moment = InstrumentedAttribute[Any]


class Outcome(NamedTuple):
    """A final status, the column of its moment, and the kinds of event that say it."""

    status: DeliveryStatus
    moment: Moment
    kinds: tuple[EventKind, ...]


# From the mildest to the gravest: at the same moment the later line stands.
OUTCOMES = (
    Outcome(DeliveryStatus.DELIVERED, Delivery.delivered_at, (_K.DELIVERED,)),
    Outcome(DeliveryStatus.FAILED, Delivery.failed_at, (_K.FAILED, _K.DROPPED, _K.OPTED_OUT, _K.ACCOUNT_TROUBLE)),
    Outcome(DeliveryStatus.BOUNCED, Delivery.bounced_at, (_K.HARD_BOUNCED, _K.SOFT_BOUNCED)),
)

# Facts that are not a status: the column keeps the latest time.
_FACTS: tuple[tuple[Moment, tuple[EventKind, ...]], ...] = (
    (Delivery.deferred_at, (_K.DEFERRED,)),
    (Delivery.complained_at, (_K.COMPLAINED,)),
    (Delivery.opted_out_at, (_K.UNSUBSCRIBED, _K.OPTED_OUT)),
)

_SUPPRESSIONS = (
    (SuppressionReason.HARD_BOUNCE, (_K.HARD_BOUNCED,)),
    (SuppressionReason.COMPLAINT, (_K.COMPLAINED,)),
    (SuppressionReason.OPT_OUT, (_K.UNSUBSCRIBED, _K.OPTED_OUT)),
)

# How many runs of consecutive ids one statement names at most.
_MOST_RANGES = 30

_UNSYNCHRONISED = {"synchronize_session": False}


class Claimed(NamedTuple):
    """The events one call took: `within` says which they are, `kinds` what they say."""

    number: int
    within: ColumnElement[bool]
    kinds: frozenset[EventKind]

    def have(self, kinds: Sequence[EventKind]) -> bool:
        """Whether there is any event of some kinds."""
        return not self.kinds.isdisjoint(kinds)


def apply_pending(session: Session, *, address_secret: bytes, now: datetime, limit: int = 5000) -> int:
    """Apply up to `limit` stored events; return how many were taken. Safe to run in several places at once."""
    claimed = _claim(session, limit)
    if claimed is None:
        return 0
    _lock_deliveries(session, claimed)
    _note_taken(session, claimed)
    for outcome in OUTCOMES:
        _note_outcome(session, outcome, claimed)
    for moment, kinds in _FACTS:
        _note_fact(session, moment, claimed, kinds)
    for reason, kinds in _SUPPRESSIONS:
        _suppress(session, address_secret, reason, claimed, kinds, now)
    if _K.ACCOUNT_TROUBLE in claimed.kinds:
        hold_for_trouble(session, and_(claimed.within, ProviderEvent.kind == _K.ACCOUNT_TROUBLE), now=now)
    counts.changed(session, _deliveries(claimed))
    _watch(session, claimed, now)
    _forget_again(session, claimed)
    session.execute(
        update(ProviderEvent).where(claimed.within).values(applied=True, destination=None),
        execution_options=_UNSYNCHRONISED,
    )
    return claimed.number


def _forget_again(session: Session, claimed: Claimed) -> None:
    """Wipe the words of events about somebody who has been forgotten: a provider may tell of them days later."""
    gone = select(Delivery.id).where(Delivery.id.in_(_deliveries(claimed)), Delivery.destination.is_(None))
    session.execute(
        update(ProviderEvent).where(claimed.within, ProviderEvent.delivery_id.in_(gone)).values(raw=None, detail=None),
        execution_options=_UNSYNCHRONISED,
    )


def _watch(session: Session, claimed: Claimed, now: datetime) -> None:
    """Count what the guards look at, and let text messages stand in for emails that came back."""
    if not claimed.have((_K.HARD_BOUNCED, _K.COMPLAINED)):
        return
    bounced, complained = (ProviderEvent.kind == kind for kind in (_K.HARD_BOUNCED, _K.COMPLAINED))
    found = session.execute(
        select(
            Delivery.campaign_id,
            func.count(case((bounced, Delivery.id)).distinct()),
            func.count(case((complained, Delivery.id)).distinct()),
        )
        .join(ProviderEvent, ProviderEvent.delivery_id == Delivery.id)
        .where(claimed.within, or_(bounced, complained))
        .group_by(Delivery.campaign_id)
    )
    guards.note(session, [(campaign_id, bounces, complaints) for campaign_id, bounces, complaints in found.all()])
    fallback.send_sms_instead(session, _deliveries(claimed).where(bounced), now=now)


def _claim(session: Session, limit: int) -> Claimed | None:
    pending = (
        select(ProviderEvent.id)
        .where(ProviderEvent.applied.is_(False))
        .order_by(ProviderEvent.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    ranges = _ranges(session.scalars(pending).all())
    if not ranges:
        return None
    within = or_(*[ProviderEvent.id.between(first, last) for first, last in ranges])
    kinds = session.scalars(select(ProviderEvent.kind).where(within).distinct())
    return Claimed(
        sum(last - first + 1 for first, last in ranges), within, frozenset(EventKind(kind) for kind in kinds)
    )


def _ranges(ids: Sequence[int]) -> list[tuple[int, int]]:
    """Return the runs of consecutive ids, as many as one statement can well name; the rest waits for the next call.

    Ids nearly always follow each other, so that a few numbers name thousands of events. An event that becomes visible
    in between while this one is at work lies in a gap, and is not taken by accident.
    """
    ranges: list[tuple[int, int]] = []
    for one in ids:
        if ranges and one == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], one)
        elif len(ranges) == _MOST_RANGES:
            break
        else:
            ranges.append((one, one))
    return ranges


def _deliveries(claimed: Claimed) -> Select[int | None]:
    return select(ProviderEvent.delivery_id).where(claimed.within, ProviderEvent.delivery_id.is_not(None))


def _lock_deliveries(session: Session, claimed: Claimed) -> None:
    # A worker writes receipts into the same rows. Both sides take them in the order of their ids, so that neither can
    # hold what the other waits for.
    rows = select(Delivery.id).where(Delivery.id.in_(_deliveries(claimed))).order_by(Delivery.id).with_for_update()
    if session.get_bind().dialect.name != "sqlite":
        session.execute(rows).close()


def _latest(claimed: Claimed, kinds: Sequence[EventKind]) -> Subquery:
    """The latest moment for each delivery these events are about."""
    return (
        select(ProviderEvent.delivery_id, func.max(ProviderEvent.occurred_at).label("at"), null().label("reason"))
        .where(claimed.within, ProviderEvent.kind.in_(kinds), ProviderEvent.delivery_id.is_not(None))
        .group_by(ProviderEvent.delivery_id)
        .subquery()
    )


def _latest_told(claimed: Claimed, kinds: Sequence[EventKind]) -> Subquery:
    """The latest moment with its reason for each delivery; of several reasons at that moment the first by the alphabet.

    Any rule will do that does not depend on the order of arrival.
    """
    at, reason = ProviderEvent.occurred_at, _reason()
    place = func.row_number().over(partition_by=ProviderEvent.delivery_id, order_by=(at.desc(), reason))
    ranked = (
        select(ProviderEvent.delivery_id, at.label("at"), reason.label("reason"), place.label("place"))
        .where(claimed.within, ProviderEvent.kind.in_(kinds), ProviderEvent.delivery_id.is_not(None))
        .subquery()
    )
    return select(ranked.c.delivery_id, ranked.c.at, ranked.c.reason).where(ranked.c.place == 1).subquery()


def _reason() -> ColumnElement[str | None]:
    ours = case(*[(ProviderEvent.kind == kind, word) for kind, word in _REASONS.items()])
    return func.coalesce(ours, ProviderEvent.code, ProviderEvent.kind)


def _note_taken(session: Session, claimed: Claimed) -> None:
    """An event about a message we were not sure of proves that the provider has it."""
    if not claimed.have(_TAKEN):
        return
    news = _latest(claimed, _TAKEN)
    session.execute(
        update(Delivery)
        .where(Delivery.id == news.c.delivery_id, Delivery.status.in_(sources(DeliveryStatus.ACCEPTED)))
        .values(status=DeliveryStatus.ACCEPTED, reason=None, accepted_at=news.c.at),
        execution_options=_UNSYNCHRONISED,
    )


def _note_outcome(session: Session, outcome: Outcome, claimed: Claimed) -> None:
    if not claimed.have(outcome.kinds):
        return
    is_reached = outcome.status is DeliveryStatus.DELIVERED
    news = (_latest if is_reached else _latest_told)(claimed, outcome.kinds)
    stands = and_(
        Delivery.status.in_([*sources(outcome.status), outcome.status]),
        *[_beats(news.c.at, outcome, other) for other in OUTCOMES if other is not outcome],
    )
    reason = None if is_reached else news.c.reason
    is_newer = or_(outcome.moment.is_(None), outcome.moment < news.c.at)
    if not is_reached:
        is_same = and_(outcome.moment == news.c.at, Delivery.status == outcome.status)
        is_newer = or_(is_newer, and_(is_same, Delivery.reason > news.c.reason))
    session.execute(
        update(Delivery)
        .where(Delivery.id == news.c.delivery_id, is_newer)
        .values(
            {
                outcome.moment: news.c.at,
                Delivery.status: case((stands, outcome.status), else_=Delivery.status),
                Delivery.reason: case((stands, reason), else_=Delivery.reason),
            }
        ),
        execution_options=_UNSYNCHRONISED,
    )


def _beats(at: ColumnElement[datetime], outcome: Outcome, other: Outcome) -> ColumnElement[bool]:
    graver = OUTCOMES.index(outcome) > OUTCOMES.index(other)
    return or_(other.moment.is_(None), other.moment <= at if graver else other.moment < at)


def _note_fact(session: Session, moment: Moment, claimed: Claimed, kinds: Sequence[EventKind]) -> None:
    if not claimed.have(kinds):
        return
    news = _latest(claimed, kinds)
    session.execute(
        update(Delivery)
        .where(Delivery.id == news.c.delivery_id, or_(moment.is_(None), moment < news.c.at))
        .values({moment: news.c.at}),
        execution_options=_UNSYNCHRONISED,
    )


def _suppress(
    session: Session,
    address_secret: bytes,
    reason: SuppressionReason,
    claimed: Claimed,
    kinds: Sequence[EventKind],
    now: datetime,
) -> None:
    """Suppress every address these events are about, found by the delivery or by the address the provider named."""
    if not claimed.have((*kinds, _K.DROPPED)):
        return
    # A provider that drops a message because of a suppression of its own knows what we did not.
    told = or_(ProviderEvent.kind.in_(kinds), and_(ProviderEvent.kind == _K.DROPPED, ProviderEvent.code == reason))
    by_delivery = (
        select(Delivery.address_id, ProviderEvent.provider)
        .join(ProviderEvent, ProviderEvent.delivery_id == Delivery.id)
        .where(claimed.within, told)
    )
    by_destination = select(ProviderEvent.destination, ProviderEvent.provider).where(
        claimed.within, told, ProviderEvent.destination.is_not(None)
    )
    named = session.execute(by_destination.distinct()).all()
    known = book.ids_of(session, address_secret, [destination or "" for destination, _ in named])
    by_provider: dict[str, set[int]] = defaultdict(set)
    for address_id, provider in session.execute(by_delivery.distinct()):
        by_provider[provider].add(address_id)
    for destination, provider in named:
        if destination in known:
            by_provider[provider].add(known[destination])
    for provider, address_ids in by_provider.items():
        suppress_many(session, sorted(address_ids), reason, source=provider, actor=provider, now=now)
