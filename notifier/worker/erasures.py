"""The duty to ask providers to erase people who have been forgotten here, until each has taken it.

No connection to the database is held while a provider is asked. Several processes may ask the same twice, which
changes nothing: what is erased is erased.
"""

import asyncio

import structlog

from notifier.delivery import erasures
from notifier.delivery.erasures import Question
from notifier.providers.base import Erases, KeepsRecord, ProviderError
from notifier.worker.engine import Engine

log = structlog.get_logger("notifier.scheduler")


def able(engine: Engine) -> dict[str, Erases]:
    """Return the providers of this installation that can be asked to erase, by name."""
    every = (provider for several in engine.providers.values() for provider in several)
    return {provider.name: provider for provider in every if isinstance(provider, Erases)}


def ask(engine: Engine) -> int:
    """Ask what is due; return how much was taken. What fails waits and is asked again."""
    with engine.database.reading() as session:
        waiting = erasures.due(session, now=engine.clock())
    if not waiting:
        return 0
    answers = asyncio.run(_ask_all(able(engine), waiting))
    with engine.database.transaction() as session:
        for question, why in answers:
            if why is None:
                erasures.taken(session, question, now=engine.clock())
            else:
                erasures.failed(session, question, why, now=engine.clock())
                log.warning("erasure.not_taken", provider=question.provider, erasure=question.id)
    return sum(why is None for _, why in answers)


async def _ask_all(providers: dict[str, Erases], waiting: list[Question]) -> list[tuple[Question, str | None]]:
    try:
        return [(question, await _ask_one(providers.get(question.provider), question)) for question in waiting]
    finally:
        for provider in providers.values():
            # This loop ends now, and with it the connections that were made in it.
            if isinstance(provider, KeepsRecord):
                await provider.close()


async def _ask_one(provider: Erases | None, question: Question) -> str | None:
    """Return None if it was taken, else what to tell."""
    if provider is None:
        return f"{question.provider} is no provider of this installation any more; ask it yourself"
    try:
        await provider.erase(question.subject)
    except ProviderError as refused:
        return refused.detail
    return None
