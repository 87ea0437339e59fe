"""From the languages and regions of an audience to the messages they get.

The distinct (language, region) pairs of an audience are few. Each is resolved here, in Python, to one variant: the
document chosen by the fallback chain, rendered once with the region's contacts, and kept in the database, so that every
worker sends exactly what was approved. A pair that no document serves gets a route without a variant, and its
deliveries are held back with that reason: a missing translation is never papered over.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import partial
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import bindparam, insert, select
from sqlalchemy.orm import Session

from notifier.campaigns import options
from notifier.campaigns.approval import Papers
from notifier.campaigns.models import Campaign
from notifier.content.library import Advisory
from notifier.content.pinned import official_page
from notifier.content.render import RenderContext, Renderer
from notifier.delivery.models import Variant, VariantRoute
from notifier.kit.db import plain_rows
from notifier.kit.errors import NotFound
from notifier.vocabulary import Channel, EmailMessage, Message, Readers, SmsMessage

Pair = tuple[str, str]  # (wanted language or "", region code)

# Where in a variant's content it says whether it was approved for real people or for the sandbox only.
LIVE = "live"

# Where in a variant's content the text for its public page is kept, beside the message itself.
PAGE = "page"


Content = dict[str, Any]
_Wanted = tuple[int, Channel, str, str]  # campaign, channel, language, region


class NotRendered(Exception):
    """Variants are wanted that have to be rendered first, outside of the transaction that wants them."""


class Drafts:
    """Contents that are rendered between transactions: nobody who wants to write waits for a rendering."""

    def __init__(self) -> None:
        self._ready: dict[_Wanted, Content] = {}
        self._wanted: dict[_Wanted, Callable[[], Content]] = {}

    def take(self, which: _Wanted, render: Callable[[], Content]) -> Content | None:
        """Return a content that is ready, or None and note that it is wanted."""
        content = self._ready.pop(which, None)
        if content is None:
            self._wanted[which] = render
        return content

    def check(self) -> None:
        """Raise NotRendered if anything is wanted."""
        if self._wanted:
            raise NotRendered

    def render(self) -> None:
        """Render all that is wanted."""
        wanted, self._wanted = self._wanted, {}
        for which, render in wanted.items():
            self._ready[which] = render()


@dataclass(frozen=True, slots=True)
class Press:
    """Everything needed to turn an advisory into messages: the words, the numbers, and who signs.

    `context` is the same for every campaign but for its code and the date, which are filled in for each. Without
    `drafts` a variant is rendered when it is wanted.
    """

    papers: Papers
    renderer: Renderer
    context: RenderContext
    drafts: Drafts | None = None


def routes(session: Session, campaign_id: int, channel: Channel) -> dict[Pair, int | None]:
    """Return the pairs already resolved, with their variant (None: no document serves them)."""
    rows = plain_rows(session, _ROUTES, the_campaign=campaign_id, on_channel=channel.value)
    return {(wanted, region): variant_id for wanted, region, variant_id in rows}


_ROUTES = select(VariantRoute.wanted, VariantRoute.region, VariantRoute.variant_id).where(
    VariantRoute.campaign_id == bindparam("the_campaign"), VariantRoute.channel == bindparam("on_channel")
)


def resolve(
    session: Session, campaign: Campaign, channel: Channel, pairs: Iterable[Pair], *, press: Press, now: datetime
) -> None:
    """Give every pair its route, rendering the variants that are new. Raises NotRendered if the press has drafts."""
    known = routes(session, campaign.id, channel)
    for wanted, region in pairs:
        if (wanted, region) in known:
            continue
        language = _language(press, campaign, channel, wanted, region)
        variant_id = None
        if language is not None:
            variant_id = _variant(session, campaign, channel, language, region, press=press, now=now)
        session.execute(
            insert(VariantRoute).values(
                campaign_id=campaign.id,
                channel=channel,
                wanted=wanted,
                region=region,
                variant_id=variant_id,
                language=language,
            )
        )
    if press.drafts is not None:
        press.drafts.check()


def message(variant: Mapping[str, Any], channel: Channel) -> Message:
    """Return the message kept in a variant's `content`."""
    values = {**variant, "markers": tuple(variant["markers"])}
    values.pop(PAGE, None)
    values.pop(LIVE, None)
    return EmailMessage(**values) if channel is Channel.EMAIL else SmsMessage(**values)


def _language(press: Press, campaign: Campaign, channel: Channel, wanted: str, region: str) -> str | None:
    try:
        place = press.papers.atlas.region(region)
    except NotFound:
        return None  # the list names a region this installation has no facts about
    library = press.papers.library
    advisory = library.advisory(campaign.advisory)
    choice = library.choose(advisory, Readers(campaign.readers), channel, wanted or None, place)
    return choice.language if choice else None


def _variant(
    session: Session, campaign: Campaign, channel: Channel, language: str, region: str, *, press: Press, now: datetime
) -> int | None:
    """Return the variant of this language and region, rendering it if this is the first time; None: not rendered."""
    known = session.scalar(
        select(Variant.id).where(
            Variant.campaign_id == campaign.id,
            Variant.channel == channel,
            Variant.language == language,
            Variant.region == region,
        )
    )
    if known is not None:
        return known
    render = _rendering(campaign, channel, language, region, press=press, now=now)
    drafts = press.drafts
    content = render() if drafts is None else drafts.take((campaign.id, channel, language, region), render)
    if content is None:
        return None
    variant = Variant(
        campaign_id=campaign.id,
        channel=channel,
        readers=campaign.readers,
        language=language,
        region=region,
        content=content,
        digest=sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest(),
        created_at=now,
    )
    session.add(variant)
    session.flush()
    return variant.id


def _rendering(
    campaign: Campaign, channel: Channel, language: str, region: str, *, press: Press, now: datetime
) -> Callable[[], Content]:
    """Return what renders a variant; it needs nothing of the database any more."""
    advisory = press.papers.library.advisory(campaign.advisory)
    second = options.read(campaign.options).second_language
    context = replace(press.context, code=campaign.code, today=now.date(), second_language=second)
    return partial(_render, press, channel, advisory, Readers(campaign.readers), language, region, context)


def _render(
    press: Press,
    channel: Channel,
    advisory: Advisory,
    readers: Readers,
    language: str,
    region: str,
    context: RenderContext,
) -> Content:
    compose = press.renderer.email if channel is Channel.EMAIL else press.renderer.sms
    content = asdict(compose(advisory, readers, language, region, context))
    page = official_page(press.renderer, advisory, readers, language, region, context, frame=press.papers.frame)
    return content | {LIVE: press.papers.live} | ({PAGE: asdict(page)} if page else {})
