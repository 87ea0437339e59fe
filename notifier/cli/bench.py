"""`notifier bench`: measure this machine, each path beside its floor. docs/benchmarks.md says what the figures mean."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

from notifier.bench import messages, running
from notifier.bench.chaos import chaos as run_chaos
from notifier.bench.cut_off import cut_off
from notifier.bench.email import email as measure_email
from notifier.bench.events import events as measure_events
from notifier.bench.ground import Kind, Workshop
from notifier.bench.importing import importing
from notifier.bench.render import render as measure_render
from notifier.cli.frame import JsonFlag, print_json, print_table, say
from notifier.cli.setup import write_secrets

app = typer.Typer(no_args_is_help=True, help="Measure this machine: each path beside its floor.")


class Databases(StrEnum):
    """Which databases to measure on."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"
    BOTH = "both"

    @property
    def kinds(self) -> list[Kind]:
        """The kinds meant."""
        return list(Kind) if self is Databases.BOTH else [Kind(self.value)]


RecipientsOption = Annotated[int, typer.Option(min=1, help="How many made-up recipients.")]
DatabaseOption = Annotated[Databases, typer.Option(help="Which database to measure on.")]
FolderOption = Annotated[
    Path | None, typer.Option(help="Where to put the databases; the system's temporary folder if left out.")
]


@app.command()
def render(recipients: RecipientsOption = 500_000, folder: FolderOption = None, as_json: JsonFlag = False) -> None:
    """Put personal values into the real texts, beside plain string joining (no database)."""
    with _workshop(folder) as shop:
        _show(measure_render(shop, recipients), as_json)


@app.command("import")
def import_(
    rows: Annotated[int, typer.Option(min=1, help="How many rows the made-up file has.")] = 100_000,
    database: DatabaseOption = Databases.BOTH,
    folder: FolderOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Import a school's file into an empty list: read and judge every row, compare, carry out."""
    with _workshop(folder) as shop:
        _show(importing(shop, database.kinds, rows), as_json)


@app.command()
def events(
    recipients: RecipientsOption = 100_000,
    database: DatabaseOption = Databases.BOTH,
    folder: FolderOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Post signed webhooks until they are applied; time one-click unsubscribes while a campaign is being sent."""
    with _workshop(folder) as shop:
        _show(measure_events(shop, database.kinds, recipients), as_json)


@app.command()
def email(
    recipients: RecipientsOption = 100_000,
    database: DatabaseOption = Databases.BOTH,
    folder: FolderOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Plan a campaign and hand it over by email (SendGrid adapter → sandbox)."""
    with _workshop(folder) as shop:
        _show(measure_email(shop, database.kinds, recipients), as_json)


@app.command()
def sms(
    recipients: RecipientsOption = 20_000,
    database: DatabaseOption = Databases.BOTH,
    folder: FolderOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Hand over text messages (Twilio adapter → sandbox)."""
    with _workshop(folder) as shop:
        _show(messages.sms(shop, database.kinds, recipients), as_json)


@app.command()
def smtp(
    recipients: RecipientsOption = 50_000,
    database: DatabaseOption = Databases.SQLITE,
    folder: FolderOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Hand over email by SMTP, with PIPELINING and without (SMTP adapter → sandbox)."""
    with _workshop(folder) as shop:
        _show(messages.smtp(shop, database.kinds, recipients), as_json)


@app.command()
def urgent(
    recipients: RecipientsOption = 200_000,
    times: Annotated[int, typer.Option(min=1, help="How many urgent messages.")] = 10,
    database: DatabaseOption = Databases.BOTH,
    folder: FolderOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Approve urgent messages while a big campaign is running; how soon has the provider taken them?"""
    with _workshop(folder) as shop:
        _show(running.urgent(shop, database.kinds, recipients, times), as_json)


@app.command()
def scale(
    recipients: RecipientsOption = 100_000,
    workers: Annotated[str, typer.Option(help="How many workers to compare, separated by commas.")] = "1,2,4",
    provider_latency: Annotated[str, typer.Option(help="How long the provider takes to answer.")] = "200ms",
    folder: FolderOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Compare one worker with several on PostgreSQL, with a provider that takes its time."""
    try:
        amounts = [int(number) for number in workers.split(",")]
        latency_s = float(provider_latency.removesuffix("ms")) / 1000
    except ValueError as wrong:
        raise typer.BadParameter("write for example --workers 1,2,4 --provider-latency 200ms") from wrong
    with _workshop(folder) as shop:
        _show(running.scale(shop, recipients, amounts, latency_s), as_json)


@app.command()
def chaos(
    recipients: RecipientsOption = 20_000,
    kills: Annotated[int, typer.Option(min=0, help="How often a worker or the scheduler is killed.")] = 50,
    database: DatabaseOption = Databases.SQLITE,
    seed: Annotated[int, typer.Option(help="Which process dies when.")] = 1,
    without_network: Annotated[
        bool, typer.Option("--cut-off", help="Instead, cut one of three workers on PostgreSQL off for a while (root).")
    ] = False,
    folder: FolderOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Kill processes while a provider misbehaves; exit 1 if anybody was missed, written to twice or left unknown."""
    with _workshop(folder) as shop:
        if without_network:
            found = [cut_off(shop, recipients)]
        else:
            found = [run_chaos(shop, kind, recipients, kills, seed) for kind in database.kinds]
    if as_json:
        print_json(found[0].as_dict() if len(found) == 1 else [one.as_dict() for one in found])
    else:
        print_table("Chaos", list(found[0].as_dict()), [list(one.as_dict().values()) for one in found])
    if not all(one.is_clean for one in found):
        raise typer.Exit(1)


@contextmanager
def _workshop(folder: Path | None) -> Iterator[Workshop]:
    made = Path(tempfile.mkdtemp(prefix="notifier-bench-", dir=folder))
    # Whoever is told to stop takes processes, servers and files along.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield Workshop(made, os.environ, write_secrets, say)
    finally:
        shutil.rmtree(made, ignore_errors=True)


class _Shown(Protocol):
    def as_dict(self) -> dict[str, Any]: ...


def _show(figures: Sequence[_Shown], as_json: bool) -> None:
    found = [figure.as_dict() for figure in figures]
    if as_json:
        print_json(found)
        return
    columns = list(dict.fromkeys(name for row in found for name in row))
    print_table("Benchmark", columns, [[row.get(name) for name in columns] for row in found])
