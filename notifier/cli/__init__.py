"""The notifier command: one file per group of commands, each thin: read the words typed, call a verb, print."""

import typer

from notifier.cli import advisories, audiences, campaigns, lists, processes, regions, setup, users
from notifier.cli.demo import demo
from notifier.cli.frame import refusals
from notifier.cli.sandbox import sandbox
from notifier.kit import logs

app = typer.Typer(
    name="notifier",
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
app.add_typer(campaigns.app, name="campaigns")
app.add_typer(advisories.app, name="advisories")
app.add_typer(regions.app, name="regions")


def main() -> None:
    """Run the command line."""
    logs.configure()
    with refusals():
        app()
