"""Each rule a program can check, planted as a fault and found with its file, its line and its name."""

from collections.abc import Callable
from pathlib import Path

import pytest

from notifier.content.checks import Checker, Finding, Level, faults
from notifier.content.furniture import Furniture
from notifier.content.languages import Languages
from notifier.content.library import Library
from notifier.content.review import stamp
from notifier.content.terms import Terms
from notifier.kit.errors import Invalid
from notifier.regions.atlas import Atlas
from tests.content.texts import ADVISORY, ARABIC_EMAIL, EMAIL, LANGUAGES, ROOT, SMS, write, write_advisory
from tests.regions.atlases import COUNTRY, write_regions

TERMS = Terms.load(ROOT / "config" / "terms.toml")
Check = Callable[..., list[Finding]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_advisory(tmp_path / "advisories")
    stamp(Library.load(tmp_path / "advisories", LANGUAGES).advisory("bicycles"))
    return tmp_path / "advisories"


@pytest.fixture
def check(tmp_path: Path, folder: Path) -> Check:
    def run(*, languages: Languages = LANGUAGES, country: str = COUNTRY) -> list[Finding]:
        atlas = Atlas.load(write_regions(tmp_path / "regions", country=country))
        furniture = Furniture(ROOT / "templates" / "locale", languages)
        return Checker(languages, atlas, TERMS, furniture).folder(folder)

    return run


def test_a_good_advisory_has_no_fault_and_a_note_for_each_text_nobody_has_reviewed(check: Check) -> None:
    findings = check()
    assert faults(findings) == []
    assert [(finding.rule, finding.level) for finding in findings] == [("status", Level.NOTE)] * 3


@pytest.mark.parametrize(
    ("place", "old", "new", "line", "rule"),
    [
        ("en/email.md", "1. Stop.", "1. Call 147 147.", 13, "digits"),
        ("en/email.md", "1. Stop.", "1. Call 13 11 14 now.", 13, "digits"),
        ("en/email.md", "1. Stop.", "1. Call ١٤٧ now.", 13, "digits"),
        ("en/email.md", "1. Stop.", "1. See https://helpline.example/", 13, "url"),
        ("en/email.md", "1. Stop.", "1. See police.gov.au", 13, "url"),
        ("en/email.md", "1. Stop.", "1. Write to help@police", 13, "url"),
        ("en/email.md", "1. Stop.", "1. <b>Stop.</b>", 13, "markup"),
        ("en/email.md", "1. Stop.", "1. [Stop](x)", 13, "markup"),
        ("en/email.md", "1. Stop.", "1. {{ contact.child_helpline }}", 13, "placeholder"),
        ("en/email.md", "1. Stop.", "1. {% raw %}", 13, "placeholder"),
        ("en/email.md", "{{ contacts }}\n", "", 9, "R12"),
        ("en/email.md", "{{ contacts }}", "Here: {{ contacts }}", 9, "R12"),
        ("en/email.md", "1. Stop.", "1. Child pornography.", 13, "R3"),
        ("en/email.md", "1. Stop.", "1. Suicide.", 13, "R5"),
        ("en/email.md", "1. Stop.", "1. On TikTok.", 13, "R7"),
        ("en/email.md", "1. Stop.", "1. Take a screenshot.", 13, "0.7"),
        ("en/email.md", "1. Stop.", "1. You’re not in trouble.", 13, "0.8"),
        ("en/email.md", "## It is not your child's fault", "## What is happening", 9, "R1"),
        ("en/sms.txt", "it's not your child's fault", "hello", 6, "R1"),
        ("en/email.md", "## Who can help now", "## Sextortion", 16, "R4"),
        ("en/email.md", "Bicycles: how", "Sexting: how", 5, "subject"),
        ("en/email.md", "Bicycles: how", "Bicycles: " + "how " * 10, 5, "subject"),
        ("en/email.md", "General advice", "General advice " * 7, 6, "preheader"),
        ("en/email.md", 'subject = "Bicycles: how to help your child"\n', "", 1, "subject"),
        ("en/sms.txt", "Help: {{ link }}", "Help.", 6, "placeholder"),
        ("en/sms.txt", "Help: {{ link }}", "Help: {{ link }} now", 6, "placeholder"),
        ("en/sms.txt", "{{ contact.emergency }}", "the police", 6, "R12"),
        ("en/sms.txt", "it's not", "it's " + "really " * 40 + "not", 6, "sms"),
        ("en/sms.txt", "it's not", "it's “ж” " + "really " * 14 + "not", 6, "sms"),
        ("en/sms.txt", "it's not", "one\ntwo\nit's not", 6, "sms"),
        ("en/sms.txt", "it's not", "suicide is not", 6, "R5"),
        ("ar/email.md", 'source_hash = "', 'source_hash = "00', 4, "stale"),
        ("ar/email.md", "{{ sender.name }}", "الشرطة", 11, "placeholder"),
        ("ar/email.md", 'source = "en"', 'source = "fr"', 4, "stale"),
        ("ar/email.md", 'translator = "Drafting team"\n', "", 4, "status"),
        ("ar/email.md", 'status = "translated"', 'status = "reviewed"', 4, "stale"),
        (
            "ar/email.md",
            'status = "translated"',
            'status = "translated"\nreviewer = "drafting team"',
            4,
            "status",
        ),
    ],
)
def test_a_planted_fault_is_found(
    folder: Path, check: Check, place: str, old: str, new: str, line: int, rule: str
) -> None:
    path = folder / "bicycles" / "parents" / place
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    assert (path, line, rule) in {(found.path, found.line, found.rule) for found in faults(check())}


def test_a_translation_whose_source_was_edited_is_stale(folder: Path, check: Check) -> None:
    write(folder, "bicycles/parents/en/email.md", EMAIL.replace("helmet", "hat"))
    assert [(found.path.parent.name, found.rule) for found in faults(check())] == [("ar", "stale")]


def test_a_translation_that_was_never_stamped_is_told_so(folder: Path, check: Check) -> None:
    write(folder, "bicycles/parents/ar/email.md", ARABIC_EMAIL)
    (found,) = faults(check())
    assert (found.rule, found.line) == ("stale", 4)
    assert "stamp" in found.message


def test_a_language_nobody_has_written_down_is_found_with_all_other_broken_files(folder: Path, check: Check) -> None:
    write(folder, "bicycles/parents/xx/sms.txt", SMS.replace('"en"', '"xx"'))
    write(folder, "bicycles/parents/de/sms.txt", "no front matter")
    found = {(finding.path.parent.name, finding.line, finding.rule) for finding in check()}
    assert found == {("xx", 2, "tag"), ("de", 1, "form")}


def test_a_wrong_direction_is_found(tmp_path: Path, check: Check) -> None:
    text = (ROOT / "config" / "languages.toml").read_text(encoding="utf-8")
    wrong = text.replace('native_name = "العربية"\ndirection = "rtl"', 'native_name = "العربية"\ndirection = "ltr"')
    assert wrong != text
    path = write(tmp_path, "languages.toml", wrong)
    (found,) = faults(check(languages=Languages.load(path)))
    assert (found.path.parent.name, found.line, found.rule) == ("ar", 11, "direction")


def test_a_figure_with_its_source_may_be_used(folder: Path, check: Check) -> None:
    write(folder, "bicycles/parents/en/sms.txt", SMS.replace("it's", "in 2017 it's"))
    assert [found.rule for found in faults(check())] == ["digits"]
    write(
        folder,
        "bicycles/advisory.toml",
        ADVISORY + '[facts.year]\nvalue = "2017"\nsource = "A leaflet"\nyear = 2017\n',
    )
    assert faults(check()) == []


def test_a_figure_without_a_source_is_found(folder: Path, check: Check) -> None:
    write(folder, "bicycles/advisory.toml", ADVISORY + '[facts.year]\nvalue = "2017"\n')
    assert [found.rule for found in faults(check())] == ["fact"]


def test_a_region_that_is_none_is_found(folder: Path, check: Check) -> None:
    write(folder, "bicycles/advisory.toml", ADVISORY.replace('["XA"]', '["XZ"]'))
    assert [found.rule for found in faults(check())] == ["region"]


def test_a_promise_may_be_made_where_every_region_says_so(tmp_path: Path, folder: Path, check: Check) -> None:
    write(folder, "bicycles/parents/en/sms.txt", SMS.replace("it's", "you're not in trouble; it's"))
    assert [found.rule for found in faults(check())] == ["0.8"]
    may = "may_say_not_in_trouble = true\n\n[languages]"
    write_regions(tmp_path / "regions")
    state = (tmp_path / "regions" / "XA-ST.toml").read_text(encoding="utf-8").replace("[languages]", may)
    atlas_folder = write_regions(tmp_path / "lenient", country=COUNTRY.replace("[languages]", may), state=state)
    checker = Checker(LANGUAGES, Atlas.load(atlas_folder), TERMS, Furniture(ROOT / "templates" / "locale", LANGUAGES))
    assert faults(checker.folder(folder)) == []


def test_suicide_may_be_named_in_the_email_for_school_staff_but_not_in_its_subject(folder: Path, check: Check) -> None:
    write(folder, "bicycles/advisory.toml", ADVISORY + '\n[readers.school-staff]\nsummary = "S"\n')
    write(folder, "bicycles/school-staff/en/sms.txt", SMS)
    write(folder, "bicycles/school-staff/en/email.md", EMAIL.replace("1. Stop.", "1. Watch for signs of suicide risk."))
    assert faults(check()) == []
    write(folder, "bicycles/school-staff/en/email.md", EMAIL.replace("Bicycles:", "Suicide:"))
    assert [(found.rule, found.line) for found in faults(check())] == [("R5", 5)]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("[en]\nanywhere = 1\n", r":2: "), ("[en", "is not a TOML file"), ("[en]\nnever = []\n", r":2: ")],
)
def test_a_wrong_list_of_terms_is_refused_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(Invalid, match=complaint):
        Terms.load(write(tmp_path, "terms.toml", text))


def test_the_committed_advisories_have_no_fault() -> None:
    atlas = Atlas.load(ROOT / "config" / "regions")
    checker = Checker(LANGUAGES, atlas, TERMS, Furniture(ROOT / "templates" / "locale", LANGUAGES))
    assert [str(found) for found in faults(checker.folder(ROOT / "templates" / "advisories"))] == []


def test_every_language_of_a_committed_text_has_a_list_of_terms() -> None:
    library = Library.load(ROOT / "templates" / "advisories", LANGUAGES)
    languages = {document.language for advisory in library.advisories() for document in advisory.documents.values()}
    assert [tag for tag in sorted(languages) if not list(_lists(tag))] == []


def _lists(tag: str) -> list[object]:
    return [terms for terms in TERMS._of(tag)[1:] if terms.staff_only and terms.reassures]
