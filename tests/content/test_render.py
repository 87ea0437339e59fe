"""Rendering: one text as email, text message and page, in its language and with its region's numbers."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from notifier.content import sms
from notifier.content.library import Advisory
from notifier.content.personal import Filler
from notifier.content.render import Renderer
from notifier.kit.errors import Conflict, Invalid, NotFound
from notifier.vocabulary import EmailMessage, Readers
from tests.content.texts import ARABIC_EMAIL, CONTEXT, EMAIL, SMS, renderer, write, write_advisory
from tests.regions.atlases import COUNTRY, contact

TOKEN = "1AbCdEfGhIjKlMnOpQrStUv"


@pytest.fixture
def house(tmp_path: Path) -> Renderer:
    write_advisory(tmp_path / "advisories")
    return renderer(tmp_path)


def bicycles(house: Renderer) -> Advisory:
    return house.library.advisory("bicycles")


def english(house: Renderer) -> EmailMessage:
    return house.email(bicycles(house), Readers.PARENTS, "en", "XA", CONTEXT)


def filled(text: str, message: EmailMessage) -> str:
    for mark, value in Filler(message.markers)("Anna", "Hill School", TOKEN).items():
        text = text.replace(mark, value)
    return text


def test_the_plain_text_says_everything_the_html_says(house: Renderer) -> None:
    message = english(house)
    assert filled(message.text, message) == (
        "Hello Anna,\n\n"
        "It is not your child's fault\n\n"
        "Police & Partners says: wear a helmet & look < around.\n\n"
        "1. Stop.\n2. Look.\n\n\n"
        "Who can help now\n\n"
        "- In an emergency: 112\n"
        "- Helpline for children and young people: 147 147 (Helpline <Examplia>, day and night)\n\n"
        "In danger now: 112.\n\n"
        "-- \n"
        "This message is from Police & Partners.\n"
        "You get it because your address is on a school's contact list (Hill School).\n\n"
        "Check that this message is real, or read it in another language\nhttps://police.example/v/7Kp\n\n"
        f"Change what you get, or stop these messages\nhttps://police.example/p/{TOKEN}\n\n"
        "Please do not send pictures or children's names in a reply.\n"
    )


def test_the_html_escapes_every_value_and_links_numbers(house: Renderer) -> None:
    message = english(house)
    html = filled(message.html, message)
    assert "Police &amp; Partners says: <strong>wear a helmet</strong> &amp; look &lt; around." in html
    assert "<bdi>Helpline &lt;Examplia&gt;</bdi>" in html
    assert re.search(r'<a href="tel:147147"[^>]*><bdi dir="ltr">147 147</bdi></a>', html)
    assert f'href="https://police.example/p/{TOKEN}"' in html
    assert "Hello <bdi>Anna</bdi>," in html


def test_an_email_asks_nobody_for_anything(house: Renderer) -> None:
    html = english(house).html
    assert not re.search(r"<(img|link|script|iframe|object|form)\b|@import|url\(|src=|background=", html)


def test_the_rules_for_dark_and_narrow_screens_stay_in_the_head(house: Renderer) -> None:
    html = english(house).html
    assert "@media (prefers-color-scheme: dark)" in html
    assert "@media (max-width: 420px)" in html
    assert re.search(r'<h2 style="[^"]+">', html)


def test_the_preheader_comes_first_and_the_subject_says_nothing_more(house: Renderer) -> None:
    message = english(house)
    assert message.subject == "Bicycles: how to help your child"
    body = message.html[message.html.index("<body") :]
    assert re.match(r"<body[^>]*>\s*<div class=\"preheader\"[^>]*>General advice for all families\.</div>", body)


def test_an_arabic_email_runs_right_to_left_with_its_numbers_left_to_right(house: Renderer) -> None:
    message = house.email(bicycles(house), Readers.PARENTS, "ar", "XA-ST", CONTEXT)
    assert message.html.startswith('<!DOCTYPE html><html lang="ar" dir="rtl">')
    assert re.search(r'<bdi dir="ltr">112</bdi>', message.html)
    assert "\u2066112\u2069" in message.text


def test_a_bilingual_email_has_two_blocks_with_languages_of_their_own_and_a_way_to_the_second(house: Renderer) -> None:
    message = house.email(bicycles(house), Readers.PARENTS, "ar", "XA", replace(CONTEXT, second_language="en-AU"))
    assert '<a href="#text-en"' in message.html
    blocks = re.findall(r'<div [^>]*id="text-(\w+)"[^>]*>', message.html)
    assert blocks == ["ar", "en"]
    assert message.headers["Content-Language"] == "ar, en"
    assert message.text.index("ليس خطأ طفلك") < message.text.index("It is not your child's fault")


@pytest.mark.parametrize("second", ["en-GB", "vi"])
def test_a_reader_gets_no_language_twice_and_none_that_is_not_there(house: Renderer, second: str) -> None:
    message = house.email(bicycles(house), Readers.PARENTS, "en", "XA", replace(CONTEXT, second_language=second))
    assert message == english(house)


def test_the_numbers_are_the_regions_and_the_words_the_languages(tmp_path: Path) -> None:
    write_advisory(tmp_path / "advisories")
    house = renderer(tmp_path, country=COUNTRY.replace('"112"', '"999"'))
    assert "999" in house.sms(bicycles(house), Readers.PARENTS, "en", "XA-ST", CONTEXT).text


def test_a_text_message_ends_with_how_to_leave_and_is_plain(tmp_path: Path) -> None:
    write_advisory(tmp_path / "advisories")
    write(
        tmp_path / "advisories", "bicycles/parents/en/sms.txt", SMS.replace("it's", "it’s").replace("fault.", "fault…")
    )
    house = renderer(tmp_path)
    message = house.sms(bicycles(house), Readers.PARENTS, "en", "XA", CONTEXT)
    assert message.text == (
        "Police & Partners: it's not your child's fault... In danger now: 112. Help: https://police.example/v/7Kp\n"
        "Opt out: reply STOP"
    )
    assert message.markers == ()
    assert sms.size(message.text).parts == 1


def test_a_sender_that_cannot_be_answered_offers_a_link_instead(house: Renderer) -> None:
    context = replace(CONTEXT, sms_sender="POLICE")
    message = house.sms(bicycles(house), Readers.PARENTS, "en", "XA", context)
    assert message.text.endswith("\nOpt out: https://police.example/p/%%token.sms%%")
    assert message.markers == ("%%token.sms%%",)


def test_a_regions_own_team_stands_in_for_the_senders_name(tmp_path: Path) -> None:
    write_advisory(tmp_path / "advisories")
    house = renderer(tmp_path, country=COUNTRY + '\n[sender]\nname = "Examplia Police"\n')
    message = house.email(bicycles(house), Readers.PARENTS, "en", "XA-ST", CONTEXT)
    assert message.sender_name == "Examplia Police"
    assert "Examplia Police says" in message.text


def test_the_public_page_has_the_text_and_no_personal_value(house: Renderer) -> None:
    page = house.page(bicycles(house), Readers.PARENTS, "ar", "XA", CONTEXT)
    assert (page.title, page.language, page.direction) == ("الدراجات: كيف تساعد طفلك", "ar", "rtl")
    assert page.html.startswith("<h2>")
    assert "%%" not in page.html
    assert 'href="tel:112"' in page.html


def test_a_region_whose_emergency_number_may_not_be_shown_gets_no_message(house: Renderer) -> None:
    with pytest.raises(Conflict, match="emergency number of XA may not be shown"):
        house.email(bicycles(house), Readers.PARENTS, "en", "XA", replace(CONTEXT, live=True))


def test_a_text_that_is_not_there_is_not_found(house: Renderer) -> None:
    with pytest.raises(NotFound, match="no sms text for parents in 'ar'; there is: en"):
        house.sms(bicycles(house), Readers.PARENTS, "ar", "XA", CONTEXT)


@pytest.mark.parametrize("placeholder", ["{{ contact.child_helpline }}", "{{ nobody }}", "{% for %}", "{{ link }}"])
def test_a_placeholder_nobody_can_fill_is_refused_with_the_file(tmp_path: Path, placeholder: str) -> None:
    write_advisory(tmp_path / "advisories")
    write(tmp_path / "advisories", "bicycles/parents/en/email.md", EMAIL + placeholder)
    house = renderer(tmp_path)
    with pytest.raises(Invalid, match=r"en/email\.md: a placeholder cannot be filled"):
        english(house)


def test_a_document_cannot_bring_in_markup_links_or_images(tmp_path: Path) -> None:
    write_advisory(tmp_path / "advisories")
    text = ARABIC_EMAIL + "\n<b>x</b> [y](https://bad.example) ![z](https://bad.example/p.png) <https://bad.example>\n"
    write(tmp_path / "advisories", "bicycles/parents/ar/email.md", text)
    html = renderer(tmp_path).email(bicycles(renderer(tmp_path)), Readers.PARENTS, "ar", "XA", CONTEXT).html
    assert not re.search(r'<b>|<img|href="https://bad', html)


def test_young_people_see_the_helpline_before_the_emergency_number(tmp_path: Path) -> None:
    write_advisory(tmp_path / "advisories")
    advisory = (tmp_path / "advisories/bicycles/advisory.toml").read_text(encoding="utf-8")
    write(tmp_path / "advisories", "bicycles/advisory.toml", advisory + '\n[readers.young-people]\nsummary = "Y"\n')
    write(tmp_path / "advisories", "bicycles/young-people/en/email.md", EMAIL)
    house = renderer(tmp_path)
    text = house.email(bicycles(house), Readers.YOUNG_PEOPLE, "en", "XA", CONTEXT).text
    assert text.index("147 147") < text.index("112")


def test_a_helpline_for_one_language_is_shown_to_its_readers_only(tmp_path: Path) -> None:
    write_advisory(tmp_path / "advisories")
    own = contact("helpline_ar", "103", role='"child_helpline"', languages='["ar"]', hours='"Mon-Fri 09:00-20:00"')
    house = renderer(tmp_path, country=COUNTRY + own)
    arabic = house.email(bicycles(house), Readers.PARENTS, "ar", "XA", CONTEXT).text
    assert "103" in arabic
    assert "09:00\u201320:00" in arabic
    assert "103" not in english(house).text
