"""What an event does to a delivery and to the address it went to, whatever the order of arrival."""

from datetime import datetime, timedelta
from itertools import permutations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.audiences.models import Suppression
from notifier.kit.db import Database
from notifier.kit.tokens import Keyring
from notifier.providers.base import Event
from notifier.tracking.apply import apply_pending
from notifier.tracking.inbox import store
from notifier.tracking.models import PendingEvent
from notifier.vocabulary import EventKind
from tests.tracking.ledger import SECRET, a_campaign, a_delivery, an_address, news, the_delivery, the_status

K = EventKind
EARLIER = timedelta(minutes=-5)


def told(session: Session, keyring: Keyring, now: datetime, *events: Event) -> None:
    store(session, events, keyring=keyring, now=now)
    apply_pending(session, address_secret=SECRET, now=now)


def suppressions(session: Session) -> set[tuple[str, str]]:
    return {(row.channel, row.reason) for row in session.execute(select(Suppression.channel, Suppression.reason))}


@pytest.mark.parametrize("before", ["sending", "accepted", "unknown"])
@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (K.DELIVERED, "delivered"),
        (K.HARD_BOUNCED, "bounced"),
        (K.SOFT_BOUNCED, "bounced"),
        (K.FAILED, "failed"),
        (K.DROPPED, "failed"),
        (K.ACCEPTED, "accepted"),
        (K.DEFERRED, "accepted"),
        (K.COMPLAINED, "accepted"),
    ],
)
def test_an_event_moves_a_delivery(
    database: Database, keyring: Keyring, now: datetime, before: str, kind: EventKind, status: str
) -> None:
    with database.transaction() as session:
        delivery = a_delivery(session, an_address(session, "p@example.org", now), status=before)
        told(session, keyring, now, news(keyring, delivery, kind, now))
        assert the_delivery(session, delivery).status == status


@pytest.mark.parametrize("before", ["queued", "held_back", "cancelled"])
def test_an_event_never_moves_what_was_not_sent(
    database: Database, keyring: Keyring, now: datetime, before: str
) -> None:
    with database.transaction() as session:
        delivery = a_delivery(session, an_address(session, "p@example.org", now), status=before)
        told(session, keyring, now, news(keyring, delivery, K.DELIVERED, now))
        assert the_delivery(session, delivery).status == before


def test_facts_keep_the_moment_the_provider_names(database: Database, keyring: Keyring, now: datetime) -> None:
    with database.transaction() as session:
        delivery = a_delivery(session, an_address(session, "p@example.org", now))
        told(
            session,
            keyring,
            now,
            news(keyring, delivery, K.DEFERRED, now + 2 * EARLIER),
            news(keyring, delivery, K.DELIVERED, now + EARLIER),
            news(keyring, delivery, K.COMPLAINED, now),
        )
        row = the_delivery(session, delivery)
        assert (row.deferred_at, row.delivered_at, row.complained_at) == (now + 2 * EARLIER, now + EARLIER, now)
        assert row.status == "delivered"


def test_every_order_of_contradicting_outcomes_ends_with_the_latest(
    database: Database, keyring: Keyring, now: datetime
) -> None:
    with database.transaction() as session:
        for place, order in enumerate(permutations([K.DELIVERED, K.HARD_BOUNCED, K.FAILED])):
            delivery = a_delivery(session, an_address(session, f"p{place}@example.org", now))
            moments = {K.HARD_BOUNCED: now + 2 * EARLIER, K.FAILED: now + EARLIER, K.DELIVERED: now}
            for kind in order:
                told(session, keyring, now, news(keyring, delivery, kind, moments[kind]))
            row = the_delivery(session, delivery)
            assert (row.status, row.reason) == ("delivered", None), order


def test_at_the_same_moment_the_worse_outcome_stands(database: Database, keyring: Keyring, now: datetime) -> None:
    with database.transaction() as session:
        for place, order in enumerate(permutations([K.DELIVERED, K.HARD_BOUNCED, K.FAILED])):
            delivery = a_delivery(session, an_address(session, f"p{place}@example.org", now))
            for kind in order:
                told(session, keyring, now, news(keyring, delivery, kind, now))
            assert the_delivery(session, delivery).status == "bounced", order


def test_of_two_bounces_the_later_one_says_why_and_at_one_moment_always_the_same(
    database: Database, keyring: Keyring, now: datetime
) -> None:
    with database.transaction() as session:
        for place, order in enumerate(permutations([K.HARD_BOUNCED, K.SOFT_BOUNCED])):
            later, same = (a_delivery(session, an_address(session, f"{place}{n}@example.org", now)) for n in range(2))
            moments = {K.HARD_BOUNCED: now + EARLIER, K.SOFT_BOUNCED: now}
            for kind in order:
                told(session, keyring, now, news(keyring, later, kind, moments[kind]), news(keyring, same, kind, now))
            reasons = [the_delivery(session, one).reason for one in (later, same)]
            assert reasons == ["soft_bounce", "hard_bounce"], order


@pytest.mark.parametrize(
    ("kind", "code", "reason"),
    [
        (K.HARD_BOUNCED, "5.1.1", "hard_bounce"),
        (K.COMPLAINED, None, "complaint"),
        (K.UNSUBSCRIBED, None, "opt_out"),
        (K.OPTED_OUT, "21610", "opt_out"),
        (K.DROPPED, "hard_bounce", "hard_bounce"),
    ],
)
def test_an_address_is_suppressed_by_reason(
    database: Database, keyring: Keyring, now: datetime, kind: EventKind, code: str | None, reason: str
) -> None:
    with database.transaction() as session:
        delivery = a_delivery(session, an_address(session, "p@example.org", now))
        told(session, keyring, now, news(keyring, delivery, kind, now, code=code))
        assert suppressions(session) == {("email", reason)}


@pytest.mark.parametrize("kind", [K.SOFT_BOUNCED, K.FAILED, K.DROPPED, K.DEFERRED, K.OPENED, K.CLICKED, K.UNKNOWN])
def test_a_trouble_that_may_pass_suppresses_nobody(
    database: Database, keyring: Keyring, now: datetime, kind: EventKind
) -> None:
    with database.transaction() as session:
        delivery = a_delivery(session, an_address(session, "p@example.org", now))
        told(session, keyring, now, news(keyring, delivery, kind, now, code="spam_content"))
        assert suppressions(session) == set()


def test_a_bounce_that_lost_our_reference_is_known_by_its_address(
    database: Database, keyring: Keyring, now: datetime
) -> None:
    with database.transaction() as session:
        an_address(session, "p@example.org", now)
        an_address(session, "+61491570006", now)
        told(
            session,
            keyring,
            now,
            news(keyring, None, K.HARD_BOUNCED, now, destination="p@example.org"),
            news(keyring, None, K.OPTED_OUT, now, destination="+61491570006", provider="twilio"),
            news(keyring, None, K.COMPLAINED, now, destination="stranger@example.org"),
        )
        assert suppressions(session) == {("email", "hard_bounce"), ("sms", "opt_out")}
        assert session.scalars(select(PendingEvent.destination)).all() == []


def test_an_event_about_a_forgotten_address_is_no_trouble(database: Database, keyring: Keyring, now: datetime) -> None:
    with database.transaction() as session:
        delivery = a_delivery(session, 999_999)
        told(
            session, keyring, now, news(keyring, delivery, K.HARD_BOUNCED, now), news(keyring, 31337, K.COMPLAINED, now)
        )
        assert the_delivery(session, delivery).status == "bounced"
        assert suppressions(session) == set()


def test_events_are_taken_in_portions_and_each_once(database: Database, keyring: Keyring, now: datetime) -> None:
    with database.transaction() as session:
        delivery = a_delivery(session, an_address(session, "p@example.org", now))
        kinds = [K.ACCEPTED, K.DEFERRED, K.DELIVERED, K.UNKNOWN, K.CLICKED]
        store(session, [news(keyring, delivery, kind, now) for kind in kinds], keyring=keyring, now=now)
        assert [apply_pending(session, address_secret=SECRET, now=now, limit=2) for _ in range(4)] == [2, 2, 1, 0]


def test_trouble_with_an_account_holds_what_is_sending_on_its_channel(
    database: Database, keyring: Keyring, now: datetime
) -> None:
    with database.transaction() as session:
        campaigns = [
            a_campaign(session, now, channels=channels, status=status)
            for channels, status in (("sms", "sending"), ("both", "sending"), ("email", "sending"), ("sms", "approved"))
        ]
        told(session, keyring, now, news(keyring, None, K.ACCOUNT_TROUBLE, now, provider="twilio", code="30002"))
        assert [the_status(session, one) for one in campaigns] == ["held", "held", "sending", "approved"]


def test_a_message_that_failed_with_the_account_says_why(database: Database, keyring: Keyring, now: datetime) -> None:
    with database.transaction() as session:
        delivery = a_delivery(session, an_address(session, "+61491570006", now), channel="sms")
        told(session, keyring, now, news(keyring, delivery, K.ACCOUNT_TROUBLE, now, provider="twilio", code="30034"))
        assert (the_delivery(session, delivery).status, the_delivery(session, delivery).reason) == ("failed", "30034")
        assert suppressions(session) == set()
