"""`notifier bench urgent` and `notifier bench scale`: real processes side by side, timed by what the ledger says.

Urgent: while a big campaign is being handed over, a second officer approves an urgent one to a single person; how long
until the provider has taken it? Scale: how much faster are two and four workers than one, if the provider takes its
time to answer?
"""

import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from notifier.bench.apart import apart
from notifier.bench.email import plan
from notifier.bench.figures import Figure, Spent, peak_mb, together
from notifier.bench.ground import Kind, Workshop, ground
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
from notifier.delivery.models import Attempt, Batch, Delivery
from notifier.delivery.status import DeliveryStatus
from notifier.kit.errors import Conflict
from notifier.vocabulary import Channel, ChannelPolicy

PROMISED_S = 1.0
_PATIENCE_S = 900.0


@dataclass(frozen=True, slots=True)
class Promptness:
    """How long urgent messages took, from the approval's commit to the provider's yes, in seconds."""

    database: str
    recipients: int
    seconds: Sequence[float]
    bulk_left: int

    def as_dict(self) -> dict[str, Any]:
        """Return the form programs read: `rate` is one over the median, `floor_rate` what is promised."""
        median = statistics.median(self.seconds)
        return {
            "name": "urgent",
            "database": self.database,
            "recipients": self.recipients,
            "rate": round(1 / median, 2),
            "floor_rate": 1 / PROMISED_S,
            "ratio": round(PROMISED_S / median, 3),
            "cpu_us": 0,
            "rss_mb": round(peak_mb()),
            "median_s": round(median, 3),
            "worst_s": round(max(self.seconds), 3),
            "times": len(self.seconds),
            "note": f"{self.bulk_left} batches of the big campaign were still waiting afterwards",
        }


def urgent(shop: Workshop, kinds: list[Kind], recipients: int, times: int) -> list[Promptness]:
    """Measure how soon an urgent message leaves while `recipients` others are being written to."""
    return [_urgent(shop, kind, recipients, times) for kind in kinds]


def _urgent(shop: Workshop, kind: Kind, recipients: int, times: int) -> Promptness:
    audiences = shop.folder / "audiences"
    witness_audiences(audiences)
    with ground(kind, shop) as made:
        settings = {**shop.environment, **NEVER_QUIET, "NOTIFIER_FOLDERS_AUDIENCES": str(audiences)}
        neighbours = Neighbours(
            shop.folder / f"urgent-{kind}",
            settings,
            write_secrets=shop.write_secrets,
            database=made.url,
            parts=("schedule", "work"),
            sandbox_options=("--webhook-url", ""),
        )
        with neighbours, neighbours.house() as opened:
            shop.say(f"{kind}: making {recipients} people …")
            settle_in(opened, recipients, Channel.EMAIL, Channel.SMS)
            settle_witness(opened, recipients)
            approved_campaign(opened, ChannelPolicy.EMAIL)
            neighbours.start()
            _wait_for(lambda: _batches(opened, "done") > 0, neighbours)
            shop.say(f"{kind}: {times} urgent messages …")
            seconds = [_once(opened, neighbours) for _ in range(times)]
            return Promptness(str(kind), recipients, seconds, _batches(opened, "ready"))


def _once(opened: House, neighbours: Neighbours) -> float:
    campaign_id = approved_campaign(opened, ChannelPolicy.EMAIL, urgent=True, audience=WITNESS)
    approved_at = datetime.now(UTC)
    accepted = select(Delivery.accepted_at).where(
        Delivery.campaign_id == campaign_id, Delivery.status == DeliveryStatus.ACCEPTED
    )

    def taken() -> datetime | None:
        with opened.database.reading() as session:
            return session.scalar(accepted)

    _wait_for(lambda: taken() is not None, neighbours)
    return ((taken() or approved_at) - approved_at).total_seconds()


def scale(shop: Workshop, recipients: int, workers: Sequence[int], latency_s: float) -> list[Figure]:
    """Measure the hand-over by one and more workers on PostgreSQL. The floor is the first figure, times the workers."""
    spent = {amount: _scaled(shop, recipients, amount, latency_s) for amount in workers}
    fewest = min(workers)
    to_send, base = spent[fewest]
    figures = []
    for amount, (_, one) in spent.items():
        linear = Spent(base.wall_s * fewest / amount, base.cpu_s, base.rss_mb)
        note = f"the provider answers after {latency_s * 1000:.0f} ms; floor: {fewest} worker(s), linearly"
        figures.append(Figure(f"scale: {amount} workers", str(Kind.POSTGRESQL), to_send, one, linear, note=note))
    return figures


def _scaled(shop: Workshop, recipients: int, workers: int, latency_s: float) -> tuple[int, Spent]:
    with ground(Kind.POSTGRESQL, shop) as made:
        neighbours = Neighbours(
            shop.folder / f"scale-{workers}",
            {**shop.environment, **NEVER_QUIET},
            write_secrets=shop.write_secrets,
            database=made.url,
            parts=("work",) * workers,
            sandbox_options=("--webhook-url", ""),
        )
        with neighbours, neighbours.house() as opened:
            shop.say(f"{workers} worker(s): making {recipients} people …")
            to_send = settle_in(opened, recipients, Channel.EMAIL)
            approved_campaign(opened, ChannelPolicy.EMAIL)
            apart(plan, neighbours.environment)
            neighbours.start_sandbox()
            neighbours.behave({"latency_s": latency_s})
            neighbours.start_parts()
            _wait_for(lambda: _all_done(opened), neighbours)
            parts = [_spent_by(part.process.pid, _wall(opened)) for part in neighbours.parts]
    return to_send, Spent(parts[0].wall_s, sum(part.cpu_s for part in parts), together(*parts).rss_mb)


def _wall(opened: House) -> float:
    """Return the seconds from the first call to the last acceptance, so that nobody's start-up is counted."""
    with opened.database.reading() as session:
        first = session.scalar(select(func.min(Attempt.started_at)))
        last = session.scalar(select(func.max(Delivery.accepted_at)))
    if first is None or last is None:
        raise Conflict("Nothing was handed over, so there is nothing to measure")
    return max(float((last - first) / timedelta(seconds=1)), 0.001)


def _spent_by(process: int, wall_s: float) -> Spent:
    """Read what another process has used so far, where /proc tells."""
    folder = Path(f"/proc/{process}")
    if not folder.exists():
        return Spent(wall_s, 0.0, 0.0)
    after_name = (folder / "stat").read_text().rpartition(")")[2].split()
    ticks = int(after_name[11]) + int(after_name[12])
    peak = next((line for line in (folder / "status").read_text().splitlines() if line.startswith("VmHWM")), "VmHWM 0")
    return Spent(wall_s, ticks / os.sysconf("SC_CLK_TCK"), int(peak.split()[1]) / 1024)


def _all_done(opened: House) -> bool:
    return _batches(opened, "done") > 0 and not _batches(opened, "ready", "claimed")


def _batches(opened: House, *statuses: str) -> int:
    with opened.database.reading() as session:
        return session.scalar(select(func.count()).select_from(Batch).where(Batch.status.in_(statuses))) or 0


def _wait_for(what: Callable[[], bool], neighbours: Neighbours) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not what():
        ended = [part.name for part in neighbours.parts if part.process.poll() is not None]
        if ended:
            raise Conflict(f"`notifier {ended[0]}` has ended by itself; its log in {neighbours.home} says why")
        if time.monotonic() > deadline:
            raise Conflict(f"Nothing has happened for {_PATIENCE_S:.0f} s; the logs in the folder of the run say why")
        time.sleep(0.01)
