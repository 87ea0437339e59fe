"""What a recipient decides about their own address, and what that does to messages already waiting.

Nothing waiting has to be looked for: the claim asks once more who may be written to, moments before a message leaves.
"""

from datetime import datetime

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from notifier.audiences.models import Address
from notifier.audiences.suppressions import suppress_key
from notifier.delivery.models import Delivery, Variant
from notifier.delivery.status import DeliveryStatus
from notifier.kit.db import UtcDateTime, perform
from notifier.vocabulary import Channel, SuppressionReason

# What the consent log says of who acted: the owner of the address, whoever that is.
RECIPIENT = "recipient"

_LEFT = (DeliveryStatus.SENDING, DeliveryStatus.ACCEPTED, DeliveryStatus.DELIVERED, DeliveryStatus.UNKNOWN)


# One address has few deliveries, and the ledger has millions. Asked for the newest of them by its plain id, PostgreSQL
# may walk the whole ledger back from its end until it meets the address, where its statistics are of yesterday.
_NEWEST = Delivery.id + 0

# A click is waited for while everything else runs, so its statements are few and put together once.
_LAST_LANGUAGE = (
    select(Variant.language)
    .join(Delivery, Delivery.variant_id == Variant.id)
    .where(Delivery.address_id == bindparam("the_address"))
    .order_by(_NEWEST.desc())
    .limit(1)
)
_ASKED = select(
    Address.channel,
    Address.key,
    func.coalesce(func.nullif(Address.language, ""), _LAST_LANGUAGE.scalar_subquery()).label("language"),
).where(Address.id == bindparam("the_address"))
_NOTE = (
    update(Delivery)
    .where(
        Delivery.address_id == bindparam("the_address"),
        Delivery.campaign_id == bindparam("the_campaign"),
        Delivery.opted_out_at.is_(None),
    )
    .values(opted_out_at=bindparam("the_moment", type_=UtcDateTime))
)


def leave_by_one_click(session: Session, address_id: int, *, campaign_id: int, now: datetime) -> str | None:
    """Suppress an address on its channel because its owner pressed the mailbox's unsubscribe button; idempotent.

    Returns the language its owner is spoken to in, as far as it is known.
    """
    asked = perform(session, _ASKED, the_address=address_id).one_or_none()
    if asked is None:
        # Erased since: nothing will ever be sent there, and that is what was asked for.
        return spoken_language(session, address_id)
    suppress_key(
        session,
        Channel(asked.channel),
        asked.key,
        SuppressionReason.OPT_OUT,
        address_id=address_id,
        source=f"one-click, campaign {campaign_id}",
        actor=RECIPIENT,
        now=now,
    )
    perform(session, _NOTE, the_address=address_id, the_campaign=campaign_id, the_moment=now)
    language: str | None = asked.language
    return language


def note_opt_out(session: Session, address_id: int, *, now: datetime) -> None:
    """Write the opt-out on the last message the address got, so that its campaign can say how many it cost."""
    last = (
        select(func.max(_NEWEST)).where(Delivery.address_id == address_id, Delivery.status.in_(_LEFT)).scalar_subquery()
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
    return chosen or perform(session, _LAST_LANGUAGE, the_address=address_id).scalar()
