"""Who an audience reaches and who not, counted: the answer to "who, exactly, and why not the others".

The same SELECT as the planner's, counted instead of inserted. Nothing here writes.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier.audiences import lists
from notifier.audiences.definitions import Audience
from notifier.audiences.models import Address, Subscription, SubscriptionStatus
from notifier.audiences.segments import lists_of, members
from notifier.vocabulary import Channel


@dataclass(frozen=True, slots=True)
class ChannelReach:
    """The addresses of one channel. `schools` counts an address once for each of its lists."""

    channel: Channel
    reachable: int
    languages: Mapping[str, int]
    regions: Mapping[str, int]
    schools: Mapping[str, int]
    held_back: Mapping[str, int]


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
    found = members(audience, channel, list_ids=list_ids, topic=topic, now=now, after=0, through=last).subquery()
    group = (found.c.wanted_language, found.c.region, found.c.list_ids, found.c.hold_back)
    languages, regions, schools, held_back = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for language, region, reached_through, reason, number in session.execute(
        select(*group, func.count()).group_by(*group)
    ):
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
    )


def _left_out(session: Session, audience: Audience, list_ids: list[int]) -> dict[str, int]:
    on_lists = (Subscription.list_id.in_(list_ids), Subscription.status == SubscriptionStatus.ACTIVE.value)
    roles = [role.value for role in audience.roles]
    email, mobile = Subscription.email_address_id, Subscription.sms_address_id
    no_email, no_mobile, other_role = session.execute(
        select(
            func.count().filter(email.is_(None), Subscription.role.in_(roles)),
            func.count().filter(mobile.is_(None), Subscription.role.in_(roles)),
            func.count().filter(Subscription.role.not_in(roles)),
        ).where(*on_lists)
    ).one()
    return {"no_email": no_email, "no_mobile": no_mobile, "other_role": other_role}


def _sorted(counter: Counter[str]) -> dict[str, int]:
    return dict(counter.most_common())
