"""From an address as it is written to, to its row: by its keyed hash, which is what addresses are found by.

The hash of channel and value is what makes an address one of its kind (docs/decisions/0039); whoever looks for the
value itself goes through every address there is. Nothing here writes.
"""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.audiences.models import Address
from notifier.kit.tokens import address_key, address_keys
from notifier.vocabulary import Channel


def id_of(session: Session, secret: bytes, channel: Channel, value: str) -> int | None:
    """Return the id of a normalised address, or None if no list ever had it."""
    return session.scalar(select(Address.id).where(Address.key == address_key(secret, channel, value)))


def ids_of(session: Session, secret: bytes, values: Sequence[str]) -> dict[str, int]:
    """Return the ids of those normalised addresses that are known, of either channel; a few thousand at once."""
    by_channel = {channel: address_keys(secret, channel) for channel in Channel}
    keys = {by_channel[Channel.EMAIL if "@" in value else Channel.SMS](value): value for value in values}
    if not keys:
        return {}
    found = session.execute(select(Address.key, Address.id).where(Address.key.in_(keys)))
    return {keys[key]: address_id for key, address_id in found}
