"""Checks: every rule for advisories that a program can hold a text to, each finding with its file, line and rule.

The rules are told for people in docs/writing-an-advisory.md under the same names. Nothing here changes a file, and
nothing decides whether a campaign may go: `coverage.py` does, and asks here.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from notifier.content import sms
from notifier.content.documents import Document, ReviewState, read_document
from notifier.content.furniture import Furniture
from notifier.content.languages import Languages, direction_of
from notifier.content.library import Advisory, document_files, read_advisory
from notifier.content.phrases import OPT_OUT_BY_REPLY
from notifier.content.terms import Hit, Terms
from notifier.kit.errors import Invalid, NotifierError
from notifier.regions.atlas import Atlas
from notifier.regions.checks import SENDER_LENGTH
from notifier.regions.facts import Region
from notifier.vocabulary import Channel, Readers

SUBJECT_LIMIT = 50
PREHEADER_LIMIT = 90
# The longest values the placeholders of a text message are counted with.
LINK_LENGTH = 34
EMERGENCY_LENGTH = 3
SMS_LINES = 2

_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_ANY_TEMPLATE_SIGN = re.compile(r"\{\{[^{}]*\}\}|\{[%#].*?[%#]\}|[{}]{2}")
_DIGITS = re.compile(r"\d{3,}|\d(?:[ \u00a0\u202f.-]?\d){4,}")
_ADDRESS = re.compile(
    r"https?:|www\.|\w@\w|\b[a-z0-9][a-z0-9-]*\.(?:com|org|net|gov|edu|info|app|io|eu|int|au|uk|nz|ca|de|fr|example)\b",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"</?[A-Za-z][^>]*>|\]\(|^\s*\||^#\s|^\s*```|!\[", re.MULTILINE)
_SEX = re.compile(r"\bsex", re.IGNORECASE)
_SEARCH_TERM = "sextortion"
_ALLOWED = {
    Channel.EMAIL: frozenset({"contacts", "contact.emergency", "sender.name"}),
    Channel.SMS: frozenset({"contact.emergency", "sender.name", "link"}),
}
_CONTACTS_LINE = re.compile(r"^\{\{\s*contacts\s*\}\}$", re.MULTILINE)
_FIRST_STEP = re.compile(r"^\d+\. ", re.MULTILINE)
_LINK_AT_END = re.compile(r"(?:^|\s)\{\{\s*link\s*\}\}$")


class Level(StrEnum):
    """How much a finding matters: a fault must be mended, a note is there to be known."""

    FAULT = "fault"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found in one place."""

    path: Path
    line: int
    rule: str
    message: str
    level: Level = Level.FAULT

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: [{self.rule}] {self.message}"


@dataclass(frozen=True, slots=True)
class Checker:
    """Everything a text is held against."""

    languages: Languages
    atlas: Atlas
    terms: Terms
    furniture: Furniture

    def folder(self, folder: Path) -> list[Finding]:
        """Check every advisory of a folder, also those that cannot be read."""
        found: list[Finding] = []
        for path in sorted(folder.glob("*/advisory.toml")):
            try:
                found.extend(self.advisory(read_advisory(path.parent, self.languages)))
            except Invalid:
                found.extend(self._unreadable(path.parent))
        return found

    def advisory(self, advisory: Advisory) -> list[Finding]:
        """Check one advisory and all its documents."""
        found = list(self._own(advisory))
        for _, document in sorted(advisory.documents.items()):
            found.extend(self.document(advisory, document))
        return found

    def document(self, advisory: Advisory, document: Document) -> list[Finding]:
        """Check one document."""
        checks: tuple[Callable[[Advisory, Document], Iterator[Finding]], ...] = (
            self._placeholders,
            self._digits_and_addresses,
            self._words,
            self._reassurance,
            self._frame,
            self._direction,
            self._provenance,
            self._size,
        )
        return [finding for check in checks for finding in check(advisory, document)]

    def _unreadable(self, folder: Path) -> Iterator[Finding]:
        """Name every file of an advisory that cannot be read, not only the first."""
        try:
            files = document_files(folder)
        except Invalid as wrong:
            yield _from_refusal(wrong, folder)
            return
        count = 0
        for file, readers, channel in files:
            try:
                document = read_document(file, readers, channel)
                if not self.languages.knows(document.language):
                    count += 1
                    yield Finding(file, 2, "tag", f"{document.language!r} is not in config/languages.toml; add it")
            except Invalid as wrong:
                count += 1
                yield _from_refusal(wrong, file)
        if not count:
            try:
                read_advisory(folder, self.languages)
            except Invalid as wrong:
                yield _from_refusal(wrong, folder / "advisory.toml")

    def _own(self, advisory: Advisory) -> Iterator[Finding]:
        groups = {group for region in self.atlas.regions() for group in (region.code, *region.groups)}
        for region in advisory.regions:
            if region not in groups:
                yield Finding(advisory.path, 1, "region", f"{region!r} is neither a region nor a group of regions")
        for readers in advisory.readers:
            for channel in advisory.channels:
                if (readers, channel, advisory.source_language) not in advisory.documents:
                    yield Finding(
                        advisory.path,
                        1,
                        "source",
                        f"there is no {channel} text for {readers} in the source language {advisory.source_language}",
                    )
        for name, fact in advisory.facts.items():
            if not isinstance(fact, dict) or not {"value", "source", "year"} <= fact.keys():
                yield Finding(advisory.path, 1, "fact", f"facts.{name} needs a value, a source and a year")

    def _placeholders(self, advisory: Advisory, document: Document) -> Iterator[Finding]:
        for line, text in _lines(document):
            for found in _ANY_TEMPLATE_SIGN.finditer(text):
                inner = _PLACEHOLDER.fullmatch(found.group())
                if inner is None or inner[1] not in _ALLOWED[document.channel]:
                    allowed = ", ".join(f"{{{{ {name} }}}}" for name in sorted(_ALLOWED[document.channel]))
                    yield Finding(
                        document.path,
                        line,
                        "placeholder",
                        f"{found.group()} is no placeholder here; there are {allowed}",
                    )
        yield from self._needed(document)
        source = advisory.source_of(document)
        if source is not None:
            missing, extra = _names(source) - _names(document), _names(document) - _names(source)
            for name in sorted(missing | extra):
                said = "is in the source but not here" if name in missing else "is here but not in the source"
                yield Finding(document.path, document.body_line, "placeholder", f"{{{{ {name} }}}} {said}")

    def _needed(self, document: Document) -> Iterator[Finding]:
        here = document.path, document.body_line
        if document.channel is Channel.EMAIL:
            count = len([name for name in _PLACEHOLDER.findall(document.body) if name == "contacts"])
            if count != 1 or len(_CONTACTS_LINE.findall(document.body)) != 1:
                yield Finding(*here, "R12", "{{ contacts }} stands exactly once, on a line of its own")
            return
        if len([name for name in _PLACEHOLDER.findall(document.body) if name == "link"]) != 1:
            yield Finding(*here, "placeholder", "{{ link }} stands exactly once")
        elif not _LINK_AT_END.search(document.body):
            yield Finding(*here, "placeholder", "{{ link }} stands at the very end, after a space")
        if "contact.emergency" not in _names(document):
            yield Finding(*here, "R12", "a text message names the emergency number: {{ contact.emergency }}")

    def _digits_and_addresses(self, advisory: Advisory, document: Document) -> Iterator[Finding]:
        allowed = {str(value) for fact in advisory.facts.values() for value in _values(fact)}
        for line, text in _lines(document):
            plain = _ANY_TEMPLATE_SIGN.sub(" ", text)
            for found in _DIGITS.finditer(plain):
                if found.group() not in allowed:
                    yield Finding(
                        document.path,
                        line,
                        "digits",
                        f"{found.group()!r}: numbers come from the region, figures from [facts] in advisory.toml",
                    )
            if address := _ADDRESS.search(plain):
                yield Finding(
                    document.path, line, "url", f"{address.group()!r}: addresses come from the region, never here"
                )
            if document.channel is Channel.EMAIL and (sign := _MARKUP.search(plain)):
                yield Finding(document.path, line, "markup", f"{sign.group().strip()!r}: no HTML, link, image or table")

    def _words(self, advisory: Advisory, document: Document) -> Iterator[Finding]:
        promise_allowed = all(region.may_say_not_in_trouble for region in self._regions(advisory))
        whole_mail_for_staff = document.readers is Readers.SCHOOL_STAFF and document.channel is Channel.EMAIL
        for line, text in _lines(document):
            hits = list(self.terms.banned(text, document.language))
            if not whole_mail_for_staff or line < document.body_line:
                hits += self.terms.not_for_families(text, document.language)
            if not promise_allowed:
                hits += self.terms.promised(text, document.language)
            yield from (_term_finding(document, line, hit) for hit in hits)
            if _SEARCH_TERM in text.casefold() and (text.lstrip().startswith("#") or line < document.body_line):
                yield Finding(document.path, line, "R4", f"{_SEARCH_TERM!r} does not stand in a heading or a subject")
        if document.body.casefold().count(_SEARCH_TERM) > (document.channel is Channel.EMAIL):
            yield Finding(
                document.path, document.body_line, "R4", f"{_SEARCH_TERM!r} is said once in an email, never in an SMS"
            )

    def _reassurance(self, advisory: Advisory, document: Document) -> Iterator[Finding]:
        del advisory
        if document.readers is Readers.SCHOOL_STAFF:
            return
        before_the_steps = _FIRST_STEP.split(document.body, maxsplit=1)[0]
        if not self.terms.reassures(before_the_steps, document.language):
            yield Finding(
                document.path,
                document.body_line,
                "R1",
                "it does not say that it is not the child's fault before any advice (config/terms.toml, reassures)",
            )

    def _frame(self, advisory: Advisory, document: Document) -> Iterator[Finding]:
        del advisory
        if document.channel is Channel.SMS:
            if len([line for line in document.body.splitlines() if line.strip()]) > SMS_LINES:
                yield Finding(document.path, document.body_line, "sms", f"a text message has at most {SMS_LINES} lines")
            return
        limits = (("subject", document.subject, SUBJECT_LIMIT), ("preheader", document.preheader, PREHEADER_LIMIT))
        for name, text, limit in limits:
            line = _front_line(document, name)
            if not text:
                yield Finding(document.path, line, name, f"the {name} is missing")
            elif len(text) > limit:
                yield Finding(document.path, line, name, f"{len(text)} characters; {limit} is the limit")
            if _SEX.search(text):
                yield Finding(document.path, line, name, 'no word that begins with "sex": it is read on a lock screen')

    def _direction(self, advisory: Advisory, document: Document) -> Iterator[Finding]:
        del advisory
        kinds = [unicodedata.bidirectional(character) for character in _ANY_TEMPLATE_SIGN.sub("", document.body)]
        leftward, rightward = sum(kind in {"R", "AL"} for kind in kinds), kinds.count("L")
        runs = "rtl" if leftward > rightward else "ltr"
        direction = direction_of(self.languages, document.language)
        if leftward + rightward and runs != direction:
            yield Finding(
                document.path,
                document.body_line,
                "direction",
                f"the text runs {runs}, but {document.language} is {direction} in config/languages.toml",
            )

    def _provenance(self, advisory: Advisory, document: Document) -> Iterator[Finding]:
        line = _front_line(document, "status")
        source = advisory.source_of(document)
        if document.source and source is None:
            yield Finding(document.path, line, "stale", f"its source, the text in {document.source!r}, is not there")
        elif document.source and not document.source_hash:
            yield Finding(
                document.path, line, "stale", "it is not stamped with its source; `notifier advisories stamp` does that"
            )
        elif advisory.state(document) is ReviewState.STALE:
            what = "its source" if source and source.fingerprint != document.source_hash else "the text"
            yield Finding(document.path, line, "stale", f"{what} was changed since; it must be looked at again")
        if not document.source and document.language != advisory.source_language:
            yield Finding(document.path, line, "status", "a translation names its source: source = …")
        if not document.written_by:
            yield Finding(document.path, line, "status", "it does not say who wrote or translated it")
        if document.reviewer and document.reviewer.casefold() == document.written_by.casefold():
            yield Finding(document.path, line, "status", f"{document.reviewer} cannot review what they wrote")
        if not advisory.state(document).sendable and advisory.state(document) is not ReviewState.STALE:
            yield Finding(
                document.path, line, "status", f"{document.status}: no second person has reviewed it yet", Level.NOTE
            )

    def _size(self, advisory: Advisory, document: Document) -> Iterator[Finding]:
        if document.channel is not Channel.SMS:
            return
        counted = sms.size(longest_text(document, self.furniture))
        gsm7 = counted.alphabet is sms.Alphabet.GSM7
        limit = advisory.limits.sms_parts_gsm7 if gsm7 else advisory.limits.sms_parts_ucs2
        if counted.parts > limit:
            forced = f"; {counted.why()} forces UCS-2" if 0 < len(counted.forced_by) <= 3 else ""  # noqa: PLR2004
            yield Finding(
                document.path,
                document.body_line,
                "sms",
                f"{counted.parts} parts of {counted.alphabet} with the longest values; {limit} is the limit{forced}",
            )

    def _regions(self, advisory: Advisory) -> Iterator[Region]:
        for region in self.atlas.regions():
            if any(self.atlas.belongs(region.code, group) for group in advisory.regions):
                yield region


def longest_text(document: Document, furniture: Furniture) -> str:
    """Return a text message with the longest values its placeholders can get, and its opt-out line."""
    values = {
        "link": "x" * LINK_LENGTH,
        "sender.name": "x" * SENDER_LENGTH,
        "contact.emergency": "0" * EMERGENCY_LENGTH,
    }
    body = _PLACEHOLDER.sub(lambda found: values.get(found[1], ""), document.body)
    return sms.plain(f"{body}\n{furniture.say(document.language)(OPT_OUT_BY_REPLY)}")


def _lines(document: Document) -> Iterator[tuple[int, str]]:
    """Yield the words of a document with their line numbers: subject, preheader, then the body."""
    for name, text in (("subject", document.subject), ("preheader", document.preheader)):
        if text:
            yield _front_line(document, name), text
    yield from enumerate(document.body.splitlines(), start=document.body_line)


def _front_line(document: Document, key: str) -> int:
    try:
        lines = document.path.read_text(encoding="utf-8").splitlines()[: document.body_line]
    except OSError:
        return 1
    return next((number for number, line in enumerate(lines, start=1) if re.match(rf"\s*{key}\s*=", line)), 1)


def _names(document: Document) -> frozenset[str]:
    return frozenset(_PLACEHOLDER.findall(document.body))


def _values(fact: object) -> list[object]:
    return [fact.get("value"), fact.get("year")] if isinstance(fact, dict) else []


def _term_finding(document: Document, line: int, hit: Hit) -> Finding:
    instead = f"; write instead: {hit.instead}" if hit.instead else ""
    return Finding(document.path, line, hit.rule, f"{hit.term!r} is not used{instead}")


def _from_refusal(wrong: NotifierError, path: Path) -> Finding:
    found = re.match(r"(?P<path>.+?):(?P<line>\d+): (?P<message>.*)", str(wrong), re.DOTALL)
    if found is None:
        return Finding(path, 1, "form", str(wrong))
    rule = "tag" if "language" in found["message"] else "form"
    return Finding(Path(found["path"]), int(found["line"]), rule, found["message"])


def faults(findings: list[Finding]) -> list[Finding]:
    """Return the findings that must be mended."""
    return [finding for finding in findings if finding.level is Level.FAULT]


def relative_to(findings: list[Finding], folder: Path) -> list[Finding]:
    """Return the findings with their paths as seen from a folder, where they lie below it."""
    return [
        replace(finding, path=finding.path.relative_to(folder)) if finding.path.is_relative_to(folder) else finding
        for finding in findings
    ]
