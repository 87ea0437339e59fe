"""`notifier suppressions`: addresses that may not be written to, whatever any list says."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress
from sqlalchemy.orm import Session

from notifier.accounts import audit, users
from notifier.audiences import suppression_files, suppressions
from notifier.audiences.columns import Column
from notifier.audiences.forgetting import read_address
from notifier.audiences.reading import Sheet, open_sheet
from notifier.cli.frame import ActorOption, JsonFlag, LookerOption, print_json, print_table, progress, tell
from notifier.cli.opening import house, look
from notifier.cli.recipients import CountryOption
from notifier.kit.errors import Conflict
from notifier.kit.files import whole_file
from notifier.kit.sheets import write_csv
from notifier.reports.words import masked
from notifier.vocabulary import Channel, SuppressionReason

app = typer.Typer(help="Addresses that may not be written to, whatever any list says.", no_args_is_help=True)
_NEEDS_COUNTRY = "A number without + and its country is read with --country, such as --country AU."
# How often the progress bar moves, in rows.
_EVERY = 500
# How many of the rows that were refused are told at the screen.
_SHOWN = 20
AddressArgument = Annotated[str, typer.Argument(help="An email address or a mobile number.")]


@app.command("list")
def show_all(
    reason: Annotated[SuppressionReason | None, typer.Option(help="Only those with this reason.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 50,
    actor: LookerOption = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Show how many addresses are suppressed, by reason, and the newest; with --as also the addresses."""
    with house() as opened:
        if actor is not None:
            look(opened, actor, action="suppressions.listed", subject="suppressions", doing="seeing who is suppressed")
        with opened.database.reading() as session:
            counts = suppressions.counts(session)
            rows = list(suppressions.listed(session, reason, limit=limit))
    if actor is None:
        rows = [row._replace(note=None, address=_masked(row)) for row in rows]
    if as_json:
        print_json({"counts": counts, "newest": [row._asdict() for row in rows]})
        return
    print_table("Suppressed", ["reason", "addresses"], [[name, number] for name, number in counts.items()])
    print_table("Newest", list(suppressions.Listed._fields), [list(row) for row in rows])


@app.command()
def add(
    address: AddressArgument,
    actor: ActorOption,
    reason: Annotated[SuppressionReason, typer.Option(help="Why.")] = SuppressionReason.MANUAL,
    note: Annotated[str | None, typer.Option(help="A remark for the file; never the address.")] = None,
    country: CountryOption = "ZZ",
    *,
    as_json: JsonFlag = False,
) -> None:
    """Write no more to an address."""
    if reason is SuppressionReason.ERASED:
        raise Conflict("An erasure is more than a suppression; use `notifier recipients forget`")
    with house() as opened, opened.database.transaction() as session:
        by = users.acting(session, actor, users.MAY_SEE_PEOPLE, "suppressing an address").email
        channel, value = read_address(address, country)
        new = suppressions.suppress(
            session,
            opened.address_secret,
            channel,
            value,
            reason,
            source="command line",
            actor=by,
            now=opened.clock(),
            note=note,
        )
        _note(session, by, "suppression.added", opened.clock(), {"reason": reason, "new": new})
    said = f"{value} is suppressed ({reason})." if new else f"{value} was suppressed already."
    tell({"address": value, "channel": channel, "reason": reason, "new": new}, said, as_json=as_json)


@app.command()
def lift(
    address: AddressArgument,
    actor: ActorOption,
    why: Annotated[str, typer.Option(help="Why it may be written to again.")],
    country: CountryOption = "ZZ",
    *,
    as_json: JsonFlag = False,
) -> None:
    """Allow an address again."""
    with house() as opened, opened.database.transaction() as session:
        by = users.acting(session, actor, users.MAY_SEE_PEOPLE, "lifting a suppression").email
        channel, value = read_address(address, country)
        suppressions.lift(session, opened.address_secret, channel, value, actor=by, now=opened.clock(), why=why)
        _note(session, by, "suppression.lifted", opened.clock(), {})
    tell({"address": value, "channel": channel}, f"{value} may be written to again.", as_json=as_json)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="An export of Notifier, or a file with a column for email or mobile.")],
    actor: ActorOption,
    reason: Annotated[
        SuppressionReason | None, typer.Option(help="Why, for all of another system's; opt_out if left out.")
    ] = None,
    country: CountryOption = "ZZ",
    *,
    as_json: JsonFlag = False,
) -> None:
    """Bring back an export of Notifier, or take over the suppressions of another system."""
    if reason is SuppressionReason.ERASED:
        raise Conflict("An erasure is more than a suppression; use `notifier recipients forget`")
    with (
        house() as opened,
        open_sheet(file, own=suppression_files.EXPORTED) as sheet,
        progress() as bar,
        opened.database.transaction() as session,
    ):
        by = users.acting(session, actor, users.MAY_SEE_PEOPLE, "importing suppressions").email
        done = suppression_files.take_over(
            session,
            opened.address_secret,
            replace(sheet, rows=_followed(sheet, bar, f"Reading {file.name}")),
            reason,
            country=country,
            source=f"file {file.name}",
            actor=by,
            now=opened.clock(),
        )
        counts = asdict(done) | {"refusals": [one._asdict() for one in done.refusals]}
        _note(session, by, "suppressions.imported", opened.clock(), _numbers(done) | {"reason": reason})
    tell(counts, *_sentences(done, country), as_json=as_json)


def _numbers(done: suppression_files.TakenOver) -> dict[str, int]:
    return {name: number for name, number in asdict(done).items() if isinstance(number, int)}


def _sentences(done: suppression_files.TakenOver, country: str) -> Iterator[str]:
    yield (
        f"{done.new} addresses are suppressed now, {done.stronger} for a stronger reason than before, {done.known} "
        f"were already, {done.refused} could not be taken, {done.empty} rows name nobody."
    )
    for row, column, why, remedy in done.refusals[:_SHOWN]:
        yield f"Row {row}, {column}: {why.replace('_', ' ')}. {remedy}"
    if done.refused > _SHOWN:
        yield f"And {done.refused - _SHOWN} more; --json tells the first {len(done.refusals)}."
    if country == "ZZ" and any(one.column == Column.MOBILE for one in done.refusals):
        yield _NEEDS_COUNTRY
    if done.erased_but_held:
        yield (
            f"{done.erased_but_held} of them were erased and stand on a list here all the same. Nobody writes to them; "
            "`notifier suppressions list --reason erased --as EMAIL` names them, and `notifier recipients forget` "
            "erases them here too."
        )


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="The CSV file to write.")], actor: ActorOption, *, as_json: JsonFlag = False
) -> None:
    """Write every suppression to a CSV file: the address where it is known, and its keyed hash."""
    with house() as opened:
        look(opened, actor, action="suppressions.exported", subject="suppressions", doing="exporting suppressions")
        with opened.database.reading() as session, whole_file(out) as file, progress() as bar:
            total = sum(suppressions.counts(session).values())
            everything = suppression_files.exported(session, opened.address_secret)
            rows = bar.track(everything, total=total, description=f"Writing {out.name}")
            written = write_csv(file, suppression_files.EXPORTED, rows)
    tell({"file": str(out), "suppressions": written}, f"Wrote {written} suppressions to {out}.", as_json=as_json)


def _followed(sheet: Sheet, bar: Progress, description: str) -> Iterator[tuple[int, Sequence[str]]]:
    """Give the rows of a sheet and show how far its file has been read."""
    task = bar.add_task(description, total=sheet.size)
    for number, cells in sheet.rows:
        yield number, cells
        if number % _EVERY == 0:
            bar.update(task, completed=sheet.progress.read)
    bar.update(task, completed=sheet.size or 0)


def _masked(row: suppressions.Listed) -> str | None:
    return masked(Channel(row.channel), row.address) if row.address else None


def _note(session: Session, by: str, action: str, now: datetime, detail: dict[str, Any]) -> None:
    """Note an act in the audit trail, which names neither address nor reason: those stand in the consent log."""
    audit.record(session, actor=by, action=action, subject="suppressions", at=now, detail=detail)
