"""Failover: the second provider carries the channel while the first is failing, and nobody is written to twice."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from notifier.providers.base import AccountTrouble, Ambiguous, Permanent, ProviderError, Receipt, Temporary
from notifier.vocabulary import Channel
from notifier.worker.circuit import CircuitSettings, Switch
from notifier.worker.engine import Engine
from notifier.worker.loop import Worker
from tests.delivery.conftest import FakeProvider, World
from tests.factories import Person

FIRST, SECOND = FakeProvider(Channel.EMAIL, name="first"), FakeProvider(Channel.EMAIL, name="second")
SETTINGS = CircuitSettings(failures=3, rest_s=30.0)


def _switch() -> Switch:
    return Switch([FIRST, SECOND], SETTINGS)


@pytest.mark.parametrize(
    "answer",
    [Temporary("503"), Ambiguous("timeout"), AccountTrouble("401"), [Receipt(error=Temporary("429"))]],
)
def test_a_provider_that_keeps_failing_is_left_alone_for_a_while(
    now: datetime, answer: Sequence[Receipt] | ProviderError
) -> None:
    switch = _switch()
    for _ in range(3):
        assert switch.choose(now) is FIRST
        switch.note(FIRST, answer, now)
    assert switch.choose(now) is SECOND
    assert switch.choose(now + timedelta(seconds=30)) is FIRST, "one call is let through to see"


@pytest.mark.parametrize("answer", [Permanent("bad address"), [Receipt("id")], [Receipt(error=Permanent("x"))]])
def test_a_refusal_of_what_was_asked_is_no_fault_of_the_provider(
    now: datetime, answer: Sequence[Receipt] | ProviderError
) -> None:
    switch = _switch()
    for _ in range(10):
        switch.note(FIRST, answer, now)
    assert switch.choose(now) is FIRST


def test_the_circuit_closes_by_itself_and_opens_again_at_once_if_it_fails_on(now: datetime) -> None:
    switch = _switch()
    for _ in range(3):
        switch.note(FIRST, Temporary("503"), now)
    later = now + timedelta(seconds=31)
    switch.note(FIRST, Temporary("503"), later)
    assert switch.choose(later) is SECOND
    last = later + timedelta(seconds=31)
    switch.note(FIRST, [Receipt("id")], last)
    switch.note(FIRST, Temporary("503"), last)
    assert switch.choose(last) is FIRST


def test_if_all_are_failing_the_one_that_rests_the_shortest_is_asked(now: datetime) -> None:
    switch = _switch()
    for _ in range(3):
        switch.note(FIRST, Temporary("503"), now)
    for _ in range(3):
        switch.note(SECOND, Temporary("503"), now + timedelta(seconds=5))
    assert switch.choose(now + timedelta(seconds=6)) is FIRST


async def _work(engine: Engine) -> None:
    await Worker(engine).drain()


async def test_the_second_provider_takes_over_and_nobody_is_written_to_twice(world: World) -> None:
    second = FakeProvider(Channel.EMAIL, name="second")
    world.email.answers = [lambda _: Ambiguous("timeout"), *[lambda _: Temporary("503")] * 9]
    world.people(*(Person(email=f"p{number}@example.org") for number in range(10)))
    campaign = world.campaign()
    world.plan()
    engine = replace(world.engine, providers={Channel.EMAIL: [world.email, second]}, circuit=SETTINGS)
    worker = Worker(engine)
    await worker.drain()
    world.clock.forward(seconds=25)
    statuses = list(world.statuses(campaign).values())
    assert statuses.count("unknown") == 2, "what the first may have taken is not given to the second"
    assert world.email.taken == []
    assert second.taken != []
    world.email.answers.clear()
    await _work(engine)
    taken = [envelope.destination for envelope in (*world.email.taken, *second.taken)]
    assert len(taken) == len(set(taken)) == 8
