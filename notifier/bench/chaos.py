"""`notifier bench chaos`: kill the processes again and again while a provider misbehaves, and count who got what.

Real processes on real sockets: two workers, a scheduler, the web, and a sandbox that is slow, busy, broken, hangs up
before and after it has taken a request, and posts its webhooks late, twice and out of order. Workers and scheduler are
killed without a word (SIGKILL) at random moments. In the middle PostgreSQL is stopped at once and started again, or
SQLite finds its disk full. At the end the ledger is compared with what the sandbox says it took, address by address.
"""

import random
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier.bench import mishaps
from notifier.bench.comparison import compare
from notifier.bench.ground import Ground, Kind, Workshop, ground
from notifier.bench.neighbours import Neighbours
from notifier.bench.people import (
    NEVER_QUIET,
    WITNESS,
    approved_campaign,
    settle_in,
    settle_witness,
    witness_audiences,
)
from notifier.bootstrap import House
from notifier.delivery.models import Attempt, Delivery, Wave
from notifier.delivery.status import DeliveryStatus
from notifier.kit.db import DatabaseUnavailable
from notifier.vocabulary import Channel, ChannelPolicy

PATIENCE_S = 600.0
_VICTIMS = ("work", "work", "schedule")
_BEHAVIOUR = {
    "latency_s": 0.15,
    "throttle_rate": 0.05,
    "retry_after_s": 0.2,
    "error_rate": 0.05,
    "cut_rate": 0.04,
    "lose_rate": 0.04,
    "hang_rate": 0.02,
    "hang_s": 4.0,
    "bounce_rate": 0.02,
    "defer_rate": 0.05,
    "duplicate_rate": 0.1,
    "reorder": 1.0,
    "webhook_delay_s": 0.5,
}
_CALM = {"latency_s": 0, "throttle_rate": 0, "error_rate": 0, "cut_rate": 0, "lose_rate": 0, "hang_rate": 0}
_SETTINGS = {
    "NOTIFIER_WORKER_LEASE_S": "3",
    "NOTIFIER_WORKER_POLL_S": "0.05",
    "NOTIFIER_WORKER_EMAIL_IN_FLIGHT": "2",
    "NOTIFIER_WORKER_SMS_IN_FLIGHT": "2",
    "NOTIFIER_SENDGRID_TIMEOUT_S": "2",
    "NOTIFIER_TWILIO_TIMEOUT_S": "2",
    "NOTIFIER_DOUBT_EVENTS_WAIT_S": "8",
    "NOTIFIER_DOUBT_RECORD_WAIT_S": "6",
    "NOTIFIER_TICKS_TAKE_OVER_S": "0.5",
    "NOTIFIER_TICKS_SETTLE_S": "0.5",
    "NOTIFIER_TICKS_APPLY_S": "0.2",
    "NOTIFIER_RETRY_FIRST_S": "0.2",
    "NOTIFIER_RETRY_LONGEST_S": "2",
    "NOTIFIER_RETRY_MOST": "60",
    "NOTIFIER_CIRCUIT_REST_S": "0.5",
    **NEVER_QUIET,
}
_OPEN = (DeliveryStatus.QUEUED, DeliveryStatus.SENDING, DeliveryStatus.UNKNOWN)
# Without news of anybody silence proves nothing, so while doubts are open somebody else is written to now and then.
_WITNESS_EVERY_S = 6.0
_START_UP_S = 10.0


@dataclass
class Outcome:
    """What came of it. `asked_of_provider` says how many calls ended in doubt, by what the proof said."""

    database: str
    recipients: int
    kills: int = 0
    restarts_after_dying: int = 0
    missed: int = 0
    duplicates: int = 0
    unknown: int = 0
    received: int = 0
    asked_of_provider: dict[str, int] = field(default_factory=dict)
    mishap: str = ""
    open_deliveries: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def is_clean(self) -> bool:
        """Whether nobody was missed, nobody written to twice, and nothing is left unknown."""
        return not (self.missed or self.duplicates or self.unknown)

    def as_dict(self) -> dict[str, Any]:
        """Return the form programs read."""
        return asdict(self)


def chaos(shop: Workshop, kind: Kind, recipients: int, kills: int, seed: int) -> Outcome:
    """Run one campaign through it and compare."""
    audiences = shop.folder / "audiences"
    witness_audiences(audiences)
    with ground(kind, shop) as made:
        neighbours = Neighbours(
            shop.folder / f"chaos-{kind}",
            {**shop.environment, **_SETTINGS, **_sizes(recipients), "NOTIFIER_FOLDERS_AUDIENCES": str(audiences)},
            write_secrets=shop.write_secrets,
            parts=("serve", *_VICTIMS),
            database=made.url,
        )
        with neighbours, neighbours.house() as opened:
            return _Storm(shop, made, neighbours, opened, random.Random(seed)).blow(recipients, kills)  # noqa: S311 - which process dies is no secret


def _sizes(recipients: int) -> dict[str, str]:
    """Return batches so small that there are many moments to die in."""
    batch = str(max(5, min(500, recipients // 40)))
    return {
        "NOTIFIER_PLANNING_SLICE_ADDRESSES": str(max(50, recipients // 10)),
        "NOTIFIER_PLANNING_EMAIL_BATCH": batch,
        "NOTIFIER_PLANNING_SMS_BATCH": batch,
        "NOTIFIER_SENDGRID_RECIPIENTS_PER_REQUEST": batch,
        "NOTIFIER_TWILIO_GROUP_SIZE": str(max(5, int(batch) // 4)),
    }


@dataclass
class _Storm:
    shop: Workshop
    made: Ground
    neighbours: Neighbours
    opened: House
    chance: random.Random

    def blow(self, recipients: int, kills: int) -> Outcome:
        started = time.monotonic()
        outcome = Outcome(str(self.made.kind), recipients)
        settle_in(self.opened, recipients, Channel.EMAIL, Channel.SMS)
        settle_witness(self.opened, recipients)
        campaigns = [approved_campaign(self.opened, ChannelPolicy.BOTH)]
        self.neighbours.start_sandbox()
        self.neighbours.behave({**_BEHAVIOUR, "seed": self.chance.randrange(1_000)})
        self.neighbours.start_parts()
        self.shop.say(f"{self.made.kind}: {recipients} people, {kills} kills …")
        self._kill_often(outcome, campaigns[0], kills)
        self.shop.say(f"{self.made.kind}: waiting until everything has settled …")
        self._wait_until_all_have_left(outcome, campaigns[0])
        self.neighbours.behave(_CALM)
        self._wait_until_settled(outcome, campaigns)
        self._compare(outcome, campaigns)
        outcome.seconds = round(time.monotonic() - started, 1)
        return outcome

    def _kill_often(self, outcome: Outcome, campaign_id: int, kills: int) -> None:
        while outcome.kills < kills and self._is_going_on(campaign_id):
            self._wait_for_progress()
            time.sleep(self.chance.uniform(0.0, 0.4))
            self._start_again(outcome)
            victim = self.chance.choice([one for one in self.neighbours.parts if one.name in _VICTIMS])
            self.neighbours.kill(victim)
            outcome.kills += 1
            self.neighbours.spawn(victim.name)
            if outcome.kills == (kills + 1) // 2:
                outcome.mishap = self._mishap()

    def _wait_for_progress(self) -> None:
        """Wait until somebody has begun something since the last time: who is still starting up has nothing to lose."""
        before, deadline = self._calls(), time.monotonic() + _START_UP_S
        while self._calls() == before and time.monotonic() < deadline:
            time.sleep(0.02)

    def _calls(self) -> int:
        with self.opened.database.reading() as session:
            return session.scalar(select(func.count()).select_from(Attempt)) or 0

    def _mishap(self) -> str:
        if self.made.kind is Kind.POSTGRESQL:
            return mishaps.restart_postgresql(self.made)
        workers = [one.process.pid for one in self.neighbours.parts if one.name in _VICTIMS]
        return mishaps.fill_disk_of(workers)

    def _start_again(self, outcome: Outcome) -> None:
        """Do what a supervisor does: whatever has ended by itself is started again."""
        for part in [one for one in self.neighbours.parts if one.process.poll() is not None]:
            self.neighbours.kill(part)
            self.neighbours.spawn(part.name)
            outcome.restarts_after_dying += 1

    def _is_going_on(self, campaign_id: int) -> bool:
        with self.opened.database.reading() as session:
            wave = session.scalar(select(Wave.status).where(Wave.campaign_id == campaign_id))
            return wave != "planned" or _open(session, [campaign_id]) != {}

    def _wait_until_all_have_left(self, outcome: Outcome, campaign_id: int) -> None:
        """Let the provider go on misbehaving until only doubts are left."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            self._start_again(outcome)
            with self.opened.database.reading() as session:
                if DeliveryStatus.QUEUED not in _open(session, [campaign_id]):
                    return
            time.sleep(0.3)

    def _wait_until_settled(self, outcome: Outcome, campaigns: list[int]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        witnessed = time.monotonic()
        while time.monotonic() < deadline:
            self._start_again(outcome)
            if self._has_settled(campaigns):
                return
            if time.monotonic() - witnessed > _WITNESS_EVERY_S:
                campaigns.append(approved_campaign(self.opened, ChannelPolicy.EMAIL, audience=WITNESS))
                witnessed = time.monotonic()
            time.sleep(0.3)

    def _has_settled(self, campaigns: list[int]) -> bool:
        try:
            with self.opened.database.reading() as session:
                unplanned = session.scalar(
                    select(Wave.id).where(Wave.campaign_id.in_(campaigns), Wave.status == "pending").limit(1)
                )
                return unplanned is None and _open(session, campaigns[:1]) == {}
        except DatabaseUnavailable:
            return False

    def _compare(self, outcome: Outcome, campaigns: list[int]) -> None:
        with self.opened.database.reading() as session:
            outcome.open_deliveries = _open(session, campaigns[:1])
            outcome.asked_of_provider = _doubts(session)
        found = compare(self.opened, self.neighbours.references(), campaigns[:1])
        outcome.unknown = outcome.open_deliveries.get(DeliveryStatus.UNKNOWN, 0)
        outcome.missed = found.missed - outcome.unknown
        outcome.duplicates = found.duplicates
        outcome.received = found.received


def _open(session: Session, campaigns: list[int]) -> dict[str, int]:
    rows = session.execute(
        select(Delivery.status, func.count())
        .where(Delivery.campaign_id.in_(campaigns), Delivery.status.in_(_OPEN))
        .group_by(Delivery.status)
    )
    return dict(rows.all())


def _doubts(session: Session) -> dict[str, int]:
    """Count the calls that ended in doubt, by provider and what the proof said (open: nothing yet)."""
    rows = session.execute(
        select(Attempt.provider, Attempt.doubt, Attempt.outcome, func.count())
        .where(Attempt.doubt.is_not(None))
        .group_by(Attempt.provider, Attempt.doubt, Attempt.outcome)
    )
    return {
        f"{provider}: {outcome if doubt == 'settled' else doubt}": amount for provider, doubt, outcome, amount in rows
    }
