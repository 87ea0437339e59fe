"""From an audience to deliveries: who is written to, with which variant, in which batch.

A wave is planned channel by channel and slice by slice, each slice in a transaction of its own, so that other writers
never wait long and a crash loses at most one slice, which is then simply planned again. Within a slice everything is
set-based: the audience's SELECT fills a temporary table once; its few (language, region) pairs are resolved to
variants; one INSERT … SELECT writes the deliveries and numbers their batches. Whoever may not be written to gets a row
too, with the reason.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    MetaData,
    Select,
    String,
    Subquery,
    Table,
    Text,
    and_,
    case,
    cast,
    exists,
    func,
    insert,
    literal,
    null,
    select,
    update,
)
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateTable

from notifier.audiences import segments
from notifier.audiences.segments import Audience
from notifier.campaigns.models import Campaign
from notifier.delivery.batches import BatchStatus, reserve_ids
from notifier.delivery.models import Batch, Delivery, VariantRoute, Wave
from notifier.delivery.status import DeliveryStatus
from notifier.delivery.variants import Pair, Press, resolve, routes
from notifier.delivery.waves import WaveStatus
from notifier.vocabulary import Channel, ChannelPolicy, HoldBackReason

# The slice of an audience that is being planned. It lives only inside the transaction, and has no key: its rows are
# one for each address already, and an index would be paid for by every row and used by none.
_slice = Table(
    "planned_slice",
    MetaData(),
    Column("address_id", BigInteger),
    Column("destination", String(254)),
    Column("given_name", String(120)),
    Column("wanted_language", String(35)),
    Column("region", String(12)),
    Column("list_ids", Text),
    Column("hold_back", String(60)),
    prefixes=["TEMPORARY"],
)
_COLUMNS = [column.name for column in _slice.columns]

_QUEUED = DeliveryStatus.QUEUED.value
_HELD_BACK = DeliveryStatus.HELD_BACK.value


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """`[planning]`: how large a slice and a batch are.

    `slice_addresses`: addresses planned in one transaction. `email_batch`, `sms_batch`: deliveries in a batch, the unit
    a worker claims. `grace_s`: how late a wave may begin before it is held for a person, in seconds. `pause_wait_s`:
    how long a message waits at most for the end of a recipient's own pause, if its campaign does not expire before.
    """

    slice_addresses: int = 50_000
    email_batch: int = 1_000
    sms_batch: int = 200
    grace_s: float = 3_600.0
    pause_wait_s: float = 259_200.0

    def batch_size(self, channel: Channel) -> int:
        """Return the most deliveries of one batch."""
        return self.email_batch if channel is Channel.EMAIL else self.sms_batch

    def latest(self, expires_at: datetime | None, now: datetime) -> datetime:
        """Return until when a message may wait for its recipient."""
        longest = now + timedelta(seconds=self.pause_wait_s)
        return longest if expires_at is None else min(longest, expires_at)


@dataclass(frozen=True, slots=True)
class Planned:
    """What one slice came to."""

    channel: Channel
    deliveries: int
    finished: bool


def plan_slice(
    session: Session,
    wave: Wave,
    campaign: Campaign,
    audience: Audience,
    *,
    press: Press,
    settings: PlanSettings,
    now: datetime,
) -> Planned:
    """Plan the next slice of a wave; the last one marks the wave as planned."""
    channels = ChannelPolicy(campaign.channels).channels
    channel = Channel(wave.channel) if wave.channel else channels[0]
    after = wave.planned_through if wave.channel else 0
    room = _room(session, wave, channel)
    through = segments.slice_end(session, channel, after, settings.slice_addresses) if room != 0 else None
    if through is None:
        following = dict(pairwise(channels)).get(channel)
        _mark(
            session, wave, channel=following or channel, through=0 if following else after, finished=following is None
        )
        return Planned(channel, 0, finished=following is None)
    # Whose pause ends in time is planned like everybody else, and waits for its end in a later batch.
    latest = settings.latest(campaign.expires_at, max(now, wave.due_at))
    members = _members(session, campaign, audience, channel, now=latest, after=after, through=through)
    _fill_slice(session, wave, channel, members, room)
    sizes = _sizes(session)
    resolve(session, campaign, channel, [pair for pair, _, _ in sizes], press=press, now=now)
    _write(session, wave, campaign, channel, sizes, settings.batch_size(channel))
    planned = sum(everybody for _, everybody, _ in sizes)
    session.execute(_slice.delete())
    _mark(session, wave, channel=channel, through=through, planned=planned)
    return Planned(channel, planned, finished=False)


def _members(
    session: Session,
    campaign: Campaign,
    audience: Audience,
    channel: Channel,
    *,
    now: datetime,
    after: int,
    through: int,
) -> Select[Any]:
    """Return the SELECT of the audience's addresses in (after, through]."""
    choose = partial(segments.members, audience, channel)
    if channel is Channel.SMS and campaign.channels == ChannelPolicy.EMAIL_THEN_SMS:
        choose = partial(segments.members_not_reached_by_email, audience)
    list_ids = segments.lists_of(session, audience)
    return choose(list_ids=list_ids, topic=campaign.topic, now=now, after=after, through=through)


def _room(session: Session, wave: Wave, channel: Channel) -> int | None:
    """Return how many more deliveries of a channel a wave for the `first` so many may have, None for any other wave."""
    if "first" not in wave.scope:
        return None
    planned = select(func.count()).where(
        Delivery.campaign_id == wave.campaign_id,
        Delivery.occurrence == wave.occurrence,
        Delivery.channel == channel,
        Delivery.wave_id == wave.id,
    )
    return max(0, int(wave.scope["first"]) - (session.scalar(planned) or 0))


def _within(scope: Mapping[str, Any], chosen: Subquery) -> list[ColumnElement[bool]]:
    """Return what makes an address part of a wave."""
    conditions: list[ColumnElement[bool]] = []
    if "regions" in scope and not scope.get("rest"):
        conditions.append(chosen.c.region.in_(scope["regions"]))
    if "slot" in scope:
        which, of_how_many = scope["slot"]
        conditions.append(chosen.c.address_id % of_how_many == which)
    if "first" in scope:
        conditions.append(chosen.c.hold_back.is_(None))
    return conditions


def _fill_slice(session: Session, wave: Wave, channel: Channel, members: Select[Any], room: int | None) -> None:
    """Put the slice into the temporary table, leaving out whom an earlier wave of this round has already planned."""
    session.execute(CreateTable(_slice, if_not_exists=True))
    session.execute(_slice.delete())
    # The order of the members is of no use here; the deliveries are put in order when they are written.
    chosen = members.order_by(None).subquery()
    wanted = select(*[chosen.c[name] for name in _COLUMNS]).where(*_within(wave.scope, chosen))
    if _is_later_wave(session, wave):
        already = exists().where(
            Delivery.campaign_id == wave.campaign_id,
            Delivery.occurrence == wave.occurrence,
            Delivery.channel == channel,
            Delivery.address_id == chosen.c.address_id,
        )
        wanted = wanted.where(~already)
    if room is not None:
        wanted = wanted.order_by(chosen.c.address_id).limit(room)
    session.execute(insert(_slice).from_select(_COLUMNS, wanted))


def _is_later_wave(session: Session, wave: Wave) -> bool:
    earlier = select(Wave.id).where(
        Wave.campaign_id == wave.campaign_id, Wave.occurrence == wave.occurrence, Wave.id != wave.id
    )
    return session.scalar(earlier.limit(1)) is not None


def _sizes(session: Session) -> list[tuple[Pair, int, int]]:
    """Return every (language, region) of the slice, with how many addresses it has and how many are not held back."""
    free = func.count(case((_slice.c.hold_back.is_(None), 1)))
    rows = session.execute(
        select(_slice.c.wanted_language, _slice.c.region, func.count(), free).group_by(
            _slice.c.wanted_language, _slice.c.region
        )
    )
    return [((wanted, region), everybody, to_send) for wanted, region, everybody, to_send in rows]


def _write(
    session: Session, wave: Wave, campaign: Campaign, channel: Channel, sizes: list[tuple[Pair, int, int]], size: int
) -> None:
    """Write the deliveries of the slice and their batches."""
    variants = routes(session, campaign.id, channel)
    counts: Counter[int] = Counter()
    for pair, _, to_send in sizes:
        if (variant_id := variants[pair]) is not None and to_send:
            counts[variant_id] += to_send
    first_batch = _open_batches(session, wave, campaign, channel, size, counts)
    route = and_(
        VariantRoute.campaign_id == campaign.id,
        VariantRoute.channel == channel,
        VariantRoute.wanted == _slice.c.wanted_language,
        VariantRoute.region == _slice.c.region,
    )
    reason = case(
        (_slice.c.hold_back.is_not(None), _slice.c.hold_back),
        (VariantRoute.variant_id.is_(None), literal(HoldBackReason.NO_CONTENT.value)),
        else_=null(),
    )
    chosen = select(_slice, VariantRoute.variant_id, reason.label("reason")).join(VariantRoute, route).subquery()
    place = func.row_number().over(partition_by=[chosen.c.variant_id, chosen.c.reason], order_by=chosen.c.address_id)
    # Few variants, so a CASE is quicker than one more join; without any, nobody gets a batch.
    first = case(first_batch, value=chosen.c.variant_id) if first_batch else null()
    row: dict[str, ColumnElement[Any]] = {
        "campaign_id": literal(campaign.id),
        "occurrence": literal(wave.occurrence),
        "wave_id": literal(wave.id),
        "channel": literal(channel.value),
        "address_id": chosen.c.address_id,
        "destination": chosen.c.destination,
        "given_name": chosen.c.given_name,
        "list_ids": chosen.c.list_ids,
        "wanted_language": chosen.c.wanted_language,
        "region": chosen.c.region,
        "variant_id": chosen.c.variant_id,
        "reason": chosen.c.reason,
        "status": case((chosen.c.reason.is_(None), literal(_QUEUED)), else_=literal(_HELD_BACK)),
        "batch_id": case((chosen.c.reason.is_(None), cast(first, BigInteger) + (place - 1) // size)),
    }
    rows = select(*list(row.values())).select_from(chosen)
    session.execute(insert(Delivery).from_select(list(row), rows, include_defaults=False))


def _open_batches(
    session: Session, wave: Wave, campaign: Campaign, channel: Channel, size: int, counts: Mapping[int, int]
) -> dict[int, int]:
    """Make the batches for so many deliveries of each variant; return each variant's first batch id."""
    needed = {variant_id: -(-amount // size) for variant_id, amount in counts.items()}
    next_id = reserve_ids(session, sum(needed.values()))
    first: dict[int, int] = {}
    rows: list[dict[str, Any]] = []
    same = {
        "campaign_id": campaign.id,
        "wave_id": wave.id,
        "channel": channel,
        "priority": wave.priority,
        "due_at": wave.due_at,
        "expires_at": campaign.expires_at,
        "status": BatchStatus.READY,
    }
    for variant_id, amount in counts.items():
        first[variant_id] = next_id
        rows.extend(
            {**same, "id": next_id + place, "variant_id": variant_id, "size": min(size, amount - place * size)}
            for place in range(needed[variant_id])
        )
        next_id += needed[variant_id]
    if rows:
        session.execute(insert(Batch), rows)
    return first


def _mark(
    session: Session, wave: Wave, *, channel: Channel, through: int, planned: int = 0, finished: bool = False
) -> None:
    """Remember how far the wave is planned, in the same transaction as the deliveries themselves."""
    session.execute(
        update(Wave)
        .where(Wave.id == wave.id)
        .values(
            channel=channel,
            planned_through=through,
            planned=Wave.planned + planned,
            status=WaveStatus.PLANNED if finished else WaveStatus.PENDING,
        )
    )
