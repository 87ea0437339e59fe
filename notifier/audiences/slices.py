"""Where an audience begins and ends among all addresses, and where each slice of them ends.

An audience is planned slice by slice in the order of address ids. One school among a thousand has few of them, and who
writes to it urgently must not wait until the ids of all the others have been walked through. Nothing here writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, Integer, bindparam, func, select
from sqlalchemy.orm import Session

from notifier.audiences.definitions import Audience
from notifier.audiences.models import Address, Subscription
from notifier.audiences.permission import address_of
from notifier.audiences.segments import fits
from notifier.kit.db import perform
from notifier.kit.dialects import WithoutIndex
from notifier.vocabulary import Channel

# Lists of up to so many rows are asked for their addresses; with more, walking through everybody's is as quick.
_FEW = 100_000


@dataclass(frozen=True, slots=True)
class Span:
    """The address ids in (after, through]."""

    after: int
    through: int


def span(
    session: Session,
    audience: Audience,
    channel: Channel,
    list_ids: Sequence[int],
    *,
    after: int = 0,
    few: int = _FEW,
) -> Span:
    """Return where the addresses of an audience on a channel lie among those with ids over `after`.

    Nobody of the audience is outside of it. It is close around an audience whose lists have up to `few` rows, and all
    the rest for a larger one; it is empty, at the end of all addresses, if nobody is left.
    """
    last = perform(session, _LAST, on_channel=channel.value, after_address=after).scalar() or after
    if _are_many(session, list_ids, few):
        return Span(after, last)
    # By the index of the list: that of the address would walk through everybody else's.
    address_id = WithoutIndex(address_of(channel).expression)
    rows = select(func.min(address_id), func.max(address_id)).where(
        Subscription.list_id.in_(list_ids), address_id > after, *fits(audience)
    )
    own_first, own_last = perform(session, rows).one()
    return Span(last, last) if own_first is None else Span(own_first - 1, own_last)


def slice_end(session: Session, channel: Channel, after: int, size: int) -> int | None:
    """Return the last address id of the next slice of up to `size` addresses, or None if there is no address left."""
    within = {"on_channel": channel.value, "after_address": after}
    return (
        perform(session, _SLICE_END, **within, so_many=size - 1).scalar() or perform(session, _LAST, **within).scalar()
    )


def _are_many(session: Session, list_ids: Sequence[int], few: int) -> bool:
    some = select(Subscription.id).where(Subscription.list_id.in_(list_ids)).limit(few + 1).subquery()
    return (session.scalar(select(func.count()).select_from(some)) or 0) > few


_ahead = (Address.channel == bindparam("on_channel"), Address.id > bindparam("after_address", type_=BigInteger))
_SLICE_END = select(Address.id).where(*_ahead).order_by(Address.id).offset(bindparam("so_many", type_=Integer)).limit(1)
_LAST = select(func.max(Address.id)).where(*_ahead)
