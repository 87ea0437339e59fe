"""A working folder as an officer has it, driven through the `notifier` command only."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner, Result

from notifier.cli import app


@dataclass
class Office:
    """An installation in a folder of its own."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *words: str, expect: int | None = 0) -> str:
        """Run a command; return what it printed, sentences included. Without an expected exit code any will do."""
        done = self._invoke(words)
        assert expect in {None, done.exit_code}, f"{' '.join(words)} ended with {done.exit_code}:\n{done.output}"
        return " ".join(done.output.split())

    def json(self, *words: str) -> Any:  # noqa: ANN401 - whatever the command prints
        """Run a command with --json; return its document."""
        done = self._invoke((*words, "--json"))
        assert done.exit_code == 0, done.output
        return orjson.loads(done.stdout)

    def _invoke(self, words: tuple[str, ...]) -> Result:
        environment = {"NOTIFIER_HOME": str(self.home), "COLUMNS": "200", **self.environment}
        done = CliRunner().invoke(app, words, env=environment)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done


@pytest.fixture(params=["sqlite", "postgresql"])
def office(request: pytest.FixtureRequest, tmp_path: Path) -> Office:
    """An installation after `notifier init`, with two users, on each kind of database in turn."""
    made = Office(tmp_path / "var")
    if request.param == "postgresql":
        made.environment["NOTIFIER_DATABASE_URL"] = request.getfixturevalue("empty_postgres_url")
    made.run("init")
    made.run("users", "add", "officer@police.example", "--name", "An Officer", "--role", "officer")
    made.run("users", "add", "approver@police.example", "--name", "An Approver", "--role", "approver")
    return made
