"""What events say about a delivery: one UPDATE for all the deliveries that a portion of events is about.

An outcome (delivered, bounced, failed) keeps its own time on the delivery, and the status is the outcome with the
latest time by the provider's clock; where two share a moment the worse one stands. Both are a maximum, so any order,
delay or repetition of the same events ends in the same row. The events are first brought to one line for each delivery,
so that no row of the ledger is written twice.
Never here: what an event does to an address, or which events there are.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Insert,
    MetaData,
    String,
    Table,
    Update,
    and_,
    case,
    func,
    insert,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from notifier.delivery.models import Delivery
from notifier.delivery.status import DeliveryStatus, sources
from notifier.kit.bulk import empty
from notifier.kit.db import UtcDateTime, perform
from notifier.tracking.portions import TAKEN
from notifier.vocabulary import EventKind

_K = EventKind

# Whatever a provider or a mailbox says about a message, it says that the message was taken.
_ACCEPTED = (_K.ACCEPTED, _K.DEFERRED, _K.OPENED, _K.CLICKED, _K.COMPLAINED, _K.UNSUBSCRIBED)

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
_FACTS: dict[Moment, tuple[EventKind, ...]] = {
    Delivery.deferred_at: (_K.DEFERRED,),
    Delivery.complained_at: (_K.COMPLAINED,),
    Delivery.opted_out_at: (_K.UNSUBSCRIBED, _K.OPTED_OUT),
}
_MOMENTS = {**{outcome.moment: outcome.kinds for outcome in OUTCOMES}, **_FACTS}

# One line for each delivery, inside the transaction only: the latest moment of everything that has one, and the
# reasons of what has gone wrong.
_WRONG = OUTCOMES[1:]
_NEWS = Table(
    "delivery_news",
    MetaData(),
    Column("delivery_id", BigInteger),
    Column("accepted_at", UtcDateTime),
    *[Column(moment.key, UtcDateTime) for moment in _MOMENTS],
    *[Column(f"{outcome.status}_why", String(60)) for outcome in _WRONG],
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DELETE ROWS",
)


DELIVERIES = select(_NEWS.c.delivery_id)
# A worker writes receipts into the same rows. Both sides take them in the order of their ids, so that neither can hold
# what the other waits for.
_IN_ORDER = select(Delivery.id).where(Delivery.id.in_(DELIVERIES)).order_by(Delivery.id).with_for_update()


def note(session: Session, kinds: AbstractSet[EventKind]) -> None:
    """Write what the taken events, which are of these kinds, say on the deliveries they are about."""
    empty(session, _NEWS)
    for statement in _to_news(frozenset(kinds)):
        perform(session, statement)
    if session.get_bind().dialect.name != "sqlite":
        perform(session, _IN_ORDER).close()
    perform(session, _update(frozenset(kinds)))


# A statement says only what these kinds of event can bring; there are few sets of kinds, and each comes back.
@lru_cache(maxsize=256)
def _to_news(kinds: frozenset[EventKind]) -> list[Insert | Update]:
    """Return what fills the news."""
    latest = {
        name: func.max(case((TAKEN.c.kind.in_(told), TAKEN.c.occurred_at)))
        for name, told in (("accepted_at", _ACCEPTED), *((moment.key, told) for moment, told in _MOMENTS.items()))
        if not kinds.isdisjoint(told)
    }
    lines = select(TAKEN.c.delivery_id, *latest.values())
    filling = insert(_NEWS).from_select(["delivery_id", *latest], lines.group_by(TAKEN.c.delivery_id))
    return [filling, *[_reasons_of(outcome) for outcome in _WRONG if not kinds.isdisjoint(outcome.kinds)]]


def _reasons_of(outcome: Outcome) -> Update:
    """Give each line the reason of the latest such event; of several with that moment, the first by the alphabet."""
    reason = case(
        *[(TAKEN.c.kind == kind, word) for kind, word in _REASONS.items()],
        else_=func.coalesce(TAKEN.c.code, TAKEN.c.kind),
    )
    of_the_latest = and_(_NEWS.c.delivery_id == TAKEN.c.delivery_id, _new(outcome.moment) == TAKEN.c.occurred_at)
    found = (
        select(TAKEN.c.delivery_id, func.min(reason).label("reason"))
        .join(_NEWS, of_the_latest)
        .where(TAKEN.c.kind.in_(outcome.kinds))
        .group_by(TAKEN.c.delivery_id)
        .subquery()
    )
    values = {_NEWS.c[f"{outcome.status}_why"]: found.c.reason}
    return update(_NEWS).where(_NEWS.c.delivery_id == found.c.delivery_id).values(values)


@lru_cache(maxsize=256)
def _update(kinds: frozenset[EventKind]) -> Update:
    """Return what writes the news on the deliveries."""
    moments = [moment for moment, told in _MOMENTS.items() if not kinds.isdisjoint(told)]
    outcomes = [outcome for outcome in OUTCOMES if outcome.moment in moments]
    accepts = and_(_NEWS.c.accepted_at.is_not(None), Delivery.status.in_(sources(DeliveryStatus.ACCEPTED)))
    statuses = [(_stands(outcome, moments), outcome.status.value) for outcome in outcomes]
    reasons = [(_stands(outcome, moments), _why(outcome)) for outcome in outcomes]
    # Of two reasons with the same moment the same one must stand, whichever came first.
    others = [(_is_another_word_for(outcome), _why(outcome)) for outcome in outcomes if outcome in _WRONG]
    return (
        update(Delivery)
        .where(Delivery.id == _NEWS.c.delivery_id, or_(accepts, *[_is_not_older(moment) for moment in moments]))
        .values(
            {
                **{moment: _merged(moment) for moment in moments},
                Delivery.accepted_at: case((accepts, _NEWS.c.accepted_at), else_=Delivery.accepted_at),
                Delivery.status: case(*statuses, (accepts, DeliveryStatus.ACCEPTED.value), else_=Delivery.status),
                Delivery.reason: case(*reasons, (accepts, null()), *others, else_=Delivery.reason),
            }
        )
    )


def _new(moment: Moment) -> ColumnElement[datetime]:
    return _NEWS.c[moment.key]


def _why(outcome: Outcome) -> ColumnElement[Any]:
    return _NEWS.c[f"{outcome.status}_why"] if outcome in _WRONG else null()


def _is_later(moment: Moment) -> ColumnElement[bool]:
    return and_(_new(moment).is_not(None), or_(moment.is_(None), moment < _new(moment)))


def _is_not_older(moment: Moment) -> ColumnElement[bool]:
    return and_(_new(moment).is_not(None), or_(moment.is_(None), moment <= _new(moment)))


def _merged(moment: Moment) -> ColumnElement[Any]:
    """The later of what is known and what is new."""
    return case((_is_later(moment), _new(moment)), else_=moment)


def _stands(outcome: Outcome, moments: Sequence[Moment]) -> ColumnElement[bool]:
    """Whether an outcome is news, may follow what the delivery is, and beats every other outcome."""
    return and_(
        _is_later(outcome.moment),
        Delivery.status.in_([*sources(outcome.status), outcome.status]),
        *[_beats(outcome, other, moments) for other in OUTCOMES if other is not outcome],
    )


def _beats(outcome: Outcome, other: Outcome, moments: Sequence[Moment]) -> ColumnElement[bool]:
    at = _new(outcome.moment)
    theirs: ColumnElement[Any] | Moment = _merged(other.moment) if other.moment in moments else other.moment
    graver = OUTCOMES.index(outcome) > OUTCOMES.index(other)
    return or_(theirs.is_(None), theirs <= at if graver else theirs < at)


def _is_another_word_for(outcome: Outcome) -> ColumnElement[bool]:
    return and_(
        Delivery.status == outcome.status,
        outcome.moment == _new(outcome.moment),
        _why(outcome) < Delivery.reason,
    )
