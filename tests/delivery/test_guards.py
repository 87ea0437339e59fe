"""Guards: a campaign that goes wrong too often is held with the figures, and not again for the same figures."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import insert

from notifier.delivery import calls, control, guards
from notifier.delivery.guards import GuardSettings
from notifier.delivery.models import Attempt
from notifier.providers.base import Ambiguous, Permanent, Receipt, Temporary
from notifier.vocabulary import Channel, ChannelPolicy, Envelope, EventKind
from notifier.worker import doubts, duties
from tests.delivery.conftest import World
from tests.delivery.test_doubt import RecordingProvider
from tests.factories import Person

LIMITS = GuardSettings(
    hard_bounce_percent=20, hard_bounce_from=5, complaint_percent=10, complaint_from=5, error_percent=50, error_from=4
)


def _sent(world: World, amount: int = 10) -> int:
    world.guards = LIMITS
    world.planning = type(world.planning)(slice_addresses=100, email_batch=100)
    world.people(*(Person(email=f"p{number}@example.org") for number in range(amount)))
    campaign = world.campaign()
    world.plan()
    world.work()
    return campaign


def _resume(world: World, campaign: int) -> None:
    with world.database.transaction() as session:
        control.resume(session, campaign, by=world.officer(session, campaign), now=world.clock())


def _over(world: World, campaign: int) -> list[str]:
    with world.database.reading() as session:
        return guards.over_limits(session, campaign, world.guards)


def test_too_many_hard_bounces_hold_the_campaign_with_the_figures(world: World) -> None:
    campaign = _sent(world)
    for number in range(2):
        world.tell(f"p{number}@example.org", EventKind.HARD_BOUNCED)
    assert duties.watch(world.engine) == []
    world.tell("p2@example.org", EventKind.HARD_BOUNCED)
    assert duties.watch(world.engine) == [campaign]
    found = world.found(campaign)
    assert found.status == "held"
    assert "3 of 10 messages bounced hard: 30.0 %, and the limit is 20 %" in (found.status_reason or "")


def test_complaints_have_a_limit_of_their_own(world: World) -> None:
    campaign = _sent(world)
    for number in range(2):
        world.tell(f"p{number}@example.org", EventKind.COMPLAINED)
    assert duties.watch(world.engine) == [campaign]
    assert "2 of 10 messages were complained about" in (world.found(campaign).status_reason or "")


def test_a_campaign_that_was_through_before_a_guard_looked_is_over_its_limits_all_the_same(world: World) -> None:
    campaign = _sent(world)
    assert _over(world, campaign) == []
    for number in range(3):
        world.tell(f"p{number}@example.org", EventKind.HARD_BOUNCED)
    duties.finish(world.engine)
    assert duties.watch(world.engine) == []
    assert world.found(campaign).status == "sent"
    assert _over(world, campaign) == ["By email, 3 of 10 messages bounced hard: 30.0 %, and the limit is 20 %."]


def test_what_is_over_a_limit_is_said_of_few_messages_too_and_of_what_a_person_has_seen(world: World) -> None:
    campaign = _sent(world, 4)
    world.tell("p0@example.org", EventKind.HARD_BOUNCED)
    few = "By email, 1 of 4 messages bounced hard: 25.0 %, and the limit is 20 %. Guards judge from 5 on."
    assert _over(world, campaign) == [few]
    world.guards = replace(LIMITS, hard_bounce_from=4)
    assert duties.watch(world.engine) == [campaign]
    _resume(world, campaign)
    assert _over(world, campaign) == ["By email, 1 of 4 messages bounced hard: 25.0 %, and the limit is 20 %."]


def test_few_messages_prove_nothing(world: World) -> None:
    _sent(world, 4)
    for number in range(4):
        world.tell(f"p{number}@example.org", EventKind.HARD_BOUNCED)
    assert duties.watch(world.engine) == []


def test_a_resumed_campaign_is_not_held_again_for_what_a_person_has_seen(world: World) -> None:
    campaign = _sent(world)
    for number in range(5):
        world.tell(f"p{number}@example.org", EventKind.HARD_BOUNCED)
    assert duties.watch(world.engine) == [campaign]
    _resume(world, campaign)
    assert duties.watch(world.engine) == []
    with world.database.transaction() as session:
        session.execute(
            insert(Attempt).values(
                batch_id=1, campaign_id=campaign, provider="fake", recipients=5, taken=5, started_at=world.clock(),
                outcome="accepted",
            )
        )  # fmt: skip
    assert duties.watch(world.engine) == [], "five more were sent and none came back"
    for number in range(5, 8):
        world.tell(f"p{number}@example.org", EventKind.HARD_BOUNCED)
    assert duties.watch(world.engine) == [campaign]
    assert "3 of 5 messages" in (world.found(campaign).status_reason or "")


def test_a_provider_that_mostly_refuses_holds_the_campaign(world: World) -> None:
    world.guards = LIMITS
    world.people(*(Person(email=f"p{number}@example.org") for number in range(8)))
    campaign = world.campaign()
    world.email.answers = [lambda _: Temporary("down", code="503")] * 3
    world.plan()
    world.work()
    assert duties.watch(world.engine) == [campaign]
    assert "3 of 4 calls to the provider" in (world.found(campaign).status_reason or "")


def test_a_repeated_event_is_counted_once(world: World) -> None:
    _sent(world)
    for _ in range(5):
        world.tell("p0@example.org", EventKind.HARD_BOUNCED)
    assert duties.watch(world.engine) == []


def test_bounces_of_emails_are_not_hidden_by_text_messages_that_arrive(world: World) -> None:
    world.guards = LIMITS
    world.planning = type(world.planning)(slice_addresses=100, email_batch=100, sms_batch=100)
    world.sms.group_size = 100
    world.people(*(Person(email=f"p{number}@example.org") for number in range(10)))
    world.people(*(Person(mobile=f"+614915700{number:02}") for number in range(90)), code="preston-primary")
    campaign = world.campaign(ChannelPolicy.BOTH)
    world.plan()
    world.work()
    for number in range(3):
        world.tell(f"p{number}@example.org", EventKind.HARD_BOUNCED)
    assert duties.watch(world.engine) == [campaign], "3 of 100 would be little, 3 of 10 are not"
    assert "By email, 3 of 10 messages bounced hard: 30.0 %" in (world.found(campaign).status_reason or "")


def test_messages_refused_one_by_one_count_with_their_share_of_the_call(world: World) -> None:
    world.guards = LIMITS
    world.planning = type(world.planning)(slice_addresses=100, sms_batch=10)
    world.sms.group_size = 10
    world.people(*(Person(mobile=f"+614915700{number:02}") for number in range(40)))
    campaign = world.campaign(ChannelPolicy.SMS)

    def refuse_six(envelopes: Sequence[Envelope]) -> list[Receipt]:
        refused = Receipt(error=Permanent("no mobile", code="30006"))
        return [refused] * 6 + [Receipt(message_id=f"SM{one.reference}") for one in envelopes[6:]]

    world.sms.answers = [refuse_six] * 4
    world.plan()
    world.work()
    assert duties.watch(world.engine) == [campaign]
    assert "By SMS, 2 of 4 calls to the provider were refused" in (world.found(campaign).status_reason or "")


def test_a_call_of_which_one_message_was_in_doubt_is_no_failed_call(world: World) -> None:
    world.guards = LIMITS
    provider = RecordingProvider(Channel.SMS, group_size=10)
    world.sms = provider
    world.planning = type(world.planning)(slice_addresses=100, sms_batch=10)
    world.people(*(Person(mobile=f"+614915700{number:02}") for number in range(40)))
    campaign = world.campaign(ChannelPolicy.SMS)

    def lose_one(envelopes: Sequence[Envelope]) -> list[Receipt]:
        lost = Receipt(error=Ambiguous("no answer", code="no_answer"))
        return [lost, *(Receipt(message_id=f"SM{one.reference}") for one in envelopes[1:])]

    provider.answers = [lose_one] * 4
    world.plan()
    world.work()
    world.clock.forward(seconds=301)
    assert doubts.settle(world.engine) == 4
    assert duties.watch(world.engine) == []
    with world.database.reading() as session:
        (line,) = calls.lines(session, campaign)
    assert (line.outcome, line.calls, line.recipients, line.taken) == ("partly_taken", 4, 40, 36)
