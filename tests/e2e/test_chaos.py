"""A small storm: workers and scheduler are killed while the provider misbehaves, and nobody is missed or told twice."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from notifier.bench.chaos import chaos
from notifier.bench.ground import Kind, Workshop
from notifier.cli.setup import write_secrets


@pytest.fixture
def shop() -> Iterator[Workshop]:
    # Not below pytest's own folder: another run of pytest closes that to the user PostgreSQL runs as.
    folder = Path(tempfile.mkdtemp(prefix="notifier-chaos-"))
    yield Workshop(folder, os.environ, write_secrets, lambda _sentence: None)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("kind", list(Kind))
def test_nobody_is_missed_and_nobody_written_to_twice_whatever_dies(kind: Kind, shop: Workshop) -> None:
    outcome = chaos(shop, kind, recipients=100, kills=4, seed=7)
    assert (outcome.missed, outcome.duplicates, outcome.unknown) == (0, 0, 0), outcome
    # One of the hundred people has opted out; everybody else has an email address and a mobile number.
    assert outcome.received == 2 * 99
    assert outcome.kills > 0
