"""The verdicts of an upload, line by line, for the school to work through. Nothing here writes to the database."""

from collections.abc import Iterator
from typing import NamedTuple

import orjson
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.audiences.columns import Column
from notifier.audiences.models import ContactList, Import, ImportRow
from notifier.audiences.verdicts import REMEDIES, Reason
from notifier.kit.errors import NotFound

_SLICE = 5_000


class VerdictLine(NamedTuple):
    """One thing said about one row: the value as given, why it was refused or what it became, and what to do."""

    row: int
    verdict: str
    column: str
    value: str
    reason: str
    becomes: str
    remedy: str


def last_import(session: Session, found: ContactList) -> int:
    """Return the newest import of a list. Raises NotFound if there was none."""
    newest = session.scalar(select(Import.id).where(Import.list_id == found.id).order_by(Import.id.desc()).limit(1))
    if newest is None:
        raise NotFound(f"Nothing was ever imported into {found.code}")
    if session.scalar(select(ImportRow.row).where(ImportRow.import_id == newest).limit(1)) is None:
        raise NotFound(
            f"The rows of the last upload of {found.code} are no longer kept ([retention] uploads_days), or it had "
            "none; import the file again to see its verdicts"
        )
    return newest


def verdicts(session: Session, import_id: int) -> Iterator[VerdictLine]:
    """Give the lines of every row of an import in order; a row there is nothing to say about has one, all but empty."""
    people = session.scalar(select(Import.people_per_row).where(Import.id == import_id)) or 1
    rows = session.scalars(
        select(ImportRow)
        .where(ImportRow.import_id == import_id)
        .order_by(ImportRow.row)
        .execution_options(yield_per=_SLICE)
    )
    for row in rows:
        number = row.row // people
        lines = [*_rewritten(number, row), *_found(number, row)]
        yield from lines or [VerdictLine(number, row.verdict, "", "", "", "", "")]


def _rewritten(number: int, row: ImportRow) -> Iterator[VerdictLine]:
    pairs = ((Column.EMAIL, row.email_given, row.email), (Column.MOBILE, row.mobile_given, row.mobile))
    for column, given, becomes in pairs:
        if given is not None and becomes is not None:
            reason = Reason.NORMALISED
            yield VerdictLine(number, row.verdict, column, given, reason, becomes, REMEDIES[reason])


def _found(number: int, row: ImportRow) -> Iterator[VerdictLine]:
    for column, value, why in orjson.loads(row.findings) if row.findings else ():
        yield VerdictLine(number, row.verdict, column, value, why, "", REMEDIES[Reason(why)])
