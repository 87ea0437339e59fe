"""Erase what the ledger copied of a person; the rows stay, so that the counts stay true."""

from collections.abc import Sequence

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from notifier.delivery.models import Delivery


def erase_addresses(session: Session, address_ids: Sequence[int]) -> int:
    """Wipe the copies of addresses and names on every delivery to these addresses; return how many rows there are."""
    wiped = session.execute(
        update(Delivery)
        .where(Delivery.address_id.in_(address_ids))
        .values(destination=None, given_name=None)
        .returning(Delivery.id)
    )
    return len(wiped.all())


def held(session: Session, address_id: int) -> list[dict[str, object]]:
    """Return every delivery to an address, for its owner."""
    names = ("campaign_id", "channel", "destination", "given_name", "wanted_language", "region", "status", "reason",
             "accepted_at", "delivered_at", "bounced_at", "failed_at", "complained_at", "opted_out_at")  # fmt: skip
    rows = session.scalars(select(Delivery).where(Delivery.address_id == address_id).order_by(Delivery.id))
    return [{name: getattr(row, name) for name in names} for row in rows]
