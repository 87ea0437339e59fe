"""Pages for people: rendered here, complete without a script, in the reader's language and direction.

The words of the pages are gettext messages whose catalogues live beside the advisories (`templates/locale`). A language
that has no catalogue leads to the next one on its written way, in the end to English: a page is never half translated.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from notifier.content.furniture import Furniture
from notifier.content.languages import ENGLISH, Languages, canonical, direction_of

PAGES = Path(str(files("notifier.web"))) / "pages"
STATIC = Path(str(files("notifier.web"))) / "static"
_MOST_WISHES = 10


@dataclass(frozen=True, slots=True)
class PageLanguage:
    """The language a page is shown in."""

    tag: str
    native_name: str
    direction: str


class Pages:
    """The page templates and the languages they can be shown in."""

    def __init__(self, furniture: Furniture, languages: Languages, sender_name: str) -> None:
        self._furniture = furniture
        self._languages = languages
        self._sender_name = sender_name

    def language(self, *wishes: str | None) -> PageLanguage:
        """Return the first wish there are pages for, or English. A wish may be anything somebody typed."""
        for tag in [canonical(wish) for wish in wishes if wish]:
            shown = self._furniture.language(tag) if tag else ENGLISH
            if tag and (shown != ENGLISH or tag == ENGLISH):
                return self.described(shown)
        return self.described(ENGLISH)

    def described(self, tag: str) -> PageLanguage:
        """Return a language with its own name and direction."""
        name = self._languages.language(tag).native_name if self._languages.knows(tag) else tag
        return PageLanguage(tag, name, direction_of(self._languages, tag))

    def offered(self) -> list[PageLanguage]:
        """Return the languages there are pages in, English first."""
        return [self.described(tag) for tag in dict.fromkeys((ENGLISH, *self._furniture.tags()))]

    def answer(
        self,
        name: str,
        language: PageLanguage,
        *,
        status: int = 200,
        **values: Any,  # noqa: ANN401 - each page has values of its own
    ) -> HTMLResponse:
        """Render a page and return it as the answer to a request."""
        every = {"language": language, "sender_name": self._sender_name, "switch": ()}
        say = self._furniture.say_in_html(language.tag)
        text = _environment().get_template(name).render(every | values | {"_": say})
        return HTMLResponse(text, status_code=status, headers={"content-language": language.tag})


def read_ahead(furniture: Furniture) -> None:
    """Read every page and the words of every language now, so that nobody's first visit stops the doors for it."""
    for name in _environment().list_templates():
        _environment().get_template(name)
    for tag in furniture.tags():
        furniture.translations(tag)


@cache
def _environment() -> Environment:
    """Return the page templates, read once for all languages."""
    return Environment(
        loader=FileSystemLoader(PAGES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def wishes(request: Request) -> list[str]:
    """Return the languages a reader asks for: by the switch on the page, then as their browser says, best first."""
    ranked = []
    for place, part in enumerate(request.headers.get("accept-language", "").split(",")[:_MOST_WISHES]):
        tag, _, quality = part.partition(";q=")
        try:
            ranked.append((-float(quality or 1), place, tag.strip()))
        except ValueError:
            continue
    return [request.query_params.get("lang", ""), *[tag for _, _, tag in sorted(ranked)]]
