"""Doubts: what a provider was asked and never answered for is settled by proof, and by nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from notifier.accounts import audit, users
from notifier.campaigns import lifecycle
from notifier.delivery import answers, control, doubt, queue
from notifier.delivery.models import Attempt, Delivery
from notifier.delivery.status import DeliveryStatus, advance
from notifier.kit.errors import Conflict
from notifier.kit.tokens import Purpose
from notifier.providers.base import Ambiguous, Event, ProviderError, Receipt, SettledBy, Temporary
from notifier.tracking import inbox
from notifier.vocabulary import Channel, ChannelPolicy, Envelope, EventKind
from notifier.worker import doubts, duties
from tests.delivery.conftest import FakeProvider, World
from tests.delivery.test_engine import _job, _prepare
from tests.factories import Person

MOBILES = [Person(mobile=f"+6149157000{number}") for number in range(3)]


@dataclass
class RecordingProvider(FakeProvider):
    """A provider that can be asked what it took."""

    settled_by: SettledBy = SettledBy.RECORD
    texts: dict[str, list[str]] = field(default_factory=dict)
    unreadable: ProviderError | None = None
    asked: list[str] = field(default_factory=list)

    async def find(self, destination: str, *, after: datetime) -> list[Event]:
        self.asked.append(destination)
        if self.unreadable:
            raise self.unreadable
        return [
            Event("fake", f"{destination}-{place}", EventKind.ACCEPTED, after, message_id=f"SM{place}", text=text)
            for place, text in enumerate(self.texts.get(destination, []))
        ]


def _people(world: World, amount: int) -> list[str]:
    names = [f"p{number}@example.org" for number in range(amount)]
    world.people(*(Person(email=name) for name in names))
    return names


def _unanswered(world: World, amount: int = 2) -> int:
    """Send a campaign whose only call goes unanswered."""
    _people(world, amount)
    world.planning = type(world.planning)(slice_addresses=100, email_batch=100, sms_batch=100)
    campaign = world.campaign()
    world.email.answers = [lambda _: Ambiguous("timeout")]
    world.plan()
    world.work()
    return campaign


def _event(world: World, destination: str, kind: EventKind = EventKind.DELIVERED) -> None:
    """Let the provider tell of one delivery."""
    with world.database.transaction() as session:
        delivery_id = session.scalars(select(Delivery.id).where(Delivery.destination == destination)).one()
        reference = world.keyring.seal(Purpose.DELIVERY, delivery_id)
        told = Event("fake", f"e-{delivery_id}-{kind}", kind, world.clock(), reference=reference)
        inbox.store(session, [told], keyring=world.keyring, now=world.clock())


def _attempts(world: World) -> list[Attempt]:
    with world.database.reading() as session:
        return list(session.scalars(select(Attempt).order_by(Attempt.id)))


def test_one_event_for_any_recipient_proves_the_whole_request_taken(world: World) -> None:
    campaign = _unanswered(world, 3)
    _event(world, "p1@example.org")
    duties.apply_events(world.engine)
    assert doubts.settle(world.engine) == 1
    assert world.statuses(campaign) == {
        "p0@example.org": "accepted",
        "p1@example.org": "delivered",
        "p2@example.org": "accepted",
    }
    (attempt,) = _attempts(world)
    assert (attempt.doubt, attempt.outcome) == ("settled", "taken")
    assert "has told of a recipient" in (attempt.detail or "")
    assert world.email.calls == 1


def test_silence_while_others_are_told_of_allows_a_resend_after_the_waiting_time(world: World) -> None:
    campaign = _unanswered(world)
    world.people(Person(email="other@example.org"), code="preston-primary")
    other = world.campaign()
    world.plan()
    world.work()
    world.clock.forward(seconds=30)
    _event(world, "other@example.org")
    duties.apply_events(world.engine)
    world.clock.forward(seconds=500)
    assert doubts.settle(world.engine) == 0, "it is too early"
    world.clock.forward(seconds=100)
    assert doubts.settle(world.engine) == 1
    world.work()
    assert set(world.statuses(campaign).values()) == {"accepted"}
    assert "delivered" in world.statuses(other).values()
    first = _attempts(world)[0]
    assert first.outcome == "not_taken"
    assert "none of it" in (first.detail or "")


def test_when_no_events_arrive_at_all_it_stays_unknown_and_the_campaign_open(world: World) -> None:
    campaign = _unanswered(world)
    world.clock.forward(days=3)
    assert doubts.settle(world.engine) == 0
    assert duties.finish(world.engine) == []
    assert set(world.statuses(campaign).values()) == {"unknown"}


def test_news_from_before_the_call_proves_nothing(world: World) -> None:
    _people(world, 1)
    world.campaign()
    world.plan()
    world.work()
    _event(world, "p0@example.org")
    world.clock.forward(minutes=1)
    world.people(Person(email="late@example.org"), code="preston-primary")
    later = world.campaign()
    world.email.answers = [lambda _: Ambiguous("timeout")]
    world.plan()
    world.work()
    world.clock.forward(hours=2)
    assert doubts.settle(world.engine) == 0
    assert "unknown" in world.statuses(later).values()


def test_a_call_cut_off_by_a_death_is_settled_like_one_unanswered(world: World) -> None:
    _people(world, 2)
    campaign = world.campaign()
    world.plan()
    with world.database.transaction() as session:
        claim = queue.claim(session, Channel.EMAIL, owner="dead", now=world.clock(), lease=timedelta(seconds=60))
        assert claim is not None
        _prepare(session, _job(session, claim, world.engine), world.engine)
    world.clock.forward(seconds=61)
    duties.take_over(world.engine)
    _event(world, "p0@example.org", EventKind.ACCEPTED)
    assert doubts.settle(world.engine) == 1
    assert world.statuses(campaign) == {"p0@example.org": "accepted", "p1@example.org": "accepted"}


def test_a_death_in_a_paused_batch_is_not_forgotten(world: World) -> None:
    _people(world, 2)
    campaign = world.campaign()
    world.plan()
    with world.database.transaction() as session:
        claim = queue.claim(session, Channel.EMAIL, owner="dead", now=world.clock(), lease=timedelta(seconds=60))
        assert claim is not None
        _prepare(session, _job(session, claim, world.engine), world.engine)
    with world.database.transaction() as session:
        by = users.find(session, lifecycle.find(session, campaign).created_by)
        control.pause(session, campaign, by=by, reason=None, now=world.clock())
    assert duties.take_over(world.engine) == 0
    world.clock.forward(seconds=121)
    assert duties.take_over(world.engine) == 1
    assert set(world.statuses(campaign).values()) == {"unknown"}


def _sms(world: World, provider: RecordingProvider) -> int:
    world.sms = provider
    world.people(*MOBILES)
    campaign = world.campaign(ChannelPolicy.SMS)
    world.planning = type(world.planning)(slice_addresses=100, sms_batch=100)
    provider.group_size = 100
    provider.answers = [lambda envelopes: [Receipt(error=Ambiguous("no answer", code="no_answer"))] * len(envelopes)]
    world.plan()
    world.work()
    return campaign


def _code(world: World, campaign: int) -> str:
    with world.database.reading() as session:
        return lifecycle.find(session, campaign).code


def test_messages_on_record_are_accepted_and_the_others_are_sent_again(world: World) -> None:
    provider = RecordingProvider(Channel.SMS)
    campaign = _sms(world, provider)
    assert doubts.settle(world.engine) == 0, "it is too early to ask"
    assert provider.asked == []
    provider.texts = {
        "+61491570000": [f"see /v/{_code(world, campaign)}"],
        "+61491570001": ["another campaign's message, /v/ZZZZZZZZ"],
    }
    world.clock.forward(seconds=301)
    assert doubts.settle(world.engine) == 1
    assert world.statuses(campaign) == {
        "+61491570000": "accepted",
        "+61491570001": "queued",
        "+61491570002": "queued",
    }
    world.work()
    assert sorted(envelope.destination for envelope in provider.taken) == ["+61491570001", "+61491570002"]
    with world.database.reading() as session:
        ids = select(Delivery.provider_message_id).where(Delivery.destination == "+61491570000")
        assert session.scalars(ids).one() == "SM0"
    assert _attempts(world)[0].outcome == "partly_taken"
    assert _attempts(world)[0].detail == "fake has 1 of 3 messages on record"


def test_a_record_that_cannot_be_read_leaves_it_unknown_until_it_can(world: World) -> None:
    provider = RecordingProvider(Channel.SMS, unreadable=Temporary("down", code="503"))
    campaign = _sms(world, provider)
    world.clock.forward(seconds=301)
    assert doubts.settle(world.engine) == 0
    assert set(world.statuses(campaign).values()) == {"unknown"}
    provider.unreadable = None
    assert doubts.settle(world.engine) == 1
    assert set(world.statuses(campaign).values()) == {"queued"}


def test_nothing_settles_a_doubt_by_itself_where_only_a_person_can_tell(world: World) -> None:
    world.email.settled_by = SettledBy.PERSON
    campaign = _unanswered(world)
    world.clock.forward(days=1)
    assert doubts.settle(world.engine) == 0
    with world.database.transaction() as session:
        officer = users.find(session, lifecycle.find(session, campaign).created_by)
        assert doubt.said_not_sent(session, campaign, by=officer, attempt=None, now=world.clock()) == 2
    world.work()
    assert set(world.statuses(campaign).values()) == {"accepted"}
    with world.database.reading() as session:
        act = audit.trail(session, f"campaign {campaign}")[-1]
    assert (act.action, act.actor, act.reason) == ("campaign.doubt_settled", officer.email, "sent again")
    assert act.detail == {"attempts": [1], "deliveries": 2}


def test_a_person_may_say_that_it_was_sent(world: World) -> None:
    campaign = _unanswered(world)
    with world.database.transaction() as session:
        officer = users.find(session, lifecycle.find(session, campaign).created_by)
        assert doubt.said_sent(session, campaign, by=officer, attempt=1, now=world.clock()) == 2
        with pytest.raises(Conflict, match="no attempt 1 in doubt"):
            doubt.said_sent(session, campaign, by=officer, attempt=1, now=world.clock())
    assert set(world.statuses(campaign).values()) == {"accepted"}
    assert duties.finish(world.engine) == [campaign]


def test_a_late_refusal_does_not_pull_back_what_is_being_sent_again(world: World) -> None:
    _people(world, 2)
    campaign = world.campaign()
    world.plan()
    with world.database.transaction() as session:
        claim = queue.claim(session, Channel.EMAIL, owner="slow", now=world.clock(), lease=timedelta(seconds=60))
        assert claim is not None
        late = _prepare(session, _job(session, claim, world.engine), world.engine)
        assert late is not None
    world.clock.forward(seconds=61)
    duties.take_over(world.engine)
    with world.database.transaction() as session:
        officer = users.find(session, lifecycle.find(session, campaign).created_by)
        doubt.said_not_sent(session, campaign, by=officer, attempt=None, now=world.clock())
        claim = queue.claim(session, Channel.EMAIL, owner="new", now=world.clock(), lease=timedelta(seconds=60))
        assert claim is not None
        _prepare(session, _job(session, claim, world.engine), world.engine)
    with world.database.transaction() as session:
        engine = world.engine
        answers.record(
            session,
            late,
            Temporary("late"),
            lease=engine.worker.lease,
            retry=engine.retry,
            chance=engine.chance,
            now=world.clock(),
        )
    assert set(world.statuses(campaign).values()) == {"sending"}


def test_a_retry_of_a_cancelled_campaign_is_cancelled(world: World) -> None:
    def cancel_in_between(_: Sequence[Envelope]) -> Temporary:
        with world.database.transaction() as session:
            by = users.find(session, lifecycle.find(session, campaign).created_by)
            control.cancel(session, campaign, by=by, reason=None, now=world.clock())
        return Temporary("not now")

    _people(world, 2)
    campaign = world.campaign()
    world.email.answers = [cancel_in_between]
    world.plan()
    world.work()
    assert set(world.statuses(campaign).values()) == {"cancelled"}


def test_an_event_alone_settles_the_delivery_it_is_about(world: World) -> None:
    campaign = _unanswered(world, 1)
    _event(world, "p0@example.org", EventKind.HARD_BOUNCED)
    duties.apply_events(world.engine)
    assert set(world.statuses(campaign).values()) == {"bounced"}
    assert doubts.settle(world.engine) == 1
    assert _attempts(world)[0].doubt == "settled"


def test_what_is_already_known_is_left_alone_by_a_settlement(world: World) -> None:
    campaign = _unanswered(world, 2)
    with world.database.transaction() as session:
        first = session.scalars(select(Delivery.id).where(Delivery.destination == "p0@example.org")).one()
        advance(session, [first], DeliveryStatus.DELIVERED, at=world.clock())
        officer = users.find(session, lifecycle.find(session, campaign).created_by)
        assert doubt.said_not_sent(session, campaign, by=officer, attempt=None, now=world.clock()) == 1
    assert world.statuses(campaign)["p0@example.org"] == "delivered"
