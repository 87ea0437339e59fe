"""A worker whose cable is pulled: it loses nothing, repeats nothing, and keeps nobody waiting."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from notifier.bench import mishaps
from notifier.bench.cut_off import cut_off
from notifier.bench.ground import Kind, Workshop, ground
from notifier.bench.network import cabled, why_not
from notifier.cli.setup import write_secrets
from notifier.kit.db import Database
from notifier.kit.dialects import hold_alone

_HOLDER = """
import sys, time
from notifier.kit.db import Database
from notifier.kit.dialects import hold_alone
with Database(sys.argv[1], lost_after_s=2).transaction() as session:
    hold_alone(session, "counts")
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def shop() -> Iterator[Workshop]:
    hindrance = why_not()
    if hindrance:
        pytest.skip(hindrance)
    # Not below pytest's own folder: another run of pytest closes that to the user PostgreSQL runs as.
    folder = Path(tempfile.mkdtemp(prefix="notifier-cut-off-"))
    yield Workshop(folder, os.environ, write_secrets, lambda _sentence: None)
    shutil.rmtree(folder, ignore_errors=True)


def test_a_worker_cut_off_for_longer_than_its_lease_costs_nobody_a_message_and_nobody_gets_two(shop: Workshop) -> None:
    outcome = cut_off(shop, recipients=80)
    assert (outcome.missed, outcome.duplicates, outcome.unknown) == (0, 0, 0), outcome
    # One of the eighty people has opted out; everybody else has an email address and a mobile number.
    assert outcome.received == 2 * 79
    assert "one of 3 workers was cut off" in outcome.mishap
    assert outcome.restarts_after_dying == 0, "it comes back by itself"


def test_a_connection_that_has_gone_dead_keeps_nothing_locked(shop: Workshop) -> None:
    with ground(Kind.POSTGRESQL, shop) as made, cabled(1) as network:
        there = mishaps.listen_at(made, network.address, network.subnet)
        command = [*network.within(0), sys.executable, "-c", _HOLDER, there]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:  # noqa: S603 - our own program
            try:
                assert holder.stdout is not None
                assert holder.stdout.readline() == b"held\n"
                network.pull(0)
                here = Database(made.url)
                with here.transaction() as session:
                    session.execute(text("SET statement_timeout = '60s'"))
                    hold_alone(session, "counts")
                here.close()
            finally:
                holder.kill()


def test_nothing_of_a_network_is_left_behind(shop: Workshop) -> None:
    del shop  # skipped where there can be none
    with pytest.raises(ZeroDivisionError), cabled(2) as network:
        command = network.within(1)
        network.run(1, "true")
        raise ZeroDivisionError
    space = command[-1]
    listed = subprocess.run([command[0], "netns"], capture_output=True, check=True)  # noqa: S603 - our own words
    assert space not in listed.stdout.decode()
    assert not Path("/etc/netns", space).exists()
