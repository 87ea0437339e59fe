"""From an audience to deliveries: who is written to, with which variant, in which batch.

A wave is planned channel by channel and slice by slice, each slice in a transaction of its own, so that other writers
never wait long and a crash loses at most one slice, which is then simply planned again. Within a slice everything is
set-based: the audience's SELECT fills a temporary table once (`gathering`); its few (language, region) pairs are
resolved to variants; one INSERT … SELECT writes the deliveries and numbers their batches. Whoever may not be written to
gets a row too, with the reason.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Insert,
    Integer,
    MetaData,
    String,
    Table,
    and_,
    bindparam,
    case,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.orm import Session

from notifier.audiences.segments import Audience
from notifier.campaigns.models import Campaign
from notifier.delivery.filling import Filled, Unfilled, fill
from notifier.delivery.gathering import Gathered, Wanted
from notifier.delivery.models import Delivery, Wave
from notifier.delivery.slice_table import Alike, planned_slice
from notifier.delivery.status import DeliveryStatus
from notifier.delivery.variants import Pair, Press, resolve, routes
from notifier.delivery.waves import WaveStatus
from notifier.kit.bulk import empty
from notifier.kit.db import perform
from notifier.vocabulary import Channel, ChannelPolicy, HoldBackReason

# Where the deliveries of each (language, region) of the slice go; the same words as in `filling.Seats`.
_seating = Table(
    "planned_seats",
    MetaData(),
    Column("wanted", String(35), primary_key=True),
    Column("region", String(12), primary_key=True),
    Column("variant_id", BigInteger),
    Column("begin", BigInteger),
    Column("first_batch", BigInteger),
    Column("following", BigInteger),
    prefixes=["TEMPORARY"],
    # A row that is only deleted goes on standing in the way there.
    postgresql_on_commit="DELETE ROWS",
)

_QUEUED = DeliveryStatus.QUEUED.value
_HELD_BACK = DeliveryStatus.HELD_BACK.value


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """`[planning]`: how large a slice and a batch are.

    `slice_addresses`: addresses planned in one transaction. `email_batch`, `sms_batch`: deliveries in a batch, the unit
    a worker claims. `grace_s`: how late a wave may begin before it is held for a person, in seconds. `pause_wait_s`:
    how long a message waits at most for the end of a recipient's own pause, if its campaign does not expire before.
    """

    slice_addresses: int = 10_000
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
    unfilled: Mapping[int, Unfilled]
    finished: bool


def next_slice(wave: Wave, campaign: Campaign, audience: Audience, settings: PlanSettings) -> Wanted:
    """Return the next slice of a wave."""
    policy = ChannelPolicy(campaign.channels)
    return Wanted(
        wave_id=wave.id,
        campaign_id=campaign.id,
        occurrence=wave.occurrence,
        scope=orjson.dumps(wave.scope, option=orjson.OPT_SORT_KEYS),
        due_at=wave.due_at,
        expires_at=campaign.expires_at,
        audience=audience,
        topic=campaign.topic,
        policy=policy,
        channel=Channel(wave.channel) if wave.channel else policy.channels[0],
        after=wave.planned_through if wave.channel else 0,
        size=settings.slice_addresses,
    )


def plan_slice(
    session: Session,
    wave: Wave,
    campaign: Campaign,
    gathered: Gathered,
    *,
    press: Press,
    settings: PlanSettings,
    unfilled: Mapping[int, Unfilled],
    now: datetime,
) -> Planned:
    """Plan the slice of a wave that was gathered; the last one marks the wave as planned.

    `unfilled` is what the slice before left unfilled, by variant; without it new batches are begun.
    """
    channel, found = gathered.wanted.channel, gathered.found
    if gathered.through is None:
        return _end_channel(session, wave, gathered.wanted)
    resolve(session, campaign, channel, [one.pair for one in found], press=press, now=now)
    left = _write(session, wave, campaign, channel, found, settings.batch_size(channel), unfilled)
    planned = sum(one.everybody for one in found)
    empty(session, planned_slice)
    _mark(session, wave, channel=channel, through=gathered.through, planned=planned)
    return Planned(channel, planned, left, finished=False)


def _end_channel(session: Session, wave: Wave, done: Wanted) -> Planned:
    """Go on with the next channel, or close the wave after its last."""
    following = dict(pairwise(done.policy.channels)).get(done.channel)
    through = 0 if following else done.after
    _mark(session, wave, channel=following or done.channel, through=through, finished=following is None)
    return Planned(done.channel, 0, {}, finished=following is None)


def _write(
    session: Session,
    wave: Wave,
    campaign: Campaign,
    channel: Channel,
    found: Sequence[Alike],
    size: int,
    unfilled: Mapping[int, Unfilled],
) -> Mapping[int, Unfilled]:
    """Write the deliveries of the slice and their batches; return the batches that have room left."""
    variants = routes(session, campaign.id, channel)
    amounts: Counter[int] = Counter()
    for one in found:
        if (variant_id := variants[one.pair]) is not None and one.free:
            amounts[variant_id] += one.free
    filled = fill(session, wave, campaign, channel, size, amounts, unfilled)
    empty(session, _seating)
    if found:
        session.connection().execute(insert(_seating), list(_seats(found, variants, filled)))
        perform(
            session,
            _DELIVERIES,
            the_campaign=campaign.id,
            the_occurrence=wave.occurrence,
            the_wave=wave.id,
            on_channel=channel.value,
            the_size=size,
        )
    return filled.unfilled


def _seats(
    found: Sequence[Alike], variants: Mapping[Pair, int | None], filled: Filled
) -> Iterator[dict[str, int | str | None]]:
    """Say for each (language, region) where its deliveries go; several of them may share a variant."""
    before: Counter[int] = Counter()
    for one in found:
        variant_id = variants[one.pair]
        seats = filled.seats.get(variant_id) if variant_id is not None else None
        begin = None
        if variant_id is not None and seats is not None:
            begin = seats.taken + before[variant_id] - one.first_place
            before[variant_id] += one.free
        yield {
            "wanted": one.pair[0],
            "region": one.pair[1],
            "variant_id": variant_id,
            "begin": begin,
            "first_batch": seats.first_batch if seats else None,
            "following": seats.following if seats else None,
        }


def _deliveries() -> Insert:
    """Return the INSERT of the deliveries of the slice."""
    seat = and_(_seating.c.wanted == planned_slice.c.wanted_language, _seating.c.region == planned_slice.c.region)
    goes = and_(planned_slice.c.hold_back.is_(None), _seating.c.variant_id.is_not(None))
    which = (planned_slice.c.place + _seating.c.begin) // bindparam("the_size", type_=Integer)
    no_content = case((_seating.c.variant_id.is_(None), literal(HoldBackReason.NO_CONTENT.value)))
    row: dict[str, ColumnElement[Any]] = {
        "campaign_id": bindparam("the_campaign", type_=BigInteger),
        "occurrence": bindparam("the_occurrence", type_=Integer),
        "wave_id": bindparam("the_wave", type_=BigInteger),
        "channel": bindparam("on_channel", type_=String),
        "address_id": planned_slice.c.address_id,
        "destination": planned_slice.c.destination,
        "given_name": planned_slice.c.given_name,
        "list_ids": planned_slice.c.list_ids,
        "wanted_language": planned_slice.c.wanted_language,
        "region": planned_slice.c.region,
        "variant_id": _seating.c.variant_id,
        "reason": func.coalesce(planned_slice.c.hold_back, no_content),
        "status": case((goes, literal(_QUEUED)), else_=literal(_HELD_BACK)),
        "batch_id": case((goes, case((which == 0, _seating.c.first_batch), else_=_seating.c.following + which))),
    }
    rows = select(*row.values()).select_from(planned_slice.join(_seating, seat)).order_by(planned_slice.c.place)
    return insert(Delivery).from_select(list(row), rows, include_defaults=False)


def _mark(
    session: Session, wave: Wave, *, channel: Channel, through: int, planned: int = 0, finished: bool = False
) -> None:
    """Remember how far the wave is planned, in the same transaction as the deliveries themselves."""
    perform(
        session,
        _MARK,
        the_wave=wave.id,
        at_channel=channel.value,
        through=through,
        more=planned,
        to=WaveStatus.PLANNED if finished else WaveStatus.PENDING,
    )


# What every slice says, put together once.
_DELIVERIES = _deliveries()
_MARK = (
    update(Wave)
    .where(Wave.id == bindparam("the_wave"))
    .values(
        channel=bindparam("at_channel"),
        planned_through=bindparam("through"),
        planned=Wave.planned + bindparam("more", type_=Integer),
        status=bindparam("to"),
    )
)
