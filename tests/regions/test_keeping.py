"""Keeping facts true: an officer's check, the two people a change takes, and what a check of the files finds."""

from datetime import date
from pathlib import Path

import pytest

from notifier.kit.errors import Conflict, Invalid, NotFound
from notifier.regions.atlas import Atlas
from notifier.regions.checks import FactFinding, Level, check
from notifier.regions.keeping import change, confirm
from tests.regions.atlases import COUNTRY, contact, write_regions

TODAY = date(2026, 11, 21)
ANN, BEN = "ann@police.example", "ben@police.example"
COMMITTED = Path(__file__).parents[2] / "config" / "regions"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_regions(tmp_path, country="# A comment that stays.\n" + COUNTRY)


def live(folder: Path, fact: str, code: str = "XA") -> str | None:
    found = Atlas.load(folder).contacts(code, today=TODAY, live=True).get(fact)
    return found.value if found else None


def change_helpline(folder: Path, value: str = "0800 1", by: str = ANN) -> None:
    change(Atlas.load(folder), "XA", "child_helpline", value=value, source="https://helpline.example/", by=by, on=TODAY)


def test_a_confirmed_contact_is_shown_live_and_every_comment_stays(folder: Path) -> None:
    confirm(Atlas.load(folder), "XA", "emergency", by=ANN, on=TODAY)
    assert live(folder, "emergency") == "112"
    text = (folder / "XA.toml").read_text(encoding="utf-8")
    assert text.startswith("# A comment that stays.\n")
    assert 'checked_by = "ann@police.example"\nchecked_on = "2026-11-21"\nchecked_value = "112"' in text


def test_a_changed_number_is_shown_to_nobody_until_another_person_confirms_it(folder: Path) -> None:
    confirm(Atlas.load(folder), "XA", "child_helpline", by=ANN, on=TODAY)
    change_helpline(folder)
    assert live(folder, "child_helpline") is None
    assert "child_helpline" not in Atlas.load(folder).contacts("XA", today=TODAY, live=False)
    with pytest.raises(Conflict, match="a second person"):
        confirm(Atlas.load(folder), "XA", "child_helpline", by=ANN.upper(), on=TODAY)
    confirm(Atlas.load(folder), "XA", "child_helpline", by=BEN, on=TODAY)
    assert live(folder, "child_helpline") == "0800 1"


def test_a_number_changed_by_hand_cannot_be_confirmed_before_somebody_owns_the_change(folder: Path) -> None:
    confirm(Atlas.load(folder), "XA", "child_helpline", by=ANN, on=TODAY)
    path = folder / "XA.toml"
    path.write_text(
        path.read_text(encoding="utf-8").replace('\nvalue = "147 147"', '\nvalue = "666"'), encoding="utf-8"
    )
    with pytest.raises(Conflict, match=r"changed by hand since ann@police\.example checked '147 147'"):
        confirm(Atlas.load(folder), "XA", "child_helpline", by=BEN, on=TODAY)


def test_a_fact_of_the_country_is_confirmed_where_it_is_kept(folder: Path) -> None:
    with pytest.raises(NotFound, match="it is kept in XA: `notifier regions confirm XA emergency"):
        confirm(Atlas.load(folder), "XA-ST", "emergency", by=ANN, on=TODAY)


def test_a_fact_of_everywhere_is_confirmed_in_the_shared_file(folder: Path) -> None:
    confirm(Atlas.load(folder), "_shared", "inhope_directory", by=ANN, on=TODAY)
    confirm(Atlas.load(folder), "XA", "emergency", by=ANN, on=TODAY)
    assert live(folder, "inhope_directory") == "https://www.inhope.example/"


def test_a_fact_nobody_knows_is_not_found(folder: Path) -> None:
    with pytest.raises(NotFound, match="no fact 'fax'"):
        confirm(Atlas.load(folder), "XA", "fax", by=ANN, on=TODAY)


def test_what_is_not_verified_cannot_be_confirmed(tmp_path: Path) -> None:
    country = COUNTRY + contact("parent_helpline", "0800 2", verified="false")
    folder = write_regions(tmp_path, country=country)
    with pytest.raises(Conflict, match="no verified value to confirm"):
        confirm(Atlas.load(folder), "XA", "parent_helpline", by=ANN, on=TODAY)


def test_a_new_fact_can_be_written_and_then_confirmed_by_another_person(folder: Path) -> None:
    kept = change(
        Atlas.load(folder), "XA-ST", "crisis_support", value="0800 3", source="https://x.example", by=ANN, on=TODAY
    )
    assert (kept.before, kept.after) == ("", "0800 3")
    confirm(Atlas.load(folder), "XA-ST", "crisis_support", by=BEN, on=TODAY)
    assert live(folder, "crisis_support", "XA-ST") == "0800 3"


@pytest.mark.parametrize(
    ("fact", "value", "source", "complaint"),
    [
        ("child_helpline", "call us", "https://x.example", "neither a number nor an address"),
        ("child_helpline", "", "https://x.example", "neither a number nor an address"),
        ("child_helpline", "0800 1", "my friend", "The source is the address"),
        ("Child Helpline", "0800 1", "https://x.example", "no name of a fact"),
        ("child_helpline", "13-22-89", "https://x.example", "must not be used: it closed"),
    ],
)
def test_a_change_that_cannot_be_right_is_refused(
    tmp_path: Path, fact: str, value: str, source: str, complaint: str
) -> None:
    folder = write_regions(tmp_path, country=COUNTRY + '\n[[do_not_use]]\nvalue = "13 22 89"\nreason = "it closed"\n')
    before = (folder / "XA-ST.toml").read_text(encoding="utf-8")
    with pytest.raises(Invalid, match=complaint):
        change(Atlas.load(folder), "XA-ST", fact, value=value, source=source, by=ANN, on=TODAY)
    assert (folder / "XA-ST.toml").read_text(encoding="utf-8") == before


def findings(folder: Path, *, live: bool = False) -> list[FactFinding]:
    return check(Atlas.load(folder), [], today=TODAY, live=live)


def test_an_unverified_contact_is_found_with_file_and_line(tmp_path: Path) -> None:
    folder = write_regions(tmp_path, country=COUNTRY + contact("parent_helpline", "0800 2", verified="false"))
    found = [finding for finding in findings(folder) if finding.fact == "parent_helpline"]
    assert [(f.path.name, f.line, f.level, f.message) for f in found] == [
        ("XA.toml", 25, Level.HIDDEN, "not shown: it is not verified")
    ]


def test_a_banned_number_is_a_fault(tmp_path: Path) -> None:
    banned = '\n[[do_not_use]]\nvalue = "147147"\nreason = "it closed"\n'
    folder = write_regions(tmp_path, country=COUNTRY + banned)
    assert [f.message for f in findings(folder) if f.level is Level.FAULT] == ["must not be used: it closed"]


def test_a_live_check_says_what_no_officer_has_looked_at(folder: Path) -> None:
    told = {(f.region, f.fact): f.message for f in findings(folder, live=True)}
    assert told["XA", "emergency"] == "not shown: no officer has checked the live page"
    assert told["XA", ""].startswith("no emergency number may be shown")


def test_the_committed_regions_have_no_fault() -> None:
    found = check(Atlas.load(COMMITTED), [], today=TODAY, live=False)
    assert [str(finding) for finding in found if finding.level is Level.FAULT] == []
    assert any(finding.region == "NL" and finding.fact == "child_helpline" for finding in found)
