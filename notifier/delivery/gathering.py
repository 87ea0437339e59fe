"""The people of the next slice: which addresses it is about, and their rows in the slice's temporary table.

Everything the question depends on is one value (`Wanted`). So the people of a slice can be gathered while the slice
before is still being written: what was gathered is good if it is still exactly what is wanted. Nothing is written here
but the temporary table.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache, partial
from typing import Any

import orjson
from sqlalchemy import BigInteger, Select, bindparam, func, select
from sqlalchemy.orm import Session

from notifier.audiences import segments, slices
from notifier.audiences.permission import address_of
from notifier.audiences.segments import Audience
from notifier.delivery import slice_table
from notifier.delivery.models import Delivery
from notifier.delivery.slice_table import Alike
from notifier.kit.db import UtcDateTime, perform
from notifier.vocabulary import Channel, ChannelPolicy

# What the question leaves open.
_LATEST, _AFTER, _THROUGH = "latest", "after_address", "through_address"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A slice of a wave that is to be planned: up to `size` addresses with ids over `after`.

    `scope` is that of the wave, as JSON.
    """

    wave_id: int
    campaign_id: int
    occurrence: int
    scope: bytes
    due_at: datetime
    expires_at: datetime | None
    audience: Audience
    topic: str
    policy: ChannelPolicy
    channel: Channel
    after: int
    size: int


@dataclass(frozen=True, slots=True)
class Gathered:
    """A slice whose people stand in the temporary table: up to the address `through`, None if no address is left.

    `rows` is how many rows of all lists have an address in the slice, whoever they belong to.
    """

    wanted: Wanted
    after: int
    through: int | None
    rows: int = 0
    found: tuple[Alike, ...] = ()

    @property
    def following(self) -> Wanted | None:
        """The slice after this one, as far as it can be known before this one is written."""
        if self.through is None or not self.found or _first(self.wanted) is not None:
            return None
        return replace(self.wanted, after=self.through)


def gather(session: Session, slice_: Wanted, *, latest: datetime) -> Gathered:
    """Put the people of a slice into the temporary table.

    Whose own pause ends by `latest` is planned like everybody else, and waits for its end in a later batch. Raises
    NotFound if a list of the audience is not there.
    """
    audience, channel = slice_.audience, slice_.channel
    list_ids = segments.lists_of(session, audience)
    after = slice_.after or slices.span(session, audience, channel, list_ids).after
    room = _room(session, slice_)
    through = slices.slice_end(session, channel, after, slice_.size) if room != 0 else None
    if through is None:
        return Gathered(slice_, after, None)
    rows = _rows(session, channel, after, through)
    bounds = {_LATEST: latest, _AFTER: after, _THROUGH: through}
    members = _members(audience, channel, slice_.policy, tuple(list_ids), slice_.topic)
    slice_table.fill(
        session,
        members,
        bounds,
        channel=channel,
        wave_id=slice_.wave_id,
        campaign_id=slice_.campaign_id,
        occurrence=slice_.occurrence,
        scope=slice_.scope,
        room=room,
    )
    found = tuple(slice_table.alike(session))
    if not found:
        # Nobody was here, so where is the next one? A small audience is not looked for among everybody.
        through = slices.span(session, audience, channel, list_ids, after=through).after
    return Gathered(slice_, after, through, rows, found)


def is_good(session: Session, gathered: Gathered, slice_: Wanted) -> bool:
    """Whether what was gathered, in this transaction or before it, is what is wanted now, and nobody was erased since.

    Who may be written to is asked once more when a message leaves. But a copy of an address that was erased meanwhile
    would stay: an erasure takes at least one row of a list away.
    """
    if gathered.wanted != slice_:
        return False
    if gathered.through is None or not gathered.found:
        return True
    return _rows(session, slice_.channel, gathered.after, gathered.through) == gathered.rows


def _rows(session: Session, channel: Channel, after: int, through: int) -> int:
    rows: int = perform(session, _ROWS[channel], **{_AFTER: after, _THROUGH: through}).scalar_one()
    return rows


# Putting the question together takes longer than answering it for a few thousand addresses, and every slice asks it.
@lru_cache(maxsize=32)
def _members(
    audience: Audience, channel: Channel, policy: ChannelPolicy, list_ids: tuple[int, ...], topic: str
) -> Select[Any]:
    """Return the SELECT of an audience's addresses; which slice of them is asked for with the question."""
    choose = partial(segments.members, audience, channel)
    if channel is Channel.SMS and policy is ChannelPolicy.EMAIL_THEN_SMS:
        choose = partial(segments.members_not_reached_by_email, audience)
    return choose(
        list_ids=list_ids,
        topic=topic,
        now=bindparam(_LATEST, type_=UtcDateTime()),
        after=bindparam(_AFTER, type_=BigInteger()),
        through=bindparam(_THROUGH, type_=BigInteger()),
    )


def _first(slice_: Wanted) -> int | None:
    """Return how many a wave for the first so many is for, None for any other wave."""
    first: int | None = orjson.loads(slice_.scope).get("first")
    return first


def _room(session: Session, slice_: Wanted) -> int | None:
    """Return how many more deliveries of a channel a wave for the `first` so many may have, None for any other wave."""
    first = _first(slice_)
    if first is None:
        return None
    planned = select(func.count()).where(
        Delivery.campaign_id == slice_.campaign_id,
        Delivery.occurrence == slice_.occurrence,
        Delivery.channel == slice_.channel,
        Delivery.wave_id == slice_.wave_id,
    )
    return max(0, first - (session.scalar(planned) or 0))


_ROWS = {
    channel: select(func.count()).where(
        address_of(channel) > bindparam(_AFTER, type_=BigInteger()),
        address_of(channel) <= bindparam(_THROUGH, type_=BigInteger()),
    )
    for channel in Channel
}
