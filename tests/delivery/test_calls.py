"""Totals of calls are exact at every moment, whoever counts them, and cheap to keep."""

from datetime import timedelta
from random import Random

from sqlalchemy import func, select, update

from notifier.delivery import answers, calls, queue
from notifier.delivery.models import Attempt, CallTotal
from notifier.providers.base import Ambiguous, Receipt, Temporary
from notifier.vocabulary import Channel
from notifier.worker import duties
from tests.delivery.conftest import World
from tests.delivery.test_engine import _job, _prepare
from tests.factories import Person


def _lines(world: World) -> list[tuple[str, int, int, int]]:
    with world.database.reading() as session:
        return [(line.outcome, line.calls, line.recipients, line.taken) for line in calls.lines(session)]


def _kept(world: World) -> int:
    with world.database.reading() as session:
        return session.scalar(select(func.coalesce(func.sum(CallTotal.calls), 0))) or 0


def _sent(world: World, amount: int) -> int:
    world.people(*(Person(email=f"p{number}@example.org") for number in range(amount)))
    campaign = world.campaign()
    world.plan()
    world.work()
    return campaign


def test_counting_changes_nothing_about_the_answer(world: World) -> None:
    world.email.answers = [lambda _: Temporary("not now", code="503"), lambda _: Ambiguous("no answer")]
    _sent(world, 8)
    before = _lines(world)
    assert [(outcome, calls_made) for outcome, calls_made, *_ in before][1:] == [("ambiguous", 1), ("temporary", 1)]
    # Whoever was refused for now waits; whoever is in doubt may have been taken.
    assert [taken == handed_over for _, _, handed_over, taken in before] == [True, True, False]
    duties.count(world.engine)
    assert _lines(world) == before
    assert _kept(world) == sum(calls_made for _, calls_made, *_ in before) - 1, "what is in doubt may still change"
    duties.count(world.engine)
    assert _lines(world) == before


def test_a_campaign_has_totals_of_its_own(world: World) -> None:
    first = _sent(world, 2)
    world.people(Person(email="other@example.org"), code="preston-primary")
    second = world.campaign()
    world.plan()
    world.work()
    duties.count(world.engine)
    with world.database.reading() as session:
        assert [line.recipients for line in calls.lines(session, first)] == [2]
        assert [line.recipients for line in calls.lines(session, second)] == [3]
        assert [line.recipients for line in calls.lines(session)] == [5]


def test_a_counted_call_whose_worker_comes_home_late_is_counted_anew(world: World) -> None:
    world.people(Person(email="ada@example.org"), Person(email="bo@example.org"))
    world.campaign()
    world.plan()
    engine = world.engine
    with world.database.transaction() as session:
        claim = queue.claim(session, Channel.EMAIL, owner="slow", now=world.clock(), lease=timedelta(seconds=60))
        assert claim is not None
        late = _prepare(session, _job(session, claim, engine), engine)
        assert late is not None
    world.clock.forward(seconds=61)
    duties.take_over(engine)
    with world.database.transaction() as session:
        session.execute(update(Attempt).values(doubt="settled", outcome="not_taken", taken=0))
    duties.count(engine)
    assert _lines(world) == [("not_taken", 1, 2, 0)]
    with world.database.transaction() as session:
        receipts = [Receipt("M1"), Receipt("M1")]
        lease, chance = engine.worker.lease, Random(1)  # noqa: S311 - nothing is secret about a jitter
        answers.record(session, late, receipts, lease=lease, retry=engine.retry, chance=chance, now=world.clock())
    assert _lines(world) == [("accepted", 1, 2, 2)]
    duties.count(engine)
    assert _lines(world) == [("accepted", 1, 2, 2)]
