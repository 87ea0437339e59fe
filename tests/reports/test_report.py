"""The report of a campaign: every delivery in every breakdown, a school's view of its own people, and a page of it."""

import io
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from notifier.audiences.models import ContactList
from notifier.delivery.counts import of_school, refresh
from notifier.delivery.models import Delivery, Variant
from notifier.kit.db import Database
from notifier.kit.errors import NotFound
from notifier.kit.sheets import write_csv
from notifier.reports import paper
from notifier.reports.progress import campaign_summary
from notifier.reports.report import CampaignReport, campaign_report, school_report
from tests.delivery.test_counts import Life
from tests.tracking.ledger import a_campaign, a_delivery, a_variant, a_wave
from tests.web.test_preferences import a_list


def a_story(session: Session, now: datetime) -> int:
    campaign = a_campaign(session, now, code="ABCD1234", approved_at=now)
    wave = a_wave(session, campaign, now)
    north, east = str(a_list(session, "North <High>")), str(a_list(session, "East Primary"))
    english, arabic = a_variant(session, campaign, "en", now), a_variant(session, campaign, "ar", now)
    later = now + timedelta(hours=2)
    rows: tuple[tuple[int, str, str | None, str, dict[str, Any]], ...] = (
        (english, "delivered", None, north, {"accepted_at": now, "delivered_at": now}),
        (
            arabic,
            "delivered",
            None,
            f"{north},{east}",
            {"accepted_at": now, "delivered_at": later, "opted_out_at": later},
        ),
        (arabic, "bounced", "hard_bounce", east, {"accepted_at": now, "bounced_at": later}),
        (english, "failed", "30007", east, {"complained_at": now}),
        (english, "held_back", "opt_out", north, {}),
    )
    for address, (variant, status, reason, lists, moments) in enumerate(rows):
        a_delivery(
            session,
            address,
            campaign_id=campaign,
            wave_id=wave,
            variant_id=variant,
            status=status,
            reason=reason,
            list_ids=lists,
            **moments,
        )
    return campaign


@pytest.fixture
def made(database: Database, now: datetime) -> CampaignReport:
    with database.transaction() as session:
        return campaign_report(session, a_story(session, now), now=now)


def test_a_report_breaks_the_same_deliveries_down_in_every_way(made: CampaignReport) -> None:
    assert (made.planned, made.reached, made.complained, made.opted_out) == (5, 2, 1, 1)
    assert made.by_language == {
        "ar": {"bounced": 1, "delivered": 1},
        "en": {"delivered": 1, "failed": 1, "held_back": 1},
    }
    assert made.by_school == {
        "East Primary": {"bounced": 1, "delivered": 1, "failed": 1},
        "North <High>": {"delivered": 2, "held_back": 1},
    }
    assert made.by_region == {"AU-VIC": made.by_status}


def test_reasons_are_told_in_our_words(made: CampaignReport) -> None:
    assert made.reasons == {
        "the address does not exist or takes no mail": {"bounced": 1},
        "the network filtered the text": {"failed": 1},
        "the recipient asked us to stop": {"held_back": 1},
    }


def test_hours_are_told_in_utc(made: CampaignReport) -> None:
    assert [(hour.hour, hour.handed_over, hour.delivered, hour.came_back) for hour in made.hours] == [
        ("2026-11-23 09", 3, 1, 0),
        ("2026-11-23 11", 0, 1, 1),
    ]


def test_report_and_summary_agree(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        campaign = a_story(session, now)
        report, summary = campaign_report(session, campaign, now=now), campaign_summary(session, campaign)
    assert (report.planned, report.by_status, report.by_channel, report.by_region) == (
        summary.planned,
        summary.by_status,
        summary.by_channel,
        summary.by_region,
    )


def recounted(session: Session, campaign: int, list_id: int | None) -> tuple[object, ...]:
    """Count every delivery of a campaign, or of one list in it, one by one."""
    languages = {one.id: one.language for one in session.scalars(select(Variant))}
    mine = [
        row
        for row in session.scalars(select(Delivery).where(Delivery.campaign_id == campaign))
        if list_id is None or str(list_id) in row.list_ids.split(",")
    ]
    by_region: dict[str, Counter[str]] = defaultdict(Counter)
    by_language: dict[str, Counter[str]] = defaultdict(Counter)
    for row in mine:
        by_region[row.region][row.status] += 1
        if row.variant_id:
            by_language[languages[row.variant_id]][row.status] += 1
    hours = Counter(f"{row.accepted_at:%Y-%m-%d %H}" for row in mine if row.accepted_at)
    complained = sum(row.complained_at is not None for row in mine)
    return len(mine), Counter(row.status for row in mine), by_region, by_language, hours, complained


@pytest.mark.parametrize("seed", range(4))
def test_a_report_from_kept_counts_is_the_ledger_at_every_moment(database: Database, now: datetime, seed: int) -> None:
    chance = Random(seed)  # noqa: S311 - a story, not a secret
    with database.transaction() as session:
        life = Life(session, now, chance)
        schools = {number: a_list(session, f"School {number}") for number in (7, 8, 9)}
        for number, list_id in schools.items():
            session.execute(update(ContactList).where(ContactList.id == list_id).values(id=number))
        for _ in range(25):
            life.step()
            some = [one for one in session.scalars(select(Delivery.id)).all() if chance.random() < 0.1]
            moments = {"accepted_at": now + timedelta(hours=chance.randrange(3)), "complained_at": now}
            session.execute(update(Delivery).where(Delivery.id.in_(some)).values(moments))
            session.expire_all()
            for chosen in (None, 7, 8, 9):
                made = (
                    campaign_report(session, life.campaign, now=now)
                    if chosen is None
                    else school_report(session, life.campaign, f"school-{chosen}", now=now)
                )
                hours = {hour.hour: hour.handed_over for hour in made.hours if hour.handed_over}
                counted = (made.planned, made.by_status, made.by_region, made.by_language, hours, made.complained)
                assert counted == recounted(session, life.campaign, chosen)


def test_a_schools_view_reads_the_batches_of_the_school_only(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        life = Life(session, now)
        for batch in life.batches:
            life._batch_is(batch, "done", 1)
            life._deliveries_are(batch, "queued", "accepted")
        other = life.batches[0]
        session.execute(update(Delivery).where(Delivery.batch_id != other).values(list_ids="9"))
        refresh(session)
        batches, _ = of_school(life.campaign, 7)
        read = session.scalars(select(Delivery.batch_id).where(batches).distinct()).all()
    assert read == [other]


def test_a_school_sees_its_own_people_and_no_other_school(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        campaign = a_story(session, now)
        east = school_report(session, campaign, "east-primary", now=now)
        with pytest.raises(NotFound, match="nowhere"):
            school_report(session, campaign, "nowhere", now=now)
    assert (east.planned, east.school) == (3, "East Primary")
    assert east.by_school == {"East Primary": {"bounced": 1, "delivered": 1, "failed": 1}}
    assert "North" not in paper.html(east)


def test_the_page_holds_everything_itself_and_escapes_names(made: CampaignReport) -> None:
    page = paper.html(made)
    assert "North &lt;High&gt;" in page
    assert "<polyline" in page
    for outside in ("http://", "https://", "<script", "<link", "url("):
        assert outside not in page


def test_a_report_of_nothing_is_a_page_too(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        empty = campaign_report(session, a_campaign(session, now), now=now)
    assert "<h1>" in paper.html(empty)
    assert empty.planned == 0


def test_the_table_has_one_shape(made: CampaignReport) -> None:
    file = io.StringIO()
    write_csv(file, ["breakdown", "name", "status", "number"], list(made.cells()))
    lines = file.getvalue().splitlines()
    assert "language,ar,bounced,1" in lines
    assert "school,East Primary,failed,1" in lines
    assert sum(int(line.rsplit(",", 1)[1]) for line in lines if line.startswith("all,")) == 5
