"""Addresses: the short way says what the library says, and each is normalised one way only."""

import phonenumbers
import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from notifier.audiences.addresses import judge_email, judge_phone_at_length, phone_judge
from notifier.audiences.verdicts import REMEDIES, Reason

REGIONS = ["AU", "DE", "FR", "GR", "IT", "NZ", "GB", "US", "ES", "PL"]
DIGITS = st.text("0123456789", min_size=6, max_size=12)
PUNCTUATION = st.sampled_from(["", " ", "-", ".", "/", "(", ")", "\u00a0"])


@st.composite
def numbers(draw: st.DrawFn) -> tuple[str, str]:
    """A country, and a number as somebody there might type it: often a mobile, sometimes nearly one."""
    region = draw(st.sampled_from(REGIONS))
    code = phonenumbers.country_code_for_region(region)
    if draw(st.booleans()):
        like = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
        assert like is not None
        national = phonenumbers.national_significant_number(like)
        kept = draw(st.integers(0, len(national)))
        tail = "".join(draw(st.lists(st.sampled_from("0123456789"), min_size=0, max_size=len(national))))
        national = (national[:kept] + tail)[: len(national) + draw(st.integers(-1, 1))]
    else:
        national = draw(DIGITS)
    start = draw(st.sampled_from(["", "0", f"+{code}", f"+{code}0", f"00{code}", "+", "8"]))
    pieces = [f"{draw(PUNCTUATION)}{digit}" if draw(st.integers(0, 3)) == 0 else digit for digit in start + national]
    return region, "".join(pieces)


@given(numbers())
@example(("AU", "0491 570 006"))
@example(("AU", "+61 (0)491 570 006"))
@example(("GR", "69 7000 0000"))
@example(("DE", "0151/2345 6789"))
def test_the_short_way_and_the_library_agree_about_every_number(case: tuple[str, str]) -> None:
    region, text = case
    assert phone_judge(region)(text) == judge_phone_at_length(text, region)


LOCAL = st.text("abcz09._+-'A@ ", min_size=0, max_size=66)
DOMAIN = st.lists(st.text("abz09-X", min_size=0, max_size=12), min_size=1, max_size=4).map(".".join)
ENDINGS = st.sampled_from(
    [".com", ".org", ".example", ".test", ".local", ".invalid", "", ".c0m", ".x", ".arpa", ".onion"]
)


@given(LOCAL, DOMAIN, ENDINGS)
@example("maria", "xn--mnchen-3ya", ".de")
@example("maria", "münchen", ".de")
@example("a" * 65, "example", ".com")
@example("maria", "a" * 64, ".com")
@example("a", ".".join(["b" * 60] * 4), ".com")
@example("ab--c", "example", ".org")
@example("maria", "ab--cd", ".org")
@example("maria", "-a", ".org")
def test_the_short_way_and_the_library_agree_about_every_email(local: str, domain: str, ending: str) -> None:
    text = f"{local}@{domain}{ending}"
    try:
        read = validate_email(text.strip().lower(), check_deliverability=False, strict=True)
        expected = read.ascii_email and read.ascii_email.lower()
    except EmailNotValidError:
        expected = None
    assert judge_email(text)[0] == expected


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        (" Maria.P@Example.ORG ", "maria.p@example.org"),
        ("zoe@München.de", "zoe@xn--mnchen-3ya.de"),
        ("o'brien+school@example.com", "o'brien+school@example.com"),
    ],
)
def test_an_email_has_one_spelling(text: str, becomes: str) -> None:
    assert judge_email(text) == (becomes, None)


@pytest.mark.parametrize(
    ("country", "text"),
    [
        ("AU", "0491 570 006"), ("AU", "+61 491 570 006"), ("AU", "0061 491 570 006"), ("AU", "(04) 9157-0006"),
        ("AU", "491570006"), ("AU", "+61 (0) 491 570 006"), ("DE", "+61491570006"),
    ],
)  # fmt: skip
def test_a_mobile_number_has_one_spelling(country: str, text: str) -> None:
    assert phone_judge(country)(text) == ("+61491570006", None)


def test_a_letter_outside_ascii_before_the_at_sign_is_refused_with_its_own_words() -> None:
    assert judge_email("μαρία@example.org") == (None, Reason.NEEDS_SMTPUTF8)


def test_two_numbers_with_a_space_between_are_too_long_for_one() -> None:
    assert phone_judge("AU")("0491570006 0491570156") == (None, Reason.TOO_LONG)


def test_every_reason_has_a_remedy() -> None:
    assert set(REMEDIES) == set(Reason)
