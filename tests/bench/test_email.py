"""`notifier bench` at a size nobody would measure with: it does its work, and says so in the agreed form."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from notifier.bench.email import email
from notifier.bench.figures import Figure, Meter, Spent
from notifier.bench.ground import Kind, Workshop
from notifier.cli.setup import write_secrets


@pytest.fixture
def shop() -> Iterator[Workshop]:
    # Not below pytest's own folder: another run of pytest closes that to the user PostgreSQL runs as.
    folder = Path(tempfile.mkdtemp(prefix="notifier-bench-"))
    yield Workshop(folder, os.environ, write_secrets, lambda _sentence: None)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_campaign_is_planned_and_handed_over_beside_its_floor(kind: Kind, shop: Workshop) -> None:
    figures = [figure.as_dict() for figure in email(shop, [kind], 300)]
    assert [figure["name"] for figure in figures] == ["email: plan", "email: hand over", "email"]
    assert all(figure["database"] == kind for figure in figures)
    assert all(figure["rate"] > 0 and figure["floor_rate"] > 0 for figure in figures)
    # Every hundredth person has opted out.
    assert [figure["recipients"] for figure in figures] == [300, 297, 300]


def test_a_figure_says_rates_per_second_and_cpu_per_recipient() -> None:
    figure = Figure("x", "sqlite", 1_000, Spent(2.0, 0.5, 90.4), Spent(1.0, 0.1, 30.0)).as_dict()
    assert (figure["rate"], figure["floor_rate"], figure["ratio"]) == (500, 1_000, 0.5)
    assert (figure["cpu_us"], figure["rss_mb"]) == (500.0, 90)


def test_a_meter_measures_this_process() -> None:
    with Meter() as meter:
        sum(range(10_000))
    assert meter.spent.wall_s > 0
    assert meter.spent.rss_mb > 1
