"""Review as an act: by a second person, bound to the words of the text and of its source."""

from datetime import date
from pathlib import Path

import pytest

from notifier.content.documents import ReviewState
from notifier.content.library import Advisory, Library
from notifier.content.review import Reviewer, review, stamp
from notifier.kit.errors import Conflict, NotFound
from notifier.vocabulary import Channel, Readers
from tests.content.texts import ARABIC_EMAIL, EMAIL, LANGUAGES, write, write_advisory

TODAY = date(2026, 11, 21)
RANA = Reviewer("rana@police.example", "Rana")
BOTH = tuple(Channel)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_advisory(tmp_path / "advisories")
    return tmp_path / "advisories"


def bicycles(folder: Path) -> Advisory:
    return Library.load(folder, LANGUAGES).advisory("bicycles")


def state(folder: Path, language: str = "ar") -> ReviewState:
    advisory = bicycles(folder)
    return advisory.state(advisory.document(Readers.PARENTS, Channel.EMAIL, language))


def review_arabic(folder: Path, by: Reviewer = RANA) -> list[Path]:
    return review(bicycles(folder), Readers.PARENTS, "ar", BOTH, by=by, on=TODAY)


def test_a_reviewed_translation_may_go_until_its_text_is_edited(folder: Path) -> None:
    stamp(bicycles(folder))
    review_arabic(folder)
    assert state(folder) is ReviewState.REVIEWED
    path = folder / "bicycles/parents/ar/email.md"
    path.write_text(path.read_text(encoding="utf-8").replace("الخوذة", "القبعة"), encoding="utf-8")
    assert state(folder) is ReviewState.STALE


def test_a_reviewed_translation_may_go_until_its_source_is_edited(folder: Path) -> None:
    stamp(bicycles(folder))
    review_arabic(folder)
    write(folder, "bicycles/parents/en/email.md", EMAIL.replace("helmet", "hat"))
    assert state(folder) is ReviewState.STALE


def test_stamping_anew_ends_the_old_review(folder: Path) -> None:
    stamp(bicycles(folder))
    review_arabic(folder)
    write(folder, "bicycles/parents/en/email.md", EMAIL.replace("helmet", "hat"))
    stamp(bicycles(folder))
    assert state(folder) is ReviewState.TRANSLATED
    assert "reviewer" not in (folder / "bicycles/parents/ar/email.md").read_text(encoding="utf-8")


def test_stamping_twice_changes_nothing(folder: Path) -> None:
    assert len(stamp(bicycles(folder))) == 1
    assert stamp(bicycles(folder)) == []


def test_a_review_records_who_and_when_and_leaves_the_body_alone(folder: Path) -> None:
    stamp(bicycles(folder))
    (path,) = review_arabic(folder)
    text = path.read_text(encoding="utf-8")
    assert 'reviewer = "rana@police.example"\nreviewed_on = "2026-11-21"' in text
    assert text.endswith(ARABIC_EMAIL.partition("+++\n\n")[2])


def test_a_source_text_is_reviewed_like_any_other(folder: Path) -> None:
    assert len(review(bicycles(folder), Readers.PARENTS, "en", BOTH, by=RANA, on=TODAY)) == 2
    assert state(folder, "en") is ReviewState.REVIEWED


@pytest.mark.parametrize("writer", ["Rana", "rana@police.example", "Rana <RANA@police.example>"])
def test_nobody_reviews_what_they_wrote(folder: Path, writer: str) -> None:
    write(folder, "bicycles/parents/ar/email.md", ARABIC_EMAIL.replace("Drafting team", writer))
    stamp(bicycles(folder))
    with pytest.raises(Conflict, match="a second person"):
        review_arabic(folder)


def test_a_translation_that_does_not_belong_to_its_source_cannot_be_reviewed(folder: Path) -> None:
    with pytest.raises(Conflict, match="stamp bicycles --language ar"):
        review_arabic(folder)


def test_texts_that_are_not_there_cannot_be_reviewed_or_stamped(folder: Path) -> None:
    with pytest.raises(NotFound, match="no text for parents in 'fr'"):
        review(bicycles(folder), Readers.PARENTS, "fr", BOTH, by=RANA, on=TODAY)
    with pytest.raises(NotFound, match="no such translation"):
        stamp(bicycles(folder), language="fr")
