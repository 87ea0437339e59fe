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

from notifier.audiences.addresses import judge_email, phone_judge
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
    """A row as the importer keeps it: the columns of `import_rows`, in their order."""

    import_id: int
    row: int
    verdict: str
    row_key: str | None
    reference: str | None
    given_name: str | None
    family_name: str | None
    role: str | None
    year_levels: str | None
    language: str | None
    email: str | None
    email_key: bytes | None
    email_given: str | None
    mobile: str | None
    mobile_key: bytes | None
    mobile_given: str | None
    findings: str | None


@dataclass(frozen=True, slots=True)
class ListRules:
    """What the judge must know of a contact list."""

    country: str
    readers: Readers


Judge = Callable[[int, Sequence[str]], JudgedRow]


def row_judge(places: Mapping[Column, int], width: int, rules: ListRules, secret: bytes, import_id: int) -> Judge:
    """Return the judge of one import, for rows of `width` cells whose columns stand at `places`."""
    # A column the file does not have is read from one empty cell behind the last.
    pick = itemgetter(*(places.get(column, width) for column in Column))
    email_key, mobile_key = address_keys(secret, Channel.EMAIL), address_keys(secret, Channel.SMS)
    judge_phone = phone_judge(rules.country)

    def judge(number: int, cells: Sequence[str]) -> JudgedRow:
        row = [*cells, ""] if len(cells) == width else [*cells[:width], *[""] * (width + 1 - len(cells[:width]))]
        given, family, name, email_text, mobile_text, language_text, role_text, years, reference = pick(row)
        findings: list[Finding] = []
        given, family = _names(given, family, name, findings)
        email = mobile = language = None
        if email_text:
            email, why = judge_email(email_text)
            if why is not None:
                findings.append(Finding(Column.EMAIL, email_text[:_MAX_GIVEN_EMAIL], why))
        if mobile_text:
            mobile, why = judge_phone(mobile_text)
            if why is not None:
                findings.append(Finding(Column.MOBILE, mobile_text[:_MAX_GIVEN_EMAIL], why))
        if language_text:
            language = _language(language_text, findings)
        role = _role(role_text, findings) if role_text else None
        if years:
            years = year_levels(years)
        if reference:
            reference = (reference.strip() if reference.isprintable() else _clean(reference))[:MAX_REFERENCE]
        verdict = _verdict(email, mobile, role, rules, findings, email_text or mobile_text)
        changed_email = email_text if email is not None and email_text != email else None
        changed_mobile = mobile_text if mobile is not None and mobile_text != mobile else None
        if verdict == _ACCEPTED and (changed_email or changed_mobile):
            verdict = _CHANGED
        return JudgedRow(
            import_id,
            number,
            verdict,
            None if verdict == _REFUSED else row_key(reference, given, family, email or mobile or ""),
            reference or None,
            given or None,
            family or None,
            role,
            years or None,
            language,
            email,
            None if email is None else email_key(email),
            changed_email and changed_email[:_MAX_GIVEN_EMAIL],
            mobile,
            None if mobile is None else mobile_key(mobile),
            changed_mobile and changed_mobile[:_MAX_GIVEN_MOBILE],
            orjson.dumps([[*finding] for finding in findings]).decode() if findings else None,
        )

    return judge


def row_key(reference: str, given: str, family: str, address: str) -> str:
    """Return by what a row is known again in the next upload.

    The school's own reference with the name where there is one (one reference may stand for both parents of a child),
    otherwise the address with the name (docs/decisions/0032).
    """
    anchor = f"r\0{reference}" if reference else f"a\0{address}"
    state = _UNWRITTEN.copy()
    state.update(f"{anchor}\0{given}\0{family}".casefold().encode())
    return state.hexdigest()


def _verdict(
    email: str | None, mobile: str | None, role: str | None, rules: ListRules, findings: list[Finding], tried: str
) -> str:
    if role == _STUDENT and rules.readers is not Readers.YOUNG_PEOPLE:
        findings.append(Finding(Column.ROLE, role, Reason.STUDENT_ON_LIST))
        return _REFUSED
    if email is None and mobile is None:
        if not tried:
            findings.append(Finding(Column.EMAIL, "", Reason.NO_ADDRESS))
        return _REFUSED
    return _CHANGED if findings else _ACCEPTED


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
        findings.append(Finding(column, text[:MAX_NAME], Reason.NO_NAME_TEXT))
        return ""
    if len(text) > MAX_NAME:
        findings.append(Finding(column, text[:MAX_NAME], Reason.TEXT_TOO_LONG))
        return ""
    return text


def _clean(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _language(text: str, findings: list[Finding]) -> str | None:
    tag = tag_of(text[:MAX_NAME])
    if tag is None:
        findings.append(Finding(Column.LANGUAGE, text[:MAX_NAME], Reason.UNKNOWN_LANGUAGE))
    return tag


def _role(text: str, findings: list[Finding]) -> str | None:
    role = role_of(text[:MAX_NAME])
    if role is None:
        findings.append(Finding(Column.ROLE, text[:MAX_NAME], Reason.UNKNOWN_ROLE))
    return role


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
