"""What an approval is bound to: change any of it, and what was approved is no longer what would go."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from shutil import copytree

import pytest

from notifier.accounts.models import UserRole
from notifier.campaigns.approval import Papers, fingerprint, frame_digest
from notifier.campaigns.models import Campaign
from notifier.content.library import Library
from notifier.delivery.variants import Press
from notifier.kit.db import Database
from notifier.regions.atlas import Atlas
from tests.conftest import ROOT
from tests.factories import make_campaign, make_user

TODAY = date(2026, 11, 23)


@pytest.fixture
def papers(press: Press, tmp_path: Path) -> Papers:
    """The real papers, copied so that a test may write on them."""
    for folder in ("templates", "audiences", "config"):
        copytree(ROOT / folder, tmp_path / folder)
    return _read(tmp_path, press)


def _read(folder: Path, press: Press) -> Papers:
    library = Library.load(folder / "templates" / "advisories", press.papers.library.languages)
    frame = frame_digest((folder / "templates" / "layouts").glob("*.*"), ("Victoria Police",))
    return Papers(library, Atlas.load(folder / "config" / "regions"), folder / "audiences", live=False, frame=frame)


@pytest.fixture
def campaign(database: Database, now: datetime) -> Campaign:
    with database.transaction() as session:
        return make_campaign(session, make_user(session, "o@police.example", UserRole.OFFICER, now), now)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("templates/advisories/online-blackmail/parents/vi/sms.txt", "{{ link }}", "!{{ link }}"),
        ("templates/advisories/online-blackmail/advisory.toml", "title", "title "),
        ("templates/layouts/email.html", "<html", "<html data-changed"),
        ("config/regions/AU-VIC.toml", "131 444", "131 445"),
        ("audiences/victoria-parents.toml", "AU-VIC", "AU"),
    ],
)
def test_a_change_of_a_file_is_a_change_of_what_was_approved(
    campaign: Campaign, papers: Papers, press: Press, file: str, old: str, new: str
) -> None:
    before = fingerprint(campaign, papers, today=TODAY)
    root = papers.audiences_folder.parent
    changed = (root / file).read_text(encoding="utf-8")
    assert old in changed
    (root / file).write_text(changed.replace(old, new, 1), encoding="utf-8")
    assert fingerprint(campaign, _read(root, press), today=TODAY) != before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("channels", "sms"),
        ("schedule", {"kind": "at", "at": "2026-12-01T09:00:00+11:00"}),
        ("options", {"second_language": "en-AU"}),
        ("urgent", True),
        ("audience", "all-parents"),
        ("expires_at", datetime(2026, 12, 1, tzinfo=UTC)),
        ("accepted", [{"key": "fallback:email:km:en-AU"}]),
    ],
)
def test_a_change_of_the_campaign_is_a_change_of_what_was_approved(
    campaign: Campaign, papers: Papers, name: str, value: object
) -> None:
    before = fingerprint(campaign, papers, today=TODAY)
    setattr(campaign, name, value)
    assert fingerprint(campaign, papers, today=TODAY) != before


def test_another_signature_is_a_change_of_what_was_approved(campaign: Campaign, papers: Papers) -> None:
    other = replace(papers, frame=frame_digest([], ("Somebody else",)))
    assert fingerprint(campaign, other, today=TODAY) != fingerprint(campaign, papers, today=TODAY)


def test_what_was_approved_for_the_sandbox_is_not_approved_for_real_people(campaign: Campaign, papers: Papers) -> None:
    live = replace(papers, live=True)
    assert fingerprint(campaign, live, today=TODAY) != fingerprint(campaign, papers, today=TODAY)


def test_nothing_changed_is_the_same_hash_on_another_day(campaign: Campaign, papers: Papers) -> None:
    assert fingerprint(campaign, papers, today=TODAY) == fingerprint(campaign, papers, today=date(2026, 11, 24))
