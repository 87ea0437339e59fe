"""Doubts: calls to a provider of which nobody knows whether they were taken, and how each is settled.

    events   one event for any recipient proves that all were taken; none within the waiting time, while the provider
             tells of other calls, proves that none was
    record   each message is looked up in the provider's own list by number, time and the campaign's code in its text
    person   an officer who has asked the provider says which it was

What was taken becomes `accepted`; what was not is queued again in a new batch. Nothing is ever sent again without one
of these proofs, and each decision stays on the attempt. Never here: the asking itself (worker/doubts.py).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import cast

from sqlalchemy import Select, Table, bindparam, select, update
from sqlalchemy.orm import Session

from notifier.accounts.audit import record
from notifier.accounts.models import User
from notifier.accounts.users import MAY_DRAFT, require
from notifier.campaigns import lifecycle
from notifier.campaigns.models import Campaign
from notifier.delivery import counts
from notifier.delivery.again import queue_again
from notifier.delivery.models import Attempt, Batch, Delivery, Variant
from notifier.delivery.queue import DOUBT_OPEN
from notifier.delivery.status import DeliveryStatus, advance
from notifier.kit.errors import Conflict
from notifier.providers.base import SettledBy

SETTLED = "settled"

# A provider's clock and ours may differ by this much when a message is looked up by its time.
CLOCK_SKEW = timedelta(minutes=5)


class Verdict(StrEnum):
    """What a settled attempt turned out to be as a whole; its `outcome` in the ledger."""

    TAKEN = "taken"
    NOT_TAKEN = "not_taken"
    PARTLY = "partly_taken"


@dataclass(frozen=True, slots=True)
class DoubtSettings:
    """`[doubt]`: when a call that went unanswered is settled.

    `events_wait_s`: after so many seconds without an event about it, while others are told of, a call to a provider
    that tells by events counts as not taken. `record_wait_s`: how long after a call its messages are looked up in the
    provider's own record. Both must be longer than a lease and a provider's timeout together.
    """

    events_wait_s: float = 3_600.0
    record_wait_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Doubt:
    """One call that is in doubt."""

    attempt_id: int
    campaign_id: int
    batch_id: int
    provider: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What has to be known to look up the messages of one doubt: destinations by delivery, and the text's mark."""

    doubt: Doubt
    destinations: Mapping[int, str]
    code: str
    told_by_code: bool


def open_doubts(session: Session, providers: Collection[str], *, limit: int = 500) -> list[Doubt]:
    """Return the open doubts about calls to these providers, oldest first."""
    return [Doubt(*row) for row in session.execute(_open(limit).where(Attempt.provider.in_(providers)))]


def of_campaign(session: Session, campaign_id: int) -> list[tuple[Doubt, int]]:
    """Return the open doubts of a campaign, each with how many of its deliveries are unknown."""
    wanted = _open(None).where(Attempt.campaign_id == campaign_id)
    doubts = [Doubt(*row) for row in session.execute(wanted)]
    return [(doubt, len(unknown_ids(session, doubt))) for doubt in doubts]


def waits_for(doubt: Doubt, settled_by: SettledBy, settings: DoubtSettings, *, now: datetime) -> str:
    """Say what a doubt waits for, and until when it can settle by itself."""
    if settled_by is SettledBy.PERSON:
        return "a person: nobody else can say"
    wait_s = settings.events_wait_s if settled_by is SettledBy.EVENTS else settings.record_wait_s
    ripe_at = doubt.started_at + timedelta(seconds=wait_s)
    ripe = f"{ripe_at:%Y-%m-%d %H:%M} UTC"
    if settled_by is SettledBy.RECORD:
        return f"{doubt.provider}'s list of messages, asked from {ripe} on"
    if now < ripe_at:
        return f"an event about it until {ripe}; after that, silence about it while {doubt.provider} tells of others"
    return f"any event of {doubt.provider}: nothing has come since, so its silence proves nothing"


def hold_fast(session: Session, doubt: Doubt) -> bool:
    """Lock an open doubt for this transaction; False if somebody else has it or has settled it."""
    locked = (
        select(Attempt.id)
        .where(Attempt.id == doubt.attempt_id, Attempt.doubt == DOUBT_OPEN)
        .with_for_update(skip_locked=True)
    )
    return session.scalar(locked) is not None


def unknown_ids(session: Session, doubt: Doubt) -> list[int]:
    """Return the deliveries of a call that are still unknown."""
    return list(session.scalars(_unknown(doubt)))


def inquiry(session: Session, doubt: Doubt) -> Inquiry:
    """Return what has to be asked of the provider's record about a call."""
    rows = session.execute(_unknown(doubt).add_columns(Delivery.destination)).all()
    code, content = session.execute(
        select(Campaign.code, Variant.content)
        .join(Batch, Batch.campaign_id == Campaign.id)
        .join(Variant, Variant.id == Batch.variant_id)
        .where(Batch.id == doubt.batch_id)
    ).one()
    # A destination that was erased meanwhile cannot be asked for; its delivery stays unknown.
    known = {delivery_id: destination for delivery_id, destination in rows if destination}
    return Inquiry(doubt, known, code, told_by_code=code in str(content.get("text", "")))


def taken(session: Session, doubt: Doubt, *, why: str, now: datetime) -> int:
    """Settle a call as taken whole: what is unknown of it becomes accepted; return how many that were."""
    ids = unknown_ids(session, doubt)
    advance(session, ids, DeliveryStatus.ACCEPTED, at=now)
    _close(session, doubt, why)
    return len(ids)


def not_taken(session: Session, doubt: Doubt, *, why: str, now: datetime) -> int:
    """Settle a call as never taken: what is unknown of it is queued again; return how many that were."""
    ids = unknown_ids(session, doubt)
    _queue_again(session, doubt, ids, now)
    _close(session, doubt, why, again=len(ids))
    return len(ids)


def found_on_record(session: Session, question: Inquiry, found: Mapping[int, str], *, now: datetime) -> int:
    """Settle a call by the provider's record: `found` has the message id of each delivery it knows of.

    Deliveries that were not asked for stay unknown. Returns how many are queued again.
    """
    doubt = question.doubt
    still = set(unknown_ids(session, doubt))
    accepted = [{"the_id": place, "message_id": found[place]} for place in sorted(still & found.keys())]
    missing = sorted((still & question.destinations.keys()) - found.keys())
    if accepted:
        table = cast("Table", Delivery.__table__)
        session.connection().execute(
            table.update()
            .where(table.c.id == bindparam("the_id"), table.c.status == DeliveryStatus.UNKNOWN)
            .values(
                status=DeliveryStatus.ACCEPTED,
                accepted_at=now,
                reason=None,
                provider_message_id=bindparam("message_id"),
            ),
            accepted,
        )
    _queue_again(session, doubt, missing, now)
    why = f"{doubt.provider} has {len(accepted)} of {len(accepted) + len(missing)} messages on record"
    _close(session, doubt, why, again=len(missing))
    return len(missing)


def close_if_settled(session: Session, doubt: Doubt) -> bool:
    """Close a doubt of which nothing is unknown any more: events or a late answer have said all."""
    if session.scalar(_unknown(doubt).limit(1)) is not None:
        return False
    _close(session, doubt, "every message of it has been heard of")
    return True


def said_sent(session: Session, campaign_id: int, *, by: User, attempt: int | None, now: datetime) -> int:
    """Let a person say that the open doubts of a campaign were taken; return how many deliveries that settles."""
    doubts = _of_campaign(session, campaign_id, by, attempt)
    moved = sum(taken(session, doubt, why=f"{by.email} says it was taken", now=now) for doubt in doubts)
    _audit(session, campaign_id, by, "said to be sent", doubts, moved, now)
    return moved


def said_not_sent(session: Session, campaign_id: int, *, by: User, attempt: int | None, now: datetime) -> int:
    """Let a person have the open doubts of a campaign sent again; return how many deliveries that are."""
    doubts = _of_campaign(session, campaign_id, by, attempt)
    moved = sum(not_taken(session, doubt, why=f"{by.email} has it sent again", now=now) for doubt in doubts)
    _audit(session, campaign_id, by, "sent again", doubts, moved, now)
    return moved


def _of_campaign(session: Session, campaign_id: int, by: User, attempt: int | None) -> list[Doubt]:
    require(by, MAY_DRAFT, "settling what is unknown")
    lifecycle.find(session, campaign_id)
    wanted = _open(None).where(Attempt.campaign_id == campaign_id)
    if attempt is not None:
        wanted = wanted.where(Attempt.id == attempt)
    doubts = [Doubt(*row) for row in session.execute(wanted.with_for_update())]
    if not doubts:
        which = "" if attempt is None else f" {attempt}"
        raise Conflict(f"Campaign {campaign_id} has no attempt{which} in doubt; `notifier campaigns show` counts them")
    return doubts


def _audit(
    session: Session, campaign_id: int, by: User, decision: str, doubts: Sequence[Doubt], moved: int, now: datetime
) -> None:
    record(
        session,
        actor=by.email,
        action="campaign.doubt_settled",
        subject=lifecycle.find(session, campaign_id).subject,
        at=now,
        reason=decision,
        detail={"attempts": [doubt.attempt_id for doubt in doubts], "deliveries": moved},
    )


def _open(limit: int | None) -> Select[int, int, int, str, datetime]:
    columns = (Attempt.id, Attempt.campaign_id, Attempt.batch_id, Attempt.provider, Attempt.started_at)
    return select(*columns).where(Attempt.doubt == DOUBT_OPEN).order_by(Attempt.id).limit(limit)


def _unknown(doubt: Doubt) -> Select[int]:
    return (
        select(Delivery.id)
        .where(
            Delivery.batch_id == doubt.batch_id,
            Delivery.attempt_id == doubt.attempt_id,
            Delivery.status == DeliveryStatus.UNKNOWN,
        )
        .order_by(Delivery.id)
    )


def _queue_again(session: Session, doubt: Doubt, ids: Sequence[int], now: datetime) -> None:
    if ids:
        batch = session.get_one(Batch, doubt.batch_id)
        queue_again(session, batch, [ids], due_at=now, tries=batch.tries, now=now)


def _close(session: Session, doubt: Doubt, why: str, *, again: int = 0) -> None:
    """Settle an attempt of which so many deliveries were never taken; whoever else it holds, the provider has."""
    counts.batch_changed(session, doubt.batch_id)
    attempt = session.execute(select(Attempt.taken, Attempt.recipients).where(Attempt.id == doubt.attempt_id)).one()
    taken = max(0, (attempt.recipients if attempt.taken is None else attempt.taken) - again)
    verdict = Verdict.PARTLY if taken else Verdict.NOT_TAKEN
    if taken == attempt.recipients:
        verdict = Verdict.TAKEN
    session.execute(
        update(Attempt)
        .where(Attempt.id == doubt.attempt_id)
        .values(doubt=SETTLED, outcome=verdict, detail=why, taken=taken)
    )
