"""The atlas: what a family in a region may be shown, and how a wrong file is refused."""

from datetime import date
from pathlib import Path

import pytest

from notifier.kit.errors import Invalid, NotFound
from notifier.regions.atlas import Atlas
from notifier.regions.facts import ContactKind
from tests.regions.atlases import COUNTRY, STATE, contact, write_regions

TODAY = date(2026, 11, 21)
COMMITTED = Path(__file__).parents[2] / "config" / "regions"


def shown(atlas: Atlas, code: str, *, live: bool = False) -> dict[str, str]:
    return {fact: known.value for fact, known in atlas.contacts(code, today=TODAY, live=live).items()}


def test_a_state_takes_what_it_lacks_from_its_country(tmp_path: Path) -> None:
    atlas = Atlas.load(write_regions(tmp_path))
    assert shown(atlas, "XA-ST") == {
        "emergency": "112",
        "child_helpline": "147 147",
        "inhope_directory": "https://www.inhope.example/",
    }


def test_a_doubtful_fact_of_a_state_gives_way_to_the_countrys_good_one(tmp_path: Path) -> None:
    country = COUNTRY + contact("police_non_emergency", "0800 1")
    atlas = Atlas.load(write_regions(tmp_path, country=country))
    assert shown(atlas, "XA-ST")["police_non_emergency"] == "0800 1"


@pytest.mark.parametrize(
    "doubt",
    ['verified = false\nconfidence = "high"', 'verified = true\nconfidence = "low"'],
    ids=["unverified", "low confidence"],
)
def test_a_region_without_a_usable_line_gives_only_its_emergency_number_and_the_directory(
    tmp_path: Path, doubt: str
) -> None:
    good = 'source = "https://helpline.example/"\nverified = true\nconfidence = "high"'
    country = COUNTRY.replace(good, f'source = "https://helpline.example/"\n{doubt}') + contact(
        "image_removal", "https://x.example/"
    )
    atlas = Atlas.load(write_regions(tmp_path, country=country))
    assert set(shown(atlas, "XA")) == {"emergency", "inhope_directory"}


def test_a_live_message_shows_nothing_that_no_officer_has_checked(tmp_path: Path) -> None:
    assert shown(Atlas.load(write_regions(tmp_path)), "XA", live=True) == {}


@pytest.mark.parametrize(("day", "is_shown"), [("2026-08-23", True), ("2026-08-22", False), ("2026-11-22", False)])
def test_an_officers_check_holds_for_ninety_days_and_not_before_it_was_made(
    tmp_path: Path, day: str, *, is_shown: bool
) -> None:
    checked = f'checked_by = "officer@police.example"\nchecked_on = "{day}"\n'
    country = COUNTRY.replace("[contacts.child_helpline]", f"{checked}\n[contacts.child_helpline]")
    atlas = Atlas.load(write_regions(tmp_path, country=country))
    assert ("emergency" in shown(atlas, "XA", live=True)) is is_shown


def test_a_changed_number_is_not_shown_until_a_second_officer_confirms_it(tmp_path: Path) -> None:
    country = COUNTRY.replace('value = "147 147"', 'value = "147 147"\nchanged_by = "officer@police.example"')
    assert "child_helpline" not in shown(Atlas.load(write_regions(tmp_path, country=country)), "XA")


def test_a_number_changed_by_hand_after_its_check_is_not_shown(tmp_path: Path) -> None:
    country = COUNTRY.replace('value = "147 147"', 'value = "147 147"\nchecked_value = "147"')
    assert "child_helpline" not in shown(Atlas.load(write_regions(tmp_path, country=country)), "XA")


def test_a_region_belongs_to_itself_its_parents_and_their_groups(tmp_path: Path) -> None:
    atlas = Atlas.load(write_regions(tmp_path))
    assert [atlas.belongs("XA-ST", group) for group in ("XA-ST", "XA", "EU", "AU")] == [True, True, True, False]


def test_a_region_nobody_knows_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no region 'ZZ'"):
        Atlas.load(write_regions(tmp_path)).region("ZZ")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('confidence = "high"', 'confidence = "sure"', r"XA.toml:15: confidence is one of high, medium, low, none"),
        ("verified = true", 'verified = "yes"', r"XA.toml:14: contacts.emergency.verified: "),
        ('value = "112"', "value = 112", r"XA.toml:12: contacts.emergency.value: "),
        ('hours = "24/7"', 'hours = "at night"', r"XA.toml:20: hours are written"),
        ('"Europe/Vienna"', '"Europe/Wien"', r"XA.toml:5: 'Europe/Wien' is not a time zone"),
        ('"tr"', '"türkçe"', r"XA.toml:9: 'türkçe' is not a language tag"),
        ('code = "XA"', 'code = "XB"', r"XA.toml:1: the code 'XB' is not the name of the file"),
        ('name = "Examplia"', 'nmae = "Examplia"', r"XA.toml:"),
        ('value = "112"', "value = ", r"XA.toml is not a TOML file"),
        ('value = "112"', 'value = "112"\nchecked_on = "today"', r"XA.toml:13: 'today' is not a day"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    assert old in COUNTRY
    folder = write_regions(tmp_path, country=COUNTRY.replace(old, new, 1))
    with pytest.raises(Invalid, match=complaint):
        Atlas.load(folder)


def test_parents_that_run_in_a_circle_are_refused(tmp_path: Path) -> None:
    country = COUNTRY.replace('country = "XA"', 'country = "XA"\nparent = "XA-ST"')
    with pytest.raises(Invalid, match="in a circle"):
        Atlas.load(write_regions(tmp_path, country=country))


def test_a_parent_that_is_no_region_is_refused(tmp_path: Path) -> None:
    state = STATE.replace('parent = "XA"', 'parent = "XB"')
    with pytest.raises(Invalid, match="parent 'XB' is not a region"):
        Atlas.load(write_regions(tmp_path, state=state))


def test_a_number_that_spells_a_word_can_be_dialled() -> None:
    missing = Atlas.load(COMMITTED).region("US").facts["child_helpline"]
    assert (missing.value, missing.kind, missing.tel) == ("1-800-THE-LOST", ContactKind.PHONE, "18008435678")


def test_all_committed_regions_can_be_read_and_name_their_emergency_number_or_are_known_not_to() -> None:
    atlas = Atlas.load(COMMITTED)
    assert len(atlas.regions()) == 43
    without = [region.code for region in atlas.regions() if "emergency" not in shown(atlas, region.code)]
    assert without == ["CH"]  # its number was read in one weak source only


def test_no_committed_fact_is_shown_live_before_an_officer_has_checked_it() -> None:
    atlas = Atlas.load(COMMITTED)
    unchecked = [fact for region in atlas.regions() for fact in region.facts.values() if not fact.checked_by]
    assert unchecked
    assert all(atlas.why_not(fact, today=TODAY, live=True) for fact in unchecked)
