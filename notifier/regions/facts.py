"""What is known about a place: its languages, its clocks, and the numbers a family can be given.

A contact is a fact with its provenance, never a bare number. Whether it may be shown is decided here and nowhere else;
this page reads no file and knows no message.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from pathlib import Path

EMERGENCY = "emergency"
DIRECTORY = "inhope_directory"
# A person answers there. A region where none of these may be shown gives only its emergency number and the directory.
HUMAN_LINES = ("child_helpline", "parent_helpline", "online_safety_helpline", "crisis_support")


class Confidence(StrEnum):
    """How well a value is known: an official page, one other source, a weak one, or none at all."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    NONE = "none"


class ContactKind(StrEnum):
    """What a value is: a number to call, a page to open, or only a name."""

    PHONE = "phone"
    PAGE = "page"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Contact:
    """One fact of a region: whom to call or which page to open, and how we know.

    `role` says what it is for if that is not its name; `languages` limits it to readers of those languages; `dial` is
    what a telephone dials where the value spells a word. `checked_value` is the value the officer in `checked_by` saw;
    `changed_by` is who changed the value and waits for a second officer.
    """

    fact: str
    value: str
    source: str
    verified: bool
    confidence: Confidence
    region: str
    role: str = ""
    dial: str = ""
    operator: str = ""
    hours: str = ""
    languages: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    source_date: str = ""
    note: str = ""
    checked_by: str = ""
    checked_on: date | None = None
    checked_value: str = ""
    changed_by: str = ""
    changed_on: date | None = None
    path: Path = Path()
    line: int = 1

    @property
    def kind(self) -> ContactKind:
        """Whether the value can be called, opened, or only read."""
        if self.value.startswith(("https://", "http://")):
            return ContactKind.PAGE
        return ContactKind.PHONE if self.dial or re.fullmatch(r"\+?[\d /()-]+", self.value) else ContactKind.NAME

    @property
    def tel(self) -> str:
        """The digits a telephone dials, for a `tel:` link; empty for anything else."""
        if self.kind is not ContactKind.PHONE:
            return ""
        dialled = self.dial or self.value
        return ("+" if dialled.startswith("+") else "") + re.sub(r"\D", "", dialled)


@dataclass(frozen=True, slots=True)
class BannedNumber:
    """A number that must not appear in any message, and why."""

    value: str
    reason: str
    operator: str = ""
    source: str = ""
    source_date: str = ""


@dataclass(frozen=True, slots=True)
class Region:
    """A place with its own police: a country, or a state of one.

    `country` is ISO 3166-1 alpha-2. `timezones` are IANA names; the first is used where a recipient has none of their
    own. `community_languages` are spoken there but are never a fallback for somebody who asked for another.
    """

    code: str
    name: str
    country: str
    timezones: tuple[str, ...]
    official_languages: tuple[str, ...]
    community_languages: tuple[str, ...] = ()
    parent: str = ""
    groups: tuple[str, ...] = ()
    may_say_not_in_trouble: bool = False
    sender_name: str = ""
    # Quiet hours of its own by channel: (from, until) as HH:MM, both empty for none at all.
    quiet_hours: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    facts: Mapping[str, Contact] = field(default_factory=dict)
    do_not_use: tuple[BannedNumber, ...] = ()
    path: Path = Path()

    @property
    def languages(self) -> tuple[str, ...]:
        """Every language to offer here, official ones first."""
        return tuple(dict.fromkeys(self.official_languages + self.community_languages))


def why_not(contact: Contact, *, today: date, live: bool, max_age_days: int) -> str | None:
    """Say why a contact may not be shown to a family, or None if it may.

    When nothing is live (`live` False), an officer's own check is not asked for; everything else is.
    """
    for problem in (_unusable(contact), _unproven(contact), _changed(contact)):
        if problem:
            return problem
    return _unchecked(contact, today=today, max_age_days=max_age_days) if live else None


def _unusable(contact: Contact) -> str | None:
    if not contact.value:
        return "no value is known"
    if contact.kind is ContactKind.NAME:
        return f"{contact.value!r} is neither a number nor an address"
    return None


def _unproven(contact: Contact) -> str | None:
    if not contact.verified:
        return "it is not verified"
    if contact.confidence in {Confidence.LOW, Confidence.NONE}:
        return f"the confidence in it is {contact.confidence}"
    return None


def _changed(contact: Contact) -> str | None:
    if contact.changed_by:
        return f"{contact.changed_by} changed it and a second officer has not confirmed it"
    if contact.checked_value and contact.checked_value != contact.value:
        return f"it was changed after {contact.checked_by} checked {contact.checked_value!r}"
    return None


def _unchecked(contact: Contact, *, today: date, max_age_days: int) -> str | None:
    if not contact.checked_by or contact.checked_on is None:
        return "no officer has checked the live page"
    age = (today - contact.checked_on).days
    if age > max_age_days:
        return f"it was last checked {age} days ago, and {max_age_days} is the limit"
    if age < 0:
        return f"it was checked on {contact.checked_on}, which is in the future"
    return None
