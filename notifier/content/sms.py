"""Text messages: the alphabet they travel in, how many parts they cost, and plain punctuation where it saves parts.

3GPP TS 23.038 (the alphabet) and 23.040 (parts). Counting is exact: an escape or a surrogate pair is never split
between two parts, so a message may need one part more than a division would say. National shift tables are not used: no
gateway was found that promises them. Letters are never replaced: an accent left out is a spelling mistake in a police
message.
"""

import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files

_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = "\f^{}\\[~]|€"
_SEPTETS: Mapping[str, int] = {**dict.fromkeys(_BASIC, 1), **dict.fromkeys(_EXTENSION, 2)}
_LAST_OF_THE_PLANE = 0xFFFF


class Alphabet(StrEnum):
    """How the characters of a text message travel."""

    GSM7 = "GSM-7"
    UCS2 = "UCS-2"

    @property
    def single(self) -> int:
        """How many units a message of one part holds."""
        return 160 if self is Alphabet.GSM7 else 70

    @property
    def joined(self) -> int:
        """How many units each part holds when there are several: the joining header takes the rest."""
        return 153 if self is Alphabet.GSM7 else 67


@dataclass(frozen=True, slots=True)
class SmsSize:
    """What a text message costs: `units` are septets of GSM-7 or 16-bit units of UCS-2, `parts` are what is billed.

    `forced_by` are the characters that GSM-7 lacks, in the order they appear.
    """

    alphabet: Alphabet
    units: int
    parts: int
    forced_by: tuple[str, ...] = ()

    def why(self) -> str:
        """Say in words why the message is not GSM-7; empty if it is."""
        return ", ".join(named(character) for character in self.forced_by)


def size(text: str) -> SmsSize:
    """Count a text message exactly."""
    forced_by = tuple(dict.fromkeys(character for character in text if character not in _SEPTETS))
    alphabet = Alphabet.UCS2 if forced_by else Alphabet.GSM7
    units = sum(_units(character, alphabet) for character in text)
    parts = 1 if units <= alphabet.single else sum(1 for _ in _split(text, alphabet))
    return SmsSize(alphabet, units, parts, forced_by)


def split(text: str) -> list[str]:
    """Return the parts a phone joins again, none of them with half a character."""
    counted = size(text)
    return [text] if counted.parts == 1 else list(_split(text, counted.alphabet))


def plain(text: str) -> str:
    """Return the text with plain punctuation if that makes all of it GSM-7, else as it was.

    A text is composed first (NFC), so that a letter and its accent are counted as the one character they are.
    """
    composed = unicodedata.normalize("NFC", text)
    replaced = composed.translate(_replacements())
    return replaced if all(character in _SEPTETS for character in replaced) else composed


def named(character: str) -> str:
    """Name a character for a person: “ş” (U+015F latin small letter s with cedilla)."""
    return f"“{character}” (U+{ord(character):04X} {unicodedata.name(character, 'without a name').lower()})"


def _units(character: str, alphabet: Alphabet) -> int:
    if alphabet is Alphabet.GSM7:
        return _SEPTETS[character]
    return 2 if ord(character) > _LAST_OF_THE_PLANE else 1


def _split(text: str, alphabet: Alphabet) -> Iterator[str]:
    start, used = 0, 0
    for position, character in enumerate(text):
        needed = _units(character, alphabet)
        if used + needed > alphabet.joined:
            yield text[start:position]
            start, used = position, 0
        used += needed
    yield text[start:]


@cache
def _replacements() -> dict[int, str]:
    table = tomllib.loads((files(__package__) / "smart_characters.toml").read_text(encoding="utf-8"))
    return {
        int(point, 16): replacement for replacement, points in table["replacements"].items() for point in points.split()
    }
