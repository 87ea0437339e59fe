"""What holds for every command: its line in the help, a document for programs, and a quiet end when interrupted."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from notifier.bootstrap import CARRIERS, ERASING, carrier
from notifier.cli import CHAPTERS, Contents, app

# These run until they are stopped and have no result; what they do is logged as JSON.
WITHOUT_A_RESULT = {"run", "serve", "schedule", "work"}


def every_command() -> Iterator[tuple[str, typer.core.TyperCommand]]:
    group = typer.main.get_command(app)
    assert isinstance(group, Contents)
    group.open_all()
    yield from _within(group, "")


def _within(group: TyperGroup, prefix: str) -> Iterator[tuple[str, typer.core.TyperCommand]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from _within(command, f"{prefix}{name} ")
        else:
            assert isinstance(command, typer.core.TyperCommand)
            yield f"{prefix}{name}", command


COMMANDS = dict(every_command())


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - WITHOUT_A_RESULT))
def test_every_command_can_answer_a_program(name: str) -> None:
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert "--json" in options


@pytest.mark.parametrize("name", sorted(CHAPTERS))
def test_the_help_says_of_a_chapter_what_the_chapter_says_of_itself(name: str) -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, Contents)
    group.open(name)
    said = (group.commands[name].help or "").partition("\n\n")[0]
    assert " ".join(said.split()) == CHAPTERS[name].about


@pytest.mark.parametrize(
    ("what", "packages"),
    [
        (
            "from notifier.cli import app",
            {"sqlalchemy", "fastapi", "sendgrid", "twilio", "uvicorn", "aiohttp", "alembic"},
        ),
        (
            "import notifier.cli.lists",
            {"sendgrid", "twilio", "uvicorn", "aiohttp", "aiosmtplib", "alembic", "apscheduler"},
        ),
    ],
)
def test_a_command_loads_what_it_needs_and_no_more(what: str, packages: set[str]) -> None:
    code = f"import sys; {what}; print({packages!r} & set(sys.modules))"
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "set()"


def test_the_table_of_what_can_be_erased_says_what_the_providers_say() -> None:
    said = {name: getattr(carrier(name), "erased_by", None) for name in CARRIERS}
    assert {name: by for name, by in said.items() if by} == ERASING


# Interrupts the process at the moment it imports the module named first, and then starts the command named next.
INTERRUPTED_AT = """
import os, signal, sys
from notifier import __main__ as start
where, *sys.argv[1:] = sys.argv[1:]
sys.addaudithook(lambda event, told: event == "import" and told[0] == where and os.kill(os.getpid(), signal.SIGINT))
start.main()
"""


@pytest.mark.parametrize("where", ["typer", "structlog", "sqlalchemy", "notifier.bootstrap"])
def test_an_interrupt_while_starting_ends_without_a_traceback(where: str, tmp_path: Path) -> None:
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", INTERRUPTED_AT, where, "users", "list"],
        check=False,
        env={**os.environ, "NOTIFIER_HOME": str(tmp_path)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == 130
