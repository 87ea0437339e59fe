"""Erase what the ledger copied of a person; the rows stay, so that the counts stay true."""

from collections.abc import Sequence

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from notifier.delivery.models import Attempt, Delivery


def erase_addresses(session: Session, addresses: Sequence[tuple[int | None, str]]) -> int:
    """Wipe the copies of addresses (id and value) and names on every delivery to them; return how many rows there are.

    Also a provider's own words about a call, where they name one of the addresses.
    """
    theirs = Delivery.address_id.in_([address_id for address_id, _ in addresses if address_id is not None])
    named = or_(*[func.lower(Attempt.detail).contains(value.lower(), autoescape=True) for _, value in addresses])
    calls = select(Delivery.batch_id).where(theirs, Delivery.batch_id.is_not(None))
    session.execute(
        update(Attempt).where(Attempt.batch_id.in_(calls), named).values(detail=None),
        execution_options={"synchronize_session": False},
    )
    wiped = session.execute(
        update(Delivery).where(theirs).values(destination=None, given_name=None).returning(Delivery.id)
    )
    return len(wiped.all())


def erase_names(session: Session, address_ids: Sequence[int], names: Sequence[str]) -> None:
    """Wipe copies of names on deliveries to addresses that stay, because they are somebody else's too."""
    session.execute(
        update(Delivery)
        .where(Delivery.address_id.in_(address_ids), Delivery.given_name.in_(names))
        .values(given_name=None),
        execution_options={"synchronize_session": False},
    )


def held(session: Session, address_id: int) -> list[dict[str, object]]:
    """Return every delivery to an address, for its owner."""
    names = ("campaign_id", "channel", "destination", "given_name", "wanted_language", "region", "status", "reason",
             "accepted_at", "delivered_at", "bounced_at", "failed_at", "complained_at", "opted_out_at")  # fmt: skip
    rows = session.scalars(select(Delivery).where(Delivery.address_id == address_id).order_by(Delivery.id))
    return [{name: getattr(row, name) for name in names} for row in rows]
