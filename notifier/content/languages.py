"""Languages: their names and directions, and which of the documents at hand a reader of one of them gets.

RFC 4647 "Lookup" with three changes, all written down in `config/languages.toml`: an explicit chain where cutting the
end off a tag leads wrong, a stop where the script changes, and the region's languages before English. Whole documents
only; nothing here mixes two languages or knows what a document says (docs/decisions/0020).
"""

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal, Self

from pydantic import ConfigDict, TypeAdapter, ValidationError

from notifier.kit.errors import Invalid, NotFound
from notifier.kit.toml_lines import line_of

Direction = Literal["ltr", "rtl"]
ENGLISH = "en"
_TAG = re.compile(r"[a-z]{2,8}(?:-[a-z0-9]{1,8})*", re.IGNORECASE)
_SCRIPT = re.compile(r"[A-Z][a-z]{3}")
_TERRITORY = re.compile(r"[a-z]{2}")


class Reason(StrEnum):
    """Why a reader gets a document in this language."""

    WANTED = "wanted"
    CHAIN = "chain"
    REGION = "region"
    ENGLISH = "english"


@dataclass(frozen=True, slots=True)
class Language:
    """A language by its BCP 47 tag. `chain` is what follows it, in order, if it is not the cut-off tag."""

    tag: str
    native_name: str
    direction: Direction
    chain: tuple[str, ...] | None = None
    name: str = ""
    script: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The language a reader gets, and every tag that was asked for on the way, the chosen one last."""

    language: str
    steps: tuple[str, ...]
    reason: Reason


@dataclass(frozen=True, slots=True)
class _LanguageTable:
    __pydantic_config__ = ConfigDict(extra="forbid")

    name: str
    native_name: str
    direction: Direction
    script: str = ""
    chain: list[str] | None = field(default=None)


_FORM = TypeAdapter(dict[str, _LanguageTable])


class Languages:
    """Every language the house knows, by tag."""

    def __init__(self, languages: Mapping[str, Language]) -> None:
        self._languages = dict(languages)
        self._ways: dict[str, tuple[str, ...]] = {}

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read `config/languages.toml`. Raises Invalid with file and line."""
        try:
            text = path.read_text(encoding="utf-8")
            given = _FORM.validate_python(tomllib.loads(text))
        except OSError as wrong:
            raise Invalid(f"{path} cannot be read: {wrong.strerror}") from wrong
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
            raise Invalid(f"{path} is not a TOML file: {wrong}") from wrong
        except ValidationError as wrong:
            first = wrong.errors()[0]
            place = [str(part) for part in first["loc"]]
            raise Invalid(f"{path}:{line_of(text, *place)}: {'.'.join(place)}: {first['msg'].lower()}") from wrong
        languages = {
            tag: Language(tag, table.native_name, table.direction, _chain(table), name=table.name, script=table.script)
            for tag, table in given.items()
        }
        for tag, language in languages.items():
            for other in (tag, *(language.chain or ())):
                if canonical(other) != other:
                    raise Invalid(f"{path}:{line_of(text, tag)}: {other!r} is not a language tag (BCP 47)")
        return cls(languages)

    def language(self, tag: str) -> Language:
        """Return a language. Raises NotFound for a tag that `config/languages.toml` does not hold."""
        try:
            return self._languages[tag]
        except KeyError:
            raise NotFound(f"There is no language {tag!r} in config/languages.toml; add it there first") from None

    def all(self) -> tuple[Language, ...]:
        """Return every language, in the order of the file."""
        return tuple(self._languages.values())

    def knows(self, tag: str) -> bool:
        """Whether the tag is written in `config/languages.toml`."""
        return tag in self._languages

    def way(self, tag: str) -> tuple[str, ...]:
        """Return the tag and everything it leads to, in order and each once."""
        if tag not in self._ways:
            self._ways[tag] = tuple(dict.fromkeys(self._walk(tag, frozenset())))
        return self._ways[tag]

    def lookup(self, wanted: str | None, available: Collection[str], region_languages: Sequence[str]) -> Choice | None:
        """Return the first available language on a reader's way, or None if there is none at all.

        `wanted` may be anything a list held; what is no language tag counts as no wish.
        """
        asked = canonical(wanted) if wanted else None
        steps: dict[str, Reason] = {}
        for tag in self.way(asked) if asked else ():
            steps.setdefault(tag, Reason.WANTED if tag == asked else Reason.CHAIN)
        for official in region_languages:
            for tag in self.way(canonical(official) or official):
                steps.setdefault(tag, Reason.REGION)
        for tag in self.way(ENGLISH):
            steps.setdefault(tag, Reason.ENGLISH)
        return _first(steps, available)

    def _walk(self, tag: str, seen: frozenset[str]) -> Iterator[str]:
        if tag in seen:
            return
        yield tag
        known = self._languages.get(tag)
        followers = known.chain if known and known.chain is not None else self._cut(tag)
        for follower in followers:
            yield from self._walk(follower, seen | {tag})

    def _cut(self, tag: str) -> tuple[str, ...]:
        """Return the tag without its last subtag (and without a single letter before it), unless the script changes."""
        parts = tag.split("-")[:-1]
        if parts and len(parts[-1]) == 1:
            parts = parts[:-1]
        shorter = "-".join(parts)
        if not shorter or self._script(tag) not in {None, self._script(shorter)}:
            return ()
        return (shorter,)

    def _script(self, tag: str) -> str | None:
        """Return the script of a tag: as it says, or as its file says, or as the longest tag before it says."""
        for subtag in tag.split("-")[1:]:
            if _SCRIPT.fullmatch(subtag):
                return subtag
        known = self._languages.get(tag)
        if known and known.script:
            return known.script
        shorter = tag.rpartition("-")[0]
        return self._script(shorter) if shorter else None


def canonical(tag: str) -> str | None:
    """Return a tag in the letter case of RFC 5646 (zh-Hant-HK), or None if it is not a language tag."""
    tag = tag.strip().replace("_", "-")
    if not tag.isascii() or not _TAG.fullmatch(tag):
        return None
    first, *rest = tag.lower().split("-")
    single = False
    cased = [first]
    for subtag in rest:
        if single:
            cased.append(subtag)
        elif len(subtag) == 4 and subtag.isalpha():  # noqa: PLR2004 - the length of a script subtag
            cased.append(subtag.title())
        else:
            cased.append(subtag.upper() if _TERRITORY.fullmatch(subtag) else subtag)
        single = single or len(subtag) == 1
    return "-".join(cased)


def _chain(table: _LanguageTable) -> tuple[str, ...] | None:
    return None if table.chain is None else tuple(table.chain)


def _first(steps: Mapping[str, Reason], available: Collection[str]) -> Choice | None:
    asked: list[str] = []
    for tag, reason in steps.items():
        asked.append(tag)
        if tag in available:
            return Choice(tag, tuple(asked), reason)
    return None


def direction_of(languages: Languages, tag: str) -> Direction:
    """Return the direction a text in `tag` runs; left to right for a tag nobody has written down."""
    return next(
        (languages.language(step).direction for step in languages.way(tag) if languages.knows(step)),
        "ltr",
    )
