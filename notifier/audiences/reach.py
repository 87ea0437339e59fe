"""Who an audience reaches and who not, counted: the answer to "who, exactly, and why not the others".

The same SELECT as the planner's, counted instead of inserted. Nothing here writes.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session, aliased

from notifier.audiences import lists
from notifier.audiences.definitions import Audience
from notifier.audiences.models import Address, ContactList, Subscription, SubscriptionStatus
from notifier.audiences.permission import address_of, on_one_of
from notifier.audiences.segments import belongs, in_year_levels, lists_of, members, on_excluded_list
from notifier.vocabulary import Channel


@dataclass(frozen=True, slots=True)
class ChannelReach:
    """The addresses of one channel. `schools` counts an address once for each of its lists.

    `other_language` counts addresses that are left out because the audience is of other languages. `disagreements`
    counts the addresses about which rows say different things, which the written rule settles (docs/audiences.md).
    """

    channel: Channel
    reachable: int
    languages: Mapping[str, int]
    regions: Mapping[str, int]
    schools: Mapping[str, int]
    held_back: Mapping[str, int]
    other_language: int
    disagreements: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Reach:
    """What `notifier audiences count` says. `left_out` counts rows of the audience's lists that give no address."""

    audience: str
    lists: int
    channels: tuple[ChannelReach, ...]
    left_out: Mapping[str, int]


def count(session: Session, audience: Audience, *, topic: str, now: datetime) -> Reach:
    """Count an audience on both channels. `topic` "" asks regardless of topics."""
    list_ids = lists_of(session, audience)
    names = lists.names_of(session, list_ids)
    return Reach(
        audience=audience.name,
        lists=len(list_ids),
        channels=tuple(_channel(session, audience, channel, list_ids, names, topic, now) for channel in Channel),
        left_out=_left_out(session, audience, list_ids),
    )


def _channel(
    session: Session,
    audience: Audience,
    channel: Channel,
    list_ids: list[int],
    names: Mapping[int, str],
    topic: str,
    now: datetime,
) -> ChannelReach:
    last = session.scalar(select(func.max(Address.id))) or 0
    of_any_language = replace(audience, languages=())
    found = members(of_any_language, channel, list_ids=list_ids, topic=topic, now=now, after=0, through=last).subquery()
    group = (found.c.wanted_language, found.c.region, found.c.list_ids, found.c.hold_back)
    languages, regions, schools, held_back = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    other_language = 0
    for language, region, reached_through, reason, number in session.execute(
        select(*group, func.count()).group_by(*group)
    ):
        if audience.languages and language not in audience.languages:
            other_language += number
            continue
        if reason is not None:
            held_back[reason] += number
            continue
        languages[language] += number
        regions[region] += number
        for list_id in reached_through.split(","):
            schools[names[int(list_id)]] += number
    return ChannelReach(
        channel=channel,
        reachable=languages.total(),
        languages=_sorted(languages),
        regions=_sorted(regions),
        schools=_sorted(schools),
        held_back=_sorted(held_back),
        other_language=other_language,
        disagreements=_disagreements(session, audience, channel, list_ids),
    )


def _disagreements(session: Session, audience: Audience, channel: Channel, list_ids: list[int]) -> dict[str, int]:
    address_id = address_of(channel)
    said = {"language": Subscription.language, "region": ContactList.region, "given_name": Subscription.given_name}
    differs = {name: func.min(column) != func.max(column) for name, column in said.items()}
    # Few addresses stand on several rows. Which they are, the index of addresses says alone.
    other = aliased(Subscription)
    on_other = address_of(channel, other)
    repeated = select(on_other).where(on_other.is_not(None)).group_by(on_other).having(func.count() > 1)
    addresses = (
        select(*(condition.label(name) for name, condition in differs.items()))
        .join(ContactList, ContactList.id == Subscription.list_id)
        .where(address_id.in_(repeated), *belongs(audience, list_ids))
        .group_by(address_id)
        .having(func.count() > 1)
        .subquery()
    )
    row = session.execute(select(*(func.count().filter(addresses.c[name]).label(name) for name in said))).one()
    return {name: getattr(row, name) for name in said}


def _left_out(session: Session, audience: Audience, list_ids: list[int]) -> dict[str, int]:
    on_lists = (on_one_of(list_ids), Subscription.status == SubscriptionStatus.ACTIVE.value)
    roles = [role.value for role in audience.roles]
    email, mobile = Subscription.email_address_id, Subscription.sms_address_id
    left_out: dict[str, ColumnElement[int]] = {
        "no_email": func.count().filter(email.is_(None), Subscription.role.in_(roles)),
        "no_mobile": func.count().filter(mobile.is_(None), Subscription.role.in_(roles)),
        "other_role": func.count().filter(Subscription.role.not_in(roles)),
    }
    if audience.year_levels:
        left_out["other_year_level"] = func.count().filter(Subscription.role.in_(roles), ~in_year_levels(audience))
    if audience.excluded_lists:
        excluded = or_(*(on_excluded_list(audience, channel) for channel in Channel))
        left_out["on_excluded_list"] = func.count().filter(Subscription.role.in_(roles), excluded)
    row = session.execute(select(*left_out.values()).where(*on_lists)).one()
    return dict(zip(left_out, row, strict=True))


def _sorted(counter: Counter[str]) -> dict[str, int]:
    return dict(counter.most_common())
