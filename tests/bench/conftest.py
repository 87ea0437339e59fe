"""What every benchmark's test is given."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from notifier.bench.ground import Workshop
from notifier.cli.setup import write_secrets


@pytest.fixture
def shop() -> Iterator[Workshop]:
    # Not below pytest's own folder: another run of pytest closes that to the user PostgreSQL runs as.
    folder = Path(tempfile.mkdtemp(prefix="notifier-bench-"))
    yield Workshop(folder, os.environ, write_secrets, lambda _sentence: None)
    shutil.rmtree(folder, ignore_errors=True)
