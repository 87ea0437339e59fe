"""Bring a school's file into a contact list: read and judge every row, show the difference, carry out exactly that.

    begin ─▶ store rows (slices, each its own transaction) ─▶ settle: difference shown ─▶ carry_out: one transaction

The rows wait in `import_rows`, where they change nothing, until somebody says yes. Nothing here opens a transaction.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from notifier.audiences.applying import apply
from notifier.audiences.crowds import Crowds
from notifier.audiences.difference import Difference, work_out
from notifier.audiences.judging import DEFAULT_ROLE, Judge, JudgedRow, PlainRow
from notifier.audiences.models import (
    ContactList,
    Import,
    ImportMode,
    ImportRow,
    ImportStatus,
    Subscription,
)
from notifier.audiences.reading import DEFAULT_MAX_UNPACKED_MB
from notifier.audiences.settling import merge_duplicates, refuse_shared
from notifier.kit.bulk import insert_texts
from notifier.kit.db import give_room, refresh_statistics
from notifier.kit.errors import Conflict, Invalid, NotFound
from notifier.vocabulary import Readers

SLICE = 5_000


@dataclass(frozen=True, slots=True)
class ImportSettings:
    """`[lists]`: when an upload needs a second look.

    `removal_guard_percent`: a replacing import that would remove more than this share of a list is refused until the
    number of removals is confirmed. `shared_by_many`: an address on more rows than this is taken for the school's own.
    `max_rows` bounds what is read at all, and `max_unpacked_mb` what a spreadsheet or a OneRoster bundle unpacks to.
    """

    removal_guard_percent: float = 10.0
    shared_by_many: int = 20
    max_rows: int = 2_000_000
    max_unpacked_mb: int = DEFAULT_MAX_UNPACKED_MB


def begin(
    session: Session,
    found: ContactList,
    *,
    file_name: str,
    digest: str,
    mode: ImportMode,
    actor: str,
    now: datetime,
    people_per_row: int = 1,
) -> int:
    """Start an import of a file into a list, in place of any that was only shown; return its id.

    `people_per_row` is the sheet's `people`: by it a row's number is read.
    """
    hold(session, found.id)
    overtaken = select(Import.id).where(Import.list_id == found.id)
    session.execute(
        delete(ImportRow)
        .where(ImportRow.import_id.in_(overtaken))
        .execution_options(synchronize_session=False)  # or every row that goes would be fetched
    )
    session.execute(
        update(Import)
        .where(Import.list_id == found.id, Import.status.in_([ImportStatus.READING, ImportStatus.SHOWN]))
        .values(status=ImportStatus.OVERTAKEN)
    )
    started = Import(
        list_id=found.id,
        file_name=file_name[-200:],
        digest=digest,
        mode=mode.value,
        status=ImportStatus.READING.value,
        base_version=found.version,
        people_per_row=people_per_row,
        counts=None,
        created_at=now,
        created_by=actor,
        applied_at=None,
        applied_by=None,
    )
    session.add(started)
    session.flush()
    return started.id


def judged(
    rows: Iterable[tuple[int, Sequence[str]]], judge: Judge, crowds: Crowds, *, max_rows: int
) -> Iterator[list[PlainRow]]:
    """Judge rows in slices, all seen by `crowds`; rows without a single value are passed over.

    Raises Invalid past `max_rows`.
    """
    some = (judge(number, cells) for number, cells in rows if any(cells))
    count = 0
    while part := list(islice(some, SLICE)):
        count += len(part)
        if count > max_rows:
            raise Invalid(f"The file has more than {max_rows} rows; split it, or raise the setting lists.max_rows")
        crowds.watch(part)
        yield part


def store(session: Session, rows: Sequence[PlainRow]) -> None:
    """Keep a slice of judged rows."""
    insert_texts(session, ImportRow, JudgedRow._fields, rows)


def settle(session: Session, import_id: int, crowds: Crowds, settings: ImportSettings) -> Difference:
    """Judge what only the whole file shows (people twice, one address for all), and work out the difference.

    `crowds` has seen every row of the import.

    Raises Conflict if another upload of the list has begun since, which took the rows of this one away.
    """
    started = session.get_one(Import, import_id)
    hold(session, started.list_id)
    session.refresh(started)
    if started.status != ImportStatus.READING:
        raise Conflict("Another upload of this list has begun in the meantime; import the file again")
    refresh_statistics(session, ImportRow)
    give_room(session)
    if crowds.may_exceed(settings.shared_by_many):
        refuse_shared(session, import_id, settings.shared_by_many)
    if crowds.may_repeat():
        merge_duplicates(session, import_id)
    shown = work_out(session, started, _default_role(session, started))
    started.status = ImportStatus.SHOWN.value
    started.counts = shown.as_counts()
    session.flush()
    return shown


def shown_before(session: Session, found: ContactList, *, digest: str, mode: ImportMode) -> Import | None:
    """Return the import of this very file that was shown and still waits for a yes.

    Raises Conflict if the file was shown for a list that has changed since: its difference is no longer what was seen.
    """
    last = session.scalars(
        select(Import)
        .where(Import.list_id == found.id, Import.digest == digest, Import.mode == mode.value)
        .where(Import.status != ImportStatus.READING.value)
        .order_by(Import.id.desc())
        .limit(1)
    ).first()
    # An upload that was overtaken before anybody saw its difference binds nobody.
    if last is None or last.status == ImportStatus.APPLIED or last.counts is None:
        return None
    if last.base_version != found.version:
        raise _changed_since()
    return last if last.status == ImportStatus.SHOWN else None


def _changed_since() -> Conflict:
    return Conflict(
        "The list has changed since this difference was shown; import the file again without --apply to see it afresh"
    )


def carry_out(
    session: Session,
    import_id: int,
    settings: ImportSettings,
    *,
    actor: str,
    now: datetime,
    confirmed_removals: int | None = None,
) -> Difference:
    """Carry out the difference that was shown, whole or not at all.

    Raises Conflict if the list has changed since, or if a replacing import would remove more people than the guard
    allows and `confirmed_removals` is not exactly that number.
    """
    asked = session.get(Import, import_id)
    if asked is not None:
        hold(session, asked.list_id)
        session.refresh(asked)
    if asked is None or asked.status != ImportStatus.SHOWN:
        raise NotFound("This import is no longer waiting: it was carried out or overtaken; import the file again")
    shown = Difference.from_counts(asked.counts or {})
    _guard(shown, settings, confirmed_removals)
    give_room(session)
    _take_version(session, asked)
    apply(session, asked, shown, _default_role(session, asked), actor=actor, now=now)
    refresh_statistics(session, Subscription)
    asked.status, asked.applied_at, asked.applied_by = ImportStatus.APPLIED.value, now, actor
    session.flush()
    return shown


def hold(session: Session, list_id: int) -> None:
    """Make every other step of an upload of this list wait until this one is committed."""
    session.execute(select(ContactList.id).where(ContactList.id == list_id).with_for_update())


def _default_role(session: Session, started: Import) -> str:
    readers = session.scalars(select(ContactList.readers).where(ContactList.id == started.list_id)).one()
    return DEFAULT_ROLE[Readers(readers)].value


def removes_many(shown: Difference, settings: ImportSettings) -> bool:
    """Whether an import would remove so many people that their number has to be confirmed."""
    return shown.removed > shown.people_before * settings.removal_guard_percent / 100


def _guard(shown: Difference, settings: ImportSettings, confirmed: int | None) -> None:
    if removes_many(shown, settings) and confirmed != shown.removed:
        raise Conflict(
            f"This would remove {shown.removed} of {shown.people_before} people, more than "
            f"{settings.removal_guard_percent:g} %. If that is right, say --confirm-removals {shown.removed}; if the "
            "file is only a part of the list, import it without --replace"
        )


def _take_version(session: Session, asked: Import) -> None:
    newest = select(func.coalesce(func.max(ContactList.recency), 0) + 1).scalar_subquery()
    taken = session.execute(
        update(ContactList)
        .where(ContactList.id == asked.list_id, ContactList.version == asked.base_version)
        .values(version=ContactList.version + 1, recency=newest)
        .returning(ContactList.id)
        .execution_options(synchronize_session=False)
    ).first()
    if taken is None:
        raise _changed_since()
