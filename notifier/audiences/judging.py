"""One row of a school's file, judged: what will be stored, and what there is to say about it.

No database here. The judge is called once per row and is the cost of an import, so what is looked up does not change
between rows is looked up once, and the common case is a straight line.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from operator import itemgetter
from typing import NamedTuple

import orjson

from notifier.audiences.addresses import Judged, judge_email, phone_judge
from notifier.audiences.columns import Column, plain
from notifier.audiences.languages import tag_of
from notifier.audiences.verdicts import Finding, Reason, Verdict
from notifier.kit.tokens import address_keys
from notifier.vocabulary import Channel, Readers, Role

MAX_NAME = 120
MAX_REFERENCE = 80
MAX_YEAR_LEVELS = 60
_MAX_GIVEN_EMAIL = 320
_MAX_GIVEN_MOBILE = 60

# A name is greeted in the message; whatever could be read as an address or as markup has no place in it.
_NO_NAME = re.compile(r"[<>{}@%\\/]|www\.|://|^[=+]")
# The words themselves: asking an enumeration for its value costs as much as looking at a whole name.
_ACCEPTED, _CHANGED, _REFUSED = Verdict.ACCEPTED.value, Verdict.CHANGED.value, Verdict.REFUSED.value
_STUDENT = Role.STUDENT.value
_UNWRITTEN = blake2b(digest_size=12)
_YEAR = re.compile(r"[0-9A-Za-z]+")
_WORDS_FOR_ROLES: dict[str, Role] = {
    word: role
    for role, words in {
        Role.PARENT: "parent mother father mum dad mama papa mere pere parents eltern mutter vater elternteil madre "
        "padre genitore progenitor mutti γονεασ μητερα πατερασ",
        Role.CARER: "carer guardian kinship grandmother grandfather grandparent stepmother stepfather foster tuteur "
        "tutrice vormund pflegemutter pflegevater tutor tutora tutore relative aunt uncle κηδεμονασ other",
        Role.STAFF: "staff teacher employee lehrer lehrerin enseignant enseignante personnel personal docente profesor "
        "profesora insegnante aide administrator principal εκπαιδευτικοσ",
        Role.STUDENT: "student pupil child eleve schuler schulerin alumno alumna studente studentessa alunno alunna "
        "kind μαθητησ μαθητρια",
    }.items()
    for word in words.split()
}
DEFAULT_ROLE = {Readers.PARENTS: Role.PARENT, Readers.YOUNG_PEOPLE: Role.STUDENT, Readers.SCHOOL_STAFF: Role.STAFF}


class JudgedRow(NamedTuple):
    """What each place of a judged row holds: the columns of `import_rows`, in their order. "" is nothing."""

    import_id: int
    row: int
    verdict: str
    row_key: str
    reference: str
    given_name: str
    family_name: str
    role: str
    year_levels: str
    language: str
    email: str
    email_key: bytearray | str
    email_given: str
    mobile: str
    mobile_key: bytearray | str
    mobile_given: str
    findings: str


@dataclass(frozen=True, slots=True)
class ListRules:
    """What the judge must know of a contact list."""

    country: str
    readers: Readers


# A plain tuple in the order of JudgedRow: a named one is made three times as slowly, and the garbage collector keeps
# looking at it.
PlainRow = tuple[object, ...]
Judge = Callable[[int, Sequence[str]], PlainRow]
_NOTHING: Judged = (None, None)
_NO_ADDRESS = ("", "", "")


def row_judge(places: Mapping[Column, int], width: int, rules: ListRules, secret: bytes, import_id: int) -> Judge:
    """Return the judge of one import, for rows of `width` cells whose columns stand at `places`."""
    return _RowJudge(places, width, rules, secret, import_id).judge


class _RowJudge:
    """What is looked up once for all rows of an import."""

    __slots__ = ("email_key", "import_id", "judge_phone", "mobile_key", "pick", "rules", "width")

    def __init__(
        self, places: Mapping[Column, int], width: int, rules: ListRules, secret: bytes, import_id: int
    ) -> None:
        self.rules, self.width, self.import_id = rules, width, import_id
        # A column the file does not have is read from one empty cell behind the last.
        self.pick = itemgetter(*(places.get(column, width) for column in Column))
        self.email_key = address_keys(secret, Channel.EMAIL)
        self.mobile_key = address_keys(secret, Channel.SMS)
        self.judge_phone = phone_judge(rules.country)

    def judge(self, number: int, cells: Sequence[str]) -> PlainRow:
        """Judge one row."""
        given, family, name, email_text, mobile_text, language, role, years, reference = self.pick(
            [*cells, ""] if len(cells) == self.width else _fitted(cells, self.width)
        )
        findings: list[Finding] = []
        email, why_no_email = judge_email(email_text) if email_text else _NOTHING
        mobile, why_no_mobile = self.judge_phone(mobile_text) if mobile_text else _NOTHING
        if name or not (given.isalpha() and family.isalpha() and len(given) + len(family) <= MAX_NAME):
            given, family = _names(given, family, name, findings)
        if why_no_email is not None:
            findings.append(Finding(Column.EMAIL, email_text[:_MAX_GIVEN_EMAIL], why_no_email))
        if why_no_mobile is not None:
            findings.append(Finding(Column.MOBILE, mobile_text[:_MAX_GIVEN_EMAIL], why_no_mobile))
        if language:
            language = tag_of(language[:MAX_NAME]) or _unknown(Column.LANGUAGE, language, findings)
        if role:
            role = role_of(role[:MAX_NAME]) or _unknown(Column.ROLE, role, findings)
        if reference:
            reference = (reference.strip() if reference.isprintable() else _clean(reference))[:MAX_REFERENCE]
        email_given = email_text[:_MAX_GIVEN_EMAIL] if email and email != email_text else ""
        mobile_given = mobile_text[:_MAX_GIVEN_MOBILE] if mobile and mobile != mobile_text else ""
        if findings or role == _STUDENT or not (email or mobile):
            verdict = _verdict(email or mobile, role, self.rules, findings, email_text or mobile_text)
        else:
            verdict = _CHANGED if email_given or mobile_given else _ACCEPTED
        said = orjson.dumps([[*finding] for finding in findings]).decode() if findings else ""
        key = "" if verdict == _REFUSED else row_key(reference, given, family, email or mobile or "")
        years = year_levels(years[:MAX_NAME]) if years else ""
        # What is known of the person, and of each address: as it will be written to, its key, as it was written.
        person = (self.import_id, number, verdict, key, reference, given, family, role, years, language)
        by_email = (email, bytearray(self.email_key(email)), email_given) if email else _NO_ADDRESS
        by_mobile = (mobile, bytearray(self.mobile_key(mobile)), mobile_given) if mobile else _NO_ADDRESS
        return (*person, *by_email, *by_mobile, said)


def row_key(reference: str, given: str, family: str, address: str) -> str:
    """Return by what a row is known again in the next upload.

    The school's own reference with the name where there is one (one reference may stand for both parents of a child),
    otherwise the address with the name (docs/decisions/0032).
    """
    anchor = f"r\0{reference}" if reference else f"a\0{address}"
    state = _UNWRITTEN.copy()
    state.update(f"{anchor}\0{given}\0{family}".casefold().encode())
    return state.hexdigest()


def _verdict(reached: str | None, role: str, rules: ListRules, findings: list[Finding], tried: str) -> str:
    if role == _STUDENT and rules.readers is not Readers.YOUNG_PEOPLE:
        findings.append(Finding(Column.ROLE, role, Reason.STUDENT_ON_LIST))
        return _REFUSED
    if not reached:
        if not tried:
            findings.append(Finding(Column.EMAIL, "", Reason.NO_ADDRESS))
        return _REFUSED
    return _CHANGED if findings else _ACCEPTED


def _fitted(cells: Sequence[str], width: int) -> list[str]:
    """Return a row that is too long or too short as one of `width` cells, with an empty one behind."""
    some = cells[:width]
    return [*some, *[""] * (width + 1 - len(some))]


def _names(given: str, family: str, name: str, findings: list[Finding]) -> tuple[str, str]:
    if name and not given and not family:
        given, family = _split(name)
    if given.isalpha() and family.isalpha() and len(given) + len(family) <= MAX_NAME:
        return given, family
    both = given + family
    if both.isprintable() and not _NO_NAME.search(both) and len(both) <= MAX_NAME:
        return given.strip(), family.strip()
    return _name(given, Column.GIVEN_NAME, findings), _name(family, Column.FAMILY_NAME, findings)


def _split(name: str) -> tuple[str, str]:
    if "," in name:
        family, _, given = name.partition(",")
        return given.strip(), family.strip()
    given, _, family = _clean(name).partition(" ")
    return given, family


def _name(text: str, column: Column, findings: list[Finding]) -> str:
    text = text.strip() if text.isprintable() else _clean(text)
    if _NO_NAME.search(text):
        reason = Reason.FORMULA if text.startswith("=") else Reason.NO_NAME_TEXT
        findings.append(Finding(column, text[:MAX_NAME], reason))
        return ""
    if len(text) > MAX_NAME:
        findings.append(Finding(column, text[:MAX_NAME], Reason.TEXT_TOO_LONG))
        return ""
    return text


def _clean(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _unknown(column: Column, text: str, findings: list[Finding]) -> str:
    reason = Reason.UNKNOWN_LANGUAGE if column is Column.LANGUAGE else Reason.UNKNOWN_ROLE
    findings.append(Finding(column, text[:MAX_NAME], reason))
    return ""


# A column of a list holds few different roles and year levels: each way of writing one is read once.
@lru_cache(maxsize=4_096)
def role_of(text: str) -> str | None:
    """Return the word for the role that a word such as "Mother", "tuteur" or "Elternteil" stands for, or None."""
    words = plain(text).split()
    return next((_WORDS_FOR_ROLES[word].value for word in words if word in _WORDS_FOR_ROLES), None)


@lru_cache(maxsize=4_096)
def year_levels(text: str) -> str:
    """Return the year levels of a cell, comma-separated and in order: "Year 9; 7" and "07,9" are both "7,9"."""
    words = {word.lstrip("0").upper() or "0" for word in _YEAR.findall(text) if any(c.isdigit() for c in word)}
    words |= {word.upper() for word in _YEAR.findall(text) if word.lower() in {"prep", "k", "kg"}}
    return ",".join(sorted(words, key=lambda word: (len(word), word)))[:MAX_YEAR_LEVELS].rstrip(",")


def merged_year_levels(some: str, more: str) -> str:
    """Return the year levels of two rows of one person."""
    return year_levels(f"{some},{more}")
