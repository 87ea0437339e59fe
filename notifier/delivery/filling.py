"""Which batch each delivery of a slice goes into.

Slices are small, so that nobody waits long for one, and batches are large, so that few have to be claimed: what a slice
leaves unfilled the next one fills up, as long as no worker has taken it. The promise is in the UPDATE: a batch grows
only while it is ready and was never claimed, in the transaction that writes its new deliveries.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, insert, update
from sqlalchemy.orm import Session

from notifier.campaigns.models import Campaign
from notifier.delivery.batches import BatchStatus, reserve_ids
from notifier.delivery.models import Batch, Wave
from notifier.vocabulary import Channel


@dataclass(frozen=True, slots=True)
class Unfilled:
    """A batch that has room left: so many deliveries are in it."""

    batch_id: int
    size: int


@dataclass(frozen=True, slots=True)
class Seats:
    """Where the deliveries of one variant go, counted from 0: number n sits in place `taken` + n of a row of batches.

    The first batch of the row is `first_batch`, batch number k after it is `following` + k.
    """

    first_batch: int
    following: int
    taken: int


@dataclass(frozen=True, slots=True)
class Filled:
    """The seats of every variant of a slice, and the batches that have room left after it."""

    seats: Mapping[int, Seats]
    unfilled: Mapping[int, Unfilled]


def fill(
    session: Session,
    wave: Wave,
    campaign: Campaign,
    channel: Channel,
    size: int,
    amounts: Mapping[int, int],
    unfilled: Mapping[int, Unfilled],
) -> Filled:
    """Find room for so many deliveries of each variant, in batches of up to `size`."""
    grown = _grow(session, size, amounts, unfilled)
    rest = {
        variant_id: amount - (size - grown[variant_id].size if variant_id in grown else 0)
        for variant_id, amount in amounts.items()
    }
    needed = {variant_id: max(0, -(-amount // size)) for variant_id, amount in rest.items()}
    next_id = reserve_ids(session, sum(needed.values()))
    seats: dict[int, Seats] = {}
    left: dict[int, Unfilled] = dict(unfilled)
    rows: list[dict[str, Any]] = []
    for variant_id, amount in amounts.items():
        tail = grown.get(variant_id)
        seats[variant_id] = Seats(next_id, next_id, 0) if tail is None else Seats(tail.batch_id, next_id - 1, tail.size)
        rows.extend(
            {"id": next_id + place, "variant_id": variant_id, "size": min(size, rest[variant_id] - place * size)}
            for place in range(needed[variant_id])
        )
        next_id += needed[variant_id]
        last = rows[-1] if needed[variant_id] else None
        if last is not None:
            left[variant_id] = Unfilled(last["id"], last["size"])
        elif tail is not None:
            left[variant_id] = Unfilled(tail.batch_id, tail.size + amount)
    if rows:
        same = _same(wave, campaign, channel)
        session.execute(insert(Batch), [same | row for row in rows])
    return Filled(seats, {variant_id: one for variant_id, one in left.items() if one.size < size})


def _grow(
    session: Session, size: int, amounts: Mapping[int, int], unfilled: Mapping[int, Unfilled]
) -> dict[int, Unfilled]:
    """Put deliveries into batches that have room, where nobody has claimed them; return those, as they were before."""
    wanted = {variant_id: unfilled[variant_id] for variant_id in amounts if variant_id in unfilled}
    if not wanted:
        return {}
    sizes = {one.batch_id: min(size, one.size + amounts[variant_id]) for variant_id, one in wanted.items()}
    grown = session.scalars(
        update(Batch)
        .where(Batch.id.in_(sizes), Batch.status == BatchStatus.READY, Batch.claims == 0)
        .values(size=case(sizes, value=Batch.id))
        .returning(Batch.id),
        execution_options={"synchronize_session": False},
    ).all()
    return {variant_id: one for variant_id, one in wanted.items() if one.batch_id in grown}


def _same(wave: Wave, campaign: Campaign, channel: Channel) -> dict[str, Any]:
    return {
        "campaign_id": campaign.id,
        "wave_id": wave.id,
        "channel": channel,
        "priority": wave.priority,
        "due_at": wave.due_at,
        "expires_at": campaign.expires_at,
        "status": BatchStatus.READY,
    }
