"""Real processes: a worker that is told to stop leaves nothing behind, and others finish what it gave back."""

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from notifier.bench.comparison import compare
from notifier.bench.ground import Kind, Workshop, ground
from notifier.bench.neighbours import Neighbours
from notifier.bench.people import approved_campaign, settle_in
from notifier.bootstrap import House
from notifier.cli.setup import write_secrets
from notifier.delivery.models import Batch, Delivery
from notifier.vocabulary import Channel, ChannelPolicy

PATIENCE_S = 60.0
SMALL = {
    "NOTIFIER_PLANNING_SMS_BATCH": "20",
    "NOTIFIER_TWILIO_GROUP_SIZE": "2",
    "NOTIFIER_WORKER_SMS_IN_FLIGHT": "1",
    "NOTIFIER_WORKER_POLL_S": "0.05",
}


@pytest.fixture
def shop() -> Iterator[Workshop]:
    # Not below pytest's own folder: another run of pytest closes that to the user PostgreSQL runs as.
    folder = Path(tempfile.mkdtemp(prefix="notifier-stopping-"))
    yield Workshop(folder, os.environ, write_secrets, lambda _sentence: None)
    shutil.rmtree(folder, ignore_errors=True)


def _statuses(opened: House) -> dict[str, int]:
    with opened.database.reading() as session:
        return dict(session.execute(select(Delivery.status, func.count()).group_by(Delivery.status)).all())


def _claimed(opened: House) -> int:
    with opened.database.reading() as session:
        return session.scalar(select(func.count()).where(Batch.status == "claimed")) or 0


def _wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.05)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_worker_told_to_stop_gives_back_the_rest_and_two_others_finish_it(kind: Kind, shop: Workshop) -> None:
    with ground(kind, shop) as made:
        neighbours = Neighbours(
            shop.folder / "home",
            {**shop.environment, **SMALL},
            write_secrets=shop.write_secrets,
            parts=("serve", "schedule", "schedule"),
            database=made.url,
        )
        with neighbours, neighbours.house() as opened:
            expected = settle_in(opened, 80, Channel.SMS)
            campaign = approved_campaign(opened, ChannelPolicy.SMS)
            neighbours.start()
            neighbours.behave({"latency_s": 0.2})
            _wait_until(lambda: _statuses(opened).get("queued", 0) == expected)
            worker = neighbours.spawn("work")
            _wait_until(lambda: _statuses(opened).get("queued", 0) < expected - 4)
            worker.process.send_signal(signal.SIGTERM)
            assert worker.process.wait(20) == 0
            left = _statuses(opened)
            assert left.get("queued", 0) > 0, "it stopped before everything had left"
            assert not {"sending", "unknown"} & left.keys(), left
            assert _claimed(opened) == 0
            neighbours.parts.remove(worker)
            neighbours.behave({"latency_s": 0})
            for _ in range(2):
                neighbours.spawn("work")
            _wait_until(lambda: not {"queued", "sending"} & _statuses(opened).keys())
            outcome = compare(opened, neighbours.references(), [campaign])
            assert (outcome.missed, outcome.duplicates, outcome.received) == (0, 0, expected)
