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


def latest(session: Session, *, actor: str | None, subject: str | None, limit: int) -> list[AuditEntry]:
    """Return the newest acts, newest first; of one actor, or about what begins with a subject, if either is given."""
    acts = select(AuditEntry).order_by(AuditEntry.id.desc()).limit(limit)
    if actor is not None:
        acts = acts.where(AuditEntry.actor == actor)
    if subject is not None:
        acts = acts.where(AuditEntry.subject.startswith(subject, autoescape=True))
    return list(session.scalars(acts))


def trail(session: Session, subject: str) -> list[AuditEntry]:
    """Return every act about one subject, oldest first."""
    return list(session.scalars(select(AuditEntry).where(AuditEntry.subject == subject).order_by(AuditEntry.id)))
