"""An approval is bound to what was seen: any change of words, places, audience or wishes stops the next wave."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from notifier.campaigns import schedule
from notifier.campaigns.models import Campaign
from notifier.content.library import Library
from notifier.delivery import control
from notifier.delivery.variants import Press
from notifier.regions.atlas import Atlas
from tests.delivery.conftest import ROOT, World
from tests.factories import Person


class Desk:
    """A copy of the words, the places and the audiences that a test may scribble on."""

    def __init__(self, world: World, folder: Path) -> None:
        self._world = world
        self._press = world.press
        for name in ("templates", "config", "audiences"):
            shutil.copytree(ROOT / name, folder / name)
        self.folder = folder
        self.read()

    def read(self) -> None:
        """Read everything again, as a running process does when a file has changed."""
        papers = self._press.papers
        library = Library.load(self.folder / "templates" / "advisories", papers.library.languages)
        atlas = Atlas.load(self.folder / "config" / "regions")
        seen = replace(papers, library=library, atlas=atlas, audiences_folder=self.folder / "audiences")
        self._world.press = Press(seen, self._press.renderer, self._press.context)

    def change(self, path: str, old: str, new: str) -> None:
        """Change a word in a file."""
        file = self.folder / path
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new, 1), encoding="utf-8")
        self.read()


@pytest.fixture
def desk(world: World, tmp_path: Path) -> Desk:
    world.people(*(Person(email=f"p{number}@example.org") for number in range(4)))
    return Desk(world, tmp_path / "desk")


def _in_the_database(**values: Any) -> Callable[[World, Desk, int], None]:  # noqa: ANN401 - any column
    def change(world: World, _: Desk, campaign: int) -> None:
        with world.database.transaction() as session:
            session.execute(update(Campaign).where(Campaign.id == campaign).values(**values))

    return change


def _in_a_file(path: str, old: str, new: str) -> Callable[[World, Desk, int], None]:
    def change(_world: World, desk: Desk, _campaign: int) -> None:
        desk.change(path, old, new)

    return change


CHANGES = {
    "a word of the text": _in_a_file(
        "templates/advisories/online-blackmail/parents/en-AU/email.md", "child", "teenager"
    ),
    "a text in another language": _in_a_file(
        "templates/advisories/online-blackmail/parents/vi/sms.txt", "{{ link }}", "{{ link }}!"
    ),
    "the audience": _in_a_file("audiences/victoria-parents.toml", 'roles = ["parent", "carer"]', 'roles = ["parent"]'),
    "the channels": _in_the_database(channels="both"),
    "the options": _in_the_database(options={"max_per_minute": 10}),
    "the urgency": _in_the_database(urgent=True),
    "the schedule": _in_the_database(schedule={"kind": "at", "at": "2026-11-23T09:00:00+00:00"}),
    "an accepted finding": _in_the_database(accepted=[{"key": "not-translated", "by": "x", "at": "x"}]),
}


@pytest.mark.parametrize("what", sorted(CHANGES))
def test_a_change_after_approval_holds_the_campaign_before_anything_is_planned(
    world: World, desk: Desk, what: str
) -> None:
    campaign = world.campaign()
    CHANGES[what](world, desk, campaign)
    assert world.plan() == 0
    assert world.found(campaign).status == "held"
    assert "not what was approved" in (world.found(campaign).status_reason or "")


def test_a_fact_about_a_region_is_part_of_what_was_approved(world: World, desk: Desk) -> None:
    campaign = world.campaign()
    atlas = world.press.papers.atlas
    shown = atlas.contacts("AU-VIC", today=world.clock().date(), live=False)
    name = next(name for name in shown if f"[contacts.{name}]" in _victoria(desk))
    desk.change("config/regions/AU-VIC.toml", f'value = "{shown[name].value}"', 'value = "1800 000 000"')
    assert world.plan() == 0
    assert "not what was approved" in (world.found(campaign).status_reason or "")


def _victoria(desk: Desk) -> str:
    return (desk.folder / "config" / "regions" / "AU-VIC.toml").read_text(encoding="utf-8")


def test_each_later_wave_looks_again(world: World, desk: Desk) -> None:
    wish = schedule.staggered_schedule(schedule.now_schedule(), over=timedelta(hours=1), slots=2)
    campaign = world.campaign(schedule=wish)
    first = world.plan()
    CHANGES["a word of the text"](world, desk, campaign)
    world.clock.forward(minutes=30)
    assert world.plan() == 0
    assert len(world.statuses(campaign)) == first
    assert world.found(campaign).status == "held"


def test_resuming_does_not_make_up_for_an_approval(world: World, desk: Desk) -> None:
    campaign = world.campaign()
    CHANGES["the audience"](world, desk, campaign)
    world.plan()
    with world.database.transaction() as session:
        control.resume(session, campaign, by=world.officer(session, campaign), now=world.clock())
    assert world.plan() == 0
    assert world.found(campaign).status == "held"


def test_nothing_changed_is_nothing_held(world: World, desk: Desk) -> None:
    campaign = world.campaign()
    desk.read()
    assert world.plan() == 4
    assert world.found(campaign).status == "sending"
