"""What only the whole file shows: one address for half the school, one person on two rows, people who were erased.

Statements over the rows of one import; only `importer` and `applying` call them.
"""

from typing import Any

import orjson
from sqlalchemy import ColumnElement, Select, case, delete, func, literal, select, update
from sqlalchemy.orm import Session

from notifier.audiences.columns import Column
from notifier.audiences.judging import merged_year_levels
from notifier.audiences.models import ImportRow, Suppression
from notifier.audiences.verdicts import Reason, Verdict
from notifier.vocabulary import SuppressionReason

TAKEN = (Verdict.ACCEPTED.value, Verdict.CHANGED.value)
_SLICE = 5_000


def taken(import_id: int) -> tuple[ColumnElement[bool], ...]:
    """Return what makes a row of an import one that will be carried out."""
    return ImportRow.import_id == import_id, ImportRow.verdict.in_(TAKEN)


def refuse_shared(session: Session, import_id: int, limit: int) -> None:
    """Leave out an address that stands on more rows than families have members: it is the school's own."""
    for column, other in ((Column.EMAIL, ImportRow.mobile_key), (Column.MOBILE, ImportRow.email_key)):
        key, value = getattr(ImportRow, f"{column}_key"), getattr(ImportRow, column.value)
        shared = select(key).where(*taken(import_id), key.is_not(None)).group_by(key).having(func.count() > limit)
        while keys := session.scalars(shared.limit(_SLICE)).all():
            session.execute(
                update(ImportRow)
                .where(*taken(import_id), key.in_(keys))
                .values(
                    {
                        column.value: None,
                        f"{column}_key": None,
                        f"{column}_given": None,
                        "findings": _with_finding(column, value, Reason.SHARED_BY_MANY),
                        "verdict": case((other.is_(None), Verdict.REFUSED.value), else_=Verdict.CHANGED.value),
                    }
                )
                .execution_options(synchronize_session=False)
            )


def _with_finding(column: Column, value: ColumnElement[Any], reason: Reason) -> ColumnElement[str]:
    """Return the findings of a row with one more. A normalised address holds nothing that JSON would escape."""
    found = literal(f'["{column}","').concat(value).concat(f'","{reason}"]]')
    before = func.substr(ImportRow.findings, 1, func.length(ImportRow.findings) - 1)
    return case((ImportRow.findings.is_(None), literal("[").concat(found)), else_=before.concat(",").concat(found))


def merge_duplicates(session: Session, import_id: int) -> None:
    """Take a person who stands on several rows once, with the year levels of all of them."""
    twice = orjson.dumps([(Column.REFERENCE, "", Reason.SAME_PERSON_TWICE)]).decode()
    said = {"import_id": import_id, "verdict": Verdict.DUPLICATE.value, "findings": twice}
    levels: dict[int, str] = {}
    for part in session.execute(_repetitions(import_id)).partitions():
        session.execute(update(ImportRow), [said | {"row": row} for row, *_ in part])
        for _, kept, more, before in part:
            if more and more != before:
                levels[kept] = merged_year_levels(levels.get(kept, before or ""), more)
    if levels:
        rows = [{"import_id": import_id, "row": kept, "year_levels": both} for kept, both in levels.items()]
        session.execute(update(ImportRow), rows)


def _repetitions(import_id: int) -> Select[int, int, str | None, str | None]:
    """Select each row of a person who stands on an earlier one: row, that one, the year levels of both."""
    key, row, levels = ImportRow.row_key, ImportRow.row, ImportRow.year_levels
    numbered = (
        select(
            row,
            levels,
            func.row_number().over(partition_by=key, order_by=row).label("place"),
            func.first_value(row).over(partition_by=key, order_by=row).label("kept"),
            func.first_value(levels).over(partition_by=key, order_by=row).label("kept_levels"),
        )
        .where(*taken(import_id))
        .subquery()
    )
    found = numbered.c
    query = select(found.row, found.kept, found.year_levels, found.kept_levels).where(found.place > 1)
    return query.order_by(found.row).execution_options(yield_per=_SLICE)


def drop_erased(session: Session, import_id: int) -> None:
    """Forget again, here too, whoever was erased at their own request."""
    erased = select(Suppression.address_key).where(Suppression.reason == SuppressionReason.ERASED.value)
    if session.scalar(erased.limit(1)) is None:
        return
    for column in (Column.EMAIL, Column.MOBILE):
        session.execute(
            update(ImportRow)
            .where(ImportRow.import_id == import_id, getattr(ImportRow, f"{column}_key").in_(erased))
            .values({column.value: None, f"{column}_key": None, f"{column}_given": None})
            .execution_options(synchronize_session=False)
        )
    session.execute(
        delete(ImportRow)
        .where(*taken(import_id), ImportRow.email_key.is_(None), ImportRow.mobile_key.is_(None))
        .execution_options(synchronize_session=False)
    )
