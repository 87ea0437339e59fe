"""The fixed sentences: complete in every language, with their placeholders, and short enough for a text message."""

import shutil
from datetime import date
from pathlib import Path

import pytest

from notifier.content import sms
from notifier.content.catalogues import extract, gaps, review, sources, update
from notifier.content.documents import Document
from notifier.content.furniture import Furniture
from notifier.content.library import Library
from notifier.content.phrases import OPT_OUT_BY_REPLY
from notifier.kit.errors import Invalid, NotFound
from tests.content.texts import LANGUAGES, LAYOUTS, ROOT, write

LOCALE = ROOT / "templates" / "locale"
FURNITURE = Furniture(LOCALE, LANGUAGES)


def documents() -> list[Document]:
    library = Library.load(ROOT / "templates" / "advisories", LANGUAGES)
    return [document for advisory in library.advisories() for document in advisory.documents.values()]


def test_no_catalogue_lacks_a_sentence_or_a_placeholder() -> None:
    assert [f"{gap.path}: {gap.message} {gap.what}" for gap in gaps(LOCALE, sources(LAYOUTS))] == []


def test_the_list_of_sentences_is_up_to_date() -> None:
    wanted = {message.id for message in extract(sources(LAYOUTS)) if message.id}
    assert "Opt out: reply STOP" in wanted
    text = (LOCALE / "recipients.pot").read_text(encoding="utf-8")
    assert text.count("\nmsgid ") - 1 == len(wanted), "run `notifier advisories messages`"


def test_every_language_of_a_text_has_its_furniture() -> None:
    tags = {document.language for document in documents()}
    assert {tag for tag in tags if FURNITURE.language(tag).partition("-")[0] != tag.partition("-")[0]} == set()


def test_every_committed_catalogue_says_that_nobody_has_reviewed_it() -> None:
    for tag in FURNITURE.tags():
        assert "# Not reviewed:" in FURNITURE.path(tag).read_text(encoding="utf-8"), tag
        assert FURNITURE.reviewer(tag) == ""
    assert FURNITURE.reviewer("en-AU")


def test_a_review_of_a_catalogue_holds_until_a_word_changes(tmp_path: Path) -> None:
    shutil.copytree(LOCALE / "el", tmp_path / "el")
    path = review(tmp_path, "el", by="rana@police.example", on=date(2026, 11, 21))
    text = path.read_text(encoding="utf-8")
    assert "Not reviewed" not in text
    assert Furniture(tmp_path, LANGUAGES).reviewer("el-CY") == "rana@police.example"
    assert update(tmp_path, sources(LAYOUTS)) == [tmp_path / "recipients.pot"]
    path.write_text(text.replace("Γεια σας", "Καλημέρα"), encoding="utf-8")
    assert Furniture(tmp_path, LANGUAGES).reviewer("el") == ""
    with pytest.raises(NotFound, match="There is no catalogue"):
        review(tmp_path, "tlh", by="rana@police.example", on=date(2026, 11, 21))


@pytest.mark.parametrize("tag", FURNITURE.tags())
def test_the_opt_out_line_has_room_at_the_end_of_a_text_message_and_keeps_the_word(tag: str) -> None:
    line = FURNITURE.say(tag)(OPT_OUT_BY_REPLY)
    assert "STOP" in line
    assert len(line) <= (24 if sms.size(line).alphabet is sms.Alphabet.GSM7 else 19)


def test_a_language_without_a_catalogue_gets_english_and_says_so() -> None:
    assert FURNITURE.language("so") == "en"
    assert FURNITURE.say("so")(OPT_OUT_BY_REPLY) == "Opt out: reply STOP"
    assert FURNITURE.language("zh-TW") == "zh-Hant"


def test_a_value_in_a_sentence_is_escaped_in_html_and_left_alone_in_text() -> None:
    sentence, name = "This message is from {sender}.", "A & <B>"
    assert FURNITURE.say_in_html("en")(sentence, sender=name) == "This message is from A &amp; &lt;B&gt;."
    assert FURNITURE.say("en")(sentence, sender=name) == "This message is from A & <B>."


def test_a_changed_sentence_wants_a_translation_again_and_an_unused_one_goes(tmp_path: Path) -> None:
    layouts, locale = tmp_path / "layouts", tmp_path / "locale"
    page = write(layouts, "page.html", '<p>{{ _("Hello{name},") }}</p>')
    write(
        locale, "de/LC_MESSAGES/recipients.po", 'msgid ""\nmsgstr ""\n\nmsgid "Hello{name},"\nmsgstr "Hallo{name},"\n'
    )
    assert update(locale, [layouts]) != []
    assert list(gaps(locale, [layouts])) == []
    page.write_text('<p>{{ _("Good day{name},") }}</p>', encoding="utf-8")
    update(locale, [layouts])
    assert update(locale, [layouts]) == []
    assert [(gap.message, gap.what) for gap in gaps(locale, [layouts])] == [("Good day{name},", "is not translated")]
    assert "Hello" not in (locale / "de/LC_MESSAGES/recipients.po").read_text(encoding="utf-8")


def test_a_translation_that_drops_a_placeholder_is_found(tmp_path: Path) -> None:
    write(tmp_path, "layouts/page.html", '<p>{{ _("Hello{name},") }}</p>')
    write(
        tmp_path, "locale/de/LC_MESSAGES/recipients.po", 'msgid ""\nmsgstr ""\n\nmsgid "Hello{name},"\nmsgstr "Hallo"\n'
    )
    (gap,) = gaps(tmp_path / "locale", [tmp_path / "layouts"])
    assert gap.what == "has other placeholders in the translation"


def test_a_file_that_is_no_catalogue_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "de/LC_MESSAGES/recipients.po", 'msgid "unfinished\n')
    with pytest.raises(Invalid, match="is not a gettext catalogue"):
        Furniture(tmp_path, LANGUAGES).translations("de")
