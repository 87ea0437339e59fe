"""The library: advisories as folders, the document a reader gets, and what a review is bound to."""

from pathlib import Path

import pytest

from notifier.content.documents import ReviewState
from notifier.content.languages import Reason
from notifier.content.library import Library
from notifier.kit.errors import Invalid, NotFound
from notifier.regions.atlas import Atlas
from notifier.vocabulary import Channel, Readers
from tests.content.texts import ADVISORY, ARABIC_EMAIL, EMAIL, LANGUAGES, SMS, write, write_advisory
from tests.regions.atlases import write_regions


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_advisory(tmp_path / "advisories")
    return tmp_path / "advisories"


def test_an_advisory_knows_its_documents(folder: Path) -> None:
    advisory = Library.load(folder, LANGUAGES).advisory("bicycles")
    assert advisory.languages(Readers.PARENTS, Channel.EMAIL) == ("en", "ar")
    assert advisory.languages(Readers.PARENTS, Channel.SMS) == ("en",)
    document = advisory.document(Readers.PARENTS, Channel.EMAIL, "ar")
    assert (document.subject, document.body_line) == ("الدراجات: كيف تساعد طفلك", 10)


def test_fallback_is_by_whole_document_and_channel(folder: Path, tmp_path: Path) -> None:
    library = Library.load(folder, LANGUAGES)
    advisory, region = library.advisory("bicycles"), Atlas.load(write_regions(tmp_path / "regions")).region("XA")
    by_email = library.choose(advisory, Readers.PARENTS, Channel.EMAIL, "ar-SY", region)
    by_sms = library.choose(advisory, Readers.PARENTS, Channel.SMS, "ar-SY", region)
    assert by_email is not None
    assert by_sms is not None
    assert (by_email.language, by_email.reason) == ("ar", Reason.CHAIN)
    assert (by_sms.language, by_sms.reason, by_sms.steps) == ("en", Reason.REGION, ("ar-SY", "ar", "de-AT", "de", "en"))


def test_a_communitys_language_is_no_fallback_for_anothers(folder: Path, tmp_path: Path) -> None:
    write(folder, "bicycles/parents/tr/sms.txt", SMS.replace('"en"', '"tr"'))
    library = Library.load(folder, LANGUAGES)
    region = Atlas.load(write_regions(tmp_path / "regions")).region("XA")
    choice = library.choose(library.advisory("bicycles"), Readers.PARENTS, Channel.SMS, "vi", region)
    assert choice is not None
    assert choice.language == "en"


def test_readers_without_any_text_get_nothing(folder: Path, tmp_path: Path) -> None:
    library = Library.load(folder, LANGUAGES)
    region = Atlas.load(write_regions(tmp_path / "regions")).region("XA")
    assert library.choose(library.advisory("bicycles"), Readers.SCHOOL_STAFF, Channel.SMS, "en", region) is None


@pytest.mark.parametrize("place", ["advisory.toml", "parents/en/sms.txt", "parents/ar/email.md"])
def test_any_edit_changes_the_digest(folder: Path, place: str) -> None:
    before = Library.load(folder, LANGUAGES).advisory("bicycles").digest(Readers.PARENTS)
    path = folder / "bicycles" / place
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    assert Library.load(folder, LANGUAGES).advisory("bicycles").digest(Readers.PARENTS) != before


def test_the_digest_of_some_readers_does_not_depend_on_texts_for_others(folder: Path) -> None:
    before = Library.load(folder, LANGUAGES).advisory("bicycles").digest(Readers.SCHOOL_STAFF)
    write(folder, "bicycles/parents/en/sms.txt", SMS + "More.")
    assert Library.load(folder, LANGUAGES).advisory("bicycles").digest(Readers.SCHOOL_STAFF) == before


def reviewed(folder: Path, source_hash: str, reviewed_hash: str) -> ReviewState:
    text = ARABIC_EMAIL.replace(
        'status = "translated"',
        f'status = "reviewed"\nreviewer = "r@police.example"\nsource_hash = "{source_hash}"\n'
        f'reviewed_hash = "{reviewed_hash}"',
    )
    write(folder, "bicycles/parents/ar/email.md", text)
    advisory = Library.load(folder, LANGUAGES).advisory("bicycles")
    return advisory.state(advisory.document(Readers.PARENTS, Channel.EMAIL, "ar"))


def test_a_review_holds_while_text_and_source_stay_and_is_stale_after_an_edit_of_either(folder: Path) -> None:
    advisory = Library.load(folder, LANGUAGES).advisory("bicycles")
    document = advisory.document(Readers.PARENTS, Channel.EMAIL, "ar")
    source = advisory.source_of(document)
    assert source is not None
    hashes = (source.fingerprint, document.review_hash(source))
    assert advisory.state(document) is ReviewState.TRANSLATED
    assert reviewed(folder, *hashes) is ReviewState.REVIEWED
    write(folder, "bicycles/parents/en/email.md", EMAIL.replace("helmet", "hat"))
    assert reviewed(folder, *hashes) is ReviewState.STALE
    write(folder, "bicycles/parents/en/email.md", EMAIL)
    assert reviewed(folder, hashes[0], "0" * 64) is ReviewState.STALE


@pytest.mark.parametrize(
    ("place", "text", "complaint"),
    [
        ("parents/en/sms.txt", "no fence", r"sms.txt:1: a document starts with a line \+\+\+"),
        ("parents/en/sms.txt", "+++\nlanguage = 'en'\n", r"sms.txt:1: the front matter has no end"),
        ("parents/en/sms.txt", SMS.replace("draft", "done"), r"sms.txt:3: status: "),
        ("parents/en/sms.txt", SMS.replace('"en"', '"de"'), r"sms.txt:2: the language is 'de', but the folder"),
        ("parents/en/sms.txt", SMS.replace("author", "writer"), r"sms.txt:4: writer: "),
        ("parents/en/sms.txt", SMS.replace('"en"', "en"), r"front matter is not TOML"),
        ("parents/en/sms.txt", "+++\nlanguage = 'en'\nstatus = 'draft'\n+++\n\n", r"sms.txt:4: there is no text"),
        ("parents/xx/sms.txt", SMS.replace('"en"', '"xx"'), r"sms.txt:2: the language 'xx' is not in"),
        ("pupils/en/sms.txt", SMS, r"'pupils' is no kind of readers"),
        ("school-staff/en/sms.txt", SMS, r"has no \[readers.school-staff\]"),
        ("advisory.toml", ADVISORY.replace("topic", "tpoic"), r"advisory.toml:"),
        ("advisory.toml", ADVISORY.replace('"sms"', '"fax"'), r"advisory.toml:6: channels"),
    ],
)
def test_a_wrong_file_is_refused_with_its_line(folder: Path, place: str, text: str, complaint: str) -> None:
    write(folder / "bicycles", place, text)
    with pytest.raises(Invalid, match=complaint):
        Library.load(folder, LANGUAGES)


def test_an_advisory_nobody_knows_is_not_found(folder: Path) -> None:
    with pytest.raises(NotFound, match="there is: bicycles"):
        Library.load(folder, LANGUAGES).advisory("motorcycles")
