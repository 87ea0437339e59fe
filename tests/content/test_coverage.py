"""Coverage: what each recipient will get and why, and what stands between a campaign and its approval."""

import shutil
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.content import sms
from notifier.content.catalogues import review as review_catalogue
from notifier.content.checks import Checker
from notifier.content.coverage import Coverage, Weight, Wish, coverage
from notifier.content.documents import ReviewState
from notifier.content.languages import Reason
from notifier.content.library import Library
from notifier.content.render import RenderContext, Renderer
from notifier.content.review import Reviewer, review, stamp
from notifier.content.settings import ContentSettings
from notifier.content.terms import Terms
from notifier.regions.atlas import Atlas
from notifier.regions.keeping import confirm
from notifier.vocabulary import Channel, Readers
from tests.content.texts import CONTEXT, EMAIL, LANGUAGES, LAYOUTS, ROOT, SMS, renderer, write, write_advisory
from tests.regions.atlases import COUNTRY, write_regions

TERMS = Terms.load(ROOT / "config" / "terms.toml")
TODAY = date(2026, 11, 21)
PRICED = ContentSettings(sms_price_per_part={"XA": Decimal("0.05")}, sms_currency="EUR")


@pytest.fixture
def house(tmp_path: Path) -> Renderer:
    write_advisory(tmp_path / "advisories")
    stamp(Library.load(tmp_path / "advisories", LANGUAGES).advisory("bicycles"))
    return renderer(tmp_path)


def ask(house: Renderer, *wishes: Wish, context: RenderContext = CONTEXT) -> Coverage:
    checker = Checker(LANGUAGES, house.atlas, TERMS, house.furniture)
    return coverage(house, checker, house.library.advisory("bicycles"), Readers.PARENTS, wishes, context, PRICED)


def rules(answer: Coverage) -> dict[str, tuple[Weight, int]]:
    return {finding.rule: (finding.weight, finding.recipients) for finding in answer.findings}


def email(wanted: str, recipients: int = 10, region: str = "XA") -> Wish:
    return Wish(Channel.EMAIL, wanted, region, recipients)


def test_a_line_says_what_is_given_and_why(house: Renderer) -> None:
    (line,) = ask(house, email("ar-SY", 312)).lines
    assert (line.language, line.reason, line.steps, line.state) == (
        "ar",
        Reason.CHAIN,
        ("ar-SY", "ar"),
        ReviewState.TRANSLATED,
    )


def test_recipients_who_get_another_language_than_they_asked_for_are_counted(house: Renderer) -> None:
    answer = ask(house, email("vi", 312), email("en", 5))
    (found,) = [finding for finding in answer.acceptable if finding.rule == "fallback"]
    assert (found.recipients, found.key) == (312, "fallback:email:vi:en")
    assert "312 recipients who asked for vi get the email text in en" in found.message


def test_nobody_who_asked_for_nothing_counts_as_having_got_another_language(house: Renderer) -> None:
    assert "fallback" not in rules(ask(house, email("")))


def test_a_text_message_is_counted_and_priced(house: Renderer) -> None:
    answer = ask(house, Wish(Channel.SMS, "en", "XA", 1000))
    (line,) = answer.lines
    assert (line.alphabet, line.parts, line.cost) == (sms.Alphabet.GSM7, 1, Decimal("50.00"))
    assert answer.to_json()["cost"] == "50.00"


def test_without_a_price_only_parts_are_shown(house: Renderer) -> None:
    checker = Checker(LANGUAGES, house.atlas, TERMS, house.furniture)
    wishes = [Wish(Channel.SMS, "en", "XA", 10)]
    advisory = house.library.advisory("bicycles")
    answer = coverage(house, checker, advisory, Readers.PARENTS, wishes, CONTEXT, ContentSettings())
    assert (answer.lines[0].cost, answer.to_json()["cost"], answer.to_json()["parts"]) == (None, None, 10)


def test_recipients_without_any_text_block(tmp_path: Path) -> None:
    folder = write_advisory(tmp_path / "advisories")
    (folder / "parents/en/sms.txt").unlink()
    assert rules(ask(renderer(tmp_path), Wish(Channel.SMS, "en", "XA", 7)))["no_content"] == (Weight.BLOCKING, 7)


def test_a_translation_nobody_has_reviewed_blocks_when_live_and_is_said_in_the_sandbox(house: Renderer) -> None:
    assert rules(ask(house, email("ar")))["unreviewed"] == (Weight.ACCEPTABLE, 10)
    live = ask(house, email("ar"), context=replace(CONTEXT, live=True))
    assert rules(live)["unreviewed"] == (Weight.BLOCKING, 10)


def test_the_second_language_of_a_bilingual_email_is_held_to_the_same_review(house: Renderer) -> None:
    answer = ask(house, email("ar"), context=replace(CONTEXT, second_language="en"))
    assert answer.lines[0].below == "en"
    assert {finding.key for finding in answer.findings} >= {"unreviewed:email:ar", "unreviewed:email:en"}


@pytest.mark.usefixtures("house")
def test_a_stale_text_blocks_everywhere(tmp_path: Path) -> None:
    write(tmp_path / "advisories", "bicycles/parents/en/email.md", EMAIL.replace("helmet", "hat"))
    assert rules(ask(renderer(tmp_path), email("ar")))["stale"] == (Weight.BLOCKING, 10)


@pytest.mark.usefixtures("house")
def test_a_region_the_advisory_is_not_for_blocks(tmp_path: Path) -> None:
    advisory = tmp_path / "advisories/bicycles/advisory.toml"
    advisory.write_text(advisory.read_text(encoding="utf-8").replace('["XA"]', '["XA-ST"]'), encoding="utf-8")
    assert rules(ask(renderer(tmp_path), email("en", 3)))["region"] == (Weight.BLOCKING, 3)


def test_a_region_whose_emergency_number_may_not_be_shown_blocks(house: Renderer) -> None:
    live = ask(house, email("en"), Wish(Channel.SMS, "en", "XA", 4), context=replace(CONTEXT, live=True))
    assert rules(live)["no_emergency"] == (Weight.BLOCKING, 14)


def test_contacts_nobody_has_checked_are_said_in_the_sandbox(house: Renderer) -> None:
    assert rules(ask(house, email("en")))["unchecked_contact"] == (Weight.ACCEPTABLE, 10)


def test_contacts_a_live_message_leaves_out_are_said(house: Renderer, tmp_path: Path) -> None:
    for code, fact in (("XA", "emergency"), ("_shared", "inhope_directory")):
        confirm(Atlas.load(tmp_path / "regions"), code, fact, by="ann@police.example", on=TODAY)
    atlas = Atlas.load(tmp_path / "regions")
    live = ask(Renderer(house.library, atlas, LAYOUTS), email("en"), context=replace(CONTEXT, live=True))
    (found,) = [finding for finding in live.acceptable if finding.rule == "unchecked_contact"]
    assert found.message == "XA leaves out 1 contacts that no officer has checked lately: child_helpline"
    assert rules(live)["no_helpline"] == (Weight.ACCEPTABLE, 10)


def test_a_region_without_a_line_is_said(tmp_path: Path) -> None:
    write_advisory(tmp_path / "advisories")
    country = COUNTRY[: COUNTRY.index("[contacts.child_helpline]")]
    assert rules(ask(renderer(tmp_path, country=country), email("en")))["no_helpline"] == (Weight.ACCEPTABLE, 10)


@pytest.mark.usefixtures("house")
def test_a_text_message_over_its_limit_is_said(tmp_path: Path) -> None:
    write(tmp_path / "advisories", "bicycles/parents/en/sms.txt", SMS.replace("it's", "it's " + "very " * 60))
    assert rules(ask(renderer(tmp_path), Wish(Channel.SMS, "", "XA", 9)))["sms_parts"] == (Weight.ACCEPTABLE, 9)


@pytest.mark.usefixtures("house")
def test_a_text_that_breaks_a_rule_blocks(tmp_path: Path) -> None:
    write(tmp_path / "advisories", "bicycles/parents/en/email.md", EMAIL.replace("1. Stop.", "1. Call 147 147."))
    assert rules(ask(renderer(tmp_path), email("en")))["digits"] == (Weight.BLOCKING, 10)


def test_what_is_no_language_is_said_with_what_they_get(house: Renderer) -> None:
    assert rules(ask(house, email("Greek & English", 2)))["bad_tag"] == (Weight.ACCEPTABLE, 2)


def test_furniture_nobody_has_reviewed_blocks_when_live_and_is_said_in_the_sandbox(house: Renderer) -> None:
    def found(context: RenderContext) -> list[Weight]:
        return [f.weight for f in ask(house, email("ar"), context=context).findings if "furniture:ar" in f.key]

    assert found(CONTEXT) == [Weight.ACCEPTABLE]
    assert found(replace(CONTEXT, live=True)) == [Weight.BLOCKING]


def test_nothing_stands_in_the_way_of_reviewed_texts_with_checked_numbers(house: Renderer, tmp_path: Path) -> None:
    by = Reviewer("rana@police.example", "Rana")
    for language in ("en", "ar"):
        review(house.library.advisory("bicycles"), Readers.PARENTS, language, tuple(Channel), by=by, on=TODAY)
        house = renderer(tmp_path)
    for code, fact in (("XA", "emergency"), ("XA", "child_helpline"), ("_shared", "inhope_directory")):
        confirm(Atlas.load(tmp_path / "regions"), code, fact, by="ann@police.example", on=TODAY)
    shutil.copytree(ROOT / "templates" / "locale", tmp_path / "locale")
    review_catalogue(tmp_path / "locale", "ar", by=by.email, on=TODAY)
    library, atlas = Library.load(tmp_path / "advisories", LANGUAGES), Atlas.load(tmp_path / "regions")
    checked = Renderer(library, atlas, LAYOUTS, locale=tmp_path / "locale")
    answer = ask(checked, email("ar"), Wish(Channel.SMS, "en", "XA-ST", 5), context=replace(CONTEXT, live=True))
    assert answer.findings == ()


@settings(max_examples=40)
@given(
    st.lists(
        st.builds(
            Wish,
            st.sampled_from(Channel),
            st.sampled_from(["", "ar", "ar-SY", "en-GB", "vi", "zh-Hant-HK", "??"]),
            st.sampled_from(["XA", "XA-ST"]),
            st.integers(min_value=0, max_value=1000),
        ),
        max_size=12,
    )
)
def test_every_recipient_is_counted_once(tmp_path_factory: pytest.TempPathFactory, wishes: list[Wish]) -> None:
    folder = tmp_path_factory.getbasetemp() / "coverage"
    if not folder.exists():
        write_advisory(folder / "advisories")
        write_regions(folder / "regions")
    answer = ask(renderer(folder), *wishes)
    assert sum(line.recipients for line in answer.lines) == sum(wish.recipients for wish in wishes)
