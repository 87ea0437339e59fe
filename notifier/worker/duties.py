"""The scheduler's duties, each a verb of a room called in a transaction of its own.

Every duty may run in several processes at once: rows are locked or changed by compare-and-set, never read and written
back.
"""

import structlog

from notifier.delivery import calls, canary, control, counts, guards, queue
from notifier.tracking import apply, inbox, retention
from notifier.worker import recurrence
from notifier.worker.engine import Engine

log = structlog.get_logger("notifier.scheduler")

# How many provider events are applied in one transaction, and how many while people come.
EVENTS_AT_ONCE, _APPLIED_BESIDE_PEOPLE = 3_000, 500
# How many batches are counted in one transaction while people come, and otherwise.
_COUNTED_BESIDE_PEOPLE, _COUNTED_AT_ONCE = 3, 20


def take_over(engine: Engine) -> int:
    """Settle what dead workers left behind."""
    with engine.database.transaction() as session:
        return queue.take_over(session, now=engine.clock(), lease=engine.worker.lease)


def apply_events(engine: Engine) -> int:
    """Apply what providers told us, portion by portion, until there is no more than a part of one."""
    if not _events_wait(engine):
        return 0
    applied = 0
    while True:
        limit = _APPLIED_BESIDE_PEOPLE if engine.database.people_are_about else EVENTS_AT_ONCE
        with engine.database.repeatable_transaction() as session:
            some = apply.apply_pending(session, address_secret=engine.address_secret, now=engine.clock(), limit=limit)
        applied += some
        # A portion costs a fixed price beside what its events cost, so what has just come waits for the next tick. A
        # full one lacks less than one more line of events would have brought.
        if some <= limit - inbox.TOGETHER:
            return applied


def _events_wait(engine: Engine) -> bool:
    with engine.database.reading() as session:
        return apply.is_pending(session)


def finish(engine: Engine) -> list[int]:
    """Close the campaigns that are through."""
    with engine.database.transaction() as session:
        now = engine.clock()
        return control.finish(session, to_come=recurrence.rounds_to_come(session, now=now), now=now)


def watch(engine: Engine) -> list[int]:
    """Hold the campaigns that go wrong too often."""
    with engine.database.transaction() as session:
        return guards.watch(session, engine.guards, now=engine.clock())


def judge_canaries(engine: Engine) -> list[int]:
    """Let the rest of a campaign go when its first recipients went well, or hold it."""
    with engine.database.transaction() as session:
        return canary.judge_all(session, limits=_limits(engine), now=engine.clock())


def count(engine: Engine) -> int:
    """Keep the counts of what has come to rest, some batches at a time, until there are no more than a few."""
    counted = 0
    while True:
        limit = _COUNTED_BESIDE_PEOPLE if engine.database.people_are_about else _COUNTED_AT_ONCE
        with engine.database.repeatable_transaction() as session:
            units, called = counts.refresh(session, limit=limit), calls.count(session)
        counted += units + called
        # A step has a fixed price, so what has just come to rest waits for the next tick. Answers are exact without it.
        is_through = units < limit and called < calls.AT_ONCE
        # What events are about to change would be counted for nothing: beside them a tick counts only a little.
        if is_through or (counted >= _COUNTED_AT_ONCE and _events_wait(engine)):
            return counted


def forget(engine: Engine) -> int:
    """Forget what its clock says, in small steps, so that nobody waits for it."""
    forgotten = 0
    while True:
        with engine.database.transaction() as session:
            some = retention.prune(session, engine.retention, now=engine.clock())
        forgotten += some
        if some == 0:
            return forgotten


def _limits(engine: Engine) -> canary.Limits:
    """Return what the first recipients are held to: the guards' limits, from the first message on."""
    guard = engine.guards
    return canary.Limits(guard.hard_bounce_percent, guard.complaint_percent, failures=guard.hard_bounce_percent)
