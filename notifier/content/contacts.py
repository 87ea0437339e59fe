"""The contact block of a message: which of a region's contacts these readers see, in their words.

The numbers come from the atlas, which has already held back what may not be shown; only order and labels are decided
here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from babel import Locale, UnknownLocaleError
from babel.dates import get_day_names

from notifier.content.furniture import Say
from notifier.content.phrases import DAY_AND_NIGHT, EVERY_DAY, INSTEAD, LABELS, ORDER
from notifier.regions.facts import DIRECTORY, Contact, ContactKind
from notifier.vocabulary import Readers

_HOURS = re.compile(r"(daily|Mon-Fri|Mon-Sat|Mon-Thu) (\d\d:\d\d)-(\d\d:\d\d)")
_DAYS = {"Mon": 0, "Thu": 3, "Fri": 4, "Sat": 5}
_EN_DASH = "\u2013"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the block. `href` is what a tap opens: a `tel:` link or a page."""

    label: str
    value: str
    href: str
    operator: str = ""
    hours: str = ""
    urgent: bool = False


def rows(contacts: Mapping[str, Contact], readers: Readers, language: str, say: Say) -> tuple[Row, ...]:
    """Return the block for some readers in a language."""
    chosen: list[Contact] = []
    for role in ORDER[readers]:
        found = _of_role(contacts, role, language) or _of_role(contacts, INSTEAD.get(role, ""), language)
        chosen.extend(contact for contact in found if contact.value not in {other.value for other in chosen})
    if len(chosen) <= 1 and DIRECTORY in contacts:
        chosen.append(contacts[DIRECTORY])
    return tuple(_row(contact, language, say) for contact in chosen)


def _of_role(contacts: Mapping[str, Contact], role: str, language: str) -> list[Contact]:
    first = language.partition("-")[0]
    return [
        contact
        for contact in contacts.values()
        if contact.role == role
        and contact.kind is not ContactKind.NAME
        and (not contact.languages or first in contact.languages)
    ]


def _row(contact: Contact, language: str, say: Say) -> Row:
    is_phone = contact.kind is ContactKind.PHONE
    return Row(
        label=say(LABELS[contact.role]),
        value=contact.value if is_phone else re.sub(r"^https?://(www\.)?|/$", "", contact.value),
        href=f"tel:{contact.tel}" if is_phone else contact.value,
        operator=contact.operator,
        hours=hours_in_words(contact.hours, language, say),
        urgent=contact.role == "emergency",
    )


def hours_in_words(hours: str, language: str, say: Say) -> str:
    """Return opening hours in the reader's language: "24/7" is said, days are CLDR's short names."""
    if hours == "24/7":
        return say(DAY_AND_NIGHT)
    found = _HOURS.fullmatch(hours)
    if not found:
        return hours
    days, opens, closes = found.groups()
    when = say(EVERY_DAY) if days == "daily" else _day_range(days, language)
    return f"{when} {opens}{_EN_DASH}{closes}"


def _day_range(days: str, language: str) -> str:
    first, last = days.split("-")
    try:
        names = get_day_names("abbreviated", locale=Locale.parse(language, sep="-"))
    except (UnknownLocaleError, ValueError):
        names = get_day_names("abbreviated", locale="en")
    return f"{names[_DAYS[first]]}{_EN_DASH}{names[_DAYS[last]]}"
