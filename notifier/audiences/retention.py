"""Forgetting the rows of old uploads; in small steps, called by the scheduler.

What an upload changed is in the lists and the consent log, and how many rows it had is kept with it. Its rows are a
copy of a school's file, and only as long as somebody may still work through them is there a reason to hold it.
"""

from datetime import datetime

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from notifier.audiences.importer import hold
from notifier.audiences.models import Import, ImportRow, ImportStatus


def prune_uploads(session: Session, *, before: datetime, limit: int) -> int:
    """Take away up to `limit` rows of the oldest upload, if it began before a moment; return how many.

    An upload that still waits for a yes is over then: carried out without its rows, it would empty the list.
    """
    # Ids follow the beginnings, so one look at the lowest says whether any is due.
    oldest = session.scalar(select(func.min(ImportRow.import_id)))
    due = select(Import.list_id).where(Import.id == oldest, Import.created_at < before)
    list_id = session.scalar(due)
    if oldest is None or list_id is None:
        return 0
    hold(session, list_id)
    session.execute(
        update(Import)
        .where(Import.id == oldest, Import.status.in_([ImportStatus.READING, ImportStatus.SHOWN]))
        .values(status=ImportStatus.OVERTAKEN)
        .execution_options(synchronize_session=False)
    )
    some = select(ImportRow.row).where(ImportRow.import_id == oldest).order_by(ImportRow.row).limit(limit)
    gone = delete(ImportRow).where(ImportRow.import_id == oldest, ImportRow.row.in_(some))
    return session.connection().execute(gone).rowcount
