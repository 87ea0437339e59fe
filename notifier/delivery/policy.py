"""May these deliveries go now? One question to the database for a whole group, and one decision about each.

The first "no" wins, and the order is the policy: an expired message is held back whatever its reader wants; then what
the reader decided, and what providers told us about the address (`audiences.permission`, the same definition the
planner used, asked again at the last moment, so that an opt-out also stops what is already queued).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Integer, Select, bindparam, literal, select
from sqlalchemy.orm import Session

from notifier.audiences import permission
from notifier.audiences.models import Address
from notifier.delivery.later import HAS_QUIET_HOURS, LOOK_CLOSER, Patience, sort_out
from notifier.delivery.models import Delivery
from notifier.delivery.queue import Claim
from notifier.delivery.status import DeliveryStatus
from notifier.kit.bulk import read_plain_rows
from notifier.kit.db import UtcDateTime
from notifier.vocabulary import Channel, HoldBackReason

# (delivery id, address id, destination, given name, list ids, reason to hold back or None)
Candidate = tuple[int, int, str, str | None, str, str | None]


# Asked last: whoever has quiet hours of their own is looked at once more.
_LOOK_CLOSER = ((Address.quiet_from.is_not(None), HAS_QUIET_HOURS),)


# What a question leaves open.
_BATCH, _AT_MOST, _MOMENT = "the_batch", "at_most", "the_moment"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who of a group may be written to now, who later, and who not, by reason."""

    send: list[Candidate]
    hold_back: dict[str, list[int]]
    later: dict[datetime, list[int]]
    last_id: int


def judge(
    session: Session,
    claim: Claim,
    *,
    topic: str,
    list_ids: Sequence[int],
    limit: int,
    patience: Patience,
    now: datetime,
) -> Verdict | None:
    """Decide about the next `limit` untouched deliveries of a batch; None if there are none left."""
    if claim.expires_at is not None and claim.expires_at <= now:
        question = _EXPIRED
    else:
        question = _question(claim.channel, topic, tuple(list_ids))
    asked = {_BATCH: claim.batch_id, _AT_MOST: limit, _MOMENT: now}
    rows: list[Candidate] = read_plain_rows(session, question, **asked)
    if not rows:
        return None
    last_id = max(rows)[0]
    held: dict[str, list[int]] = {}
    send: list[Candidate] = []
    closer: list[Candidate] = []
    for row in rows:
        if row[5] is None:
            send.append(row)
        elif row[5] in LOOK_CLOSER:
            closer.append(row)
        else:
            held.setdefault(row[5], []).append(row[0])
    if not closer:
        return Verdict(send, held, {}, last_id)
    found = sort_out(session, closer, patience, now=now)
    return Verdict(send + found.go, held | found.hold_back, found.later, last_id)


# The next deliveries of a batch that nothing has been done about. They are chosen before anything is joined to them, or
# PostgreSQL would ask about the whole rest of the batch for each group of it.
_NEXT = (
    select(Delivery.id, Delivery.address_id, Delivery.destination, Delivery.given_name, Delivery.list_ids)
    .where(Delivery.batch_id == bindparam(_BATCH, type_=BigInteger()), Delivery.status == DeliveryStatus.QUEUED)
    .order_by(Delivery.id)
    .limit(bindparam(_AT_MOST, type_=Integer()))
    .subquery("untouched")
)
_EXPIRED = select(*_NEXT.c, literal(HoldBackReason.EXPIRED.value))


# Putting the question together takes as long as answering it, and a campaign asks the same one for every batch.
@lru_cache(maxsize=64)
def _question(channel: Channel, topic: str, list_ids: tuple[int, ...]) -> Select[Any]:
    moment = bindparam(_MOMENT, type_=UtcDateTime())
    # As values of the statement: a list of values would be written into it anew each time.
    ids = [literal(list_id) for list_id in list_ids]
    return permission.with_hold_back(
        select(*_NEXT.c), _NEXT.c.address_id, channel, topic=topic, now=moment, list_ids=ids, also=_LOOK_CLOSER
    )
