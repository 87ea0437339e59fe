"""Contact lists: making one, with the reason it may be used, and finding it again.

A list without a lawful basis and somebody's word for it does not come into being.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from notifier.audiences.columns import check_words
from notifier.audiences.models import ContactList, Subscription, SubscriptionStatus
from notifier.kit.db import perform
from notifier.kit.errors import Conflict, Invalid, NotFound
from notifier.vocabulary import Readers

_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,78}[a-z0-9]")


class LawfulBasis(StrEnum):
    """Why the people on a list may be written to, in the words of GDPR article 6."""

    CONSENT = "consent"
    PUBLIC_TASK = "public_task"
    LEGAL_OBLIGATION = "legal_obligation"
    VITAL_INTERESTS = "vital_interests"
    LEGITIMATE_INTERESTS = "legitimate_interests"


# The wording somebody puts their name to. A changed wording is a new version; the old ones stay, since lists name them.
ATTESTATIONS: Mapping[str, str] = {
    "2026-11": "I confirm that the people on this list were told that their contact details are used for child-safety "
    "advisories from the police, that the lawful basis named here is right, and that anyone who asked not to be "
    "written to has been left out.",
}
CURRENT_ATTESTATION = "2026-11"


@dataclass(frozen=True, slots=True)
class NewList:
    """What it takes to make a list. `language` is that of people who name none (BCP 47), if the school knows."""

    code: str
    name: str
    region: str
    country: str
    readers: Readers
    lawful_basis: LawfulBasis
    attested_by: str
    language: str | None = None
    source: str | None = None


def create_list(session: Session, new: NewList, *, actor: str, now: datetime) -> ContactList:
    """Make a contact list. Raises Conflict if the code is taken, Invalid if it is no code."""
    if not _CODE.fullmatch(new.code):
        raise Invalid(
            f"{new.code!r} cannot be a list's code; use 2 to 80 small letters, digits and hyphens between them "
            "(northcote-high)"
        )
    if session.scalar(select(ContactList.id).where(ContactList.code == new.code)) is not None:
        raise Conflict(f"There is already a contact list {new.code!r}; import into it, or choose another code")
    made = ContactList(
        code=new.code,
        name=new.name,
        region=new.region,
        country=new.country,
        readers=new.readers.value,
        language=new.language,
        lawful_basis=new.lawful_basis.value,
        attested_by=new.attested_by,
        attested_at=now,
        attestation_version=CURRENT_ATTESTATION,
        source=new.source,
        version=0,
        recency=_next_recency(session),
        created_at=now,
        created_by=actor,
    )
    session.add(made)
    session.flush()
    return made


def find_list(session: Session, code: str) -> ContactList:
    """Return the contact list of that code. Raises NotFound."""
    found = session.scalar(select(ContactList).where(ContactList.code == code))
    if found is None:
        raise NotFound(f"There is no contact list {code!r}; `notifier lists show` names every one")
    return found


def codes(session: Session) -> set[str]:
    """Return the codes of every contact list."""
    return set(session.scalars(select(ContactList.code)))


@dataclass(frozen=True, slots=True)
class ListSummary:
    """A contact list and how many people are on it."""

    code: str
    name: str
    region: str
    readers: str
    language: str | None
    lawful_basis: str
    attested_by: str | None
    attested_at: datetime | None
    attestation_version: str | None
    source: str | None
    version: int
    created_at: datetime
    people: int
    emails: int
    mobiles: int


def summaries(session: Session, code: str | None = None) -> list[ListSummary]:
    """Return every contact list, or the one of that code, by code. Raises NotFound if there is none of that code."""
    counted = (
        select(
            Subscription.list_id,
            func.count().label("people"),
            func.count(Subscription.email_address_id).label("emails"),
            func.count(Subscription.sms_address_id).label("mobiles"),
        )
        .where(Subscription.status == SubscriptionStatus.ACTIVE)
        .group_by(Subscription.list_id)
        .subquery()
    )
    query = (
        select(ContactList, counted.c.people, counted.c.emails, counted.c.mobiles)
        .outerjoin(counted, counted.c.list_id == ContactList.id)
        .order_by(ContactList.code)
    )
    if code is not None:
        query = query.where(ContactList.id == find_list(session, code).id)
    return [
        _summary(found, people or 0, emails or 0, mobiles or 0)
        for found, people, emails, mobiles in session.execute(query)
    ]


def _summary(found: ContactList, people: int, emails: int, mobiles: int) -> ListSummary:
    return ListSummary(
        code=found.code,
        name=found.name,
        region=found.region,
        readers=found.readers,
        language=found.language,
        lawful_basis=found.lawful_basis,
        attested_by=found.attested_by,
        attested_at=found.attested_at,
        attestation_version=found.attestation_version,
        source=found.source,
        version=found.version,
        created_at=found.created_at,
        people=people,
        emails=emails,
        mobiles=mobiles,
    )


def known_mapping(found: ContactList, mapping: Mapping[str, str]) -> dict[str, str]:
    """Return how this list's columns are called: what was said now, on top of what it remembers. Raises Invalid."""
    check_words(mapping)
    return {**(found.column_mapping or {}), **mapping}


def remember_mapping(session: Session, found: ContactList, mapping: Mapping[str, str]) -> None:
    """Remember how this list's columns are called; only what a file has shown to be right should be."""
    if mapping:
        found.column_mapping = known_mapping(found, mapping)
        session.flush()


def names_of(session: Session, list_ids: list[int]) -> dict[int, str]:
    """Return the names of lists by their ids: what a message's "why you get this" says."""
    return dict(perform(session, _NAMES, of_lists=list_ids).all())


# Asked for by every batch that leaves.
_NAMES = select(ContactList.id, ContactList.name).where(ContactList.id.in_(bindparam("of_lists", expanding=True)))


def _next_recency(session: Session) -> int:
    return (session.scalar(select(func.max(ContactList.recency))) or 0) + 1
