"""Counting text messages: the limits of 3GPP TS 23.038 and 23.040, for any text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.content.sms import Alphabet, plain, size, split

GSM7 = "".join(chr(point) for point in range(0x20, 0x7F) if chr(point) != "`") + "éèà£ÄÖÑÜßÇ€^{}\n"


@pytest.mark.parametrize(
    ("text", "alphabet", "units", "parts"),
    [
        ("", Alphabet.GSM7, 0, 1),
        ("a" * 160, Alphabet.GSM7, 160, 1),
        ("a" * 161, Alphabet.GSM7, 161, 2),
        ("a" * 306, Alphabet.GSM7, 306, 2),
        ("a" * 307, Alphabet.GSM7, 307, 3),
        ("€" * 80, Alphabet.GSM7, 160, 1),
        ("€" * 81, Alphabet.GSM7, 162, 2),
        ("a" * 152 + "€" + "a" * 152, Alphabet.GSM7, 306, 3),  # the escape would be split, so the euro moves on
        ("ж" * 70, Alphabet.UCS2, 70, 1),
        ("ж" * 71, Alphabet.UCS2, 71, 2),
        ("ж" * 134, Alphabet.UCS2, 134, 2),
        ("ж" * 66 + "😀" + "ж" * 66, Alphabet.UCS2, 134, 3),  # the surrogate pair moves on
        ("ç", Alphabet.UCS2, 1, 1),  # only the capital Ç is in GSM-7
        ("Ç", Alphabet.GSM7, 1, 1),
    ],
)
def test_the_size_of(text: str, alphabet: Alphabet, units: int, parts: int) -> None:
    counted = size(text)
    assert (counted.alphabet, counted.units, counted.parts) == (alphabet, units, parts)


def test_the_characters_that_force_ucs_2_are_named() -> None:
    assert size("Vaše dítě").why() == (
        "“š” (U+0161 latin small letter s with caron), “í” (U+00ED latin small letter i with acute), "
        "“ě” (U+011B latin small letter e with caron)"
    )


def test_typographic_punctuation_is_made_plain_when_all_of_it_then_is_gsm_7() -> None:
    assert plain("“Don’t pay” – it’s not your fault…") == "\"Don't pay\" - it's not your fault..."


def test_nothing_is_replaced_when_a_letter_forces_ucs_2_anyway() -> None:
    assert plain("“Vaše dítě”") == "“Vaše dítě”"


def test_a_letter_is_never_replaced() -> None:
    assert plain("Ne payez pas, ça n’arrête rien") == "Ne payez pas, ça n’arrête rien"


def test_a_letter_and_its_accent_are_counted_as_one_character() -> None:
    assert plain("caf" + "e\u0301") == "café"


@given(st.one_of(st.text(max_size=500), st.text(alphabet=GSM7, max_size=500)))
def test_parts_join_to_the_text_and_none_is_too_long(text: str) -> None:
    counted, parts = size(text), split(text)
    assert "".join(parts) == text
    assert len(parts) == counted.parts
    room = counted.alphabet.single if len(parts) == 1 else counted.alphabet.joined
    assert all(size(part).units <= room or counted.alphabet is Alphabet.UCS2 for part in parts)
    if counted.alphabet is Alphabet.UCS2:
        assert all(len(part.encode("utf-16-be", "surrogatepass")) // 2 <= room for part in parts)
    # No more parts than a division says, but for one unit lost at each joint.
    assert len(parts) <= max(1, -(-counted.units // (counted.alphabet.joined - 1)))


@given(st.text(max_size=200))
def test_making_plain_is_harmless_twice_and_never_touches_a_letter(text: str) -> None:
    once = plain(text)
    assert plain(once) == once
    if size(once).alphabet is Alphabet.GSM7:
        assert [letter for letter in once if letter.isalpha()] == [
            letter for letter in plain("".join(text)) if letter.isalpha()
        ]
