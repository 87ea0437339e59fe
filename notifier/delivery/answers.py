"""What becomes of deliveries when the provider has answered.

    taken                      → accepted
    Temporary                  → queued again, in a new batch of the same variant, later
    Permanent, one recipient   → failed, with the provider's word
    Permanent, a whole request → two new batches of half the size, until the recipient it is about stands alone
    AccountTrouble             → queued again, and the campaign is held for a person
    Ambiguous                  → unknown: it may have been sent

A retry never waits inside a batch, so it never delays the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import cast

import orjson
from sqlalchemy import BigInteger, Table, bindparam, literal, select, update
from sqlalchemy import cast as cast_to
from sqlalchemy.orm import Session

from notifier.audiences import suppressions
from notifier.delivery import calls, control, counts, queue
from notifier.delivery.again import queue_again
from notifier.delivery.models import Attempt, Delivery
from notifier.delivery.queue import DOUBT_OPEN
from notifier.delivery.sender import Group
from notifier.delivery.status import DeliveryStatus, advance, sources
from notifier.kit.db import perform
from notifier.kit.dialects import Pairs
from notifier.providers.base import (
    NO_SUCH_ADDRESS,
    OPTED_OUT,
    AccountTrouble,
    Ambiguous,
    Permanent,
    ProviderError,
    Receipt,
    Temporary,
)
from notifier.vocabulary import SuppressionReason

# What a refusal says about the address itself: not a failure to repeat, but a decision or a fact to remember.
_SUPPRESSING = {
    OPTED_OUT: SuppressionReason.OPT_OUT,
    **dict.fromkeys(NO_SUCH_ADDRESS, SuppressionReason.HARD_BOUNCE),
}
GAVE_UP = "gave_up"

_OUTCOMES: dict[type[ProviderError], str] = {
    Temporary: "temporary",
    Permanent: "permanent",
    AccountTrouble: "account_trouble",
    Ambiguous: "ambiguous",
}


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """`[retry]`: how a refusal for now is repeated.

    `first_s` doubles with each try up to `longest_s` (seconds, with jitter); after `most` tries a delivery has failed.
    """

    first_s: float = 5.0
    longest_s: float = 900.0
    most: int = 12

    def wait(self, tries: int, error: ProviderError | None, chance: Random) -> timedelta:
        """Return how long to wait before try number `tries` + 1: full jitter, and never less than was asked for."""
        ceiling = min(self.longest_s, self.first_s * 2**tries)
        asked = error.retry_after_s if error is not None and error.retry_after_s is not None else 0.0
        return timedelta(seconds=asked + chance.uniform(ceiling / 2, ceiling))


def record(
    session: Session,
    group: Group,
    answer: Sequence[Receipt] | ProviderError,
    *,
    lease: timedelta,
    retry: RetrySettings,
    chance: Random,
    now: datetime,
) -> bool:
    """Write down what the provider said about a group; return whether its batch is still ours, for `lease` from now.

    The last group closes its batch.
    """
    claim = group.claim
    was_ours = group.last and queue.complete(session, claim)
    _write_down(session, group, answer, retry=retry, chance=chance, now=now)
    # Asked afterwards, because trouble with the account takes the rest of the batch out of our hands, too.
    is_ours = not group.last and queue.keep(session, claim, now=now, lease=lease)
    if not was_ours and not is_ours:
        # It may have been given up, settled and counted meanwhile; a batch that is claimed is counted by nobody.
        counts.batch_changed(session, claim.batch_id)
    return is_ours


def _write_down(
    session: Session,
    group: Group,
    answer: Sequence[Receipt] | ProviderError,
    *,
    retry: RetrySettings,
    chance: Random,
    now: datetime,
) -> None:
    if isinstance(answer, ProviderError):
        outcome, in_doubt = _OUTCOMES[type(answer)], isinstance(answer, Ambiguous)
        ids = _still_of(session, group, group.delivery_ids)
        taken = len(ids) if in_doubt else 0
        closing = _Closing(outcome, taken, code=answer.code, detail=answer.detail, in_doubt=in_doubt)
        _close_attempt(session, group, closing, now)
        _refused(session, group, ids, answer, retry=retry, chance=chance, now=now)
        return
    _accepted(session, group, answer, now)
    refusals: dict[tuple[type[ProviderError], str], list[int]] = {}
    errors: dict[tuple[type[ProviderError], str], ProviderError] = {}
    for place, receipt in enumerate(answer):
        if receipt.error is not None:
            kind = (type(receipt.error), receipt.error.code)
            refusals.setdefault(kind, []).append(place)
            errors[kind] = receipt.error
    for kind, places in refusals.items():
        _refused_each(session, group, places, errors[kind], retry=retry, chance=chance, now=now)
    refused = sum(len(places) for (kind, _), places in refusals.items() if kind is not Ambiguous)
    closing = _Closing(
        "partly" if refusals else "accepted",
        len(answer) - refused,
        message_id=_one_id(answer),
        in_doubt=any(kind is Ambiguous for kind, _ in refusals),
    )
    _close_attempt(session, group, closing, now)


def _accepted(session: Session, group: Group, receipts: Sequence[Receipt], now: datetime) -> None:
    """Move what was taken to `accepted`, each with its own message id unless one request took them all."""
    if _one_id(receipts) is not None and all(receipt.error is None for receipt in receipts):
        perform(session, _ALL_TAKEN, the_batch=group.claim.batch_id, the_attempt=group.attempt_id, the_moment=now)
        return
    message_ids = {
        str(delivery_id): receipt.message_id
        for delivery_id, receipt in zip(group.delivery_ids, receipts, strict=True)
        if receipt.error is None
    }
    if message_ids:
        perform(
            session,
            _EACH_TAKEN,
            the_ids=orjson.dumps(message_ids).decode(),
            the_attempt=group.attempt_id,
            the_moment=now,
        )


def _one_id(receipts: Sequence[Receipt]) -> str | None:
    """Return the message id of a request that was taken as a whole, None if every message has its own."""
    ids = {receipt.message_id for receipt in receipts}
    return next(iter(ids)) if len(ids) == 1 else None


def _refused_each(
    session: Session,
    group: Group,
    places: list[int],
    error: ProviderError,
    *,
    retry: RetrySettings,
    chance: Random,
    now: datetime,
) -> None:
    """Settle recipients that were refused one by one."""
    ids = _still_of(session, group, [group.delivery_ids[place] for place in places])
    if not isinstance(error, Permanent):
        _refused(session, group, ids, error, retry=retry, chance=chance, now=now)
        return
    advance(session, ids, DeliveryStatus.FAILED, at=now, reason=error.code or "refused")
    reason = _SUPPRESSING.get(error.code)
    if reason is not None:
        for place in places:
            suppressions.suppress_address(
                session,
                group.address_ids[place],
                reason,
                source=f"{group.provider} {error.code}",
                actor=group.provider,
                now=now,
            )


def _refused(
    session: Session,
    group: Group,
    ids: list[int],
    error: ProviderError,
    *,
    retry: RetrySettings,
    chance: Random,
    now: datetime,
) -> None:
    """Settle recipients that share one refusal."""
    claim = group.claim
    if isinstance(error, Ambiguous):
        advance(session, ids, DeliveryStatus.UNKNOWN, at=now, reason="ambiguous")
    elif isinstance(error, AccountTrouble):
        queue_again(session, claim, [ids], due_at=now, tries=claim.tries, now=now)
        control.hold(
            session, claim.campaign_id, reason=f"{group.provider} refuses our account: {error.detail}", now=now
        )
    elif isinstance(error, Permanent):
        if len(ids) == 1:
            advance(session, ids, DeliveryStatus.FAILED, at=now, reason=error.code or "refused")
        else:
            middle = len(ids) // 2
            queue_again(session, claim, [ids[:middle], ids[middle:]], due_at=now, tries=claim.tries, now=now)
    elif claim.tries + 1 >= retry.most:
        advance(session, ids, DeliveryStatus.FAILED, at=now, reason=GAVE_UP)
    else:
        due_at = now + retry.wait(claim.tries, error, chance)
        queue_again(session, claim, [ids], due_at=due_at, tries=claim.tries + 1, now=now)


def _still_of(session: Session, group: Group, ids: list[int]) -> list[int]:
    """Leave out whom another attempt has taken over: a refusal that comes so late is no longer about them."""
    return list(
        session.scalars(
            select(Delivery.id)
            .where(Delivery.id.in_(ids), Delivery.attempt_id == group.attempt_id)
            .order_by(Delivery.id)
        )
    )


@dataclass(frozen=True, slots=True)
class _Closing:
    """What one call came to; `taken` counts whom the provider took, or may have taken."""

    outcome: str
    taken: int
    code: str | None = None
    detail: str | None = None
    message_id: str | None = None
    in_doubt: bool = False


def _close_attempt(session: Session, group: Group, closing: _Closing, now: datetime) -> None:
    values = {
        "the_attempt": group.attempt_id,
        "the_outcome": closing.outcome,
        "how_many": closing.taken,
        "the_code": closing.code[:40] if closing.code else None,
        "the_detail": closing.detail,
        "the_message": closing.message_id,
        "the_doubt": DOUBT_OPEN if closing.in_doubt else None,
        "took_ms": round((now - group.started_at).total_seconds() * 1000),
    }
    if not perform(session, _CLOSE, **values).rowcount:
        # A worker that comes home so late that its call has been settled and counted.
        calls.changed(session, [group.attempt_id])
        perform(session, _CLOSE, **values)


# The statements of the hot path, put together once.
_deliveries = cast("Table", Delivery.__table__)
_taken = (
    _deliveries.update()
    .where(
        _deliveries.c.attempt_id == bindparam("the_attempt"),
        _deliveries.c.status.in_([literal(state) for state in sources(DeliveryStatus.ACCEPTED)]),
    )
    .values(status=DeliveryStatus.ACCEPTED, accepted_at=bindparam("the_moment"), reason=None)
)
_ALL_TAKEN = _taken.where(_deliveries.c.batch_id == bindparam("the_batch"))
# A hundred message ids go to the database in one piece: a statement for each takes three times as long.
_told = Pairs(bindparam("the_ids")).table_valued("key", "value", name="told")
_EACH_TAKEN = _taken.where(_deliveries.c.id == cast_to(_told.c.key, BigInteger)).values(
    provider_message_id=_told.c.value
)
_CLOSE = (
    update(Attempt)
    .where(Attempt.id == bindparam("the_attempt"), Attempt.counted.is_(None))
    .values(
        outcome=bindparam("the_outcome"),
        taken=bindparam("how_many"),
        code=bindparam("the_code"),
        detail=bindparam("the_detail"),
        provider_message_id=bindparam("the_message"),
        doubt=bindparam("the_doubt"),
        duration_ms=bindparam("took_ms"),
    )
)
