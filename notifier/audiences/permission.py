"""May this address be written to? The one definition, used when a campaign is planned and again when it leaves.

Held back, in this order: the address was erased, it is suppressed, its owner left every list the campaign reaches it
through, declined the topic, or paused all messages. Nothing here sends, and nothing here changes a row.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Select, and_, case, exists, false, select
from sqlalchemy.orm import InstrumentedAttribute

from notifier.audiences.models import (
    Address,
    ListChoice,
    Subscription,
    SubscriptionStatus,
    Suppression,
    TopicChoice,
)
from notifier.kit.dialects import WithoutIndex
from notifier.vocabulary import Channel, HoldBackReason

# Now, or the place of it in a statement that is put together once and asked many times.
Moment = datetime | BindParameter[datetime]
# The ids of lists, or the places of them.
ListIds = Sequence[int] | Sequence[BindParameter[int]]
# Something a SELECT can give: a column of a table, or anything put together from columns.
Term = ColumnElement[Any] | InstrumentedAttribute[Any]


def with_hold_back(
    query: Select[Any],
    address_id: Term,
    channel: Channel,
    *,
    topic: str,
    now: Moment,
    list_ids: ListIds,
    also: Sequence[tuple[ColumnElement[bool], str]] = (),
) -> Select[Any]:
    """Add the column `hold_back` (a HoldBackReason's value, or NULL) to a query that has an address id per row.

    `also` are further conditions with their words, asked when nothing else holds an address back.
    Made for the thousand rows of a batch at the moment they leave: every join is by a unique index.
    """
    still_on_a_list = exists(
        select(1)
        .select_from(Subscription)
        .outerjoin(ListChoice, left_list(channel))
        .where(
            address_of(channel) == address_id,
            on_one_of(list_ids),
            Subscription.status == SubscriptionStatus.ACTIVE,
            ListChoice.list_id.is_(None),
        )
        .correlate_except(Subscription, ListChoice)
    )
    query = query.outerjoin(Address, Address.id == address_id)
    return joined(query, topic).add_columns(reason(subscribed=still_on_a_list, now=now, also=also).label("hold_back"))


def address_of(channel: Channel, row: type[Subscription] = Subscription) -> InstrumentedAttribute[int | None]:
    """Return the column of a subscription that holds its address on a channel."""
    return row.email_address_id if channel is Channel.EMAIL else row.sms_address_id


def on_one_of(list_ids: ListIds) -> ColumnElement[bool]:
    """Return whether a subscription is one of these lists'.

    SQLite would go through whole lists; the index to use is that of the address.
    """
    return WithoutIndex(Subscription.list_id).in_(list_ids)


def left_list(channel: Channel) -> ColumnElement[bool]:
    """Join a subscription to the choice by which the owner of its address left the list."""
    return and_(
        ListChoice.address_id == address_of(channel),
        ListChoice.list_id == Subscription.list_id,
        ListChoice.wanted == false(),
    )


def joined(query: Select[Any], topic: str) -> Select[Any]:
    """Join what `reason` looks at to a query that already has `addresses`."""
    return query.outerjoin(Suppression, Suppression.address_key == Address.key).outerjoin(
        TopicChoice, and_(TopicChoice.address_id == Address.id, TopicChoice.topic == topic)
    )


def reason(
    *, subscribed: ColumnElement[bool], now: Moment, also: Sequence[tuple[ColumnElement[bool], str]] = ()
) -> ColumnElement[str | None]:
    """Return why an address may not be written to, or NULL. The values of a suppression's reasons are ours too."""
    return case(
        (Address.id.is_(None), HoldBackReason.ERASED.value),
        (Suppression.reason.is_not(None), Suppression.reason),
        (~subscribed, HoldBackReason.NOT_SUBSCRIBED.value),
        (TopicChoice.wanted == false(), HoldBackReason.TOPIC_DECLINED.value),
        (Address.paused_until > now, HoldBackReason.PAUSED_BY_RECIPIENT.value),
        *also,
    )
