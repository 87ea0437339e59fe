"""`notifier lists`: contact lists of schools, and their uploads."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from notifier.accounts import audit, users
from notifier.audiences import downloads, importer, keepers, lists, reading, samples
from notifier.audiences.crowds import Crowds
from notifier.audiences.difference import Difference
from notifier.audiences.judging import ListRules, PlainRow, row_judge
from notifier.audiences.languages import tag_of
from notifier.audiences.models import ContactList, ImportMode
from notifier.audiences.verdicts import Verdict
from notifier.bootstrap import House
from notifier.cli.frame import ActorOption, JsonFlag, print_json, print_table, progress, say, tell
from notifier.cli.opening import house, look
from notifier.kit.errors import Conflict, Invalid
from notifier.kit.files import whole_file
from notifier.kit.sheets import write_csv
from notifier.vocabulary import Readers

_HEADERS_SHOWN, _LONGEST_HEADER = 20, 40

app = typer.Typer(help="Contact lists of schools, and their uploads.", no_args_is_help=True)


@app.command()
def create(
    code: Annotated[str, typer.Argument(help="A short name, such as northcote-high.")],
    name: Annotated[str, typer.Option(help="The name families know: it stands in the message.")],
    region: Annotated[str, typer.Option(help="The region the school is in, such as AU-VIC.")],
    actor: ActorOption,
    basis: Annotated[lists.LawfulBasis, typer.Option(help="Why the people on it may be written to.")],
    readers: Annotated[Readers, typer.Option(help="Who is on the list.")] = Readers.PARENTS,
    students: Annotated[bool, typer.Option("--students", help="Say that students are on this list.")] = False,
    language: Annotated[str | None, typer.Option(help="The language of people who name none.")] = None,
    source: Annotated[str | None, typer.Option(help="Where the list comes from, such as Compass.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a contact list; you confirm the wording that is shown."""
    if (readers is Readers.YOUNG_PEOPLE) != students:
        raise Conflict(
            "A list of students is made with --readers young-people and --students together, so that nobody makes one "
            "by mistake"
        )
    tag = None if language is None else tag_of(language)
    if language is not None and tag is None:
        raise Invalid(f"{language!r} is no language; write its tag (ar) or its name (Arabic)")
    with house() as opened, opened.database.transaction() as session:
        by = users.acting(session, actor, users.MAY_DRAFT, "making a contact list").email
        place = opened.atlas.region(region)
        made = lists.create_list(
            session,
            lists.NewList(
                code=code,
                name=name,
                region=place.code,
                country=place.country,
                readers=readers,
                lawful_basis=basis,
                attested_by=by,
                language=tag,
                source=source,
            ),
            actor=by,
            now=opened.clock(),
        )
        audit.record(session, actor=by, action="list.created", subject=f"list {made.code}", at=opened.clock())
        facts = asdict(lists.summaries(session, made.code)[0])
    tell(
        facts,
        f"Made the contact list {made.code} ({made.name}).",
        f"On the word of {by} (wording {made.attestation_version}):",
        f'  "{lists.ATTESTATIONS[lists.CURRENT_ATTESTATION]}"',
        as_json=as_json,
    )


@app.command()
def entrust(
    code: Annotated[str, typer.Argument(metavar="LIST", help="The contact list.")],
    to: Annotated[str, typer.Option("--to", metavar="EMAIL", help="The school's user who is to keep it.")],
    actor: ActorOption,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Let a school's user keep a list: upload it, and see what became of its people."""
    with house() as opened, opened.database.transaction() as session:
        by = users.acting(session, actor, users.MAY_DRAFT, "entrusting a list")
        new = keepers.entrust(session, code, users.find(session, to), by=by, now=opened.clock())
    facts = {"list": code, "keeper": to, "new": new}
    tell(facts, f"{to} {'now keeps' if new else 'kept already'} the list {code}.", as_json=as_json)


@app.command("take-back")
def take_back(
    code: Annotated[str, typer.Argument(metavar="LIST", help="The contact list.")],
    keeper: Annotated[str, typer.Option("--from", metavar="EMAIL", help="The school's user who kept it.")],
    actor: ActorOption,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Let a school's user no longer keep a list."""
    with house() as opened, opened.database.transaction() as session:
        by = users.acting(session, actor, users.MAY_DRAFT, "taking back a list")
        keepers.take_back(session, code, users.find(session, keeper), by=by, now=opened.clock())
    tell({"list": code, "keeper": None}, f"{keeper} no longer keeps the list {code}.", as_json=as_json)


@app.command("import")
def import_(
    code: Annotated[str, typer.Argument(metavar="LIST", help="The contact list.")],
    file: Annotated[Path, typer.Argument(help="A CSV file, a spreadsheet (XLSX, ODS), or a OneRoster bundle (zip).")],
    actor: ActorOption = users.COMMAND_LINE,
    apply: Annotated[bool, typer.Option("--apply", help="Carry the difference out.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Whoever is not in the file is removed.")] = False,
    confirm_removals: Annotated[int | None, typer.Option(help="How many removals you expect.")] = None,
    column: Annotated[list[str] | None, typer.Option(help="'THEIR HEADER=our word', as often as needed.")] = None,
    school: Annotated[str | None, typer.Option(help="Which school of a OneRoster bundle.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what a file would change in a list; with --apply, change it."""
    upload = Upload(code, file, ImportMode.REPLACE if replace else ImportMode.MERGE, _mapping(column or []), school)
    with house() as opened:
        _may_keep(opened, actor, code, "importing a list")
        waiting = _waiting(opened, upload) if apply else None
        import_id, shown, unread = waiting or show_import(opened, upload, actor=actor)
        if not as_json:
            _print_difference(upload, shown, opened.settings.lists)
            _print_unread(shown, unread)
        if apply:
            _carry_out(opened, code, import_id, actor=actor, confirmed_removals=confirm_removals)
    if as_json:
        print_json({"list": code, "import": import_id, "applied": apply, **shown.as_counts(), "unread_columns": unread})
    elif apply:
        say("Done: the list is now as shown.")
    else:
        say("Nothing has changed yet; the same command with --apply carries this out.")


def _carry_out(opened: House, code: str, import_id: int, *, actor: str, confirmed_removals: int | None) -> None:
    with progress() as bar, opened.database.transaction() as session:
        bar.add_task("Carrying out", total=None)
        settings, now = opened.settings.lists, opened.clock()
        importer.carry_out(session, import_id, settings, actor=actor, now=now, confirmed_removals=confirmed_removals)
        subject, detail = f"list {code}", {"import": import_id}
        audit.record(session, actor=actor, action="list.imported", subject=subject, at=now, detail=detail)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file for a list, and how it is to be read."""

    code: str
    file: Path
    mode: ImportMode
    mapping: Mapping[str, str] = field(default_factory=dict)
    school: str | None = None


class Shown(NamedTuple):
    """A difference that was shown: its import, and the headers of the file nobody knew, if it was read just now."""

    import_id: int
    difference: Difference
    unread: tuple[str, ...] = ()


def _may_keep(opened: House, actor: str, code: str, doing: str) -> None:
    """Refuse who may not keep this list. Raises NotFound or Conflict."""
    if actor == users.COMMAND_LINE:
        return
    with opened.database.reading() as session:
        keepers.require_keeper(session, users.acting(session, actor, users.MAY_KEEP_LISTS, doing), code)


def _waiting(opened: House, upload: Upload) -> Shown | None:
    """Return the difference of this very file that was shown and waits for a yes, if there is one."""
    with opened.database.transaction() as session:
        found = lists.find_list(session, upload.code)
        known = lists.known_mapping(found, upload.mapping)
        digest = reading.file_digest(upload.file, known, upload.school)
        waiting = importer.shown_before(session, found, digest=digest, mode=upload.mode)
        return None if waiting is None else Shown(waiting.id, Difference.from_counts(waiting.counts or {}))


def show_import(opened: House, upload: Upload, *, actor: str) -> Shown:
    """Read and judge a file for a list and work out the difference.

    Every slice of rows is a transaction of its own, so that nobody else waits while a long file is read.
    """
    settings = opened.settings.lists
    with opened.database.transaction() as session:
        found = lists.find_list(session, upload.code)
        known = lists.known_mapping(found, upload.mapping)
    with (
        reading.open_sheet(
            upload.file,
            upload.mapping,
            school=upload.school,
            max_unpacked_mb=settings.max_unpacked_mb,
            remembered=known,
        ) as sheet,
        progress() as bar,
    ):
        digest = reading.file_digest(upload.file, known, upload.school)
        with opened.database.transaction() as session:
            lists.remember_mapping(session, lists.find_list(session, upload.code), upload.mapping)
            import_id = importer.begin(
                session,
                found,
                file_name=upload.file.name,
                digest=digest,
                mode=upload.mode,
                actor=actor,
                now=opened.clock(),
                people_per_row=sheet.people,
            )
        crowds = Crowds()
        task = bar.add_task(f"Reading {upload.file.name}", total=sheet.size)
        for part in _judged(opened, found, sheet, crowds, import_id):
            with opened.database.transaction() as session:
                importer.store(session, part)
            bar.update(task, completed=sheet.progress.read)
        bar.update(task, completed=sheet.size or 0, description="Comparing")
        with opened.database.transaction() as session:
            return Shown(import_id, importer.settle(session, import_id, crowds, settings), sheet.unread)


def _judged(
    opened: House, found: ContactList, sheet: reading.Sheet, crowds: Crowds, import_id: int
) -> Iterator[list[PlainRow]]:
    rules = ListRules(country=found.country, readers=Readers(found.readers))
    judge = row_judge(sheet.places, len(sheet.header), rules, opened.address_secret, import_id)
    return importer.judged(sheet.rows, judge, crowds, max_rows=opened.settings.lists.max_rows)


@app.command()
def verdicts(
    code: Annotated[str, typer.Argument(metavar="LIST", help="The contact list.")],
    out: Annotated[Path, typer.Option(help="The CSV file to write.")],
    actor: ActorOption,
    every: Annotated[bool, typer.Option("--every", help="Also the rows there is nothing to say about.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Write what was said about each row of the last upload: row, column, value, reason, remedy."""
    with house() as opened:
        doing = "reading what was said about an upload"
        _may_keep(opened, actor, code, doing)
        with opened.database.reading() as session:
            import_id = downloads.last_import(session, lists.find_list(session, code))
        roles = users.MAY_KEEP_LISTS
        look(opened, actor, action="list.verdicts_read", subject=f"list {code}", doing=doing, roles=roles)
        with opened.database.reading() as session, whole_file(out) as file:
            rows = downloads.verdicts(session, import_id)
            wanted = rows if every else (row for row in rows if row.verdict != Verdict.ACCEPTED)
            written = write_csv(file, downloads.VerdictLine._fields, wanted)
    tell({"file": str(out), "verdicts": written}, f"Wrote {written} verdicts to {out}.", as_json=as_json)


def _mapping(options: list[str]) -> dict[str, str]:
    pairs = [option.rpartition("=") for option in options]
    if any(not sign or not theirs or not ours for theirs, sign, ours in pairs):
        raise typer.BadParameter("write --column 'THEIR HEADER=email'; the right side is one of our words")
    return {theirs.strip(): ours.strip() for theirs, _, ours in pairs}


def _print_difference(upload: Upload, shown: Difference, settings: importer.ImportSettings) -> None:
    counts = shown.as_counts()
    fields = counts.pop("fields")
    title = f"What {upload.file.name} changes in {upload.code}"
    print_table(title, ["what", "how many"], [[name.replace("_", " "), number] for name, number in counts.items()])
    if fields:
        say("Changed fields: " + ", ".join(f"{name} {number}" for name, number in fields.items()))
    if shown.left_alone:
        say(
            f"Left alone ({shown.left_alone}): the owner of an address wants no messages, left this list or was "
            "erased; an upload does not undo that."
        )
    if shown.refused or shown.rewritten:
        say(
            "Which rows were refused or rewritten, and why: "
            f"notifier lists verdicts {upload.code} --out verdicts.csv --as EMAIL"
        )
    if importer.removes_many(shown, settings):
        say(
            f"{shown.removed} of {shown.people_before} people would be removed: --apply asks for "
            f"--confirm-removals {shown.removed} too."
        )


def _print_unread(shown: Difference, unread: Sequence[str]) -> None:
    """Say what of the file went unread: a column nobody knows, or all of it."""
    if unread:
        names = ", ".join(repr(text[:_LONGEST_HEADER]) for text in unread[:_HEADERS_SHOWN])
        more = f" and {len(unread) - _HEADERS_SHOWN} more" if len(unread) > _HEADERS_SHOWN else ""
        say(f"Columns that were not read: {names}{more}. Is one needed? Say which: --column 'THEIR HEADER=mobile'")
    if not shown.rows:
        say("The file names nobody: no row below its header, or no guardian with a child at that school.")


@app.command()
def show(
    code: Annotated[str | None, typer.Argument(metavar="[LIST]", help="One contact list; all without it.")] = None,
    actor: Annotated[
        str | None, typer.Option("--as", metavar="EMAIL", help="Who looks: a school's user sees their own lists.")
    ] = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Show one contact list, or all of them."""
    with house() as opened, opened.database.reading() as session:
        looker = None if actor is None else users.acting(session, actor, users.MAY_KEEP_LISTS, "looking at lists")
        if looker is not None and code is not None:
            keepers.require_keeper(session, looker, code)
        kept = None if looker is None else keepers.kept_by(session, looker)
        found = [one for one in lists.summaries(session, code) if kept is None or one.code in kept]
    if as_json:
        print_json([asdict(summary) for summary in found] if code is None else asdict(found[0]))
        return
    columns = ["code", "name", "region", "readers", "language", "people", "emails", "mobiles", "version"]
    print_table("Contact lists", columns, [[getattr(summary, column) for column in columns] for summary in found])


@app.command()
def sample(
    out: Annotated[Path, typer.Option(help="The CSV file to write.")],
    rows: Annotated[int, typer.Option(min=1, help="How many people.")] = 1_000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same people.")] = 1,
    region: Annotated[str, typer.Option(help="AU-VIC, DE, FR or GR.")] = "AU-VIC",
    as_json: JsonFlag = False,
) -> None:
    """Write a made-up list of any size."""
    people = samples.sample(rows, seed, region)
    with whole_file(out) as file, progress() as bar:
        written = write_csv(file, samples.HEADER, bar.track(people, total=rows, description=f"Making {out.name}"))
    tell({"file": str(out), "people": written}, f"Wrote {written} made-up people to {out}.", as_json=as_json)
