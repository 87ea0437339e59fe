"""Personal values: nothing a list may hold as a name can break out of its place."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.content.personal import Filler, clean, longest, markers_in, printer
from notifier.kit.errors import Invalid
from notifier.vocabulary import Part, PersonalField, marker

MARKERS = tuple(marker(field, part) for field in PersonalField for part in Part)
TOKEN = "1AbCdEfGhIjKlMnOpQrStUv"
WILD = st.one_of(
    st.text(max_size=80),
    st.lists(
        st.sampled_from(
            [
                "<b>",
                "</bdi>",
                "&",
                '"',
                "'",
                "%%",
                "%",
                "given_name.html%%",
                "\r\n",
                "\x00",
                "\u202e",
                "\u2066",
                "\u2028",
                "{{ link }}",
                "{% raw %}",
                "Bcc: x@example.com",
                "Анна",
                "محمد",
                "👩\u200d👧",
                "https://bad.example",
                *MARKERS,
            ]
        ),
        max_size=8,
    ).map("".join),
)


class Tags(HTMLParser):
    """The tags and the text of a piece of HTML."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        del attrs
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@given(name=st.one_of(st.none(), WILD), schools=WILD)
def test_no_personal_value_can_break_out_of_its_place(name: str | None, schools: str) -> None:
    values = Filler(MARKERS)(name, schools, TOKEN)
    assert set(values) == set(MARKERS)
    for value in values.values():
        assert not markers_in(value)
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066\u2067]", value)
        assert "%%" not in value
    for field in (PersonalField.GIVEN_NAME, PersonalField.SCHOOLS):
        html = Tags()
        html.feed(f"<p>{values[marker(field, Part.HTML)]}</p>")
        html.close()
        assert html.tags in (["p"], ["p", "bdi"])
        assert html.text.replace("…", "").strip(" ()") in values[marker(field, Part.SMS)].replace("…", "")


@given(name=WILD, schools=WILD)
def test_printing_and_replacing_in_any_order_give_the_same_text(name: str, schools: str) -> None:
    values = Filler(MARKERS)(name, schools, TOKEN)
    text = "|".join(MARKERS)
    one = two = text
    for mark in MARKERS:
        one = one.replace(mark, values[mark])
    for mark in reversed(MARKERS):
        two = two.replace(mark, values[mark])
    assert one == two == printer(text)(values)


@pytest.mark.parametrize(
    ("name", "in_text", "in_html"),
    [
        ("Anna", " Anna", " <bdi>Anna</bdi>"),
        ("O'Brien", " O'Brien", " <bdi>O'Brien</bdi>"),
        (None, "", ""),
        ("  ", "", ""),
        ("Zoë", " Zoë", " <bdi>Zoë</bdi>"),
        ("A & B", " A & B", " <bdi>A &amp; B</bdi>"),
        ("محمد", " \u2068محمد\u2069", " <bdi>محمد</bdi>"),
        ("Anna\r\nBcc: all@example.com", " Anna Bcc: all@example.com", " <bdi>Anna Bcc: all@example.com</bdi>"),
        ("Anna\u202egnp.exe", " Annagnp.exe", " <bdi>Annagnp.exe</bdi>"),
    ],
)
def test_a_name_in_text_and_html(name: str | None, in_text: str, in_html: str) -> None:
    marks = (marker(PersonalField.GIVEN_NAME, Part.TEXT), marker(PersonalField.GIVEN_NAME, Part.HTML))
    assert list(Filler(marks)(name, "", TOKEN).values()) == [in_text, in_html]


def test_schools_come_in_brackets_or_not_at_all() -> None:
    mark = marker(PersonalField.SCHOOLS, Part.HTML)
    fill = Filler((mark,))
    assert fill(None, "St Mary's, Hill & Dale", TOKEN) == {mark: " (<bdi>St Mary&#x27;s, Hill &amp; Dale</bdi>)"}
    assert fill(None, "", TOKEN) == {mark: ""}


def test_a_token_that_is_no_token_is_refused() -> None:
    with pytest.raises(Invalid, match="token"):
        Filler(MARKERS)("Anna", "", 'x" onclick="')


def test_many_are_filled_in_as_each_by_itself_and_no_token_slips_through_among_others() -> None:
    names, schools, tokens = (None, "Anna", "O'Brien"), ("", "Hill & Dale", ""), (TOKEN, "b" * 23, "c" * 23)
    fill = Filler(MARKERS)
    assert fill.many(names, schools, tokens) == [fill(*one) for one in zip(names, schools, tokens, strict=True)]
    with pytest.raises(Invalid, match="token"):
        fill.many(names, schools, (TOKEN, "x<y", TOKEN))


def test_a_mark_nobody_knows_is_refused() -> None:
    with pytest.raises(Invalid, match="surname"):
        Filler(("%%surname.html%%",))


@given(WILD, st.integers(min_value=1, max_value=80))
def test_a_cleaned_value_is_never_longer_than_its_limit(value: str, limit: int) -> None:
    assert len(clean(value, limit)) <= limit


@given(name=WILD, schools=WILD)
def test_no_value_is_longer_than_the_longest_one_counted(name: str, schools: str) -> None:
    marks = tuple(marker(field, Part.SMS) for field in PersonalField)
    values, limits = Filler(marks)(name, schools, TOKEN), longest(marks)
    assert all(len(values[mark]) <= len(limits[mark]) for mark in marks)
