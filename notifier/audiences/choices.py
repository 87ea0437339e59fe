"""What the owner of an address chose for it: lists, topics, language, quiet hours, a pause, or to be left alone.

The person who holds a link of ours owns the address it was sent to, and nothing else. They may also switch off the
other address a school holds for them in the same row, but only that address itself can be used to switch it on again.
Every change is a row in the consent log; a change that changes nothing is none. Nothing here asks who is acting: the
surfaces do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time

from sqlalchemy import ColumnElement, delete, insert, or_, select, update
from sqlalchemy.orm import Session

from notifier.audiences.models import (
    Address,
    ContactList,
    ListChoice,
    Subscription,
    SubscriptionChange,
    SubscriptionStatus,
    Suppression,
    TopicChoice,
)
from notifier.kit.errors import NotFound
from notifier.vocabulary import Channel, SuppressionReason


@dataclass(frozen=True, slots=True)
class ListMembership:
    """A contact list an address is on, why the list may be used, and whether its owner still wants it."""

    list_id: int
    name: str
    region: str
    lawful_basis: str
    since: datetime
    wanted: bool


@dataclass(frozen=True, slots=True)
class OtherAddress:
    """The other address a school holds for the same person."""

    address_id: int
    channel: Channel
    value: str
    suppressed: SuppressionReason | None


@dataclass(frozen=True, slots=True)
class Choices:
    """Everything the owner of an address can see and change. `declined` holds the topics they do not want."""

    address_id: int
    channel: Channel
    value: str
    language: str | None
    paused_until: datetime | None
    quiet_from: time | None
    quiet_until: time | None
    suppressed: SuppressionReason | None
    lists: tuple[ListMembership, ...]
    others: tuple[OtherAddress, ...]
    declined: frozenset[str]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the owner of an address asks for now, complete: what is not in it is not wanted.

    `lists` and `topics` map what was offered to whether it is wanted; what was not offered stays as it is.
    """

    language: str | None
    lists: Mapping[int, bool]
    topics: Mapping[str, bool]
    paused_until: datetime | None
    quiet_from: time | None
    quiet_until: time | None


def choices_of(session: Session, address_id: int) -> Choices:
    """Return what stands for an address. Raises NotFound if it is not held any more."""
    address = session.get(Address, address_id, populate_existing=True)
    if address is None:
        raise NotFound(f"There is no address {address_id}; it may have been erased")
    declined = select(TopicChoice.topic).where(TopicChoice.address_id == address_id, TopicChoice.wanted.is_(False))
    return Choices(
        address_id=address_id,
        channel=Channel(address.channel),
        value=address.value,
        language=address.language,
        paused_until=address.paused_until,
        quiet_from=address.quiet_from,
        quiet_until=address.quiet_until,
        suppressed=_suppressed(session, address.key),
        lists=_lists(session, address_id),
        others=_others(session, address_id),
        declined=frozenset(session.scalars(declined)),
    )


def choose(session: Session, address_id: int, wishes: Wishes, *, actor: str, why: str, now: datetime) -> frozenset[str]:
    """Carry out what an owner asks for; return the names of what changed. Raises NotFound."""
    before = choices_of(session, address_id)
    log = _Log(session, address_id, before.channel, actor, why, now)
    changed = {
        "language": log.note("language", before.language, wishes.language),
        "pause": log.note("paused until", _day(before.paused_until), _day(wishes.paused_until)),
        "quiet": log.note(
            "quiet hours",
            _hours(before.quiet_from, before.quiet_until),
            _hours(wishes.quiet_from, wishes.quiet_until),
        ),
        "lists": sum(_choose_list(log, one, wishes.lists.get(one.list_id, one.wanted)) for one in before.lists),
        "topics": sum(_choose_topic(log, before, topic, wanted) for topic, wanted in wishes.topics.items()),
    }
    session.execute(
        update(Address)
        .where(Address.id == address_id)
        .values(
            language=wishes.language,
            paused_until=wishes.paused_until,
            quiet_from=wishes.quiet_from,
            quiet_until=wishes.quiet_until,
        )
    )
    return frozenset(name for name, did in changed.items() if did)


class _Log:
    """The consent log of one act: who, about which address, when, in which words."""

    def __init__(
        self, session: Session, address_id: int, channel: Channel, actor: str, why: str, now: datetime
    ) -> None:
        self.session = session
        self.address_id = address_id
        self.now = now
        self._line = {"at": now, "address_id": address_id, "channel": channel.value, "actor": actor, "why": why[:200]}

    def note(self, what: str, old: str | None, new: str | None) -> bool:
        """Write one change down, if it is one; return whether it is."""
        return self.write(f"{what}: {old or 'none'}", f"{what}: {new or 'none'}")

    def write(self, old: str, new: str, *, list_id: int | None = None, topic: str | None = None) -> bool:
        """Write a change from one word to another."""
        if old == new:
            return False
        row = self._line | {"old": old[:40], "new": new[:40], "list_id": list_id, "topic": topic}
        self.session.execute(insert(SubscriptionChange).values(row))
        return True


def _choose_list(log: _Log, membership: ListMembership, wanted: bool) -> bool:  # noqa: FBT001 - the choice itself
    if not log.write(_word(membership.wanted), _word(wanted), list_id=membership.list_id):
        return False
    log.session.execute(
        delete(ListChoice).where(ListChoice.address_id == log.address_id, ListChoice.list_id == membership.list_id)
    )
    log.session.execute(
        insert(ListChoice).values(
            address_id=log.address_id, list_id=membership.list_id, wanted=wanted, changed_at=log.now
        )
    )
    return True


def _choose_topic(log: _Log, before: Choices, topic: str, wanted: bool) -> bool:  # noqa: FBT001 - the choice itself
    if not log.write(_word(topic not in before.declined), _word(wanted), topic=topic):
        return False
    log.session.execute(delete(TopicChoice).where(TopicChoice.address_id == log.address_id, TopicChoice.topic == topic))
    log.session.execute(
        insert(TopicChoice).values(address_id=log.address_id, topic=topic, wanted=wanted, changed_at=log.now)
    )
    return True


def _of_address(address_id: int) -> ColumnElement[bool]:
    return or_(Subscription.email_address_id == address_id, Subscription.sms_address_id == address_id)


def _lists(session: Session, address_id: int) -> tuple[ListMembership, ...]:
    rows = session.execute(
        select(ContactList, Subscription.created_at, ListChoice.wanted)
        .join(Subscription, Subscription.list_id == ContactList.id)
        .outerjoin(ListChoice, (ListChoice.list_id == ContactList.id) & (ListChoice.address_id == address_id))
        .where(_of_address(address_id), Subscription.status == SubscriptionStatus.ACTIVE)
        .order_by(ContactList.name, ContactList.id, Subscription.created_at)
    )
    found: dict[int, ListMembership] = {}
    for contact_list, since, wanted in rows:
        found.setdefault(
            contact_list.id,
            ListMembership(
                list_id=contact_list.id,
                name=contact_list.name,
                region=contact_list.region,
                lawful_basis=contact_list.lawful_basis,
                since=since,
                wanted=wanted is not False,
            ),
        )
    return tuple(found.values())


def _others(session: Session, address_id: int) -> tuple[OtherAddress, ...]:
    rows = session.execute(
        select(Subscription.email_address_id, Subscription.sms_address_id).where(
            _of_address(address_id), Subscription.status == SubscriptionStatus.ACTIVE
        )
    )
    ids = {found for row in rows for found in row if found not in {None, address_id}}
    return tuple(_other(session, other) for other in _addresses(session, sorted(ids)))


def _addresses(session: Session, ids: Sequence[int]) -> Sequence[Address]:
    return session.scalars(select(Address).where(Address.id.in_(ids)).order_by(Address.id)).all()


def _other(session: Session, address: Address) -> OtherAddress:
    return OtherAddress(address.id, Channel(address.channel), address.value, _suppressed(session, address.key))


def _suppressed(session: Session, key: bytes) -> SuppressionReason | None:
    reason = session.scalar(select(Suppression.reason).where(Suppression.address_key == key))
    return None if reason is None else SuppressionReason(reason)


def _word(wanted: bool) -> str:  # noqa: FBT001 - the choice itself
    return "wanted" if wanted else "declined"


def _day(moment: datetime | None) -> str | None:
    return None if moment is None else moment.date().isoformat()


def _hours(start: time | None, end: time | None) -> str | None:
    return None if start is None or end is None else f"{start:%H:%M}-{end:%H:%M}"
