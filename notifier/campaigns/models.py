"""Campaigns: one planned communication, and the approval it needs."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from notifier.kit.db import Base, BigId


class Campaign(Base):
    """One advisory for one audience, at one time. `code` is what recipients can check a message by.

    A message that was wrong is withdrawn: its page then says so, with `withdrawal_note` and, where a corrected message
    went out, its code in `replaced_by`.
    """

    __tablename__ = "campaigns"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    code: Mapped[str] = mapped_column(String(12), unique=True)
    advisory: Mapped[str] = mapped_column(String(80))
    readers: Mapped[str] = mapped_column(String(20))
    topic: Mapped[str] = mapped_column(String(60))
    audience: Mapped[str] = mapped_column(String(80))
    channels: Mapped[str] = mapped_column(String(20))
    schedule: Mapped[dict[str, Any]] = mapped_column(JSON)
    options: Mapped[dict[str, Any]] = mapped_column(JSON)
    accepted: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    urgent: Mapped[bool]
    expires_at: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(String(12))
    status_reason: Mapped[str | None] = mapped_column(Text)
    created_by: Mapped[str] = mapped_column(String(254))
    created_at: Mapped[datetime]
    submitted_by: Mapped[str | None] = mapped_column(String(254))
    submitted_at: Mapped[datetime | None]
    submitted_hash: Mapped[str | None] = mapped_column(String(64))
    approved_by: Mapped[str | None] = mapped_column(String(254))
    approved_at: Mapped[datetime | None]
    approved_hash: Mapped[str | None] = mapped_column(String(64))
    finished_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
    withdrawn_by: Mapped[str | None] = mapped_column(String(254))
    withdrawal_note: Mapped[str | None] = mapped_column(Text)
    replaced_by: Mapped[str | None] = mapped_column(String(12))

    @property
    def subject(self) -> str:
        """How the audit trail names this campaign."""
        return f"campaign {self.id}"
