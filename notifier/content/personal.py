"""Personal values: a person's name, their schools and their token, made harmless for the part of a message they go to.

The hot path: what can be decided per message is decided when its `Filler` is made. A value can never end the place it
stands in: markup, line breaks, control characters, bidirectional overrides and the marks that stand for other values
are taken out or escaped, in each part in its own way.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import TypeVar

from notifier.kit.errors import Invalid
from notifier.vocabulary import Part, PersonalField, marker

K = TypeVar("K")

NAME_LIMIT = 60
SCHOOLS_LIMIT = 200
REMEMBERED = 10_000
TOKEN_LENGTH = 23
_MARKER = re.compile(r"%%([a-z_]+)\.([a-z]+)%%")
# Most names are of letters alone, and need no more looking at. None of these characters means anything in any part:
# `[^\W\d_]` is a letter of any script, and composed Latin, Greek, Cyrillic, Arabic and Chinese names are nothing else.
_IS_ORDINARY = re.compile(r"[^\W\d_](?:[ '-]?[^\W\d_]){0,39}").fullmatch
_RIGHT_TO_LEFT = re.compile(
    r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
).search
_IS_TOKEN = re.compile(r"[A-Za-z0-9_-]*").fullmatch
_SPACES = re.compile(r"\s+")
_ISOLATE, _END_OF_ISOLATE = "\u2068", "\u2069"
# Joiners shape letters in Indic and Persian names; every other invisible character goes.
_KEPT_INVISIBLE = frozenset("\u200c\u200d")
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def markers_in(*texts: str) -> tuple[str, ...]:
    """Return the marks of personal values that stand in some texts, each once."""
    return tuple(dict.fromkeys(found.group() for text in texts for found in _MARKER.finditer(text)))


class Filler:
    """The values for the markers of one message, and those it has made already. Raises Invalid for an unknown marker.

    The name comes with a space before it and the schools in brackets, so that a sentence reads well without them, too.
    """

    def __init__(self, markers: Sequence[str]) -> None:
        places = [(text, *_read(text)) for text in markers]
        self._tokens = [text for text, field, _ in places if field is PersonalField.TOKEN]
        self._names = [(text, part) for text, field, part in places if field is PersonalField.GIVEN_NAME]
        self._schools = [(text, part) for text, field, part in places if field is PersonalField.SCHOOLS]
        # Few distinct values for many recipients: the parents of a school share one, and names repeat.
        self._known_schools: dict[str, dict[str, str]] = {}
        self._known_names: dict[str | None, dict[str, str]] = {}

    def __call__(self, given_name: str | None, schools: str, token: str) -> dict[str, str]:
        """Return marker -> escaped value for one reader; the names of their schools are separated by semicolons."""
        return self.many((given_name,), (schools,), (token,))[0]

    def many(
        self, given_names: Iterable[str | None], schools: Iterable[str], tokens: Sequence[str]
    ) -> list[dict[str, str]]:
        """Return marker -> escaped value for each of many readers."""
        if not _IS_TOKEN("".join(tokens)):
            raise Invalid("A recipient's token holds characters that no token has")
        known_names, known_schools, places = self._known_names, self._known_schools, self._tokens
        filled = []
        for name, theirs, token in zip(given_names, schools, tokens, strict=True):
            # A message may have no place for a value; nothing is a thing to remember, too.
            of_schools, of_name = known_schools.get(theirs), known_names.get(name)
            if of_schools is None:
                of_schools = self._school_values(theirs)
            values = of_schools | (self._name_values(name) if of_name is None else of_name)
            for text in places:
                values[text] = token
            filled.append(values)
        return filled

    def _school_values(self, value: str) -> dict[str, str]:
        cleaned = clean(value, SCHOOLS_LIMIT)
        made = {text: f" ({_escaped(cleaned, part)})" if cleaned else "" for text, part in self._schools}
        return _remember(self._known_schools, value, made)

    def _name_values(self, value: str | None) -> dict[str, str]:
        name = value or ""
        if _IS_ORDINARY(name) and (name.isascii() or not _RIGHT_TO_LEFT(name)):
            made = {text: f" <bdi>{name}</bdi>" if part is Part.HTML else " " + name for text, part in self._names}
        else:
            cleaned = clean(name, NAME_LIMIT)
            made = {text: " " + _escaped(cleaned, part) if cleaned else "" for text, part in self._names}
        return _remember(self._known_names, value, made)


def printer(text: str) -> Callable[[Mapping[str, str]], str]:
    """Return the function that puts one recipient's values into a text; the text is cut at its marks only once."""
    pieces: list[str] = []
    end = 0
    for found in _MARKER.finditer(text):
        pieces += [text[end : found.start()], found.group()]
        end = found.end()
    pieces.append(text[end:])
    places = [(place, pieces[place]) for place in range(1, len(pieces), 2)]

    def fill_in(values: Mapping[str, str]) -> str:
        copy = pieces.copy()
        for place, mark in places:
            copy[place] = values[mark]
        return "".join(copy)

    return fill_in


def longest(markers: Iterable[str]) -> dict[str, str]:
    """Return the longest value each marker can get, for counting the parts of a text message before it goes.

    A name is counted in letters that force UCS-2, because somebody's will be.
    """
    limits = {
        PersonalField.GIVEN_NAME: " " + "Ž" * NAME_LIMIT,
        PersonalField.SCHOOLS: " (" + "Ž" * SCHOOLS_LIMIT + ")",
        PersonalField.TOKEN: "x" * TOKEN_LENGTH,
    }
    return {text: limits[_read(text)[0]] for text in markers}


def clean(value: str, limit: int) -> str:
    """Return a value as one line without anything invisible, no longer than `limit` characters."""
    kept = "".join(map(_harmless, unicodedata.normalize("NFC", value[: 4 * limit])))
    # A mark of ours has two percent signs on each side; one is enough for any name.
    kept = re.sub(r"%{2,}", "%", _SPACES.sub(" ", kept)).strip()
    return kept if len(kept) <= limit else kept[: limit - 1].rstrip() + "…"


def _harmless(character: str) -> str:
    if character in _KEPT_INVISIBLE:
        return character
    if character.isspace():
        return " "
    return "" if unicodedata.category(character) in _INVISIBLE else character


def _read(text: str) -> tuple[PersonalField, Part]:
    for field in PersonalField:
        for part in Part:
            if text == marker(field, part):
                return field, part
    raise Invalid(f"{text!r} is no mark of a personal value")


def _escaped(value: str, part: Part) -> str:
    if part is Part.HTML:
        return f"<bdi>{escape(value)}</bdi>"
    if part is Part.TEXT and _RIGHT_TO_LEFT(value):
        return _ISOLATE + value + _END_OF_ISOLATE
    return value


def _remember(known: dict[K, dict[str, str]], value: K, made: dict[str, str]) -> dict[str, str]:
    if len(known) >= REMEMBERED:
        known.clear()
    known[value] = made
    return made
