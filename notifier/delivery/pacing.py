"""How fast messages may leave: one row per scope, shared by every worker.

The generic cell rate algorithm (GCRA, ITU-T I.371): the row holds the moment at which the scope is free again. Taking
room for n messages moves it n intervals on and tells the caller how long to wait; `burst_s` is how far an idle scope
may save up.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import case, literal, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from notifier.delivery.models import Pace

_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Rate:
    """Messages per second of one scope (`provider:twilio`, `sender:+61…`, `campaign:12`).

    `weight` is what one message counts for: its parts, and its share if it goes from one of several numbers.
    """

    scope: str
    per_second: float
    burst_s: float = 1.0
    weight: float = 1.0


def reserve(session: Session, rates: Iterable[Rate], amount: int, *, now: datetime) -> float:
    """Take room for `amount` messages in every scope; return how many seconds to wait before they may leave."""
    now_us = int(now.timestamp() * _MICROSECONDS)
    return max((_reserve(session, rate, amount, now_us) for rate in rates), default=0.0)


def overtake(session: Session, rates: Sequence[Rate], amount: int, *, now: datetime) -> float:
    """Take room for urgent messages ahead of what others have reserved; those who come later wait the longer.

    Urgent messages keep the rate among themselves: they have a scope of their own to wait for.
    """
    reserve(session, rates, amount, now=now)
    return reserve(session, [replace(rate, scope=f"{rate.scope}:urgent") for rate in rates], amount, now=now)


def reserve_soon(session: Session, rate: Rate, amount: int, *, within_s: float, now: datetime) -> float:
    """As `reserve`, but take nothing if the wait would be longer than `within_s`; return the wait all the same."""
    wait = reserve(session, [rate], amount, now=now)
    if wait > within_s:
        # The row has been ours since the line above, so giving back is exact.
        back = update(Pace).where(Pace.scope == rate.scope).values(free_at_us=Pace.free_at_us - _cost(rate, amount))
        session.execute(back, execution_options={"synchronize_session": False})
    return wait


def _reserve(session: Session, rate: Rate, amount: int, now_us: int) -> float:
    cost = _cost(rate, amount)
    earliest = now_us - round(rate.burst_s * _MICROSECONDS)
    upsert = (postgresql if session.get_bind().dialect.name == "postgresql" else sqlite).insert(Pace)
    begun = case((Pace.free_at_us > earliest, Pace.free_at_us), else_=literal(earliest))
    free_at_us = session.scalar(
        upsert.values(scope=rate.scope, free_at_us=earliest + cost)
        .on_conflict_do_update(index_elements=["scope"], set_={"free_at_us": begun + cost})
        .returning(Pace.free_at_us)
    )
    return max(0.0, (int(free_at_us or 0) - cost - now_us) / _MICROSECONDS)


def _cost(rate: Rate, amount: int) -> int:
    """Return how long so many messages occupy a scope, in microseconds."""
    return round(amount * rate.weight * _MICROSECONDS / rate.per_second)
