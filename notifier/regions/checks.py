"""What is wrong with, or may not be shown from, the facts of a region; each with file, line and reason."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path

from notifier.regions.atlas import Atlas, is_human_line
from notifier.regions.facts import EMERGENCY, Contact, ContactKind, Region
from notifier.regions.files import SHARED

# The longest name of a sender that the texts leave room for.
SENDER_LENGTH = 20


class Level(StrEnum):
    """A fault must be mended; what is hidden is kept from families until somebody acts; the rest is noted."""

    FAULT = "fault"
    HIDDEN = "hidden"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class FactFinding:
    """One thing found about a fact, or about a region as a whole (`fact` empty)."""

    path: Path
    line: int
    region: str
    fact: str
    level: Level
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.region} {self.fact or '-'}: {self.message}"


def check(atlas: Atlas, codes: list[str], *, today: date, live: bool) -> list[FactFinding]:
    """Check some regions, or all of them and the shared facts if `codes` is empty."""
    regions = [atlas.region(code) for code in codes] or list(atlas.regions())
    found = [finding for region in regions for finding in _region(atlas, region, today=today, live=live)]
    if not codes:
        for contact in atlas.shared().values():
            found.extend(_fact(atlas, contact, SHARED, today=today, live=live))
    return found


def _region(atlas: Atlas, region: Region, *, today: date, live: bool) -> Iterator[FactFinding]:
    if len(region.sender_name) > SENDER_LENGTH:
        message = f"the sender's name has more than {SENDER_LENGTH} characters; text messages are written for no more"
        yield FactFinding(region.path, 1, region.code, "", Level.NOTE, message)
    for contact in region.facts.values():
        yield from _fact(atlas, contact, region.code, today=today, live=live)
        yield from _banned(atlas, contact, region)
    shown = atlas.contacts(region.code, today=today, live=live)
    if EMERGENCY not in shown:
        message = "no emergency number may be shown, so no message can go there"
        yield FactFinding(region.path, 1, region.code, "", Level.HIDDEN, message)
    elif not any(is_human_line(contact) for contact in shown.values()):
        message = "no line on which a person answers may be shown: only the emergency number and the directory are"
        yield FactFinding(region.path, 1, region.code, "", Level.NOTE, message)


def _fact(atlas: Atlas, contact: Contact, code: str, *, today: date, live: bool) -> Iterator[FactFinding]:
    def finding(level: Level, message: str) -> FactFinding:
        return FactFinding(contact.path, contact.line, code, contact.fact, level, message)

    if not contact.source:
        yield finding(Level.FAULT, "it has no source")
    if contact.value.startswith("http://"):
        yield finding(Level.NOTE, "the address is not encrypted (http); look for an https one")
    if (
        contact.kind is ContactKind.PHONE
        and any(character.isalpha() for character in contact.value)
        and not contact.tel
    ):
        yield finding(Level.FAULT, "a number that spells a word needs `dial` with its digits")
    if reason := atlas.why_not(contact, today=today, live=live):
        yield finding(Level.HIDDEN, f"not shown: {reason}")


def _banned(atlas: Atlas, contact: Contact, region: Region) -> Iterator[FactFinding]:
    for ban in (ban for holder in atlas.lineage(region.code) for ban in holder.do_not_use):
        same = "".join(filter(str.isdigit, ban.value)) == "".join(filter(str.isdigit, contact.value))
        if same and contact.kind is ContactKind.PHONE:
            yield FactFinding(
                contact.path, contact.line, region.code, contact.fact, Level.FAULT, f"must not be used: {ban.reason}"
            )
