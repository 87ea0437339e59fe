"""The scheduler's duty to settle doubts: each provider is asked in the way it can answer.

No connection is held while a provider is asked. Several schedulers may do this at once: a doubt is locked while it is
settled, and settled once.
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import TypeGuard

import structlog
from sqlalchemy.orm import Session

from notifier.delivery import doubt as doubts
from notifier.delivery.doubt import Doubt, Inquiry
from notifier.providers.base import KeepsRecord, Provider, ProviderError, SettledBy
from notifier.tracking import evidence
from notifier.worker.engine import Engine

log = structlog.get_logger("notifier.scheduler")

# How many questions to a provider's record are under way at once.
_ASKED_AT_ONCE = 10


def settle(engine: Engine) -> int:
    """Settle every doubt that can be settled now; return how many."""
    providers = {provider.name: provider for several in engine.providers.values() for provider in several}
    with engine.database.reading() as session:
        waiting = doubts.open_doubts(session, providers)
    settled = 0
    unreadable: set[str] = set()
    for doubt in waiting:
        settled += _settle_one(engine, doubt, providers[doubt.provider], unreadable)
    return settled


def _settle_one(engine: Engine, doubt: Doubt, provider: Provider, unreadable: set[str]) -> bool:
    """Settle one doubt if that is possible; a provider that cannot be asked is not asked again in this round."""
    found: Mapping[int, str] | None = None
    question: Inquiry | None = None
    if _may_ask(provider, unreadable) and _is_ripe(engine, doubt):
        with engine.database.reading() as session:
            question = doubts.inquiry(session, doubt)
        found = _ask(provider, question)
        if found is None and question.told_by_code:
            unreadable.add(doubt.provider)
    with engine.database.transaction() as session:
        if not doubts.hold_fast(session, doubt):
            return False
        if doubts.close_if_settled(session, doubt):
            return True
        if provider.settled_by is SettledBy.EVENTS:
            return _by_events(session, engine, doubt)
        if question is not None and found is not None:
            again = doubts.found_on_record(session, question, found, now=engine.clock())
            log.info("doubt.settled_by_record", attempt=doubt.attempt_id, found=len(found), again=again)
            return True
    return False


def _may_ask(provider: Provider, unreadable: set[str]) -> TypeGuard[KeepsRecord]:
    return (
        provider.settled_by is SettledBy.RECORD
        and isinstance(provider, KeepsRecord)
        and provider.name not in unreadable
    )


def _is_ripe(engine: Engine, doubt: Doubt) -> bool:
    return engine.clock() >= doubt.started_at + timedelta(seconds=engine.doubt.record_wait_s)


def _by_events(session: Session, engine: Engine, doubt: Doubt) -> bool:
    now = engine.clock()
    if evidence.was_heard_of(session, doubt):
        moved = doubts.taken(session, doubt, why=f"{doubt.provider} has told of a recipient of it", now=now)
        log.info("doubt.settled_by_events", attempt=doubt.attempt_id, accepted=moved)
        return True
    if now < doubt.started_at + timedelta(seconds=engine.doubt.events_wait_s):
        return False
    heard = evidence.last_heard(session, doubt.provider)
    if heard is None or heard < doubt.started_at:
        return False  # no news of anybody proves nothing: the events themselves may be what is missing
    why = f"{doubt.provider} has told of other messages and of none of it for {engine.doubt.events_wait_s:.0f} s"
    moved = doubts.not_taken(session, doubt, why=why, now=now)
    log.info("doubt.settled_by_silence", attempt=doubt.attempt_id, again=moved)
    return True


def _ask(provider: KeepsRecord, question: Inquiry) -> Mapping[int, str] | None:
    """Return the message id of every delivery the provider has on record; None if it cannot be told."""
    if not question.told_by_code:
        return None  # nothing in the text tells this campaign's message from another's
    try:
        return asyncio.run(_look_up(provider, question))
    except* ProviderError as refused:
        log.warning("doubt.record_unreadable", attempt=question.doubt.attempt_id, refusals=len(refused.exceptions))
    return None


async def _look_up(provider: KeepsRecord, question: Inquiry) -> Mapping[int, str]:
    after = question.doubt.started_at - doubts.CLOCK_SKEW
    room = asyncio.Semaphore(_ASKED_AT_ONCE)
    found: dict[int, str] = {}

    async def one(delivery_id: int, destination: str) -> None:
        async with room:
            events = await provider.find(destination, after=after)
        ids = [event.message_id for event in events if question.code in (event.text or "") and event.message_id]
        if ids:
            found[delivery_id] = ids[0]

    try:
        async with asyncio.TaskGroup() as tasks:
            for delivery_id, destination in question.destinations.items():
                tasks.create_task(one(delivery_id, destination))
    finally:
        await provider.close()
    return found
