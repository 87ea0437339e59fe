"""Pause, cancel and stop take effect inside the batch in flight; what is under way is still recorded."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier.delivery import control
from notifier.delivery.models import Attempt, Delivery
from notifier.delivery.planner import PlanSettings
from notifier.kit.db import Database
from notifier.kit.reachable import DatabaseUnavailable
from notifier.providers.base import AccountTrouble, Permanent, Receipt
from notifier.vocabulary import Channel, ChannelPolicy, Envelope, Message
from notifier.worker.loop import Worker
from tests.delivery.conftest import FakeProvider, World
from tests.factories import Person


@dataclass
class SlowProvider(FakeProvider):
    """A provider that says when it has been asked, and answers when it is let."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, message: Message, envelopes: Sequence[Envelope]) -> list[Receipt]:
        self.asked.set()
        await self.may_answer.wait()
        return await FakeProvider.send(self, message, envelopes)


@pytest.fixture
def slow(world: World) -> SlowProvider:
    """A batch of four text messages, two of which go at a time, by a provider that waits to be let."""
    world.planning = type(world.planning)(slice_addresses=100, sms_batch=4)
    provider = SlowProvider(Channel.SMS, group_size=2)
    world.sms = provider
    world.people(*(Person(mobile=f"+6149157000{number}") for number in range(4)))
    return provider


async def _in_the_middle(world: World, slow: SlowProvider) -> tuple[asyncio.Task[None], asyncio.Event]:
    stop = asyncio.Event()
    working = asyncio.create_task(Worker(world.engine).run(stop))
    await asyncio.wait_for(slow.asked.wait(), 10)
    return working, stop


async def _finish(working: asyncio.Task[None], stop: asyncio.Event, slow: SlowProvider) -> None:
    slow.may_answer.set()
    await asyncio.sleep(0.5)
    stop.set()
    await asyncio.wait_for(working, 10)


@pytest.mark.parametrize(("act", "rest"), [("pause", "queued"), ("cancel", "cancelled")])
async def test_the_group_in_flight_is_recorded_and_no_other_begins(
    world: World, slow: SlowProvider, act: str, rest: str
) -> None:
    campaign = world.campaign(ChannelPolicy.SMS)
    world.plan()
    working, stop = await _in_the_middle(world, slow)
    with world.database.transaction() as session:
        by = world.officer(session, campaign)
        getattr(control, act)(session, campaign, by=by, reason=None, now=world.clock())
    await _finish(working, stop, slow)
    assert sorted(world.statuses(campaign).values()) == sorted(["accepted", "accepted", rest, rest])
    assert slow.calls == 1


async def test_a_worker_that_is_told_to_stop_finishes_what_is_in_flight_and_gives_back_the_rest(
    world: World, slow: SlowProvider
) -> None:
    campaign = world.campaign(ChannelPolicy.SMS)
    world.plan()
    working, stop = await _in_the_middle(world, slow)
    stop.set()
    await _finish(working, stop, slow)
    assert sorted(world.statuses(campaign).values()) == ["accepted", "accepted", "queued", "queued"]
    await Worker(world.engine).drain()
    assert set(world.statuses(campaign).values()) == {"accepted"}
    assert len(slow.taken) == 4


async def test_an_urgent_campaign_is_not_kept_waiting_by_slow_ones(world: World, slow: SlowProvider) -> None:
    world.planning = type(world.planning)(slice_addresses=100, sms_batch=1)
    for _ in range(3):
        world.campaign(ChannelPolicy.SMS)
    world.plan()
    working, stop = await _in_the_middle(world, slow)
    urgent = world.campaign(ChannelPolicy.SMS, urgent=True)
    world.plan()
    for _ in range(50):
        await asyncio.sleep(0.1)
        if "sending" in world.statuses(urgent).values():
            break
    assert "sending" in world.statuses(urgent).values(), "all other hands are full"
    await _finish(working, stop, slow)


class AwayDatabase(Database):
    """A database that cannot be reached for a while, however often somebody tries."""

    away_for: int = 0

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        if self.away_for:
            self.away_for -= 1
            raise DatabaseUnavailable("nobody answers")
        with Database.transaction(self) as session:
            yield session


async def test_an_answer_is_kept_until_the_database_is_there_again(world: World, database_url: str) -> None:
    world.people(Person(email="ada@example.org"))
    campaign = world.campaign()
    world.plan()
    away = AwayDatabase(database_url)

    def take(envelopes: Sequence[Envelope]) -> list[Receipt]:
        away.away_for = 1
        return world.email.take(envelopes)

    world.email.answers = [take]
    await Worker(replace(world.engine, database=away)).drain()
    away.close()
    assert world.statuses(campaign) == {"ada@example.org": "accepted"}
    assert world.email.calls == 1


@pytest.fixture
def several(world: World) -> World:
    """A batch of six text messages, two of which go at a time."""
    world.planning = type(world.planning)(slice_addresses=100, sms_batch=6)
    world.people(*(Person(mobile=f"+6149157000{number}") for number in range(6)))
    return world


async def test_trouble_with_the_account_begins_no_other_group_of_its_batch(several: World) -> None:
    campaign = several.campaign(ChannelPolicy.SMS)
    several.plan()
    several.sms.answers = [several.sms.take, lambda _: AccountTrouble("bad key", code="401")]
    await Worker(several.engine).drain()
    assert several.found(campaign).status == "held"
    assert sorted(several.statuses(campaign).values()) == ["accepted"] * 2 + ["queued"] * 4
    assert several.sms.calls == 2
    with several.database.reading() as session:
        assert session.scalar(select(func.count()).where(Attempt.outcome.is_(None))) == 0


@dataclass(frozen=True, slots=True)
class FailsOnce(PlanSettings):
    """Settings that cannot be read when the second group is prepared."""

    asked: list[datetime] = field(default_factory=list)

    def latest(self, expires_at: datetime | None, now: datetime) -> datetime:
        self.asked.append(now)
        if len(self.asked) == 2:
            raise RuntimeError("made up")
        return PlanSettings.latest(self, expires_at, now)


@pytest.mark.parametrize("batch", [6, 2], ids=["a group", "a batch"])
async def test_an_answer_is_not_lost_with_what_was_to_follow_it(several: World, batch: int) -> None:
    several.planning = type(several.planning)(slice_addresses=100, sms_batch=batch)
    campaign = several.campaign(ChannelPolicy.SMS)
    several.plan()
    several.planning = FailsOnce()
    await Worker(several.engine).drain()
    assert set(several.statuses(campaign).values()) == {"accepted"}
    assert several.sms.calls == 3
    assert len(several.sms.taken) == 6


async def test_each_message_of_a_group_keeps_its_own_id(several: World) -> None:
    def each(envelopes: Sequence[Envelope]) -> list[Receipt]:
        refused = Receipt(error=Permanent("no", code="30006"))
        return [refused if one.destination.endswith("3") else Receipt(f"SM {one.destination}") for one in envelopes]

    several.sms.answers = [each] * 3
    campaign = several.campaign(ChannelPolicy.SMS)
    several.plan()
    await Worker(several.engine).drain()
    with several.database.reading() as session:
        kept = dict(
            session.execute(
                select(Delivery.destination, Delivery.provider_message_id).where(Delivery.campaign_id == campaign)
            ).all()
        )
    assert kept.pop("+61491570003") is None
    assert kept == {number: f"SM {number}" for number in kept}
    assert several.statuses(campaign)["+61491570003"] == "failed"
