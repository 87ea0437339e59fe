"""The catalogues of the fixed sentences: found in layouts, pages and code, and carried into every language's file.

`templates/locale/recipients.pot` lists the sentences; each language's `recipients.po` translates them. Bringing them up
to date never guesses: a changed sentence is a new one, without a translation until somebody writes it.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from string import Formatter

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import write_po

from notifier.content.furniture import DOMAIN, read_catalogue, words_of
from notifier.kit.errors import NotFound
from notifier.kit.files import replace_text

_METHODS = [("**.html", "jinja2"), ("**.txt", "jinja2"), ("**.py", "python")]
_KEYWORDS = {"_": None, "N_": None}
_HEADER = """\
# The fixed sentences around advisories and on recipients' pages.
# Made by `notifier advisories messages` from the layouts, the pages and notifier/content/phrases.py.
#"""
# One date for good: a catalogue changes when its words do, not when somebody runs a tool.
_MADE = datetime(2026, 11, 21, tzinfo=UTC)


def sources(layouts: Path) -> tuple[Path, ...]:
    """Return where the fixed sentences are: the layouts, the phrases, and the pages for recipients."""
    package = Path(str(files("notifier")))
    return (layouts, package / "content", package / "web")


@dataclass(frozen=True, slots=True)
class Gap:
    """A sentence that a catalogue lacks, or whose placeholders it does not keep."""

    path: Path
    message: str
    what: str


def extract(sources: Iterable[Path]) -> Catalog:
    """Find every fixed sentence below some folders or files."""
    catalogue = Catalog(
        project="Notifier",
        version="1",
        domain=DOMAIN,
        charset="utf-8",
        header_comment=_HEADER,
        creation_date=_MADE,
        msgid_bugs_address="docs/writing-an-advisory.md",
    )
    found: dict[str, set[str]] = {}
    for source in sources:
        for file, _, message, _, _ in extract_from_dir(source, _METHODS, keywords=_KEYWORDS):
            texts = [message] if isinstance(message, str) else list(message)
            for text in texts:
                found.setdefault(text, set()).add(f"{source.name}/{file}")
    for text in sorted(found):
        catalogue.add(text, locations=[(place, 1) for place in sorted(found[text])])
    return catalogue


def update(locale: Path, sources: Iterable[Path]) -> list[Path]:
    """Write the list of sentences, bring every language's file up to date, and return the files that changed."""
    template = extract(sources)
    changed = [path for path, text in _written(locale, template) if _differs(path, text)]
    for path, text in _written(locale, template):
        if path in changed:
            replace_text(path, text)
    return changed


def review(locale: Path, language: str, *, by: str, on: date) -> Path:
    """Record that a second person has read the fixed sentences of a language; any edit of them undoes it.

    Raises NotFound if there is no such catalogue.
    """
    path = locale / language / "LC_MESSAGES" / f"{DOMAIN}.po"
    if not path.exists():
        raise NotFound(f"There is no catalogue {path}; copy {locale / DOMAIN}.pot there and translate it")
    catalogue = read_catalogue(path)
    kept = re.sub(r"^# (Not reviewed:|Reviewed by) .*\n(# yet\.\n)?", "", catalogue.header_comment, flags=re.MULTILINE)
    lines = [line for line in kept.splitlines() if line.strip() not in {"#", ""}]
    note = f"# Reviewed by {by} on {on.isoformat()}, words {words_of(catalogue)}"
    catalogue.header_comment = "\n".join([*lines, note, "#"])
    replace_text(path, _text(catalogue))
    return path


def gaps(locale: Path, sources: Iterable[Path]) -> Iterator[Gap]:
    """Yield what is missing: sentences without translation, and placeholders a translation dropped or made up."""
    template = extract(sources)
    wanted = {message.id for message in template if message.id}
    for path in sorted(locale.glob(f"*/LC_MESSAGES/{DOMAIN}.po")):
        there = {message.id: message for message in read_catalogue(path) if message.id}
        for text in sorted(wanted):
            translated = there[text].string if text in there and "fuzzy" not in there[text].flags else ""
            if not translated:
                yield Gap(path, str(text), "is not translated")
            elif _placeholders(str(text)) != _placeholders(str(translated)):
                yield Gap(path, str(text), "has other placeholders in the translation")


def _written(locale: Path, template: Catalog) -> Iterator[tuple[Path, str]]:
    yield locale / f"{DOMAIN}.pot", _text(template)
    for path in sorted(locale.glob(f"*/LC_MESSAGES/{DOMAIN}.po")):
        catalogue = read_catalogue(path)
        catalogue.update(template, no_fuzzy_matching=True, keep_user_comments=True, update_header_comment=False)
        catalogue.obsolete.clear()
        yield path, _text(catalogue)


def _text(catalogue: Catalog) -> str:
    written = BytesIO()
    write_po(written, catalogue, width=110, include_lineno=False, sort_output=True)
    return written.getvalue().decode()


def _differs(path: Path, text: str) -> bool:
    return not path.exists() or path.read_text(encoding="utf-8") != text


def _placeholders(text: str) -> frozenset[str]:
    try:
        return frozenset(name for _, name, _, _ in Formatter().parse(text) if name is not None)
    except ValueError:
        return frozenset({"?"})
