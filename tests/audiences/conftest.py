"""What the tests of this room share: a list of a made-up school, and an upload in one call."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from notifier.audiences import importer, lists
from notifier.audiences.crowds import Crowds
from notifier.audiences.difference import Difference
from notifier.audiences.judging import ListRules, row_judge
from notifier.audiences.lists import LawfulBasis, NewList
from notifier.audiences.models import Address, ContactList, ImportMode
from notifier.audiences.reading import file_digest, open_sheet
from notifier.kit.db import Database
from notifier.vocabulary import Readers

SECRET = bytes(range(32))
ACTOR = "office@school.example"


@dataclass(frozen=True)
class School:
    """A made-up school in one database, and what its office does."""

    database: Database
    folder: Path
    now: datetime
    settings: importer.ImportSettings

    def make(self, code: str = "northcote-high", **changes: object) -> int:
        """Make a contact list; return its id."""
        new = NewList(
            code=code,
            name=code.replace("-", " ").title(),
            region="AU-VIC",
            country="AU",
            readers=Readers.PARENTS,
            lawful_basis=LawfulBasis.PUBLIC_TASK,
            attested_by=ACTOR,
        )
        with self.database.transaction() as session:
            return lists.create_list(session, replace(new, **changes), actor=ACTOR, now=self.now).id  # type: ignore[arg-type]

    def look(self, text: str | bytes, code: str = "northcote-high", mode: str = "merge") -> tuple[int, Difference]:
        """Upload a file and see what it would change."""
        path = self.folder / "list.csv"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return self.look_at(path, code, mode)

    def look_at(self, path: Path, code: str = "northcote-high", mode: str = "merge") -> tuple[int, Difference]:
        """Upload a file that is there and see what it would change."""
        crowds = Crowds()
        started = self.hand_over(path, code, mode, crowds)
        with self.database.transaction() as session:
            return started, importer.settle(session, started, crowds, self.settings)

    def hand_over(
        self, path: Path, code: str = "northcote-high", mode: str = "merge", crowds: Crowds | None = None
    ) -> int:
        """Upload a file up to where its difference would be worked out; return the import."""
        with self.database.transaction() as session:
            found = lists.find_list(session, code)
        with open_sheet(path, found.column_mapping) as sheet:
            rules = ListRules(country=found.country, readers=Readers(found.readers))
            with self.database.transaction() as session:
                started = importer.begin(
                    session,
                    found,
                    file_name=path.name,
                    digest=file_digest(path),
                    mode=ImportMode(mode),
                    actor=ACTOR,
                    now=self.now,
                    people_per_row=sheet.people,
                )
                judge = row_judge(sheet.places, len(sheet.header), rules, SECRET, started)
                for part in importer.judged(sheet.rows, judge, crowds or Crowds(), max_rows=self.settings.max_rows):
                    importer.store(session, part)
        return started

    def carry_out(self, import_id: int, *, confirmed: int | None = None) -> Difference:
        """Say yes to what was shown."""
        with self.database.transaction() as session:
            return importer.carry_out(
                session, import_id, self.settings, actor=ACTOR, now=self.now, confirmed_removals=confirmed
            )

    def upload(self, text: str | bytes, code: str = "northcote-high", mode: str = "merge") -> Difference:
        """Upload a file and say yes to whatever it changes."""
        import_id, shown = self.look(text, code, mode)
        return self.carry_out(import_id, confirmed=shown.removed)

    def address_id(self, value: str) -> int:
        """Return the id of an address."""
        with self.database.reading() as session:
            return session.scalars(select(Address.id).where(Address.value == value)).one()

    def list_id(self, code: str) -> int:
        """Return the id of a list."""
        with self.database.reading() as session:
            return session.scalars(select(ContactList.id).where(ContactList.code == code)).one()


@pytest.fixture
def school(database: Database, tmp_path: Path, now: datetime) -> School:
    """A school with one list, northcote-high, in each kind of database in turn."""
    made = School(database, tmp_path, now, importer.ImportSettings())
    made.make()
    return made


@pytest.fixture
def another(school: School) -> Callable[..., int]:
    """Make another contact list of the same installation."""
    return school.make
