"""The delivery status machine: one test per arrow, and none that is not drawn."""

from datetime import datetime
from itertools import product

import pytest
from sqlalchemy import insert, select

from notifier.delivery.models import Delivery
from notifier.delivery.status import ARROWS, DeliveryStatus, advance
from notifier.kit.db import Database

ALL_PAIRS = list(product(DeliveryStatus, DeliveryStatus))
DRAWN = [(start, end) for start, ends in ARROWS.items() for end in sorted(ends)]
NOT_DRAWN = [pair for pair in ALL_PAIRS if pair not in DRAWN]


def _one(database: Database, status: DeliveryStatus) -> None:
    with database.transaction() as session:
        session.execute(
            insert(Delivery).values(
                id=1,
                campaign_id=1,
                wave_id=1,
                channel="email",
                address_id=1,
                list_ids="1",
                wanted_language="",
                region="DE",
                status=status,
            )
        )


def _status(database: Database) -> str:
    with database.reading() as session:
        return session.scalars(select(Delivery.status)).one()


@pytest.mark.parametrize(("start", "end"), DRAWN)
def test_an_arrow_that_is_drawn_can_be_taken(
    database: Database, now: datetime, start: DeliveryStatus, end: DeliveryStatus
) -> None:
    _one(database, start)
    with database.transaction() as session:
        assert advance(session, [1], end, at=now) == 1
    assert _status(database) == end


def test_no_other_arrow_can_be_taken(database: Database, now: datetime) -> None:
    for start, end in NOT_DRAWN:
        with database.transaction() as session:
            session.query(Delivery).delete()
        _one(database, start)
        with database.transaction() as session:
            assert advance(session, [1], end, at=now) == 0, (start, end)
        assert _status(database) == start


@pytest.mark.parametrize(
    ("end", "column"),
    [
        (DeliveryStatus.ACCEPTED, "accepted_at"),
        (DeliveryStatus.DELIVERED, "delivered_at"),
        (DeliveryStatus.BOUNCED, "bounced_at"),
        (DeliveryStatus.FAILED, "failed_at"),
    ],
)
def test_entering_a_state_keeps_its_moment(database: Database, now: datetime, end: DeliveryStatus, column: str) -> None:
    _one(database, DeliveryStatus.SENDING)
    with database.transaction() as session:
        advance(session, [1], end, at=now)
    with database.reading() as session:
        assert getattr(session.scalars(select(Delivery)).one(), column) == now


def test_moving_nobody_is_no_question_to_the_database(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        assert advance(session, [], DeliveryStatus.ACCEPTED, at=now) == 0
