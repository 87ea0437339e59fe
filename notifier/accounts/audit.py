"""Who did what: rows are only ever added. An entry never holds a recipient's address or name."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.accounts.models import AuditEntry


def record(
    session: Session,
    *,
    actor: str,
    action: str,
    subject: str,
    at: datetime,
    reason: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add one act to the audit trail."""
    session.add(
        AuditEntry(actor=actor, action=action, subject=subject, at=at, reason=reason, detail=dict(detail or {}))
    )


def trail(session: Session, subject: str) -> list[AuditEntry]:
    """Return every act about one subject, oldest first."""
    return list(session.scalars(select(AuditEntry).where(AuditEntry.subject == subject).order_by(AuditEntry.id)))
