"""Email, then SMS: who has no working email gets a text message, also when that turns out later; nobody gets both."""

from datetime import timedelta

import pytest

from notifier.audiences import suppressions
from notifier.campaigns.options import Options
from notifier.delivery import control
from notifier.vocabulary import Channel, ChannelPolicy, EventKind, SuppressionReason
from tests.delivery.conftest import World
from tests.factories import Person, address_id

ADA = Person(email="ada@example.org", mobile="+61491570006")
BOB = Person(email="bob@example.org", mobile="+61491570156")
EVE = Person(mobile="+61491570157")


def _sent(world: World, *people: Person, **options: float) -> int:
    world.people(*people)
    campaign = world.campaign(ChannelPolicy.EMAIL_THEN_SMS, options=Options(**options))  # type: ignore[arg-type]
    world.plan()
    world.work()
    return campaign


def test_only_who_has_no_email_gets_an_sms_at_first(world: World) -> None:
    campaign = _sent(world, ADA, EVE)
    assert world.statuses(campaign) == {
        "ada@example.org": "accepted",
        "+61491570006": "held_back",
        "+61491570157": "accepted",
    }


def test_whose_email_comes_back_gets_an_sms_once(world: World) -> None:
    campaign = _sent(world, ADA, BOB)
    world.tell("ada@example.org", EventKind.HARD_BOUNCED)
    world.work()
    assert [envelope.destination for envelope in world.sms.taken] == ["+61491570006"]
    assert world.statuses(campaign)["+61491570006"] == "accepted"
    assert world.statuses(campaign)["+61491570156"] == "held_back"
    world.tell("bob@example.org", EventKind.DELIVERED)
    world.work()
    assert len(world.sms.taken) == 1


@pytest.mark.parametrize("kind", [EventKind.SOFT_BOUNCED, EventKind.COMPLAINED, EventKind.DELIVERED])
def test_nothing_but_a_hard_bounce_does(world: World, kind: EventKind) -> None:
    _sent(world, ADA)
    world.tell("ada@example.org", kind)
    world.work()
    assert world.sms.taken == []


def test_a_bounce_after_the_set_time_changes_nothing(world: World) -> None:
    _sent(world, ADA, sms_after_bounce_s=3600.0)
    world.clock.forward(hours=2)
    world.tell("ada@example.org", EventKind.HARD_BOUNCED)
    world.work()
    assert world.sms.taken == []


def test_a_number_that_opted_out_meanwhile_is_left_alone(world: World) -> None:
    campaign = _sent(world, ADA)
    with world.database.transaction() as session:
        number = address_id(session, Channel.SMS, "+61491570006", world.clock())
        suppressions.suppress_address(
            session, number, SuppressionReason.OPT_OUT, source="STOP", actor="recipient", now=world.clock()
        )
    world.tell("ada@example.org", EventKind.HARD_BOUNCED)
    world.work()
    assert world.sms.taken == []
    assert world.reasons(campaign)["+61491570006"] == "opt_out"


def test_a_phone_whose_owner_is_reached_by_another_email_stays_silent(world: World) -> None:
    _sent(world, ADA, Person(email="ada.work@example.org", mobile="+61491570006"))
    world.tell("ada@example.org", EventKind.HARD_BOUNCED)
    world.work()
    assert world.sms.taken == []
    world.tell("ada.work@example.org", EventKind.HARD_BOUNCED)
    world.work()
    assert [envelope.destination for envelope in world.sms.taken] == ["+61491570006"]


def test_a_cancelled_campaign_sends_nothing_more(world: World) -> None:
    campaign = _sent(world, ADA)
    with world.database.transaction() as session:
        control.cancel(session, campaign, by=world.officer(session, campaign), reason=None, now=world.clock())
    world.tell("ada@example.org", EventKind.HARD_BOUNCED)
    world.clock.moment += timedelta(minutes=1)
    world.work()
    assert world.sms.taken == []


def test_under_both_nobody_gets_a_second_sms_because_of_a_bounce(world: World) -> None:
    world.people(ADA)
    world.campaign(ChannelPolicy.BOTH)
    world.plan()
    world.work()
    world.tell("ada@example.org", EventKind.HARD_BOUNCED)
    world.work()
    assert len(world.sms.taken) == 1
