"""The main job, end to end over HTTP with processes of their own: on SQLite alone, on PostgreSQL with two workers."""

import os
import subprocess
import sys
from pathlib import Path

import orjson

from tests.e2e.conftest import Office

ROOT = Path(__file__).parents[2]


def _demo(home: Path, *options: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(  # noqa: S603 - our own command
        [sys.executable, "-m", "notifier", "demo", "--recipients", "240", "--json", *options],
        cwd=ROOT,
        env={**os.environ, "NOTIFIER_HOME": str(home)},
        capture_output=True,
        timeout=150,
        check=False,
    )


def _misses_nobody_and_repeats_nobody(done: subprocess.CompletedProcess[bytes]) -> None:
    assert done.returncode == 0, done.stderr.decode()
    result = orjson.loads(done.stdout)
    assert (result["missed"], result["duplicates"], result["written_to_after_leaving"]) == (0, 0, 0)
    first, second = result["campaigns"]
    assert {"id", "advisory", "planned", "by_status", "by_channel", "by_language", "held_back"} <= first.keys()
    assert first["planned"] == sum(first["by_status"].values()) > 0
    assert second["held_back"]["opt_out"] == 2
    assert {"de", "fr", "el"} <= second["by_language"].keys()
    assert result["elapsed_s"] > 0


def test_on_sqlite_one_process_misses_nobody_and_repeats_nobody(tmp_path: Path) -> None:
    _misses_nobody_and_repeats_nobody(_demo(tmp_path))


def test_on_postgresql_two_workers_miss_nobody_and_repeat_nobody(tmp_path: Path, empty_postgres_url: str) -> None:
    _misses_nobody_and_repeats_nobody(_demo(tmp_path, "--workers", "2", "--database", empty_postgres_url))


def test_the_demo_never_writes_to_a_database_in_use(office: Office) -> None:
    url = office.environment.get("NOTIFIER_DATABASE_URL", f"sqlite:///{office.home / 'notifier.sqlite3'}")
    assert "in use" in office.run("demo", "--database", url, expect=1)
