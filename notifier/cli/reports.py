"""`notifier reports`: what became of campaigns, and what people and machines wrote back.

The report of one campaign is also `notifier campaigns report`.
"""

import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TextIO

import orjson
import typer

from notifier.accounts import audit, users
from notifier.accounts.models import UserRole
from notifier.audiences import lists
from notifier.bootstrap import House
from notifier.campaigns import lifecycle
from notifier.cli.frame import (
    ActorOption,
    IdArgument,
    JsonFlag,
    LookerOption,
    print_json,
    print_table,
    progress,
    say,
    tell,
)
from notifier.cli.opening import house, look, own_school
from notifier.delivery.status import DeliveryStatus
from notifier.kit.db import Database
from notifier.kit.files import whole_file
from notifier.kit.sheets import write_csv
from notifier.reports import paper
from notifier.reports.progress import DeliveryLine, deliveries
from notifier.reports.report import CampaignReport, campaign_report, school_report
from notifier.reports.words import masked, reason_words, status_words
from notifier.tracking import inbound, requests
from notifier.vocabulary import Channel

app = typer.Typer(help="What became of campaigns, and what people wrote back.", no_args_is_help=True)

_PAGE = 5_000


class Format(StrEnum):
    """How a report is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    HTML = "html"


SchoolOption = Annotated[str | None, typer.Option(help="One school's view: the code of its list.")]
OutOption = Annotated[Path | None, typer.Option("--out", help="Write to this file instead of to the screen.")]


@app.command()
def report(
    campaign_id: IdArgument,
    form: Annotated[
        Format, typer.Option("--format", help="table, csv, json or html (one printable page).")
    ] = Format.TABLE,
    school: SchoolOption = None,
    out: OutOption = None,
    actor: Annotated[
        str | None, typer.Option("--as", metavar="EMAIL", help="Who looks: a school's user sees their own school.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Report on a campaign: reached, not reached and why, by channel, language, region and school, over time."""
    form = Format.JSON if as_json else form
    with house() as opened:
        school = own_school(opened, actor, school)
        now = opened.clock()
        with opened.database.reading() as session:
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
    school: SchoolOption = None,
    out: OutOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Write the list of every recipient with status and reason as CSV; that you did goes into the audit trail.

    A school's user gets the people of their own list.
    """
    with house() as opened:
        school = own_school(opened, actor, school)
        with opened.database.reading() as session:
            lifecycle.find(session, campaign_id)
            list_id = None if school is None else lists.find_list(session, school).id
        note_listing(opened, actor, campaign_id, roles=users.MAY_KEEP_LISTS, school=school)
        header = [field.name for field in fields(DeliveryLine)] + ["in_words"]
        lines = _everybody(opened.database, campaign_id, status, list_id)
        if out is not None:
            with progress() as bar, whole_file(out) as file:
                count = write_csv(file, header, bar.track(lines, description="Recipients"))
            told = {"file": str(out), "recipients": count}
            tell(told, f"{count} recipients written to {out}.", as_json=as_json)
        elif as_json:
            print_json([dict(zip(header, line, strict=True)) for line in lines])
        else:
            write_csv(sys.stdout, header, lines)


@app.command()
def messages(actor: LookerOption = None, *, as_json: JsonFlag = False) -> None:
    """Show what people wrote back and nobody has read yet; with --as also who wrote what, which the trail notes."""
    with house() as opened:
        if actor is not None:
            look(opened, actor, action="messages.listed", subject="messages", doing="reading what people wrote")
        with opened.database.reading() as session:
            found = inbound.unread(session)
    shown = [
        (one.sender, one.text) if actor is not None else (masked(Channel(one.channel), one.sender), None)
        for one in found
    ]
    rows = [
        [one.id, one.channel, sender, f"{one.received_at:%Y-%m-%d %H:%M}", text]
        for one, (sender, text) in zip(found, shown, strict=True)
    ]
    _print_rows("Messages nobody has read yet", ["id", "channel", "sender", "received_at", "text"], rows, as_json)
    if actor is None and rows and not as_json:
        say("Name yourself with --as EMAIL to read them; the audit trail notes that you did.")


@app.command()
def read(message_id: IdArgument, actor: ActorOption, *, as_json: JsonFlag = False) -> None:
    """Say that you have read a message and done what it asks."""
    with house() as opened, opened.database.transaction() as session:
        now = opened.clock()
        by = users.acting(session, actor, users.MAY_SEE_PEOPLE, "reading what people wrote").email
        inbound.mark_read(session, message_id, by=by, now=now)
        audit.record(session, actor=by, action="message.read", subject=f"message {message_id}", at=now)
    tell({"message": message_id, "read_by": by}, f"Message {message_id} is read.", as_json=as_json)


@app.command("requests")
def open_requests(actor: LookerOption = None, *, as_json: JsonFlag = False) -> None:
    """Show what recipients asked for on their page and nobody has done yet: their data, or to be forgotten.

    With --as also whose request it is, which the audit trail notes.
    """
    with house() as opened:
        if actor is not None:
            look(opened, actor, action="requests.listed", subject="requests", doing="seeing who asked for what")
        with opened.database.reading() as session:
            found = requests.open_requests(session)
    whose = [one.address if actor is not None else _masked(one) for one in found]
    rows = [
        [one.id, one.kind, one.address_id, address, f"{one.asked_at:%Y-%m-%d %H:%M}"]
        for one, address in zip(found, whose, strict=True)
    ]
    _print_rows("Open requests", ["id", "kind", "address_id", "address", "asked_at"], rows, as_json)
    if rows and not as_json:
        say("data: notifier recipients show ADDRESS --as EMAIL; forget: notifier recipients forget ADDRESS --as EMAIL")


@app.command("done")
def request_done(request_id: IdArgument, actor: ActorOption, *, as_json: JsonFlag = False) -> None:
    """Say that a request was carried out."""
    with house() as opened, opened.database.transaction() as session:
        now = opened.clock()
        by = users.acting(session, actor, users.MAY_SEE_PEOPLE, "closing a request").email
        requests.close_request(session, request_id, by=by, now=now)
        audit.record(session, actor=by, action="request.done", subject=f"request {request_id}", at=now)
    tell({"request": request_id, "done_by": by}, f"Request {request_id} is done.", as_json=as_json)


def _masked(one: requests.Asked) -> str | None:
    return masked(Channel(one.channel), one.address) if one.channel and one.address else None


def _print_rows(title: str, names: list[str], rows: list[list[Any]], as_json: bool) -> None:
    if as_json:
        print_json([dict(zip(names, row, strict=True)) for row in rows])
    else:
        print_table(title, names, rows)


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


def note_listing(
    opened: House,
    email: str,
    campaign_id: int,
    *,
    roles: frozenset[UserRole] = users.MAY_SEE_PEOPLE,
    school: str | None = None,
) -> None:
    """Let a user see the addresses of a campaign, and note that they did. Raises Conflict if they may not."""
    look(
        opened,
        email,
        action="recipients.listed",
        subject=f"campaign {campaign_id}",
        doing="listing recipients",
        roles=roles,
        detail=None if school is None else {"school": school},
    )


def _everybody(
    database: Database, campaign_id: int, status: DeliveryStatus | None, list_id: int | None
) -> Iterator[list[object]]:
    """Yield every recipient's line, a page at a time, so that a million of them need little memory."""
    after = 0
    while True:
        with database.reading() as session:
            page = deliveries(session, campaign_id, status=status, list_id=list_id, after=after, limit=_PAGE)
        for line in page:
            # Which other schools somebody belongs to is not this school's to know.
            line = line if list_id is None else replace(line, list_ids=str(list_id))  # noqa: PLW2901
            yield [*line.as_dict().values(), reason_words(line.reason) if line.reason else status_words(line.status)]
        if len(page) < _PAGE:
            return
        after = page[-1].id
