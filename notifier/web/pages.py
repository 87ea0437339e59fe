"""Pages for people: rendered here, complete without a script, in the reader's language and direction.

The words of the pages are gettext messages whose catalogues live beside the advisories (`templates/locale`); a message
that has no translation yet is shown in English, marked as English.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from gettext import NullTranslations
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

PAGES = Path(str(files("notifier.web"))) / "pages"
STATIC = Path(str(files("notifier.web"))) / "static"

_RIGHT_TO_LEFT = {"ar", "dv", "fa", "he", "ps", "ur", "yi", "ckb"}


@dataclass(frozen=True, slots=True)
class PageLanguage:
    """The language a page is shown in."""

    tag: str
    native_name: str
    direction: str


ENGLISH = PageLanguage("en", "English", "ltr")


class Pages:
    """The page templates, one environment for each language."""

    def __init__(self, sender_name: str, translations: Mapping[str, NullTranslations] | None = None) -> None:
        self._sender_name = sender_name
        self._translations = dict(translations or {})
        self._environments: dict[str, Environment] = {}

    def answer(
        self,
        name: str,
        language: PageLanguage = ENGLISH,
        *,
        status: int = 200,
        **values: Any,  # noqa: ANN401 - a page's own values
    ) -> HTMLResponse:
        """Render a page and return it as the answer to a request."""
        page = self._environment(language.tag).get_template(name)
        text = page.render(language=language, sender_name=self._sender_name, **values)
        return HTMLResponse(text, status_code=status, headers={"content-language": language.tag})

    def _environment(self, tag: str) -> Environment:
        if tag not in self._environments:
            environment = Environment(
                loader=FileSystemLoader(PAGES),
                autoescape=True,
                undefined=StrictUndefined,
                trim_blocks=True,
                lstrip_blocks=True,
                extensions=["jinja2.ext.i18n"],
            )
            translations = self._translations.get(tag, NullTranslations())
            environment.install_gettext_translations(translations, newstyle=True)  # type: ignore[attr-defined]
            self._environments[tag] = environment
        return self._environments[tag]
