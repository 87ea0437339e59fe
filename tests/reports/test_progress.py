"""A campaign's figures: every planned delivery is counted once, and the ones not sent say why."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy.orm import Session

from notifier.kit.db import Database
from notifier.kit.errors import NotFound
from notifier.reports.progress import campaign_summary, deliveries
from tests.tracking.ledger import a_campaign, a_delivery, a_variant, a_wave


def a_ledger(session: Session, now: datetime) -> int:
    campaign = a_campaign(session, now, code="ABCD1234")
    wave = a_wave(session, campaign, now)
    english, arabic = a_variant(session, campaign, "en", now), a_variant(session, campaign, "ar", now)
    rows = [
        ("email", "delivered", None, english, "1"),
        ("email", "delivered", None, arabic, "1,11"),
        ("email", "bounced", "hard_bounce", arabic, "11"),
        ("email", "held_back", "opt_out", english, "1"),
        ("sms", "held_back", "no_content", None, "2"),
        ("sms", "unknown", None, english, "2"),
        ("sms", "queued", None, english, "2"),
    ]
    for address_id, (channel, status, reason, variant, lists) in enumerate(rows, start=1):
        a_delivery(
            session,
            address_id,
            campaign_id=campaign,
            channel=channel,
            status=status,
            reason=reason,
            variant_id=variant,
            list_ids=lists,
            wave_id=wave,
        )
    a_delivery(session, 1, campaign_id=campaign + 1, wave_id=wave + 1)
    return campaign


def test_a_summary_counts_every_delivery_once(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        campaign = a_ledger(session, now)
        found = campaign_summary(session, campaign)
    assert found.planned == 7
    assert found.by_status == {"delivered": 2, "bounced": 1, "held_back": 2, "unknown": 1, "queued": 1}
    assert found.by_channel == {
        "email": {"delivered": 2, "bounced": 1, "held_back": 1},
        "sms": {"held_back": 1, "unknown": 1, "queued": 1},
    }
    assert found.by_language == {"en": 1, "ar": 2}
    assert found.held_back == {"opt_out": 1, "no_content": 1}
    assert found.not_reached == {"hard_bounce": 1}
    assert found.by_region == {
        "AU-VIC": {"delivered": 2, "bounced": 1, "held_back": 2, "unknown": 1, "queued": 1},
    }
    assert found.unknown == 1
    assert found.as_dict()["code"] == "ABCD1234"


def test_a_campaign_that_does_not_exist_is_named(database: Database) -> None:
    with database.reading() as session, pytest.raises(NotFound, match="no campaign 99"):
        campaign_summary(session, 99)


@pytest.mark.parametrize(
    ("wanted", "number"),
    [
        ({}, 7),
        ({"status": "delivered"}, 2),
        ({"channel": "sms"}, 3),
        ({"reason": "opt_out"}, 1),
        ({"language": "ar"}, 2),
        ({"list_id": 1}, 3),
        ({"list_id": 11, "status": "bounced"}, 1),
    ],
)
def test_the_list_shows_what_was_asked_for(
    database: Database, now: datetime, wanted: dict[str, Any], number: int
) -> None:
    with database.transaction() as session:
        assert len(deliveries(session, a_ledger(session, now), **wanted)) == number


def test_the_list_goes_on_where_it_stopped(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        campaign = a_ledger(session, now)
        pages, after = [], 0
        while page := deliveries(session, campaign, after=after, limit=3):
            pages.append(len(page))
            after = page[-1].id
    assert pages == [3, 3, 1]
