"""Keeping the facts true: an officer's check of a contact, and the two people it takes to change one.

These are the only verbs that write region files. They keep every comment and touch one table. Whoever calls them has
made sure that the person named may do this, and writes the audit trail.
"""

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import tomlkit

from notifier.kit.errors import Conflict, Invalid, NotFound
from notifier.kit.files import replace_text
from notifier.regions.atlas import Atlas
from notifier.regions.facts import Contact, ContactKind
from notifier.regions.files import SHARED

_FACT = "abcdefghijklmnopqrstuvwxyz0123456789_"


@dataclass(frozen=True, slots=True)
class Kept:
    """What was written: where, and the value before and after."""

    path: Path
    fact: str
    before: str
    after: str


def confirm(atlas: Atlas, code: str, fact: str, *, by: str, on: date) -> Kept:
    """Record that an officer opened the live page and found the value right.

    A value that was changed can be confirmed only by somebody else. Raises NotFound for an unknown fact, Conflict if
    it cannot be confirmed or not by this person.
    """
    contact = _own(atlas, code, fact)
    if not contact.value or not contact.verified:
        raise Conflict(
            f"{code} {fact} has no verified value to confirm; say where you read it: "
            f"`notifier regions change {code} {fact} --value VALUE --source ADDRESS --as EMAIL`"
        )
    if contact.changed_by.casefold() == by.casefold():
        raise Conflict(f"{by} changed {code} {fact}; a second person has to confirm it")
    if contact.checked_value not in {"", contact.value} and not contact.changed_by:
        raise Conflict(
            f"{code} {fact} was changed by hand since {contact.checked_by} checked {contact.checked_value!r}; "
            "record who changed it with `notifier regions change`"
        )
    return _write(
        contact,
        {"checked_by": by, "checked_on": on.isoformat(), "checked_value": contact.value},
        drop=("changed_by", "changed_on"),
    )


def change(atlas: Atlas, code: str, fact: str, *, value: str, source: str, by: str, on: date) -> Kept:
    """Write a new value with its source. It is shown to nobody until a second person has confirmed it.

    Raises NotFound for an unknown region, Invalid for a value that can be neither called nor opened, or is banned.
    """
    value, source = value.strip(), source.strip()
    if not fact or any(character not in _FACT for character in fact):
        raise Invalid(f"{fact!r} is no name of a fact; use small letters and underscores, such as child_helpline")
    if not source.startswith(("https://", "http://")):
        raise Invalid("The source is the address of the page on which the value was read: --source https://…")
    contact = _existing(atlas, code, fact) or _new(atlas, code, fact)
    if _kind(value) is ContactKind.NAME:
        raise Invalid(f"{value!r} is neither a number nor an address of a page")
    banned = [] if code == SHARED else [ban for region in atlas.lineage(code) for ban in region.do_not_use]
    for ban in banned:
        if _digits(ban.value) and _digits(ban.value) == _digits(value):
            raise Invalid(f"{value} must not be used: {ban.reason}")
    return _write(
        contact,
        {
            "value": value,
            "source": source,
            "verified": True,
            "confidence": "high",
            "source_date": on.isoformat(),
            "changed_by": by,
            "changed_on": on.isoformat(),
            "checked_by": "",
            "checked_on": "",
        },
        drop=("checked_value", "dial"),
    )


def _own(atlas: Atlas, code: str, fact: str) -> Contact:
    found = _existing(atlas, code, fact)
    if found is not None:
        return found
    holders = [] if code == SHARED else [region.code for region in atlas.lineage(code) if fact in region.facts]
    if fact in atlas.shared():
        holders.append(SHARED)
    if holders:
        raise NotFound(
            f"{code} has no {fact} of its own; it is kept in {holders[0]}: "
            f"`notifier regions confirm {holders[0]} {fact} --as EMAIL`"
        )
    raise NotFound(f"{code} has no fact {fact!r}; `notifier regions show {code}` lists them")


def _existing(atlas: Atlas, code: str, fact: str) -> Contact | None:
    facts = atlas.shared() if code == SHARED else atlas.region(code).facts
    return facts.get(fact)


def _new(atlas: Atlas, code: str, fact: str) -> Contact:
    path = atlas.folder / f"{SHARED}.toml" if code == SHARED else atlas.region(code).path
    return _bare(fact, "", path)


def _bare(fact: str, value: str, path: Path) -> Contact:
    from_nowhere: dict[str, Any] = {"source": "", "verified": False, "confidence": "none", "region": ""}
    return Contact(fact=fact, value=value, path=path, **from_nowhere)


def _kind(value: str) -> ContactKind:
    return _bare("", value, Path()).kind if value else ContactKind.NAME


def _digits(value: str) -> str:
    return "".join(character for character in value if character.isdigit())


def _write(contact: Contact, values: dict[str, Any], *, drop: tuple[str, ...]) -> Kept:
    document = tomlkit.parse(contact.path.read_text(encoding="utf-8"))
    contacts = document.setdefault("contacts", tomlkit.table(is_super_table=True))
    if contact.fact not in contacts:
        contacts[contact.fact] = tomlkit.table()
    table = contacts[contact.fact]
    for key in drop:
        table.pop(key, None)
    for key, value in values.items():
        table[key] = value
    replace_text(contact.path, tomlkit.dumps(document))
    return Kept(contact.path, contact.fact, before=contact.value, after=str(values.get("value", contact.value)))
