"""`notifier bench import`: a school's file read, judged, compared and carried out, beside its floor.

The floor reads and parses the same file and inserts its cells in bulk, as they are, into the table where judged
rows wait; and it writes the addresses, the people and the consent log the import left once more, in one transaction.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path

from notifier import migrations
from notifier.accounts import users
from notifier.accounts.models import UserRole
from notifier.audiences import importer, lists, reading, samples
from notifier.audiences.crowds import Crowds
from notifier.audiences.judging import ListRules, row_judge
from notifier.audiences.models import Address, ImportMode, ImportRow, Subscription, SubscriptionChange
from notifier.bench.apart import apart
from notifier.bench.copies import write_again
from notifier.bench.figures import Figure, Meter, Spent, together
from notifier.bench.ground import Kind, Workshop, ground, house
from notifier.bench.neighbours import Neighbours
from notifier.bootstrap import House
from notifier.kit.db import insert_rows
from notifier.kit.errors import Conflict
from notifier.kit.sheets import write_csv
from notifier.vocabulary import Readers

OFFICER, LIST, REGION = "officer@police.example", "northcote-high", "AU-VIC"
_WRITTEN = (Address, Subscription, SubscriptionChange)
# Where the floor puts the cells of a made-up file, in the order of samples.HEADER; it must be wide enough for any.
_CELLS = ("reference", "given_name", "family_name", "email_given", "mobile_given", "language", "role", "year_levels")
_COLUMNS = ("import_id", "row", "verdict", *_CELLS)
_NOBODYS_IMPORT = 2**40


def importing(shop: Workshop, kinds: list[Kind], rows: int) -> list[Figure]:
    """Measure an import into an empty list on each kind of database."""
    path = shop.folder / "parents.csv"
    shop.say(f"making a file of {rows} people …")
    with path.open("w", encoding="utf-8", newline="") as file:
        write_csv(file, samples.HEADER, islice(_with_both(samples.sample(2 * rows, 1, REGION)), rows))
    return [figure for kind in kinds for figure in _on(kind, shop, path, rows)]


def _with_both(people: Iterable[samples.SampleRow]) -> Iterator[samples.SampleRow]:
    """Give those with something in both cells: an email address and a mobile number are the dearest row there is."""
    return (person for person in people if person.email and person.mobile)


def _on(kind: Kind, shop: Workshop, path: Path, rows: int) -> list[Figure]:
    with ground(kind, shop) as made:
        home = shop.folder / f"import-{kind}"
        with Neighbours(
            home, shop.environment, write_secrets=shop.write_secrets, database=made.url, parts=()
        ) as neighbours:
            environment = neighbours.environment
            with house(environment) as opened:
                settle_in(opened)
            shop.say(f"{kind}: importing …")
            judged, compared, carried_out, taken = apart(take_in, environment, path)
            shop.say(f"{kind}: the floor …")
            read, written = apart(floor, environment, path)
    name, whole = str(kind), together(judged, compared, carried_out)
    return [
        Figure("import: read and judge", name, rows, judged, read),
        Figure("import: carry out", name, rows, together(compared, carried_out), written, note="comparing included"),
        Figure("import", name, rows, whole, together(read, written), note=f"{taken} people taken"),
    ]


def settle_in(opened: House) -> None:
    """Make tables, an officer and an empty list."""
    migrations.upgrade(opened.database)
    with opened.database.transaction() as session:
        now = opened.clock()
        users.add(session, email=OFFICER, name="Officer", role=UserRole.OFFICER, now=now)
        new = lists.NewList(
            code=LIST,
            name="Northcote High School",
            region=REGION,
            country="AU",
            readers=Readers.PARENTS,
            lawful_basis=lists.LawfulBasis.PUBLIC_TASK,
            attested_by=OFFICER,
            language="en",
            source="made up for a benchmark",
        )
        lists.create_list(session, new, actor=OFFICER, now=now)


def take_in(environment: Mapping[str, str], path: Path) -> tuple[Spent, Spent, Spent, int]:
    """Import a file as `notifier lists import --apply` does: judge its rows, compare, carry out."""
    with house(environment) as opened:
        settings = opened.settings.lists
        with Meter() as judging:
            crowds = Crowds()
            import_id = _judge(opened, path, crowds)
        with Meter() as comparing, opened.database.transaction() as session:
            importer.settle(session, import_id, crowds, settings)
        with Meter() as carrying_out, opened.database.transaction() as session:
            done = importer.carry_out(session, import_id, settings, actor=OFFICER, now=opened.clock())
    if not done.added:
        raise Conflict("The made-up file brought nobody onto the list")
    return judging.spent, comparing.spent, carrying_out.spent, done.added


def _judge(opened: House, path: Path, crowds: Crowds) -> int:
    with opened.database.transaction() as session:
        found = lists.find_list(session, LIST)
        import_id = importer.begin(
            session,
            found,
            file_name=path.name,
            digest=reading.file_digest(path),
            mode=ImportMode.MERGE,
            actor=OFFICER,
            now=opened.clock(),
        )
    rules = ListRules(country="AU", readers=Readers.PARENTS)
    with reading.open_sheet(path) as sheet:
        judge = row_judge(sheet.places, len(sheet.header), rules, opened.address_secret, import_id)
        for part in importer.judged(sheet.rows, judge, crowds, max_rows=opened.settings.lists.max_rows):
            with opened.database.transaction() as session:
                importer.store(session, part)
    return import_id


def floor(environment: Mapping[str, str], path: Path) -> tuple[Spent, Spent]:
    """Read, parse and insert without looking; then write what an import leaves once more."""
    with house(environment) as opened:
        database = opened.database
        with Meter() as reading_it, path.open(encoding="utf-8", newline="") as file:
            rows = _cells(file)
            while part := list(islice(rows, importer.SLICE)):
                with database.transaction() as session:
                    insert_rows(session, ImportRow, _COLUMNS, part)
        with Meter() as writing:
            write_again(database, *[table.__tablename__ for table in _WRITTEN])
    return reading_it.spent, writing.spent


def _cells(file: Iterable[str]) -> Iterator[tuple[object, ...]]:
    rows = csv.reader(file)
    next(rows)
    for number, cells in enumerate(rows, start=2):
        yield (_NOBODYS_IMPORT, number, "accepted", *cells)
