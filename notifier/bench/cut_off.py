"""`notifier bench chaos --cut-off`: a worker loses its network for longer than its lease while it holds a batch.

Three workers, each in a network namespace of its own, against one PostgreSQL and one sandbox. Two go on while the cable
of the third is out. Nobody tells it: its connections are half open, what the sandbox answers does not arrive, and when
the cable is in again it comes home with what it knows. At the end the ledger is compared with what the sandbox says it
took, address by address.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy import select

from notifier.bench import mishaps
from notifier.bench.aftermath import Outcome, settle_down
from notifier.bench.chaos import SETTLING, sizes
from notifier.bench.ground import Kind, Workshop, ground
from notifier.bench.neighbours import Neighbours, Part
from notifier.bench.network import Network, cabled, why_not
from notifier.bench.people import approved_campaign, settle_in, settle_witness, witness_audiences
from notifier.bootstrap import House
from notifier.delivery.models import Attempt, Batch
from notifier.kit.errors import Conflict
from notifier.vocabulary import Channel, ChannelPolicy

WORKERS = 3
LEASE_S = 2.0
_PATIENCE_S = 90.0
_SETTINGS = {
    "NOTIFIER_WORKER_LEASE_S": str(LEASE_S),
    "NOTIFIER_DATABASE_LOST_AFTER_S": "2",
    "NOTIFIER_SENDGRID_TIMEOUT_S": "5",
    "NOTIFIER_TWILIO_TIMEOUT_S": "5",
    # Bytes that were under way when the cable went out may arrive once it is in again: a doubt has to wait for them.
    "NOTIFIER_DOUBT_EVENTS_WAIT_S": "10",
    "NOTIFIER_DOUBT_RECORD_WAIT_S": "10",
}
# Slow enough that every batch in hand has a call under way.
_LATENCY = {"latency_s": 1.5}


def cut_off(shop: Workshop, recipients: int) -> Outcome:
    """Cut one of three workers off and compare. Raises Conflict where no namespaces can be made."""
    hindrance = why_not()
    if hindrance:
        raise Conflict(f"Nobody can be cut off: {hindrance}")
    audiences = shop.folder / "audiences"
    witness_audiences(audiences)
    with ExitStack() as stack:
        made = stack.enter_context(ground(Kind.POSTGRESQL, shop))
        network = stack.enter_context(cabled(WORKERS))
        neighbours = Neighbours(
            shop.folder / "cut-off",
            {
                **shop.environment,
                **SETTLING,
                **sizes(recipients),
                **_SETTINGS,
                "NOTIFIER_FOLDERS_AUDIENCES": str(audiences),
            },
            write_secrets=shop.write_secrets,
            parts=("serve", "schedule"),
            database=made.url,
            sandbox_options=("--host", f"127.0.0.1,{network.address}"),
        )
        there = mishaps.listen_at(made, network.address, network.subnet)
        stack.enter_context(neighbours)
        opened = stack.enter_context(neighbours.house())
        return _Office(neighbours, opened, network, there).run(recipients)


@dataclass
class _Office:
    neighbours: Neighbours
    opened: House
    network: Network
    database_there: str

    def run(self, recipients: int) -> Outcome:
        started = time.monotonic()
        outcome = Outcome(str(Kind.POSTGRESQL), recipients)
        settle_in(self.opened, recipients, Channel.EMAIL, Channel.SMS)
        settle_witness(self.opened, recipients)
        self.neighbours.start()
        self.neighbours.behave(_LATENCY)
        workers = [self._worker(number) for number in range(WORKERS)]
        # Whoever started first would have sent everything before the last is there.
        _wait_for("all workers are there", lambda: self._log().count("Running.") == WORKERS)
        campaign = approved_campaign(self.opened, ChannelPolicy.BOTH)
        outcome.mishap = self._cut(workers)
        settle_down(self.neighbours, self.opened, outcome, campaign)
        outcome.seconds = round(time.monotonic() - started, 1)
        return outcome

    def _worker(self, number: int) -> Part:
        port = urlsplit(self.neighbours.sandbox_url).port
        settings = {
            "NOTIFIER_DATABASE_URL": self.database_there,
            "NOTIFIER_SENDGRID_BASE_URL": f"http://localhost:{port}",
            "NOTIFIER_TWILIO_BASE_URL": f"http://localhost:{port}",
        }
        return self.neighbours.spawn("work", within=self.network.within(number), settings=settings)

    def _cut(self, workers: list[Part]) -> str:
        """Pull the cable of a worker with a call under way, until its batches are others' and longer than its lease."""
        number, batches = self._pull_in_the_middle(workers)
        pulled = time.monotonic()
        _wait_for("its batches are taken away", lambda: not set(batches) & set(self._in_hand(workers[number])))
        time.sleep(max(0.0, pulled + 2 * LEASE_S - time.monotonic()))
        self.network.plug(number)
        away = time.monotonic() - pulled
        return f"one of {WORKERS} workers was cut off for {away:.0f} s with {len(batches)} batches in hand"

    def _pull_in_the_middle(self, workers: list[Part]) -> tuple[int, list[int]]:
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            for number in [place for place, worker in enumerate(workers) if self._in_hand(worker)]:
                self.network.pull(number)
                # What it had said before arrives within a moment; what it holds then, it holds until its lease is over.
                time.sleep(0.3)
                batches = self._in_hand(workers[number])
                if batches:
                    return number, batches
                self.network.plug(number)
            time.sleep(0.05)
        raise Conflict("No worker had a call under way when its cable was pulled; take more recipients")

    def _log(self) -> str:
        return (self.neighbours.home / "work.log").read_text(encoding="utf-8", errors="replace")

    def _in_hand(self, worker: Part) -> list[int]:
        """Return the batches a worker holds with a call under way."""
        under_way = select(Attempt.batch_id).where(Attempt.outcome.is_(None))
        owner = Batch.lease_owner.contains(f"-{worker.process.pid}-")
        with self.opened.database.reading() as session:
            return list(
                session.scalars(select(Batch.id).where(Batch.status == "claimed", owner, Batch.id.in_(under_way)))
            )


def _wait_for(what: str, true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not true():
        if time.monotonic() > deadline:
            raise Conflict(f"It takes more than {_PATIENCE_S:.0f} s until {what}; the logs in the run's folder say why")
        time.sleep(0.05)
