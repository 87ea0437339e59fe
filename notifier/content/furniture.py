"""The furniture: the few sentences around an advisory that are the same every time, in the reader's language.

Footer, labels of contacts, the opt-out line of a text message, and the words of recipients' pages are gettext
catalogues (`templates/locale/<lang>/LC_MESSAGES/recipients.po`), read as they are: nothing has to be compiled.
Advisories themselves are whole documents and never come from a catalogue (docs/decisions/0021).
"""

import re
from collections.abc import Callable
from gettext import GNUTranslations, NullTranslations
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po
from markupsafe import Markup, escape

from notifier.content.languages import ENGLISH, Languages
from notifier.kit.errors import Invalid

DOMAIN = "recipients"
_REVIEWED = re.compile(r"^# Reviewed by (?P<who>\S+) on \S+, words (?P<words>[0-9a-f]+)$", re.MULTILINE)
Say = Callable[..., str]


class Furniture:
    """The catalogues, read when first asked for."""

    def __init__(self, folder: Path, languages: Languages) -> None:
        self._folder = folder
        self._languages = languages
        self._read: dict[str, NullTranslations] = {}
        self._reviewers: dict[str, str] = {}

    def path(self, tag: str) -> Path:
        """Return where the catalogue of a language is, or would be."""
        return self._folder / tag / "LC_MESSAGES" / f"{DOMAIN}.po"

    def tags(self) -> tuple[str, ...]:
        """Return the languages there is a catalogue for."""
        return tuple(sorted(path.parent.parent.name for path in self._folder.glob(f"*/LC_MESSAGES/{DOMAIN}.po")))

    def language(self, tag: str) -> str:
        """Return the language in which a reader of `tag` gets the furniture; English where there is no catalogue."""
        for step in self._languages.way(tag):
            if step == ENGLISH or step.startswith(f"{ENGLISH}-") or self.path(step).exists():
                return step
        return ENGLISH

    def translations(self, tag: str) -> NullTranslations:
        """Return the catalogue for readers of a language. Raises Invalid if its file cannot be read."""
        language = self.language(tag)
        if language not in self._read:
            self._read[language] = self._load(language)
        return self._read[language]

    def reviewer(self, tag: str) -> str:
        """Return who reviewed the furniture of a language as its words are now, or "" if nobody did.

        English needs nobody: it is written here, and its words are reviewed with the code.
        """
        language = self.language(tag)
        self.translations(language)
        return self._reviewers.get(language, ENGLISH)

    def say(self, tag: str) -> Say:
        """Return the function that says a sentence in plain text: `say("From {sender}", sender=name)`."""
        catalogue = self.translations(tag)

        def say(message: str, **values: str) -> str:
            return catalogue.gettext(message).format(**values)

        return say

    def say_in_html(self, tag: str) -> Say:
        """Return the function that says a sentence in HTML; values are escaped unless they are Markup."""
        catalogue = self.translations(tag)

        def say(message: str, **values: str) -> Markup:
            return Markup(escape(catalogue.gettext(message))).format(**values)  # noqa: S704 - escaped on the spot

        return say

    def _load(self, language: str) -> NullTranslations:
        path = self.path(language)
        if not path.exists():
            return NullTranslations()
        catalogue = read_catalogue(path)
        self._reviewers[language] = reviewer_of(catalogue)
        compiled = BytesIO()
        write_mo(compiled, catalogue)
        compiled.seek(0)
        return GNUTranslations(compiled)


def read_catalogue(path: Path) -> Catalog:
    """Read a language's file. Raises Invalid if it is no catalogue."""
    try:
        with path.open("rb") as file:
            return read_po(file, abort_invalid=True)
    except (PoFileError, UnicodeDecodeError) as wrong:
        raise Invalid(f"{path} is not a gettext catalogue: {wrong}") from wrong


def words_of(catalogue: Catalog) -> str:
    """Return a short hash of a catalogue's words, to which its review is bound."""
    words = sorted(f"{message.id}\0{message.string}" for message in catalogue if message.id)
    return sha256("\0".join(words).encode()).hexdigest()[:16]


def reviewer_of(catalogue: Catalog) -> str:
    """Return who reviewed a catalogue as its words are now, or ""."""
    found = _REVIEWED.search(catalogue.header_comment)
    return found["who"] if found and found["words"] == words_of(catalogue) else ""
