"""From an audience to its members: one SELECT, in the order of address ids, one row per address.

Most addresses stand on one row of one list; what is written here is quick for them. Where rows disagree about a person
the written rule decides (docs/audiences.md): the recipient's own choice, then the most recent list that says something,
then that list's language, and "" lets the region decide. Nothing here writes.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    ScalarSelect,
    Select,
    Subquery,
    Text,
    and_,
    case,
    cast,
    exists,
    func,
    or_,
    select,
    union_all,
)
from sqlalchemy.orm import Session, aliased

from notifier.audiences import permission
from notifier.audiences.definitions import Audience, audience_names, load_audience
from notifier.audiences.models import (
    Address,
    ContactList,
    ListChoice,
    Subscription,
    SubscriptionStatus,
    Suppression,
    TopicChoice,
)
from notifier.audiences.permission import Moment, Term
from notifier.kit.bulk import read_plain_rows
from notifier.kit.errors import NotFound
from notifier.vocabulary import Channel, HoldBackReason

__all__ = [
    "Audience",
    "audience_names",
    "combinations",
    "lists_of",
    "load_audience",
    "members",
    "members_not_reached_by_email",
]

# An address id, or the place of it in a question that is put together once and asked of one slice after the other.
Bound = int | BindParameter[int]


def lists_of(session: Session, audience: Audience) -> list[int]:
    """Return the ids of the contact lists an audience draws on. Raises NotFound for a named list that is not there."""
    if audience.lists:
        _ids(session, audience, audience.lists)
    excluded = _ids(session, audience, audience.excluded_lists)
    return [found for (found,) in read_plain_rows(session, _lists_wanted(audience)) if found not in excluded]


# A worker asks for the lists of an audience at every batch.
@lru_cache(maxsize=64)
def _lists_wanted(audience: Audience) -> Select[int]:
    wanted = select(ContactList.id).where(ContactList.readers == audience.readers.value)
    if audience.regions:
        wanted = wanted.where(or_(*(_within(region) for region in audience.regions)))
    if audience.lists:
        wanted = wanted.where(ContactList.code.in_(audience.lists))
    return wanted.order_by(ContactList.id)


def _within(region: str) -> ColumnElement[bool]:
    return or_(ContactList.region == region, ContactList.region.startswith(f"{region}-", autoescape=True))


def _ids(session: Session, audience: Audience, codes: Sequence[str]) -> set[int]:
    if not codes:
        return set()
    rows = session.execute(select(ContactList.code, ContactList.id).where(ContactList.code.in_(codes)))
    known = dict(rows.all())
    missing = [code for code in codes if code not in known]
    if missing:
        raise NotFound(f"The audience {audience.name!r} names a contact list that is not there: {', '.join(missing)}")
    return set(known.values())


def members(
    audience: Audience,
    channel: Channel,
    *,
    list_ids: Sequence[int],
    topic: str,
    now: Moment,
    after: Bound,
    through: Bound,
) -> Select[Any]:
    """Return the SELECT of an audience's addresses on a channel with ids in (after, through], in the order of ids.

    Columns: address_id, destination, given_name (only if all rows of the address agree), wanted_language ("" if nobody
    said), region, list_ids (comma-separated, in order), hold_back (a HoldBackReason's value, or NULL).
    """
    query, people = _members(audience, channel, list_ids, after, through)
    held = permission.reason(subscribed=people.c.subscribed, now=now)
    return permission.joined(query, topic).add_columns(held.label("hold_back")).order_by(people.c.address_id)


def members_not_reached_by_email(
    audience: Audience,
    *,
    list_ids: Sequence[int],
    topic: str,
    now: Moment,
    after: Bound,
    through: Bound,
) -> Select[Any]:
    """Return the SELECT of an audience's mobile numbers under the policy "email, then SMS".

    As `members`, but a number is held back (reached_by_email) if a row of the audience with this number has an email
    address that may be written to.
    """
    query, people = _members(audience, Channel.SMS, list_ids, after, through)
    held = func.coalesce(
        permission.reason(subscribed=people.c.subscribed, now=now),
        case((_has_email(audience, list_ids, people.c.address_id, topic, now), HoldBackReason.REACHED_BY_EMAIL.value)),
    )
    return permission.joined(query, topic).add_columns(held.label("hold_back")).order_by(people.c.address_id)


def combinations(
    session: Session, audience: Audience, channel: Channel, list_ids: Sequence[int]
) -> list[tuple[str, str]]:
    """Return every (wanted_language, region) among an audience's addresses on a channel."""
    query, _ = _members(audience, channel, list_ids, 0, _last_address(session))
    found = query.subquery()
    pairs = select(found.c.wanted_language, found.c.region).distinct().order_by(found.c.region, found.c.wanted_language)
    return [(language, region) for language, region in session.execute(pairs)]


def _last_address(session: Session) -> int:
    return session.scalar(select(func.max(Address.id))) or 0


def _members(
    audience: Audience, channel: Channel, list_ids: Sequence[int], after: Bound, through: Bound
) -> tuple[Select[Any], Subquery]:
    """Return the SELECT without hold_back, and the audience's rows brought together by address within it."""
    people = _people(audience, channel, list_ids, after, through)
    language = func.coalesce(Address.language, people.c.language, ContactList.language, "")
    query = (
        select(
            people.c.address_id,
            Address.value.label("destination"),
            people.c.given_name,
            language.label("wanted_language"),
            ContactList.region.label("region"),
            people.c.list_ids,
        )
        .select_from(people)
        # The range again, so that PostgreSQL can go through the addresses once instead of looking each of them up.
        .join(Address, and_(Address.id == people.c.address_id, Address.id > after, Address.id <= through))
        .join(ContactList, ContactList.id == people.c.lead)
    )
    if audience.languages:
        query = query.where(language.in_(audience.languages))
    return query, people


def _people(audience: Audience, channel: Channel, list_ids: Sequence[int], after: Bound, through: Bound) -> Subquery:
    """Bring an audience's rows together by address.

    Columns: address_id, lead (the list that decides about language and region), given_name, language, list_ids, and
    subscribed (is on a list still). Nearly every address stands on a single row, about which nothing has to be decided:
    only those on several pay for that.
    """
    address_id = permission.address_of(channel)
    within = (address_id > after, address_id <= through)
    several = (
        select(address_id.label("address_id"))
        .where(*within)
        .group_by(address_id)
        .having(func.count() > 1)
        .subquery("several")
    )
    is_one_of = several.c.address_id == address_id
    alone: dict[str, Any] = {
        "address_id": address_id,
        "lead": Subscription.list_id,
        "given_name": Subscription.given_name,
        "language": Subscription.language,
        "list_ids": cast(Subscription.list_id, Text),
        "subscribed": ListChoice.list_id.is_(None),
    }

    def rows(columns: Mapping[str, Any]) -> Select[Any]:
        query = (
            select(*(column.label(label) for label, column in columns.items()))
            .outerjoin(ListChoice, permission.left_list(channel))
            .where(*within, *belongs(audience, list_ids))
        )
        return query.where(~on_excluded_list(audience, channel)) if audience.excluded_lists else query

    single = rows(alone).outerjoin(several, is_one_of).where(several.c.address_id.is_(None))
    grouped = rows(_said(address_id)).join(several, is_one_of).group_by(address_id).subquery("said")
    return union_all(single, _decided(audience, channel, list_ids, grouped)).subquery("people")


def _said(address_id: Term) -> dict[str, Any]:
    """Return what the rows of an address say together. A list its owner left counts for `any_list` alone."""
    kept = case((ListChoice.list_id.is_(None), Subscription.list_id))
    name, language = Subscription.given_name, Subscription.language
    return {
        "address_id": address_id,
        "first_list": func.min(kept),
        "last_list": func.max(kept),
        "any_list": func.min(Subscription.list_id),
        "given_name": func.min(name),
        "name_agrees": and_(func.min(name) == func.max(name), func.count(name) == func.count()),
        "first_language": func.min(language),
        "last_language": func.max(language),
    }


def _decided(audience: Audience, channel: Channel, list_ids: Sequence[int], said: Subquery) -> Select[Any]:
    """Decide between the rows of each address by the written rule."""
    most_recent = partial(_most_recent, audience, channel, list_ids, said.c.address_id)
    one_list = said.c.first_list == said.c.last_list
    said_something = said.c.first_language.is_not(None)
    language = case(
        (said.c.first_language == said.c.last_language, said.c.first_language),
        (said_something, most_recent(Subscription.language)),
    )
    decided: dict[str, ColumnElement[Any]] = {
        "address_id": said.c.address_id,
        "lead": func.coalesce(case((one_list, said.c.first_list)), most_recent(Subscription.list_id), said.c.any_list),
        "given_name": case((said.c.name_agrees, said.c.given_name)),
        "language": language,
        "list_ids": _all_lists(audience, channel, list_ids, said),
        "subscribed": said.c.first_list.is_not(None),
    }
    return select(*(column.label(label) for label, column in decided.items()))


def belongs(audience: Audience, list_ids: Sequence[int]) -> list[ColumnElement[bool]]:
    """Return what makes a row of a list part of an audience."""
    return [permission.on_one_of(list_ids), *fits(audience)]


def fits(audience: Audience) -> list[ColumnElement[bool]]:
    """Return what makes a row of an audience's lists part of it, whichever list it is on."""
    conditions = [
        Subscription.status == SubscriptionStatus.ACTIVE.value,
        Subscription.role.in_([role.value for role in audience.roles]),
    ]
    if audience.year_levels:
        conditions.append(in_year_levels(audience))
    return conditions


def in_year_levels(audience: Audience) -> ColumnElement[bool]:
    """Return what makes a row one of the year levels an audience names."""
    levels = func.coalesce("," + Subscription.year_levels + ",", "")
    return or_(*(levels.contains(f",{level},", autoescape=True) for level in audience.year_levels))


def on_excluded_list(audience: Audience, channel: Channel) -> ColumnElement[bool]:
    """Return whether the address of a row on a channel is on a list the audience excludes."""
    other, its_list = aliased(Subscription), aliased(ContactList)
    column = other.email_address_id if channel is Channel.EMAIL else other.sms_address_id
    return exists(
        select(1)
        .select_from(other)
        .join(its_list, its_list.id == other.list_id)
        .where(
            column == permission.address_of(channel),
            other.status == SubscriptionStatus.ACTIVE.value,
            its_list.code.in_(audience.excluded_lists),
        )
        .correlate(Subscription)
    )


def _rows_of(
    column: Term, audience: Audience, channel: Channel, list_ids: Sequence[int], address_id: ColumnElement[int]
) -> Select[Any]:
    """Return a column of the rows an address has in an audience, but for the lists its owner left."""
    return (
        select(column)
        .select_from(Subscription)
        .outerjoin(ListChoice, permission.left_list(channel))
        .where(permission.address_of(channel) == address_id, ListChoice.list_id.is_(None), *belongs(audience, list_ids))
    )


def _most_recent(
    audience: Audience, channel: Channel, list_ids: Sequence[int], address_id: ColumnElement[int], column: Term
) -> ScalarSelect[Any]:
    """Return what the most recent list that says something says; within one list, its latest row."""
    its_list = aliased(ContactList)
    return (
        _rows_of(column, audience, channel, list_ids, address_id)
        .join(its_list, its_list.id == Subscription.list_id)
        .where(column.is_not(None))
        .order_by(its_list.recency.desc(), Subscription.id.desc())
        .limit(1)
        .correlate_except(Subscription, ListChoice, its_list)
        .scalar_subquery()
    )


def _all_lists(
    audience: Audience, channel: Channel, list_ids: Sequence[int], said: Subquery
) -> ColumnElement[str | None]:
    """Return the ids of an address's lists as text; only an address on several lists pays for putting them together."""
    several = (
        _rows_of(Subscription.list_id.label("list_id"), audience, channel, list_ids, said.c.address_id)
        .distinct()
        .order_by(Subscription.list_id)
        .correlate_except(Subscription, ListChoice)
        .subquery()
    )
    together = select(func.aggregate_strings(cast(several.c.list_id, Text), ",")).scalar_subquery()
    return case(
        (said.c.first_list == said.c.last_list, cast(said.c.first_list, Text)),
        (said.c.first_list.is_(None), cast(said.c.any_list, Text)),
        else_=together,
    )


def _has_email(
    audience: Audience, list_ids: Sequence[int], mobile_id: ColumnElement[int], topic: str, now: Moment
) -> ColumnElement[bool]:
    """Return whether a row with this mobile number has an email address that may be written to."""
    rows = (
        select(1)
        .select_from(Subscription)
        .join(Address, Address.id == Subscription.email_address_id)
        .outerjoin(ListChoice, permission.left_list(Channel.EMAIL))
        .where(Subscription.sms_address_id == mobile_id, *belongs(audience, list_ids))
    )
    held = permission.reason(subscribed=ListChoice.list_id.is_(None), now=now)
    return exists(
        permission.joined(rows, topic)
        .where(held.is_(None))
        .correlate_except(Subscription, Address, ListChoice, Suppression, TopicChoice)
    )
