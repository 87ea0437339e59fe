"""A portion of what is to be applied: taken out of the table where it waits, and laid out event by event.

Both tables live only inside the transaction. Nothing is decided here.
"""

from sqlalchemy import JSON, BigInteger, Column, Integer, MetaData, String, Table, cast, func, insert, select, true
from sqlalchemy.orm import Session

from notifier.kit.bulk import empty, take_first
from notifier.kit.db import BigId, UtcDateTime, perform
from notifier.kit.dialects import ElementsOf
from notifier.tracking.models import PendingEvent
from notifier.vocabulary import EventKind

# The lines as they waited: one for all deliveries that were told the same at the same moment.
LINES = Table(
    "taken_lines",
    MetaData(),
    Column("id", BigId),
    Column("provider", String(20)),
    Column("kind", String(20)),
    Column("delivery_ids", JSON),
    Column("destination", String(254)),
    Column("occurred_at", UtcDateTime),
    Column("received_at", UtcDateTime),
    Column("code", String(60)),
    Column("number", Integer),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DELETE ROWS",
)

# What they say of each delivery.
TAKEN = Table(
    "taken_events",
    MetaData(),
    Column("provider", String(20)),
    Column("kind", String(20)),
    Column("delivery_id", BigInteger),
    Column("occurred_at", UtcDateTime),
    Column("code", String(60)),
    prefixes=["TEMPORARY"],
    postgresql_on_commit="DELETE ROWS",
)

_KINDS = select(LINES.c.kind, func.sum(LINES.c.number)).group_by(LINES.c.kind)
_EACH = ElementsOf(LINES.c.delivery_ids).table_valued("value", name="each")
_LAY_OUT = insert(TAKEN).from_select(
    ["provider", "kind", "delivery_id", "occurred_at", "code"],
    select(
        LINES.c.provider, LINES.c.kind, cast(_EACH.c.value, BigInteger), LINES.c.occurred_at, LINES.c.code
    ).select_from(LINES.join(_EACH, true())),
)


def take(session: Session, *, limit: int) -> dict[EventKind, int]:
    """Take up to `limit` events, more only where one line holds more; return how many there are of each kind."""
    take_first(session, PendingEvent, LINES, limit=limit)
    kinds = {EventKind(kind): number for kind, number in perform(session, _KINDS)}
    if kinds:
        empty(session, TAKEN)
        perform(session, _LAY_OUT)
    return kinds
