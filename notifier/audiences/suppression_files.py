"""Suppressions as files: out into an export of our own, and in from one, or from another system's list.

An export is whole. An address that no list has goes out as its keyed hash, with a proof beside it that only the same
secret makes, so that an import can refuse a key that would never be found again (docs/decisions/0073). Nothing here
decides which of two reasons stands, or asks who may do this.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hmac import compare_digest
from itertools import islice
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from notifier.audiences.addresses import normalise
from notifier.audiences.columns import Column, has_all, plain
from notifier.audiences.forgetting import forget_uploads
from notifier.audiences.models import Address, Suppression
from notifier.audiences.reading import Sheet
from notifier.audiences.suppressions import Wanted, suppress_keys
from notifier.audiences.verdicts import REMEDIES
from notifier.kit.errors import Conflict
from notifier.kit.sheets import cell_given
from notifier.kit.tokens import address_keys, key_proof
from notifier.vocabulary import Channel, SuppressionReason

EXPORTED = ("channel", "reason", "since", "source", "note", "address", "key")
_SLICE = 1_000
_MAX_SOURCE = 120
# A file made with other keys is refused row by row; the first of them say enough.
_REFUSALS_KEPT = 100
_KEY = re.compile(r"([0-9a-f]{32})-([0-9a-f]{8})")
_COLUMNS = ((Column.EMAIL, Channel.EMAIL), (Column.MOBILE, Channel.SMS))


class Trouble(StrEnum):
    """Why a row of an export cannot be taken."""

    MALFORMED_KEY = "malformed_key"
    KEY_MADE_ELSEWHERE = "key_made_elsewhere"
    NEITHER_ADDRESS_NOR_KEY = "neither_address_nor_key"
    UNKNOWN_CHANNEL = "unknown_channel"
    UNKNOWN_REASON = "unknown_reason"
    UNREADABLE_MOMENT = "unreadable_moment"


_REMEDIES: Mapping[str, str] = {
    Trouble.MALFORMED_KEY: "A key is 32 hexadecimal digits, a hyphen and 8 more; this one was changed or cut. "
    "Export the file again and leave it as it is.",
    Trouble.KEY_MADE_ELSEWHERE: "This key was made with another keys.addresses, under which nobody is found here. Set "
    "the one of the installation that wrote the file, or ask there for the address itself.",
    Trouble.NEITHER_ADDRESS_NOR_KEY: "The row says neither an address nor a key; export the file again.",
    Trouble.UNKNOWN_CHANNEL: f"Write one of: {', '.join(Channel)}.",
    Trouble.UNKNOWN_REASON: f"Write one of: {', '.join(SuppressionReason)}.",
    Trouble.UNREADABLE_MOMENT: "Write the moment with its zone, such as 2026-11-23 09:00:00+00:00.",
    **{reason.value: remedy for reason, remedy in REMEDIES.items()},
}


class Refusal(NamedTuple):
    """A row that could not be taken: its number in the file, the column, why, and what to do."""

    row: int
    column: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class TakenOver:
    """What taking over a file did: each of its addresses and keys is counted once.

    `stronger` were suppressed for a weaker reason, `known` stay as they are, `empty` are rows that name nobody. Of
    `refusals` the first hundred are told. `erased_but_held` says how many erased ones a list here has nevertheless.
    """

    new: int = 0
    stronger: int = 0
    known: int = 0
    refused: int = 0
    empty: int = 0
    erased_but_held: int = 0
    refusals: tuple[Refusal, ...] = ()


def exported(session: Session, secret: bytes) -> Iterator[tuple[object, ...]]:
    """Give every suppression as a row of EXPORTED, in the order they came."""
    query = (
        select(Suppression, Address.value)
        .outerjoin(Address, Address.key == Suppression.address_key)
        .order_by(Suppression.id)
    )
    for found, value in session.execute(query.execution_options(yield_per=_SLICE)):
        key = f"{found.address_key.hex()}-{key_proof(secret, found.address_key).hex()}"
        yield found.channel, found.reason, found.created_at, found.source, found.note, value, key


def is_export(sheet: Sheet) -> bool:
    """Whether a file is an export of our own, which says of each row why, since when and from where."""
    return has_all(sheet.header, EXPORTED)


def take_over(
    session: Session,
    secret: bytes,
    sheet: Sheet,
    reason: SuppressionReason | None,
    *,
    country: str,
    source: str,
    actor: str,
    now: datetime,
) -> TakenOver:
    """Suppress every address and every key of a file.

    `reason` is why, in a file that does not say (an opt-out if it is None). Raises Conflict if the file says.
    """
    if not is_export(sheet):
        given = Wanted(b"", Channel.EMAIL, reason or SuppressionReason.OPT_OUT, source[:_MAX_SOURCE], None, now)
        return _take(session, _of_others(secret, sheet, given, country), actor=actor, why=source, now=now)
    if reason is not None:
        raise Conflict("This file is an export of Notifier, which says of every row why; leave --reason out")
    return _take(session, _of_our_own(secret, sheet), actor=actor, why=source, now=now)


Found = Wanted | Refusal | None


def _take(session: Session, found: Iterator[Found], *, actor: str, why: str, now: datetime) -> TakenOver:
    new = stronger = known = refused = empty = held = 0
    refusals: list[Refusal] = []
    any_erased = False
    while part := list(islice(found, _SLICE)):
        wanted = [one for one in part if isinstance(one, Wanted)]
        turned_away = [one for one in part if isinstance(one, Refusal)]
        done = suppress_keys(session, wanted, actor=actor, why=why, now=now)
        new, stronger, known = new + done.new, stronger + done.stronger, known + done.known
        refused += len(turned_away)
        empty += len(part) - len(wanted) - len(turned_away)
        erased = [one.key for one in wanted if one.reason is SuppressionReason.ERASED]
        any_erased, held = any_erased or bool(erased), held + _held(session, erased)
        refusals += turned_away[: _REFUSALS_KEPT - len(refusals)]
    if any_erased:
        gone = SuppressionReason.ERASED.value
        forget_uploads(session, select(Suppression.address_key).where(Suppression.reason == gone))
    return TakenOver(new, stronger, known, refused, empty, held, tuple(refusals))


def _held(session: Session, keys: Sequence[bytes]) -> int:
    if not keys:
        return 0
    return session.scalar(select(func.count()).select_from(Address).where(Address.key.in_(keys))) or 0


def _of_others(secret: bytes, sheet: Sheet, given: Wanted, country: str) -> Iterator[Found]:
    """Give the addresses of another system's list; of a row without any, None."""
    key_of = {channel: address_keys(secret, channel) for channel in Channel}
    for number, cells in sheet.rows:
        nobody = True
        for column, channel in _COLUMNS:
            text = _cell(cells, sheet.places.get(column))
            if not text:
                continue
            nobody = False
            value, why = normalise(channel, text, country=country)
            if value is None:
                yield Refusal(number // sheet.people, column, str(why), _REMEDIES[str(why)])
            else:
                yield given._replace(key=key_of[channel](value), channel=channel)
        if nobody:
            yield None


class _Refused(Exception):
    """Why a row of an export cannot be taken, and the column that says so."""

    def __init__(self, column: str, reason: str) -> None:
        super().__init__(column, reason)
        self.column, self.reason = column, reason


def _of_our_own(secret: bytes, sheet: Sheet) -> Iterator[Found]:
    headers = [plain(text) for text in sheet.header]
    places = [headers.index(name) for name in EXPORTED]
    key_of = {channel: address_keys(secret, channel) for channel in Channel}
    for number, cells in sheet.rows:
        row = [cell_given(_cell(cells, place)) for place in places]
        if not any(row):
            yield None
            continue
        try:
            yield _wanted(row, secret, key_of)
        except _Refused as wrong:
            yield Refusal(number, wrong.column, wrong.reason, _REMEDIES[wrong.reason])


def _wanted(row: Sequence[str], secret: bytes, key_of: Mapping[Channel, Callable[[str], bytes]]) -> Wanted:
    """Read one row of EXPORTED: by its address if it has one, which needs no proof, otherwise by its key."""
    channel_word, reason_word, since, source, note, address, key_text = row
    if channel_word not in list(Channel):
        raise _Refused("channel", Trouble.UNKNOWN_CHANNEL)
    if reason_word not in list(SuppressionReason):
        raise _Refused("reason", Trouble.UNKNOWN_REASON)
    channel = Channel(channel_word)
    key = key_of[channel](_address(channel, address)) if address else _key(secret, key_text)
    reason = SuppressionReason(reason_word)
    return Wanted(key, channel, reason, source[:_MAX_SOURCE], note or None, _moment(since))


def _address(channel: Channel, text: str) -> str:
    value, why = normalise(channel, text)
    if value is None:
        raise _Refused("address", str(why))
    return value


def _key(secret: bytes, text: str) -> bytes:
    if not text:
        raise _Refused("key", Trouble.NEITHER_ADDRESS_NOR_KEY)
    read = _KEY.fullmatch(text.lower())
    if read is None:
        raise _Refused("key", Trouble.MALFORMED_KEY)
    key = bytes.fromhex(read[1])
    if not compare_digest(key_proof(secret, key), bytes.fromhex(read[2])):
        raise _Refused("key", Trouble.KEY_MADE_ELSEWHERE)
    return key


def _moment(text: str) -> datetime:
    try:
        read = datetime.fromisoformat(text)
        if read.tzinfo is None:
            raise _Refused("since", Trouble.UNREADABLE_MOMENT)
        return read.astimezone(UTC)
    except (ValueError, OverflowError) as wrong:
        raise _Refused("since", Trouble.UNREADABLE_MOMENT) from wrong


def _cell(cells: Sequence[str], place: int | None) -> str:
    return cells[place].strip() if place is not None and place < len(cells) else ""
