"""The life of a campaign: one test per arrow, two people, and an approval that is bound to what was seen."""

from datetime import datetime
from itertools import product

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from notifier.accounts.audit import trail
from notifier.accounts.models import User, UserRole
from notifier.campaigns import lifecycle
from notifier.campaigns.lifecycle import ARROWS, CampaignStatus
from notifier.campaigns.models import Campaign
from notifier.kit.db import Database
from notifier.kit.errors import Conflict, NotFound
from tests.factories import make_campaign, make_user

S = CampaignStatus


def _people(session: Session, now: datetime) -> tuple[User, User]:
    officer = make_user(session, "officer@police.example", UserRole.OFFICER, now)
    return officer, make_user(session, "approver@police.example", UserRole.APPROVER, now)


def _take(  # noqa: C901 - one line for each state
    session: Session, campaign_id: int, to: CampaignStatus, officer: User, approver: User, now: datetime
) -> None:
    match to:
        case S.IN_REVIEW:
            lifecycle.submit(session, campaign_id, by=officer, fingerprint="f", now=now)
        case S.RETURNED:
            lifecycle.send_back(session, campaign_id, by=approver, reason="the audience", now=now)
        case S.APPROVED:
            lifecycle.approve(session, campaign_id, by=approver, fingerprint="f", now=now)
        case S.SENDING:
            current = lifecycle.find(session, campaign_id).status
            if current in {S.PAUSED, S.HELD}:
                lifecycle.resume(session, campaign_id, by=officer, now=now)
            else:
                lifecycle.start(session, campaign_id, now=now)
        case S.PAUSED:
            lifecycle.pause(session, campaign_id, by=officer, reason=None, now=now)
        case S.HELD:
            lifecycle.hold(session, campaign_id, reason="trouble", now=now)
        case S.SENT:
            lifecycle.finish(session, campaign_id, now=now)
        case S.CANCELLED:
            lifecycle.cancel(session, campaign_id, by=officer, reason=None, now=now)
        case S.DRAFT:
            raise Conflict("nothing becomes a draft again")


@pytest.mark.parametrize(("start", "end"), [(a, b) for a, b in product(S, S) if a is not b])
def test_each_arrow_can_be_taken_and_no_other(
    database: Database, now: datetime, start: CampaignStatus, end: CampaignStatus
) -> None:
    with database.transaction() as session:
        officer, approver = _people(session, now)
        campaign = make_campaign(session, officer, now)
        session.execute(update(Campaign).values(status=start, submitted_hash="f"))
        if end in ARROWS[start]:
            _take(session, campaign.id, end, officer, approver, now)
            assert lifecycle.find(session, campaign.id).status == end
            assert trail(session, campaign.subject)[-1].action == f"campaign.{end}"
        else:
            with pytest.raises(Conflict):
                _take(session, campaign.id, end, officer, approver, now)
            assert lifecycle.find(session, campaign.id).status == start


def test_an_officer_cannot_approve(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        officer, _ = _people(session, now)
        campaign = make_campaign(session, officer, now)
        lifecycle.submit(session, campaign.id, by=officer, fingerprint="f", now=now)
        with pytest.raises(Conflict, match="takes an approver"):
            lifecycle.approve(session, campaign.id, by=officer, fingerprint="f", now=now)


def test_an_approver_cannot_approve_their_own_campaign(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        officer, approver = _people(session, now)
        own = make_campaign(session, approver, now)
        lifecycle.submit(session, own.id, by=officer, fingerprint="f", now=now)
        with pytest.raises(Conflict, match="a second person"):
            lifecycle.approve(session, own.id, by=approver, fingerprint="f", now=now)


def test_an_approver_cannot_approve_what_they_submitted(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        officer, approver = _people(session, now)
        campaign = make_campaign(session, officer, now)
        lifecycle.submit(session, campaign.id, by=approver, fingerprint="f", now=now)
        with pytest.raises(Conflict, match="a second person"):
            lifecycle.approve(session, campaign.id, by=approver, fingerprint="f", now=now)


def test_what_has_changed_since_it_was_submitted_cannot_be_approved(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        officer, approver = _people(session, now)
        campaign = make_campaign(session, officer, now)
        lifecycle.submit(session, campaign.id, by=officer, fingerprint="as submitted", now=now)
        with pytest.raises(Conflict, match="changed since it was submitted"):
            lifecycle.approve(session, campaign.id, by=approver, fingerprint="as it is now", now=now)
        assert lifecycle.find(session, campaign.id).status == S.IN_REVIEW


def test_an_unknown_campaign_is_named(database: Database) -> None:
    with database.reading() as session, pytest.raises(NotFound, match="no campaign 77"):
        lifecycle.find(session, 77)


def test_a_campaign_code_can_be_told_over_the_telephone(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        officer, _ = _people(session, now)
        code = make_campaign(session, officer, now).code
    assert len(code) == 8
    assert not set(code) & set("ILOU")
