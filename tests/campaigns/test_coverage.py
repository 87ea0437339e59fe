"""Coverage: counted before anybody approves, accepted by name, and asked again at approval."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from notifier.accounts import users
from notifier.accounts.models import UserRole
from notifier.campaigns import desk, lifecycle, schedule
from notifier.campaigns.approval import fingerprint
from notifier.campaigns.coverage import Proof, coverage_of
from notifier.kit.db import Database
from notifier.kit.errors import Conflict, Invalid
from notifier.vocabulary import ChannelPolicy
from tests.factories import Person, make_campaign, make_list, make_people, make_user

PEOPLE = (Person(email="ada@example.org"), Person(email="viet@example.org", language="vi"))
KHMER = Person(email="khmer@example.org", language="km")


@pytest.fixture
def campaign_id(database: Database, now: datetime) -> int:
    with database.transaction() as session:
        officer = make_user(session, "officer@police.example", UserRole.OFFICER, now)
        make_user(session, "approver@police.example", UserRole.APPROVER, now)
        make_people(session, make_list(session, now), (*PEOPLE, KHMER), now)
        return make_campaign(session, officer, now, channels=ChannelPolicy.EMAIL).id


def _submit(database: Database, campaign_id: int, proof: Proof, now: datetime, *accepting: str) -> None:
    with database.transaction() as session:
        by = users.find(session, "officer@police.example")
        desk.submit(session, campaign_id, proof, accepting=accepting, by=by, now=now)


def test_every_recipient_is_counted_with_the_document_they_will_get(
    database: Database, campaign_id: int, proof: Proof, now: datetime
) -> None:
    with database.reading() as session:
        found = coverage_of(session, lifecycle.find(session, campaign_id), proof, now=now)
    assert {(line.wanted, line.language, line.recipients) for line in found.lines} == {
        ("", "en-AU", 1),
        ("vi", "vi", 1),
        ("km", "en-AU", 1),
    }
    assert {"fallback", "unreviewed", "unchecked_contact"} <= {finding.rule for finding in found.acceptable}


def test_a_campaign_cannot_be_submitted_while_nobody_answers_for_a_finding(
    database: Database, campaign_id: int, proof: Proof, now: datetime
) -> None:
    with pytest.raises(Conflict, match=r"--accept fallback --accept unchecked_contact --accept unreviewed"):
        _submit(database, campaign_id, proof, now)


def test_what_an_officer_answers_for_is_kept_with_their_name_and_bound_to_the_approval(
    database: Database, campaign_id: int, proof: Proof, now: datetime
) -> None:
    _submit(database, campaign_id, proof, now, "fallback", "unchecked_contact", "unreviewed")
    with database.transaction() as session:
        campaign = lifecycle.find(session, campaign_id)
        assert {entry["by"] for entry in campaign.accepted} == {"officer@police.example"}
        assert campaign.submitted_hash == fingerprint(campaign, proof.papers, today=now.date())
        campaign.accepted = campaign.accepted[1:]
        session.flush()
        assert campaign.submitted_hash != fingerprint(campaign, proof.papers, today=now.date())


def test_a_finding_that_does_not_exist_cannot_be_accepted(
    database: Database, campaign_id: int, proof: Proof, now: datetime
) -> None:
    with pytest.raises(Invalid, match="everything is no finding"):
        _submit(database, campaign_id, proof, now, "everything")


def test_a_finding_that_comes_up_after_submission_stops_the_approval(
    database: Database, campaign_id: int, proof: Proof, now: datetime
) -> None:
    _submit(database, campaign_id, proof, now, "fallback", "unchecked_contact", "unreviewed")
    with database.transaction() as session:
        make_people(
            session, make_list(session, now, code="late"), (Person(email="am@example.org", language="am"),), now
        )
        with pytest.raises(Conflict, match="asked for am"):
            desk.look_again(session, campaign_id, proof, now=now)


def test_a_campaign_that_reaches_nobody_cannot_be_submitted(database: Database, proof: Proof, now: datetime) -> None:
    with database.transaction() as session:
        officer = make_user(session, "officer@police.example", UserRole.OFFICER, now)
        campaign_id = make_campaign(session, officer, now).id
    with pytest.raises(Conflict, match="reaches nobody"):
        _submit(database, campaign_id, proof, now)


def test_an_audience_for_some_topics_is_not_drafted_for_another(
    database: Database, proof: Proof, tmp_path: Path, now: datetime
) -> None:
    said = 'title = "Parents in Victoria"\nreaders = "parents"\ntopics = ["{}"]\n'
    (tmp_path / "about-bullying.toml").write_text(said.format("bullying"))
    (tmp_path / "about-blackmail.toml").write_text(said.format("online-blackmail"))
    papers = replace(proof.papers, audiences_folder=tmp_path)
    with database.transaction() as session:
        by = make_user(session, "officer@police.example", UserRole.OFFICER, now)

        def draft(audience: str) -> None:
            wish = desk.Draft("online-blackmail", audience, ChannelPolicy.EMAIL, schedule.now_schedule())
            desk.draft(session, wish, papers, by=by, now=now)

        with pytest.raises(Conflict, match=r"about bullying only; the advisory online-blackmail is about"):
            draft("about-bullying")
        draft("about-blackmail")
