"""The notifier command: one file per group of commands, each thin: read the words typed, call a verb, print."""

from typing import Any

import typer
from typer.core import TyperGroup

from notifier.cli import (
    advisories,
    audiences,
    bench,
    bounces,
    campaigns,
    lists,
    processes,
    recipients,
    regions,
    reports,
    setup,
    suppressions,
    users,
)
from notifier.cli.demo import demo
from notifier.cli.frame import refusals
from notifier.cli.sandbox import sandbox
from notifier.kit import logs


class Refusing(TyperGroup):
    """A group of commands in which a room's refusal becomes one sentence and exit code 1."""

    def main(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - as Typer has it
        """Run the command that was asked for."""
        with refusals():
            return super().main(*arguments, **options)


app = typer.Typer(
    name="notifier",
    cls=Refusing,
    help="Send child-safety advisories by email and SMS, in every family's language, once to each address.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(setup.init)
app.command()(demo)
app.command()(processes.run)
app.command()(processes.serve)
app.command()(processes.schedule)
app.command()(processes.work)
app.command()(sandbox)
app.command()(setup.doctor)
app.add_typer(users.app, name="users")
app.add_typer(lists.app, name="lists")
app.add_typer(audiences.app, name="audiences")
app.add_typer(recipients.app, name="recipients")
app.add_typer(suppressions.app, name="suppressions")
app.add_typer(campaigns.app, name="campaigns")
app.add_typer(advisories.app, name="advisories")
app.add_typer(regions.app, name="regions")
app.add_typer(reports.app, name="reports")
app.add_typer(bounces.app, name="bounces")
app.add_typer(bench.app, name="bench")


def main() -> None:
    """Run the command line."""
    logs.configure()
    app()
