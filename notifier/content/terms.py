"""Words an advisory may not use, read from `config/terms.toml`. Only the list and its matching; `checks.py` reports."""

import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from pydantic import ConfigDict, TypeAdapter, ValidationError

from notifier.kit.errors import Invalid
from notifier.kit.toml_lines import line_of

EVERY_LANGUAGE = "*"


@dataclass(frozen=True, slots=True)
class Group:
    """Terms that break one rule, and what to write instead."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    rule: str
    terms: list[str]
    instead: str = ""


@dataclass(frozen=True, slots=True)
class TermList:
    """The terms of one language."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    anywhere: list[Group] = field(default_factory=list)
    reassures: list[str] = field(default_factory=list)
    staff_only: list[str] = field(default_factory=list)
    promises: list[str] = field(default_factory=list)
    instead_of_promises: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """A term found in a text: the rule it breaks, and what to write instead."""

    term: str
    rule: str
    instead: str = ""


_FORM = TypeAdapter(dict[str, TermList])


class Terms:
    """The lists, by language."""

    def __init__(self, lists: dict[str, TermList]) -> None:
        self._lists = lists

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read `config/terms.toml`. Raises Invalid with file and line."""
        try:
            text = path.read_text(encoding="utf-8")
            return cls(_FORM.validate_python(tomllib.loads(text)))
        except OSError as wrong:
            raise Invalid(f"{path} cannot be read: {wrong.strerror}") from wrong
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
            raise Invalid(f"{path} is not a TOML file: {wrong}") from wrong
        except ValidationError as wrong:
            place = [str(part) for part in wrong.errors()[0]["loc"]]
            raise Invalid(f"{path}:{line_of(text, *place)}: {wrong.errors()[0]['msg'].lower()}") from wrong

    def banned(self, text: str, language: str) -> Iterator[Hit]:
        """Yield every term in a text that no advisory may use."""
        folded = fold(text)
        for terms in self._of(language):
            for group in terms.anywhere:
                for term in group.terms:
                    if fold(term) in folded:
                        yield Hit(term, group.rule, group.instead)

    def not_for_families(self, text: str, language: str) -> Iterator[Hit]:
        """Yield every term in a text that only school staff may read."""
        folded = fold(text)
        for terms in self._of(language):
            yield from (Hit(term, "R5") for term in terms.staff_only if fold(term) in folded)

    def promised(self, text: str, language: str) -> Iterator[Hit]:
        """Yield every promise in a text that only some regions may make."""
        folded = fold(text)
        for terms in self._of(language):
            yield from (Hit(term, "0.8", terms.instead_of_promises) for term in terms.promises if fold(term) in folded)

    def reassures(self, text: str, language: str) -> bool:
        """Whether a text says that it is not the child's fault; True for a language nobody has written words for."""
        words = [fold(word) for terms in self._of(language) for word in terms.reassures]
        folded = fold(text)
        return not words or any(word in folded for word in words)

    def _of(self, language: str) -> list[TermList]:
        tags = dict.fromkeys((EVERY_LANGUAGE, language.partition("-")[0], language))
        return [self._lists[tag] for tag in tags if tag in self._lists]


def fold(text: str) -> str:
    """Return a text without its case and with its letters composed, so that spellings compare equal."""
    return unicodedata.normalize("NFC", text).casefold().replace("\u2019", "'")
