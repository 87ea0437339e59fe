"""Apply what providers told us: in order of meaning, whatever the order of arrival, set by set.

What an event says about its delivery is in outcomes.py. A complaint, an opt-out or an address that does not exist is
also a suppression, and trouble with an account stops what is being sent.
Never here: a query per event, or a decision about whether an event is genuine.
"""

from collections import defaultdict
from datetime import datetime

from sqlalchemy import ColumnElement, Select, Table, and_, case, func, or_, select, update
from sqlalchemy.orm import Session

from notifier.audiences import book
from notifier.audiences.suppressions import suppress_many
from notifier.delivery import counts, fallback, guards
from notifier.delivery.models import Delivery
from notifier.kit.db import perform
from notifier.tracking import outcomes, portions
from notifier.tracking.evidence import note_news
from notifier.tracking.models import PendingEvent, ProviderEvent
from notifier.tracking.portions import LINES, TAKEN
from notifier.tracking.trouble import hold_for_trouble
from notifier.vocabulary import EventKind, SuppressionReason

_K = EventKind

_SUPPRESSIONS = {
    SuppressionReason.HARD_BOUNCE: (_K.HARD_BOUNCED,),
    SuppressionReason.COMPLAINT: (_K.COMPLAINED,),
    SuppressionReason.OPT_OUT: (_K.UNSUBSCRIBED, _K.OPTED_OUT),
}


def _told(reason: SuppressionReason, of: Table) -> ColumnElement[bool]:
    # A provider that drops a message because of a suppression of its own knows what we did not.
    dropped = and_(of.c.kind == _K.DROPPED, of.c.code == reason)
    return or_(of.c.kind.in_(_SUPPRESSIONS[reason]), dropped)


def _by_delivery(reason: SuppressionReason) -> Select[int, str]:
    """Ask for the addresses to suppress that are known by their delivery."""
    of_events = select(Delivery.address_id, TAKEN.c.provider).join(TAKEN, TAKEN.c.delivery_id == Delivery.id)
    return of_events.where(_told(reason, TAKEN)).distinct()


def _by_name(reason: SuppressionReason) -> Select[str, str]:
    """Ask for the addresses to suppress that the provider named."""
    named = select(LINES.c.destination, LINES.c.provider).where(LINES.c.destination.is_not(None))
    return named.where(_told(reason, LINES)).distinct()


def _came_back() -> Select[int, str, int, int]:
    """Ask how many messages of each campaign and channel bounced hard, and how many were complained about."""
    bounced, complained = (TAKEN.c.kind == kind for kind in (_K.HARD_BOUNCED, _K.COMPLAINED))
    return (
        select(
            Delivery.campaign_id,
            Delivery.channel,
            func.count(case((bounced, Delivery.id)).distinct()),
            func.count(case((complained, Delivery.id)).distinct()),
        )
        .join(TAKEN, TAKEN.c.delivery_id == Delivery.id)
        .where(or_(bounced, complained))
        .group_by(Delivery.campaign_id, Delivery.channel)
    )


# Putting a statement together costs more than running it; these are asked for every portion of events.
_SUPPRESSED = {reason: (_by_delivery(reason), _by_name(reason)) for reason in _SUPPRESSIONS}
_CAME_BACK = _came_back()
_BOUNCED = select(TAKEN.c.delivery_id).where(TAKEN.c.kind == _K.HARD_BOUNCED)
_FORGOTTEN = select(Delivery.id).where(Delivery.id.in_(outcomes.DELIVERIES), Delivery.destination.is_(None))
_NEWS = (
    select(LINES.c.provider, func.max(LINES.c.received_at))
    .where(LINES.c.delivery_ids.is_not(None))
    .group_by(LINES.c.provider)
    .order_by(LINES.c.provider)
)
_TROUBLED = select(LINES.c.provider, LINES.c.code).where(LINES.c.kind == _K.ACCOUNT_TROUBLE)


def is_pending(session: Session) -> bool:
    """Whether there is anything to apply; a question that disturbs nobody."""
    return session.scalar(select(PendingEvent.id).limit(1)) is not None


def apply_pending(session: Session, *, address_secret: bytes, now: datetime, limit: int = 5000) -> int:
    """Apply some `limit` of the stored events; return how many were taken. Safe to run in several places at once."""
    taken = portions.take(session, limit=limit)
    if not taken:
        return 0
    kinds = taken.keys()
    outcomes.note(session, kinds)
    for reason, told in _SUPPRESSIONS.items():
        if not kinds.isdisjoint((*told, _K.DROPPED)):
            _suppress(session, address_secret, reason, now)
    if _K.ACCOUNT_TROUBLE in kinds:
        hold_for_trouble(session, _TROUBLED, now=now)
    note_news(session, perform(session, _NEWS).all())
    counts.changed(session, outcomes.DELIVERIES)
    if not kinds.isdisjoint((_K.HARD_BOUNCED, _K.COMPLAINED)):
        guards.note(session, [guards.Found(*row) for row in perform(session, _CAME_BACK).all()])
    if _K.HARD_BOUNCED in kinds:
        fallback.send_sms_instead(session, _BOUNCED, now=now)
    _forget_again(session)
    return sum(taken.values())


def _suppress(session: Session, address_secret: bytes, reason: SuppressionReason, now: datetime) -> None:
    by_delivery, by_name = _SUPPRESSED[reason]
    by_provider: dict[str, set[int]] = defaultdict(set)
    for address_id, provider in perform(session, by_delivery):
        by_provider[provider].add(address_id)
    named = perform(session, by_name).all()
    known = book.ids_of(session, address_secret, [destination or "" for destination, _ in named])
    for destination, provider in named:
        if destination in known:
            by_provider[provider].add(known[destination])
    for provider, address_ids in by_provider.items():
        suppress_many(session, sorted(address_ids), reason, source=provider, actor=provider, now=now)


def _forget_again(session: Session) -> None:
    """Wipe the words of events about somebody who has been forgotten: a provider may tell of them days later."""
    gone = perform(session, _FORGOTTEN).scalars().all()
    if gone:
        session.execute(
            update(ProviderEvent).where(ProviderEvent.delivery_id.in_(gone)).values(raw=None, detail=None),
            execution_options={"synchronize_session": False},
        )
