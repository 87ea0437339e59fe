"""What every command shares at the screen: printing for people or for programs, and refusing in one sentence.

Exit codes: 0 done, 1 refused or found wanting, 2 wrong usage, 130 interrupted. Nothing here opens the installation
(`opening.py` does), so that `notifier --help` need not load it.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import orjson
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from notifier.kit.errors import NotifierError

# Progress and sentences go to stderr, results to stdout, so that `--json` can be piped.
console = Console(stderr=True, highlight=False)
paper = Console(highlight=False)

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document for a program to read.")]
# Control characters but for line ends and tabs, and the marks that override the direction of what follows.
_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

# The ids the databases can hold; anything else is no id.
LARGEST_ID = 2**63 - 1
IdArgument = Annotated[int, typer.Argument(metavar="ID", min=0, max=LARGEST_ID, help="Its number, as lists show it.")]
ActorOption = Annotated[str, typer.Option("--as", metavar="EMAIL", help="The user who does this.")]
LookerOption = Annotated[
    str | None,
    typer.Option("--as", metavar="EMAIL", help="The user who looks; left out: what is personal is masked."),
]


def print_json(data: object) -> None:
    """Print one JSON document to stdout."""
    sys.stdout.write(orjson.dumps(data, default=_plain, option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS).decode())
    sys.stdout.write("\n")


def print_table(title: str, columns: list[str], rows: list[list[Any]]) -> None:
    """Print a table for people."""
    # A title of the table itself would be broken to the width of its columns.
    paper.print(_shown(title), style="bold", markup=False)
    table = Table()
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*["" if cell is None else escape(_shown(str(cell))) for cell in row])
    paper.print(table)


def tell(facts: Mapping[str, Any], *sentences: str, as_json: bool) -> None:
    """Say what was done: in sentences to a person, as one document to a program."""
    if as_json:
        print_json(facts)
        return
    for sentence in sentences:
        say(sentence)


def say(sentence: str) -> None:
    """Tell the person at the screen something that is not a result."""
    console.print(_shown(sentence), markup=False)


def refuse(sentence: str) -> NoReturn:
    """Say why not, and exit 1."""
    console.print(f"[red]Refused:[/red] {escape(_shown(sentence))}")
    raise SystemExit(1)


def progress() -> Progress:
    """Return the progress bar every long command uses; it shows nothing where stderr is not a terminal."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def moment(text: str) -> datetime:
    """Read a time option: ISO 8601 with its zone (2026-12-01T09:00+11:00). Anything else is wrong usage."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError as wrong:
        raise typer.BadParameter(f"{text!r} is no time; write for example 2026-12-01T09:00+11:00") from wrong
    if read.tzinfo is None:
        raise typer.BadParameter(f"{text!r} does not say which time zone; write for example {text}+11:00 or {text}Z")
    try:
        read.astimezone(UTC)
    except OverflowError as wrong:
        raise typer.BadParameter(f"{text!r} lies outside the calendar; is the year right?") from wrong
    return read


@contextmanager
def refusals() -> Iterator[None]:
    """Turn every refusal of a room, and of the system about a file, into one sentence and exit code 1."""
    try:
        yield
    except NotifierError as wrong:
        refuse(str(wrong))
    except OSError as wrong:
        if wrong.filename is None:
            raise
        refuse(f"{wrong.filename}: {wrong.strerror}. Name a file or folder that is there and that you may use.")


def _shown(text: str) -> str:
    """Take out what would act on a terminal or turn its line around: names and messages come from anybody."""
    return _ACTING.sub("", text)


def _plain(value: object) -> object:
    if isinstance(value, Path | bytes):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
