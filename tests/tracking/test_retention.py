"""Forgetting: what its clock says goes in small steps, and every count stays."""

from datetime import datetime, timedelta

from sqlalchemy import select, update

from notifier.campaigns.models import Campaign
from notifier.delivery.counts import refresh
from notifier.delivery.models import Delivery, Variant
from notifier.kit.db import Database
from notifier.kit.tokens import Keyring
from notifier.reports.progress import campaign_summary
from notifier.tracking.apply import apply_pending
from notifier.tracking.inbox import store
from notifier.tracking.models import InboundMessage
from notifier.tracking.retention import RetentionSettings, prune
from notifier.vocabulary import EventKind
from tests.delivery.test_counts import Life
from tests.tracking.ledger import SECRET, a_delivery, news

SETTINGS = RetentionSettings(step_rows=2)


def test_addresses_and_words_go_after_the_campaign_and_the_counts_stay(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        campaign = Life(session, now).campaign
        session.execute(update(Delivery).values(destination="p@example.org", given_name="Maria"))
        session.execute(update(Variant).values(content={"text": "words"}))
        session.execute(update(Campaign).values(status="sent", finished_at=now))
        refresh(session)
        before = campaign_summary(session, campaign)
        assert prune(session, SETTINGS, now=now + timedelta(days=89)) == 0
        later = now + timedelta(days=401)
        while prune(session, SETTINGS, now=later):
            pass
        assert set(session.scalars(select(Delivery.destination))) == {None}
        assert set(session.scalars(select(Delivery.given_name))) == {None}
        assert list(session.scalars(select(Variant.content))) == [{}] * 3
        assert campaign_summary(session, campaign) == before


def test_a_campaign_that_goes_on_keeps_its_addresses(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        delivery = a_delivery(session, 1, destination="p@example.org", campaign_id=Life(session, now).campaign)
        assert prune(session, SETTINGS, now=now + timedelta(days=1000)) == 0
        assert session.get_one(Delivery, delivery).destination == "p@example.org"


def test_old_events_go_in_steps_once_they_are_applied(database: Database, keyring: Keyring, now: datetime) -> None:
    with database.transaction() as session:
        store(session, [news(keyring, one, EventKind.DELIVERED, now) for one in range(5)], keyring=keyring, now=now)
        assert prune(session, SETTINGS, now=now + timedelta(days=31)) == 0
        apply_pending(session, address_secret=SECRET, now=now)
        assert prune(session, SETTINGS, now=now + timedelta(days=29)) == 0
        assert [prune(session, SETTINGS, now=now + timedelta(days=31)) for _ in range(4)] == [2, 2, 1, 0]


def test_a_message_goes_only_after_somebody_read_it(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        session.add_all(
            InboundMessage(channel="sms", sender="+1", text="t", received_at=now, read_at=read) for read in (None, now)
        )
        session.flush()
        assert prune(session, SETTINGS, now=now + timedelta(days=181)) == 1
        assert session.scalars(select(InboundMessage.read_at)).all() == [None]
