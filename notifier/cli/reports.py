"""`notifier reports`: what became of campaigns, and what people and machines wrote back.

The report of one campaign is also `notifier campaigns report`.
"""

import sys
from collections.abc import Iterator
from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import orjson
import typer
from sqlalchemy.orm import Session

from notifier.accounts import audit, users
from notifier.accounts.models import User
from notifier.campaigns import lifecycle
from notifier.cli.frame import (
    LARGEST_ID,
    ActorOption,
    IdArgument,
    JsonFlag,
    house,
    print_json,
    print_table,
    progress,
    say,
)
from notifier.delivery.status import DeliveryStatus
from notifier.kit.clock import utc_now
from notifier.kit.db import Database
from notifier.kit.files import whole_file
from notifier.kit.sheets import write_csv
from notifier.reports import paper
from notifier.reports.progress import DeliveryLine, deliveries
from notifier.reports.report import CampaignReport, campaign_report, school_report
from notifier.reports.words import reason_words, status_words
from notifier.tracking import inbound, requests

app = typer.Typer(help="What became of campaigns, and what people wrote back.", no_args_is_help=True)

_PAGE = 5_000


class Format(StrEnum):
    """How a report is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    HTML = "html"


OutOption = Annotated[Path | None, typer.Option("--out", help="Write to this file instead of to the screen.")]


@app.command()
def report(
    campaign_id: IdArgument,
    form: Annotated[
        Format, typer.Option("--format", help="table, csv, json or html (one printable page).")
    ] = Format.TABLE,
    school: Annotated[str | None, typer.Option(help="One school's view: the code of its list.")] = None,
    out: OutOption = None,
) -> None:
    """Report on a campaign: reached, not reached and why, by channel, language, region and school, over time."""
    with house() as opened, opened.database.reading() as session:
        now = utc_now()
        made = (
            campaign_report(session, campaign_id, now=now)
            if school is None
            else school_report(session, campaign_id, school, now=now)
        )
    if out is not None:
        with whole_file(out) as file:
            _write(made, form, file)
        say(f"Written to {out}.")
    elif form is Format.TABLE:
        _show(made)
    else:
        _write(made, form, sys.stdout)


@app.command()
def recipients(
    campaign_id: IdArgument,
    actor: ActorOption,
    status: Annotated[DeliveryStatus | None, typer.Option(help="Only these.")] = None,
    school: Annotated[
        int | None, typer.Option(min=0, max=LARGEST_ID, help="Only those reached through this list (its number).")
    ] = None,
    out: OutOption = None,
) -> None:
    """Write the list of every recipient with status and reason as CSV; that you did goes into the audit trail."""
    with house() as opened:
        with opened.database.transaction() as session:
            lifecycle.find(session, campaign_id)
            note_listing(session, users.find(session, actor), campaign_id)
        header = [field.name for field in fields(DeliveryLine)] + ["in_words"]
        lines = _everybody(opened.database, campaign_id, status, school)
        if out is None:
            write_csv(sys.stdout, header, lines)
            return
        with progress() as bar, whole_file(out) as file:
            count = write_csv(file, header, bar.track(lines, description="Recipients"))
        say(f"{count} recipients written to {out}.")


@app.command()
def messages(as_json: JsonFlag = False) -> None:
    """Show what people wrote back and nobody has read yet."""
    with house() as opened, opened.database.reading() as session:
        found = inbound.unread(session)
        rows = [[one.id, one.channel, one.sender, f"{one.received_at:%Y-%m-%d %H:%M}", one.text] for one in found]
    names = ["id", "channel", "sender", "received_at", "text"]
    if as_json:
        print_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    print_table("Messages nobody has read yet", names, rows)


@app.command()
def read(message_id: IdArgument, actor: ActorOption) -> None:
    """Say that you have read a message and done what it asks."""
    with house() as opened, opened.database.transaction() as session:
        by = users.find(session, actor)
        inbound.mark_read(session, message_id, by=by.email, now=utc_now())
    say(f"Message {message_id} is read.")


@app.command("requests")
def open_requests(as_json: JsonFlag = False) -> None:
    """Show what recipients asked for on their page and nobody has done yet: their data, or to be forgotten."""
    with house() as opened, opened.database.reading() as session:
        rows = [
            [one.id, one.kind, one.address_id, f"{one.asked_at:%Y-%m-%d %H:%M}"]
            for one in requests.open_requests(session)
        ]
    names = ["id", "kind", "address_id", "asked_at"]
    if as_json:
        print_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    print_table("Open requests", names, rows)


@app.command("done")
def request_done(request_id: IdArgument, actor: ActorOption) -> None:
    """Say that a request was carried out."""
    with house() as opened, opened.database.transaction() as session:
        by = users.find(session, actor)
        requests.close_request(session, request_id, by=by.email, now=utc_now())
    say(f"Request {request_id} is done.")


def _write(made: CampaignReport, form: Format, file: TextIO) -> None:
    if form is Format.HTML:
        file.write(paper.html(made))
    elif form is Format.JSON:
        file.write(orjson.dumps(made.as_dict(), option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        write_csv(file, ["breakdown", "name", "status", "number"], list(made.cells()))


def _show(made: CampaignReport) -> None:
    print_table(
        f"Campaign {made.id}: {made.advisory}" + (f", {made.school}" if made.school else ""),
        ["what became of it", "messages"],
        [[status_words(status), number] for status, number in made.by_status.items()]
        + [["complaints", made.complained], ["opt-outs", made.opted_out]],
    )
    for title, counts in (
        ("channel", made.by_channel),
        ("language", made.by_language),
        ("region", made.by_region),
        ("school", made.by_school),
    ):
        statuses = list(made.by_status)
        print_table(
            f"By {title}",
            [title, *[status_words(status) for status in statuses]],
            [[name, *[one.get(status, 0) for status in statuses]] for name, one in counts.items()],
        )
    if made.reasons:
        rows = [[reason, status_words(status), n] for reason, one in made.reasons.items() for status, n in one.items()]
        print_table("Not reached, and why", ["reason", "what became of it", "messages"], rows)


def note_listing(session: Session, by: User, campaign_id: int) -> None:
    """Let a user see the addresses of a campaign, and note that they did. Raises Conflict if they may not."""
    users.require(by, users.MAY_DRAFT, "listing recipients")
    audit.record(session, actor=by.email, action="recipients.listed", subject=f"campaign {campaign_id}", at=utc_now())


def _everybody(
    database: Database, campaign_id: int, status: DeliveryStatus | None, list_id: int | None
) -> Iterator[list[object]]:
    """Yield every recipient's line, a page at a time, so that a million of them need little memory."""
    after = 0
    while True:
        with database.reading() as session:
            page = deliveries(session, campaign_id, status=status, list_id=list_id, after=after, limit=_PAGE)
        for line in page:
            yield [*line.as_dict().values(), reason_words(line.reason) if line.reason else status_words(line.status)]
        if len(page) < _PAGE:
            return
        after = page[-1].id
