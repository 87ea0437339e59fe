"""What only the whole file shows: one address for half the school, one person on two rows, people who were erased.

Statements over the rows of one import; only `importer` and `applying` call them.
"""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import ColumnElement, case, delete, exists, func, literal, select, update
from sqlalchemy.orm import Session, aliased

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
    earlier = aliased(ImportRow)
    same_person_before = exists(
        select(1).where(
            earlier.import_id + 0 == import_id,  # "+ 0" makes the databases look the row up by its key
            earlier.row_key == ImportRow.row_key,
            earlier.row + 0 < ImportRow.row,
            earlier.verdict.in_(TAKEN),
        )
    )
    twice = orjson.dumps([(Column.REFERENCE, "", Reason.SAME_PERSON_TWICE)]).decode()
    session.execute(
        update(ImportRow)
        .where(*taken(import_id), same_person_before)
        .values(verdict=Verdict.DUPLICATE.value, findings=twice)
        .execution_options(synchronize_session=False)
    )
    after = 0
    while part := _year_levels_of_duplicates(session, import_id, after):
        after = part[-1][0]
        _add_year_levels(session, import_id, part)


def _year_levels_of_duplicates(session: Session, import_id: int, after: int) -> Sequence[tuple[int, int, str, str]]:
    """Return (row, row it repeats, its year levels, the other's) where they differ, in the order of rows."""
    kept = aliased(ImportRow)
    rows = session.execute(
        select(ImportRow.row, kept.row, func.coalesce(ImportRow.year_levels, ""), func.coalesce(kept.year_levels, ""))
        .join(kept, (kept.import_id + 0 == ImportRow.import_id) & (kept.row_key == ImportRow.row_key))
        .where(
            ImportRow.import_id == import_id,
            ImportRow.verdict == Verdict.DUPLICATE.value,
            ImportRow.row > after,
            ImportRow.year_levels.is_not(None),
            kept.verdict.in_(TAKEN),
            kept.year_levels.is_distinct_from(ImportRow.year_levels),
        )
        .order_by(ImportRow.row)
        .limit(_SLICE)
    )
    return rows.all()


def _add_year_levels(session: Session, import_id: int, part: Sequence[tuple[int, int, str, str]]) -> None:
    levels: dict[int, str] = {}
    for _, kept, more, before in part:
        levels[kept] = merged_year_levels(levels.get(kept, before), more)
    session.execute(
        update(ImportRow), [{"import_id": import_id, "row": kept, "year_levels": all_} for kept, all_ in levels.items()]
    )


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
