"""Pacing: one rate for all workers, whoever asks; numbers share the work; a slow campaign makes room for others."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from notifier.campaigns.options import Options
from notifier.delivery import pacing, queue
from notifier.delivery.models import Batch
from notifier.delivery.numbers import Number, number_of, read_numbers
from notifier.delivery.pacing import Rate
from notifier.kit.db import Database
from notifier.kit.errors import Invalid
from notifier.vocabulary import Channel, ChannelPolicy
from notifier.worker.engine import WorkerSettings
from notifier.worker.tempo import tempo_of
from tests.delivery.conftest import World
from tests.delivery.test_engine import _job
from tests.factories import Person

TEN = Rate("provider:fake", 10.0, burst_s=0.0)


def test_two_workers_share_one_rate(database: Database, now: datetime) -> None:
    def one_worker(_: int) -> list[float]:
        waits = []
        for _ in range(10):
            with database.transaction() as session:
                waits.append(pacing.reserve(session, [TEN], 1, now=now))
        return waits

    with ThreadPoolExecutor(2) as workers:
        waits = sorted(wait for several in workers.map(one_worker, range(2)) for wait in several)
    assert waits == pytest.approx([number / 10 for number in range(20)])


def test_an_idle_scope_saves_up_no_more_than_its_burst(database: Database, now: datetime) -> None:
    rate = Rate("provider:fake", 10.0, burst_s=1.0)
    with database.transaction() as session:
        assert pacing.reserve(session, [rate], 10, now=now) == 0
        later = now + timedelta(hours=1)
        assert pacing.reserve(session, [rate], 10, now=later) == 0
        assert pacing.reserve(session, [rate], 10, now=later) == 0
        assert pacing.reserve(session, [rate], 10, now=later) == pytest.approx(1.0)


def test_the_slowest_of_several_scopes_decides(database: Database, now: datetime) -> None:
    slow = Rate("sender:+61480000000", 1.0, burst_s=0.0, weight=2.0)
    with database.transaction() as session:
        pacing.reserve(session, [TEN, slow], 1, now=now)
        assert pacing.reserve(session, [TEN, slow], 1, now=now) == pytest.approx(2.0)


def test_urgent_messages_go_ahead_and_the_others_wait_the_longer(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        assert pacing.reserve(session, [TEN], 50, now=now) == 0
        assert pacing.overtake(session, [TEN], 10, now=now) == 0
        assert pacing.overtake(session, [TEN], 10, now=now) == pytest.approx(1.0), "they keep the rate among themselves"
        assert pacing.reserve(session, [TEN], 1, now=now) == pytest.approx(7.0)


def test_what_would_have_to_wait_too_long_takes_no_room(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        assert pacing.reserve_soon(session, TEN, 20, within_s=1.0, now=now) == 0
        assert pacing.reserve_soon(session, TEN, 20, within_s=1.0, now=now) == pytest.approx(2.0)
        assert pacing.reserve(session, [TEN], 1, now=now) == pytest.approx(2.0)


# ── numbers ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_numbers_are_read_with_their_speeds() -> None:
    assert read_numbers("+61480000000@10, POLICE") == (Number("+61480000000", 10.0), Number("POLICE"))


@pytest.mark.parametrize("text", ["", " , ", "+61480000000@fast", "@5", "+61480000000@-1"])
def test_numbers_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(Invalid, match="sender"):
        read_numbers(text)


def test_an_address_always_hears_from_the_same_number() -> None:
    numbers = read_numbers("+61480000000,+61480000001,+61480000002")
    heard = [number_of(numbers, address_id) for address_id in range(9)]
    assert heard[:3] == heard[3:6] == heard[6:]
    assert set(heard[:3]) == {number.value for number in numbers}


def test_deliveries_are_spread_over_the_numbers(world: World) -> None:
    world.numbers = read_numbers("+61480000000,+61480000001")
    world.people(*(Person(mobile=f"+6149157000{number}") for number in range(6)))
    world.campaign(ChannelPolicy.SMS)
    world.plan()
    world.work()
    senders = [envelope.sender for envelope in world.sms.taken]
    assert sorted(str(sender) for sender in senders) == ["+61480000000"] * 3 + ["+61480000001"] * 3


def test_a_number_is_paced_by_the_parts_it_sends_and_a_group_is_a_second_of_it(world: World) -> None:
    world.numbers = read_numbers("+61480000000@20,+61480000001@10")
    world.people(Person(mobile="+61491570006"))
    world.campaign(ChannelPolicy.SMS)
    world.plan()
    with world.database.transaction() as session:
        claim = queue.claim(session, Channel.SMS, owner="w", now=world.clock(), lease=timedelta(seconds=60))
        assert claim is not None
        job = _job(session, claim, world.engine)
    world.sms.group_size = 100
    tempo = tempo_of(world.engine, job, world.sms)
    assert [rate.scope for rate in tempo.rates] == ["sender:+61480000000", "sender:+61480000001"]
    parts = tempo.rates[0].weight * 2
    assert parts >= 1
    assert tempo.group == int(10 / (parts / 2))


# ── a campaign's own limit ──────────────────────────────────────────────────────────────────────────────────────


def test_a_campaign_with_a_limit_goes_in_small_groups_and_makes_room_in_between(world: World) -> None:
    world.planning = type(world.planning)(slice_addresses=100, email_batch=100)
    world.people(*(Person(email=f"p{number}@example.org") for number in range(30)))
    world.campaign(options=Options(max_per_minute=60))
    world.plan()
    world.work()
    assert len(world.email.taken) == 10, "ten seconds' worth at a time"
    with world.database.reading() as session:
        batch = session.scalars(select(Batch)).one()
    assert batch.status == "ready"
    assert batch.due_at == world.clock() + timedelta(seconds=10)
    world.work()
    assert len(world.email.taken) == 10
    for taken in (20, 30):
        world.clock.forward(seconds=10)
        world.work()
        assert len(world.email.taken) == taken


def test_without_a_limit_nothing_is_waited_for(world: World) -> None:
    world.people(Person(email="ada@example.org"))
    world.campaign()
    world.plan()
    with world.database.transaction() as session:
        claim = queue.claim(session, Channel.EMAIL, owner="w", now=world.clock(), lease=timedelta(seconds=60))
        assert claim is not None
        job = _job(session, claim, world.engine)
    assert tempo_of(world.engine, job, world.email).is_free
    assert WorkerSettings().rates(Channel.EMAIL, "fake") == []
