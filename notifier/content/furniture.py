"""The furniture: the few sentences around an advisory that are the same every time, in the reader's language.

Footer, labels of contacts, the opt-out line of a text message, and the words of recipients' pages are gettext
catalogues (`templates/locale/<lang>/LC_MESSAGES/recipients.po`), read as they are: nothing has to be compiled.
Advisories themselves are whole documents and never come from a catalogue (docs/decisions/0021).
"""

from collections.abc import Callable
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import PoFileError, read_po
from markupsafe import Markup, escape

from notifier.content.languages import ENGLISH, Languages
from notifier.kit.errors import Invalid

DOMAIN = "recipients"
Say = Callable[..., str]


class Furniture:
    """The catalogues, read when first asked for."""

    def __init__(self, folder: Path, languages: Languages) -> None:
        self._folder = folder
        self._languages = languages
        self._read: dict[str, NullTranslations] = {}

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
        try:
            with path.open("rb") as file:
                catalogue = read_po(file, abort_invalid=True)
        except (PoFileError, UnicodeDecodeError) as wrong:
            raise Invalid(f"{path} is not a gettext catalogue: {wrong}") from wrong
        compiled = BytesIO()
        write_mo(compiled, catalogue)
        compiled.seek(0)
        return GNUTranslations(compiled)
