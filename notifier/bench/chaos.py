"""`notifier bench chaos`: kill the processes again and again while a provider misbehaves, and count who got what.

Real processes on real sockets: two workers, a scheduler, the web, and a sandbox that is slow, busy, broken, hangs up
before and after it has taken a request, and posts its webhooks late, twice and out of order. Workers and scheduler are
killed without a word (SIGKILL) at random moments. In the middle PostgreSQL is stopped at once and started again, or
SQLite finds its disk full. At the end the ledger is compared with what the sandbox says it took, address by address.
"""

import random
import time
from dataclasses import dataclass

from sqlalchemy import func, select

from notifier.bench import mishaps
from notifier.bench.aftermath import PATIENCE_S, Outcome, open_deliveries, settle_down, start_again, why_held
from notifier.bench.ground import Ground, Kind, Workshop, ground
from notifier.bench.neighbours import Neighbours
from notifier.bench.people import (
    NEVER_QUIET,
    approved_campaign,
    settle_in,
    settle_witness,
    witness_audiences,
)
from notifier.bootstrap import House
from notifier.delivery.models import Attempt, Wave
from notifier.delivery.status import DeliveryStatus
from notifier.vocabulary import Channel, ChannelPolicy

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
# Short waits, so that what is in doubt is settled while somebody is looking.
SETTLING = {
    "NOTIFIER_WORKER_LEASE_S": "3",
    "NOTIFIER_WORKER_POLL_S": "0.05",
    "NOTIFIER_WORKER_EMAIL_IN_FLIGHT": "2",
    "NOTIFIER_WORKER_SMS_IN_FLIGHT": "2",
    "NOTIFIER_SENDGRID_TIMEOUT_S": "2",
    "NOTIFIER_TWILIO_TIMEOUT_S": "2",
    "NOTIFIER_DOUBT_EVENTS_WAIT_S": "8",
    "NOTIFIER_DOUBT_RECORD_WAIT_S": "10",
    "NOTIFIER_TICKS_TAKE_OVER_S": "0.5",
    "NOTIFIER_TICKS_SETTLE_S": "0.5",
    "NOTIFIER_TICKS_APPLY_S": "0.2",
    "NOTIFIER_RETRY_FIRST_S": "0.2",
    "NOTIFIER_RETRY_LONGEST_S": "2",
    "NOTIFIER_RETRY_MOST": "60",
    "NOTIFIER_CIRCUIT_REST_S": "0.5",
    **NEVER_QUIET,
}
_START_UP_S = 10.0


def chaos(shop: Workshop, kind: Kind, recipients: int, kills: int, seed: int) -> Outcome:
    """Run one campaign through it and compare."""
    audiences = shop.folder / "audiences"
    witness_audiences(audiences)
    with ground(kind, shop) as made:
        neighbours = Neighbours(
            shop.folder / f"chaos-{kind}",
            {**shop.environment, **SETTLING, **sizes(recipients), "NOTIFIER_FOLDERS_AUDIENCES": str(audiences)},
            write_secrets=shop.write_secrets,
            parts=("serve", *_VICTIMS),
            database=made.url,
        )
        with neighbours, neighbours.house() as opened:
            return _Storm(shop, made, neighbours, opened, random.Random(seed)).blow(recipients, kills)  # noqa: S311 - which process dies is no secret


def sizes(recipients: int) -> dict[str, str]:
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
        campaign = approved_campaign(self.opened, ChannelPolicy.BOTH)
        self.neighbours.start_sandbox()
        self.neighbours.behave({**_BEHAVIOUR, "seed": self.chance.randrange(1_000)})
        self.neighbours.start_parts()
        self.shop.say(f"{self.made.kind}: {recipients} people, {kills} kills …")
        self._kill_often(outcome, campaign, kills)
        self.shop.say(f"{self.made.kind}: waiting until everything has settled …")
        self._wait_until_all_have_left(outcome, campaign)
        self.neighbours.behave(_CALM)
        settle_down(self.neighbours, self.opened, outcome, campaign)
        outcome.seconds = round(time.monotonic() - started, 1)
        return outcome

    def _kill_often(self, outcome: Outcome, campaign_id: int, kills: int) -> None:
        while outcome.kills < kills and self._is_going_on(campaign_id):
            self._wait_for_progress()
            time.sleep(self.chance.uniform(0.0, 0.4))
            start_again(self.neighbours, outcome)
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

    def _is_going_on(self, campaign_id: int) -> bool:
        with self.opened.database.reading() as session:
            wave = session.scalar(select(Wave.status).where(Wave.campaign_id == campaign_id))
            return wave != "planned" or open_deliveries(session, campaign_id) != {}

    def _wait_until_all_have_left(self, outcome: Outcome, campaign_id: int) -> None:
        """Let the provider go on misbehaving until only doubts are left."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            start_again(self.neighbours, outcome)
            with self.opened.database.reading() as session:
                if DeliveryStatus.QUEUED not in open_deliveries(session, campaign_id):
                    return
            if why_held(self.opened, campaign_id):
                return
            time.sleep(0.3)
