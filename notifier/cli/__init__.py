"""The notifier command: one file per group of commands, each thin: read the words typed, call a verb, print.

`CHAPTERS` is the one place that knows which module a command is in. A module is imported when its command is called, so
that `notifier --help` and a command about users load neither the web nor the providers' packages (docs/decisions/0072).
"""

from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from notifier.cli.frame import refusals
from notifier.kit import logs


class Chapter(NamedTuple):
    """A command or a group of commands: its module here, the name in it, and its line in the help."""

    module: str
    name: str
    about: str


CHAPTERS = {
    "init": Chapter("setup", "init", "Make or update an installation: secrets, sandbox accounts, database."),
    "demo": Chapter(
        "demo",
        "demo",
        "Send two campaigns to made-up families on this machine, and check that nobody was missed or written to twice.",
    ),
    "run": Chapter("processes", "run", "Run web, scheduler and worker in one process."),
    "serve": Chapter("processes", "serve", "Run the web part: recipients' pages, webhooks, health, metrics."),
    "schedule": Chapter(
        "processes",
        "schedule",
        "Run the scheduler: due waves, dead workers, provider events. Several may run at once.",
    ),
    "work": Chapter(
        "processes",
        "work",
        "Run a worker that sends. Several may run at once; SIGTERM lets it finish what is in flight.",
    ),
    "sandbox": Chapter(
        "sandbox",
        "sandbox",
        "Stand in for SendGrid and Twilio until interrupted; with --json, print what a running sandbox received.",
    ),
    "doctor": Chapter(
        "setup", "doctor", "Look at every part of the installation and say what is wrong, and what would be better."
    ),
    "users": Chapter("users", "app", "The people who may act."),
    "lists": Chapter("lists", "app", "Contact lists of schools, and their uploads."),
    "audiences": Chapter("audiences", "app", "Who a campaign would reach."),
    "recipients": Chapter("recipients", "app", "What is held about one person, and its erasure."),
    "suppressions": Chapter("suppressions", "app", "Addresses that may not be written to, whatever any list says."),
    "campaigns": Chapter("campaigns", "app", "Draft, have approved, send and watch campaigns."),
    "advisories": Chapter("advisories", "app", "Advisories: their texts, their review, their looks."),
    "regions": Chapter("regions", "app", "Regions and the numbers families there are given."),
    "reports": Chapter("reports", "app", "What became of campaigns, and what people wrote back."),
    "bounces": Chapter("bounces", "app", "Delivery reports, complaints and replies that come by mail."),
    "bench": Chapter("bench", "app", "Measure this machine: each path beside its floor."),
}


class Contents(TyperGroup):
    """The commands by name and line; a room's refusal becomes one sentence and exit code 1."""

    def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - as Typer has it
        super().__init__(**attributes)
        for name, chapter in CHAPTERS.items():
            self.commands[name] = TyperCommand(name, callback=None, help=chapter.about)

    def open(self, name: str) -> None:
        """Put the real command in the place of its line."""
        chapter = CHAPTERS[name]
        found = getattr(import_module(f"{__name__}.{chapter.module}"), chapter.name)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(add_completion=False)
            alone.command(name)(found)
            found = alone
        command = get_command(found)
        command.name = name
        self.commands[name] = command

    def open_all(self) -> None:
        """Open every chapter, for what looks at all of them."""
        for name in CHAPTERS:
            self.open(name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - as Typer has it
        """Open the chapter that is asked for, and find the command in it."""
        if args[0] in CHAPTERS:
            self.open(args[0])
        return super().resolve_command(ctx, args)

    def main(self, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - as Typer has it
        """Run the command that was asked for."""
        with refusals():
            return super().main(*arguments, **options)


app = typer.Typer(
    name="notifier", cls=Contents, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)


@app.callback()
def notifier() -> None:
    """Send child-safety advisories by email and SMS, in every family's language, once to each address."""


def main() -> None:
    """Run the command line."""
    logs.configure()
    app()
