"""From the languages and regions of an audience to the messages they get.

The distinct (language, region) pairs of an audience are few. Each is resolved here, in Python, to one variant: the
document chosen by the fallback chain, rendered once with the region's contacts, and kept in the database, so that every
worker sends exactly what was approved. A pair that no document serves gets a route without a variant, and its
deliveries are held back with that reason: a missing translation is never papered over.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from notifier.campaigns import options
from notifier.campaigns.approval import Papers
from notifier.campaigns.models import Campaign
from notifier.content.pinned import official_page
from notifier.content.render import RenderContext, Renderer
from notifier.delivery.models import Variant, VariantRoute
from notifier.kit.errors import NotFound
from notifier.vocabulary import Channel, EmailMessage, Message, Readers, SmsMessage

Pair = tuple[str, str]  # (wanted language or "", region code)

# Where in a variant's content it says whether it was approved for real people or for the sandbox only.
LIVE = "live"

# Where in a variant's content the text for its public page is kept, beside the message itself.
PAGE = "page"


@dataclass(frozen=True, slots=True)
class Press:
    """Everything needed to turn an advisory into messages: the words, the numbers, and who signs.

    `context` is the same for every campaign but for its code and the date, which are filled in for each.
    """

    papers: Papers
    renderer: Renderer
    context: RenderContext


def routes(session: Session, campaign_id: int, channel: Channel) -> dict[Pair, int | None]:
    """Return the pairs already resolved, with their variant (None: no document serves them)."""
    rows = session.execute(
        select(VariantRoute.wanted, VariantRoute.region, VariantRoute.variant_id).where(
            VariantRoute.campaign_id == campaign_id, VariantRoute.channel == channel
        )
    )
    return {(wanted, region): variant_id for wanted, region, variant_id in rows}


def resolve(
    session: Session, campaign: Campaign, channel: Channel, pairs: Iterable[Pair], *, press: Press, now: datetime
) -> None:
    """Give every pair its route, rendering the variants that are new."""
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
) -> int:
    """Return the variant of this language and region, rendering it if this is the first time."""
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
    advisory = press.papers.library.advisory(campaign.advisory)
    compose = press.renderer.email if channel is Channel.EMAIL else press.renderer.sms
    second = options.read(campaign.options).second_language
    context = replace(press.context, code=campaign.code, today=now.date(), second_language=second)
    readers, frame = Readers(campaign.readers), press.papers.frame
    content = asdict(compose(advisory, readers, language, region, context))
    page = official_page(press.renderer, advisory, readers, language, region, context, frame=frame)
    content |= {LIVE: press.papers.live} | ({PAGE: asdict(page)} if page else {})
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
