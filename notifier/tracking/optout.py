"""What a recipient decides about their own address, and what that does to messages already waiting.

Nothing waiting has to be looked for: the claim asks once more who may be written to, moments before a message leaves.
"""

from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from notifier.audiences.models import Address
from notifier.audiences.suppressions import suppress_address
from notifier.delivery.models import Delivery, Variant
from notifier.delivery.status import DeliveryStatus
from notifier.vocabulary import SuppressionReason

# What the consent log says of who acted: the owner of the address, whoever that is.
RECIPIENT = "recipient"

_LEFT = (DeliveryStatus.SENDING, DeliveryStatus.ACCEPTED, DeliveryStatus.DELIVERED, DeliveryStatus.UNKNOWN)


def leave_by_one_click(session: Session, address_id: int, *, campaign_id: int, now: datetime) -> None:
    """Suppress an address on its channel because its owner pressed the mailbox's unsubscribe button; idempotent."""
    if session.scalar(select(Address.id).where(Address.id == address_id)) is None:
        return  # erased since: nothing will ever be sent there, and that is what was asked for
    suppress_address(
        session,
        address_id,
        SuppressionReason.OPT_OUT,
        source=f"one-click, campaign {campaign_id}",
        actor=RECIPIENT,
        now=now,
    )
    session.execute(
        update(Delivery)
        .where(Delivery.address_id == address_id, Delivery.campaign_id == campaign_id, Delivery.opted_out_at.is_(None))
        .values(opted_out_at=now),
        execution_options={"synchronize_session": False},
    )


def note_opt_out(session: Session, address_id: int, *, now: datetime) -> None:
    """Write the opt-out on the last message the address got, so that its campaign can say how many it cost."""
    last = (
        select(func.max(Delivery.id))
        .where(Delivery.address_id == address_id, Delivery.status.in_(_LEFT))
        .scalar_subquery()
    )
    session.execute(
        update(Delivery).where(Delivery.id == last, Delivery.opted_out_at.is_(None)).values(opted_out_at=now),
        execution_options={"synchronize_session": False},
    )


def spoken_language(session: Session, address_id: int | None) -> str | None:
    """Return the language its owner chose for an address, or else that of the last message it was sent."""
    if address_id is None:
        return None
    chosen = session.scalar(select(Address.language).where(Address.id == address_id))
    if chosen:
        return chosen
    return session.scalar(
        select(Variant.language)
        .join(Delivery, Delivery.variant_id == Variant.id)
        .where(Delivery.address_id == address_id)
        .order_by(Delivery.id.desc())
        .limit(1)
    )
