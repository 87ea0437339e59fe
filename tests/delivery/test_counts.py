"""Kept counts agree with the ledger at every moment, whatever happens in between."""

from collections import Counter
from datetime import datetime
from random import Random

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from notifier.delivery.counts import batch_changed, cells, changed, refresh, school_cells
from notifier.delivery.models import Batch, Delivery, Variant
from notifier.delivery.school_counts import counted_units
from notifier.kit.db import Database
from tests.tracking.ledger import a_batch, a_campaign, a_delivery, a_wave

CHANCE = Random(1)  # noqa: S311 - a story, not a secret
Key = tuple[int, str, str, str, str]


def a_variant(session: Session, campaign_id: int, region: str, now: datetime) -> int:
    row = Variant(
        campaign_id=campaign_id,
        channel="email",
        readers="parents",
        language="en",
        region=region,
        content={},
        digest="d",
        created_at=now,
    )
    session.add(row)
    session.flush()
    return row.id


def from_the_ledger(session: Session, campaign_id: int) -> Counter[Key]:
    groups = (Delivery.variant_id, Delivery.channel, Delivery.region, Delivery.status, Delivery.reason)
    rows = session.execute(select(*groups, func.count()).where(Delivery.campaign_id == campaign_id).group_by(*groups))
    return Counter({(row[0] or 0, row[1], row[2], row[3], row[4] or ""): row[5] for row in rows})


def from_the_counts(session: Session, campaign_id: int) -> Counter[Key]:
    sums: Counter[Key] = Counter()
    for cell in cells(session, campaign_id):
        sums[cell.variant_id, cell.channel, cell.region, cell.status, cell.reason] += cell.number
    return sums


class Life:
    """A campaign whose batches are claimed, finished, given up and told about at random."""

    def __init__(self, session: Session, now: datetime, chance: Random = CHANCE) -> None:
        self.session = session
        self.chance = chance
        self.campaign = a_campaign(session, now)
        wave = a_wave(session, self.campaign, now)
        self.batches = [
            self._batch(wave, a_variant(session, self.campaign, region, now), region, now)
            for region in ("GR", "DE", "FR")
        ]
        for address in range(900, 905):
            a_delivery(session, address, campaign_id=self.campaign, wave_id=wave, status="held_back", reason="opt_out")

    def _batch(self, wave: int, variant: int, region: str, now: datetime) -> int:
        batch = a_batch(self.session, self.campaign, variant, now, wave_id=wave, size=6)
        for place in range(6):
            a_delivery(
                self.session,
                batch * 10 + place,
                campaign_id=self.campaign,
                wave_id=wave,
                batch_id=batch,
                variant_id=variant,
                region=region,
                list_ids=("7", "7,8", "", "9")[place % 4],
                status="queued",
            )
        return batch

    def _batch_is(self, batch: int, status: str, claims: int) -> None:
        self.session.execute(update(Batch).where(Batch.id == batch).values(status=status, claims=claims))

    def _deliveries_are(self, batch: int, before: str, after: str) -> None:
        self.session.execute(
            update(Delivery).where(Delivery.batch_id == batch, Delivery.status == before).values(status=after)
        )

    def _schools(self) -> Counter[tuple[int, str]]:
        return Counter({(cell.list_id, cell.status): cell.number for cell in school_cells(self.session, self.campaign)})

    def _schools_in_the_ledger(self) -> Counter[tuple[int, str]]:
        rows = self.session.execute(
            select(Delivery.list_ids, Delivery.status).where(Delivery.campaign_id == self.campaign)
        )
        return Counter((int(one or 0), status) for lists, status in rows for one in lists.split(","))

    def check(self) -> None:
        """Compare what is kept with the ledger."""
        assert from_the_counts(self.session, self.campaign) == from_the_ledger(self.session, self.campaign)
        assert self._schools() == self._schools_in_the_ledger()

    def step(self) -> None:
        """Let one thing happen."""
        batch = self.chance.choice(self.batches)
        status = self.session.scalars(select(Batch.status).where(Batch.id == batch)).one()
        happening = self.chance.choice(["refresh", "go on", "event", "event", "late receipt"])
        if happening == "refresh":
            refresh(self.session, limit=self.chance.randint(1, 3))
        elif happening == "go on" and status == "ready":
            self._batch_is(batch, "claimed", 1)
            self._deliveries_are(batch, "queued", "sending")
        elif happening == "go on" and status == "claimed":
            self._batch_is(batch, self.chance.choice(["done", "cancelled"]), 1)
            self._deliveries_are(batch, "sending", self.chance.choice(["accepted", "unknown", "sending"]))
        elif happening == "event":
            self._event(batch)
        elif happening == "late receipt":
            batch_changed(self.session, batch)
            self._deliveries_are(batch, self.chance.choice(["unknown", "sending"]), "accepted")

    def _event(self, batch: int) -> None:
        ids = self.session.scalars(
            select(Delivery.id).where(Delivery.batch_id == batch, Delivery.status.in_(["accepted", "delivered"]))
        ).all()
        some = [one for one in ids if self.chance.random() < 0.5]
        outcome, reason = self.chance.choice([("delivered", None), ("bounced", "hard_bounce")])
        self.session.execute(update(Delivery).where(Delivery.id.in_(some)).values(status=outcome, reason=reason))
        changed(self.session, select(Delivery.id).where(Delivery.id.in_(some)))


@pytest.mark.parametrize("seed", range(8))
def test_counts_agree_with_the_ledger_at_every_moment(database: Database, now: datetime, seed: int) -> None:
    chance = Random(seed)  # noqa: S311 - a story, not a secret
    with database.transaction() as session:
        life = Life(session, now, chance)
        for _ in range(60):
            life.step()
            life.check()


def test_a_finished_campaign_is_read_from_kept_counts_alone(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        life = Life(session, now)
        for batch in life.batches:
            life._batch_is(batch, "done", 1)
            life._deliveries_are(batch, "queued", "accepted")
        assert refresh(session) == 4
        assert refresh(session) == 0
        life.check()
        assert len(session.scalars(counted_units(life.campaign)).all()) == 4
        assert from_the_counts(session, life.campaign) == from_the_ledger(session, life.campaign)
        # The ledger is not asked: a change nobody told of is not seen.
        life._deliveries_are(life.batches[0], "accepted", "failed")
        assert from_the_counts(session, life.campaign) != from_the_ledger(session, life.campaign)
