"""Region files: `config/regions/<CODE>.toml` read into facts, every error with its file and line.

Only reading and its errors live here; `keeping.py` writes, `atlas.py` decides what a reader gets.
"""

import re
import tomllib
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import ConfigDict, StrictBool, TypeAdapter, ValidationError

from notifier.kit.errors import Invalid
from notifier.kit.toml_lines import line_of
from notifier.regions.facts import BannedNumber, Confidence, Contact, Region

SHARED = "_shared"
Form = TypeVar("Form")
HOURS = re.compile(r"24/7|(daily|Mon-Fri|Mon-Sat|Mon-Thu) \d\d:\d\d-\d\d:\d\d")
_TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class _ContactTable:
    __pydantic_config__ = _STRICT

    value: str
    source: str
    verified: StrictBool
    confidence: str
    role: str = ""
    dial: str = ""
    operator: str = ""
    hours: str = ""
    languages: list[str] = field(default_factory=list)
    also: list[str] = field(default_factory=list)
    source_date: str = ""
    note: str = ""
    checked_by: str = ""
    checked_on: date | str = ""
    checked_value: str = ""
    changed_by: str = ""
    changed_on: date | str = ""


@dataclass(frozen=True, slots=True)
class _LanguagesTable:
    __pydantic_config__ = _STRICT

    official: list[str]
    community: list[str] = field(default_factory=list)
    source: str = ""
    community_source: str = ""
    community_note: str = ""


@dataclass(frozen=True, slots=True)
class _SenderTable:
    __pydantic_config__ = _STRICT

    name: str = ""


@dataclass(frozen=True, slots=True)
class _QuietTable:
    __pydantic_config__ = _STRICT

    sms: tuple[str, str] | None = None
    email: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class _MaterialTable:
    __pydantic_config__ = _STRICT

    languages: list[str]
    source: str
    source_date: str = ""


@dataclass(frozen=True, slots=True)
class _BannedTable:
    __pydantic_config__ = _STRICT

    value: str
    reason: str
    operator: str = ""
    source: str = ""
    source_date: str = ""


@dataclass(frozen=True, slots=True)
class _RegionTable:
    __pydantic_config__ = _STRICT

    code: str
    name: str
    country: str
    timezones: list[str]
    languages: _LanguagesTable
    parent: str = ""
    groups: list[str] = field(default_factory=list)
    may_say_not_in_trouble: StrictBool = False
    sender: _SenderTable = field(default_factory=_SenderTable)
    quiet_hours: _QuietTable = field(default_factory=_QuietTable)
    contacts: dict[str, _ContactTable] = field(default_factory=dict)
    official_material: _MaterialTable | None = None
    do_not_use: list[_BannedTable] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _SharedTable:
    __pydantic_config__ = _STRICT

    contacts: dict[str, _ContactTable]
    notes: dict[str, str] = field(default_factory=dict)


_REGION = TypeAdapter(_RegionTable)
_SHARED = TypeAdapter(_SharedTable)


class RegionFile:
    """One file on its way to facts: its text, its values, and how to complain about them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.text = path.read_text(encoding="utf-8")
            self.values: dict[str, Any] = tomllib.loads(self.text)
        except OSError as wrong:
            raise Invalid(f"{path} cannot be read: {wrong.strerror}") from wrong
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
            raise Invalid(f"{path} is not a TOML file: {wrong}") from wrong

    def refuse(self, message: str, *place: str) -> Invalid:
        """Return the refusal, with the line of the key it is about."""
        return Invalid(f"{self.path}:{line_of(self.text, *place)}: {message}")

    def check(self, adapter: TypeAdapter[Form]) -> Form:
        """Return the values in their form, or refuse the first that has another."""
        try:
            return adapter.validate_python(self.values)
        except ValidationError as wrong:
            first = wrong.errors()[0]
            place = [str(part) for part in first["loc"] if part not in {"str", "date"}]
            raise self.refuse(f"{'.'.join(place)}: {first['msg'].lower()}", *place) from wrong


def read_region(path: Path) -> Region:
    """Read one region. Raises Invalid with file and line."""
    file = RegionFile(path)
    table = file.check(_REGION)
    if table.code != path.stem:
        raise file.refuse(f"the code {table.code!r} is not the name of the file", "code")
    _check_zones(file, table.timezones)
    for kind, tags in (("official", table.languages.official), ("community", table.languages.community)):
        _check_tags(file, tags, "languages", kind)
    if not table.languages.official:
        raise file.refuse("a region has at least one official language", "languages", "official")
    return Region(
        code=table.code,
        name=table.name,
        country=table.country,
        timezones=tuple(table.timezones),
        official_languages=tuple(table.languages.official),
        community_languages=tuple(table.languages.community),
        parent=table.parent,
        groups=tuple(table.groups),
        may_say_not_in_trouble=table.may_say_not_in_trouble,
        sender_name=table.sender.name,
        quiet_hours=_quiet_hours(file, table.quiet_hours),
        facts={fact: _contact(file, table.code, fact, given) for fact, given in table.contacts.items()},
        do_not_use=tuple(
            BannedNumber(given.value, given.reason, given.operator, given.source, given.source_date)
            for given in table.do_not_use
        ),
        path=path,
    )


def read_shared(path: Path) -> dict[str, Contact]:
    """Read the facts that hold everywhere. Raises Invalid with file and line."""
    file = RegionFile(path)
    return {fact: _contact(file, SHARED, fact, given) for fact, given in file.check(_SHARED).contacts.items()}


def _contact(file: RegionFile, code: str, fact: str, given: _ContactTable) -> Contact:
    place = ("contacts", fact)
    if given.confidence not in list(Confidence):
        raise file.refuse(f"confidence is one of {', '.join(Confidence)}", *place, "confidence")
    if given.hours and not HOURS.fullmatch(given.hours):
        raise file.refuse(
            'hours are written "24/7", "daily 08:00-22:00" or "Mon-Fri 09:00-20:00", so that they can be translated',
            *place,
            "hours",
        )
    _check_tags(file, given.languages, *place, "languages")
    return Contact(
        fact=fact,
        value=given.value,
        source=given.source,
        verified=given.verified,
        confidence=Confidence(given.confidence),
        region=code,
        role=given.role or fact,
        dial=given.dial,
        operator=given.operator,
        hours=given.hours,
        languages=tuple(given.languages),
        also=tuple(given.also),
        source_date=given.source_date,
        note=given.note,
        checked_by=given.checked_by,
        checked_on=_day(file, given.checked_on, *place, "checked_on"),
        checked_value=given.checked_value,
        changed_by=given.changed_by,
        changed_on=_day(file, given.changed_on, *place, "changed_on"),
        path=file.path,
        line=line_of(file.text, *place),
    )


def _day(file: RegionFile, given: date | str, *place: str) -> date | None:
    if isinstance(given, date):
        return given
    if not given:
        return None
    try:
        return date.fromisoformat(given)
    except ValueError as wrong:
        raise file.refuse(f"{given!r} is not a day; write it as 2026-11-21", *place) from wrong


def _quiet_hours(file: RegionFile, table: _QuietTable) -> dict[str, tuple[str, str]]:
    """Return the quiet hours a region has of its own, by channel."""
    given = {channel: hours for channel in ("sms", "email") if (hours := getattr(table, channel)) is not None}
    for channel, hours in given.items():
        for clock in hours:
            if clock and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", clock):
                raise file.refuse(f"{clock!r} is no time of the day; write for example 21:00", "quiet_hours", channel)
    return given


def _check_zones(file: RegionFile, zones: list[str]) -> None:
    if not zones:
        raise file.refuse("a region has at least one time zone", "timezones")
    for zone in zones:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as wrong:
            raise file.refuse(f"{zone!r} is not a time zone of the IANA database", "timezones") from wrong


def _check_tags(file: RegionFile, tags: list[str], *place: str) -> None:
    for tag in tags:
        if not _TAG.fullmatch(tag):
            raise file.refuse(f"{tag!r} is not a language tag (BCP 47)", *place)
