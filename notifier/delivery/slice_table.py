"""The slice of an audience that is being planned: a temporary table of the connection, in order.

It is filled by the audience's SELECT once; what is alike (language, region, held back or not) stands together in it, so
that the place of a row says which batch it goes into. It lives only inside the transaction, and nothing else is written
here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Insert,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Select,
    String,
    Subquery,
    Table,
    Text,
    bindparam,
    case,
    exists,
    func,
    insert,
    select,
)
from sqlalchemy.orm import Session

from notifier.delivery.models import Delivery, Wave
from notifier.delivery.variants import Pair
from notifier.kit.bulk import empty
from notifier.kit.db import perform, plain_rows
from notifier.vocabulary import Channel

planned_slice = Table(
    "planned_slice",
    MetaData(),
    Column("place", Integer),
    Column("address_id", BigInteger),
    Column("destination", String(254)),
    Column("given_name", String(120)),
    Column("wanted_language", String(35)),
    Column("region", String(12)),
    Column("list_ids", Text),
    Column("hold_back", String(60)),
    # On SQLite this is the number of the row itself; PostgreSQL would keep an index that nobody asks.
    PrimaryKeyConstraint("place").ddl_if(dialect="sqlite"),
    prefixes=["TEMPORARY"],
    # A row that is only deleted goes on standing in the way there.
    postgresql_on_commit="DELETE ROWS",
)
_COLUMNS = [column.name for column in planned_slice.columns if not column.primary_key]

# What `fill` leaves open in its statement.
_CAMPAIGN, _OCCURRENCE, _ROOM = "the_campaign", "the_occurrence", "room"


@dataclass(frozen=True, slots=True)
class Alike:
    """The addresses of one (language, region) in a slice: their first place, and how many, `free` if not held back."""

    pair: Pair
    first_place: int
    everybody: int
    free: int


def fill(
    session: Session,
    members: Select[Any],
    bounds: Mapping[str, Any],
    *,
    channel: Channel,
    wave_id: int,
    campaign_id: int,
    occurrence: int,
    scope: bytes,
    room: int | None,
) -> None:
    """Fill the table with a slice, leaving out whom an earlier wave of this round has already planned.

    `bounds` are the values that `members` leaves open, `scope` is that of the wave, as JSON with its keys in order, and
    `room` the most rows there may be (None: any number).
    """
    empty(session, planned_slice)
    round_ = {_CAMPAIGN: campaign_id, _OCCURRENCE: occurrence}
    later = perform(session, _OTHER_WAVE, **round_, the_wave=wave_id).first() is not None
    limit = {} if room is None else {_ROOM: room}
    statement = _filling(members, channel, scope, later=later, limited=bool(limit))
    perform(session, statement, **bounds, **(round_ if later else {}), **limit)


# Put together once for a wave; every slice asks it.
@lru_cache(maxsize=32)
def _filling(members: Select[Any], channel: Channel, scope: bytes, *, later: bool, limited: bool) -> Insert:
    chosen = members.order_by(None).subquery()
    wanted = select(*[chosen.c[name] for name in _COLUMNS]).where(*_within(orjson.loads(scope), chosen))
    if later:
        already = exists().where(
            Delivery.campaign_id == bindparam(_CAMPAIGN, type_=BigInteger),
            Delivery.occurrence == bindparam(_OCCURRENCE, type_=Integer),
            Delivery.channel == channel,
            Delivery.address_id == chosen.c.address_id,
        )
        wanted = wanted.where(~already)
    if limited:
        first = wanted.order_by(chosen.c.address_id).limit(bindparam(_ROOM, type_=Integer)).subquery()
        wanted = select(*[first.c[name] for name in _COLUMNS])
    # Alike next to each other, and those held back behind them: then a place says which batch, and nobody counts rows.
    # Nothing else, or most of the time would go into comparing rows that are alike.
    columns = wanted.selected_columns
    order = (columns.wanted_language, columns.region, columns.hold_back.is_not(None))
    return insert(planned_slice).from_select(_COLUMNS, wanted.order_by(*order))


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


def alike(session: Session) -> list[Alike]:
    """Return what stands next to each other in the slice."""
    return [Alike((wanted, region), *numbers) for wanted, region, *numbers in plain_rows(session, _GROUPS)]


# What every slice asks, put together once.
_group = (planned_slice.c.wanted_language, planned_slice.c.region)
_free = func.count(case((planned_slice.c.hold_back.is_(None), 1)))
_GROUPS = select(*_group, func.min(planned_slice.c.place), func.count(), _free).group_by(*_group)
_OTHER_WAVE = (
    select(Wave.id)
    .where(
        Wave.campaign_id == bindparam(_CAMPAIGN),
        Wave.occurrence == bindparam(_OCCURRENCE),
        Wave.id != bindparam("the_wave"),
    )
    .limit(1)
)
