"""`notifier campaigns reconcile`: a campaign's ledger beside what its providers have on record.

The sandbox is asked what it received; Twilio for its message list; of SendGrid there are the events it sent us.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import orjson
import typer
from sqlalchemy.orm import Session

from notifier.bootstrap import House, is_loopback
from notifier.campaigns import lifecycle
from notifier.cli.frame import IdArgument, JsonFlag, print_json, print_table, say
from notifier.cli.opening import house
from notifier.kit.errors import Conflict
from notifier.kit.tokens import Purpose
from notifier.providers.base import ListsRecord, SettledBy
from notifier.reports import reconciliation
from notifier.vocabulary import Channel

_TIMEOUT_S = 30.0


def reconcile(campaign_id: IdArgument, as_json: JsonFlag = False) -> None:
    """Compare a campaign's ledger with its providers' own record; exit 1 if they differ."""
    with house() as opened, opened.database.reading() as session:
        lifecycle.find(session, campaign_id)
        record = _record(opened, session, campaign_id)
        found = reconciliation.reconcile(session, campaign_id, record)
    if as_json:
        print_json(found.as_dict())
    else:
        _print(found)
    if not found.agrees:
        raise typer.Exit(1)


def _print(found: reconciliation.Reconciliation) -> None:
    kinds = ("missing", "unexpected", "twice", "open")
    rows = [
        [kind, (difference := getattr(found, kind)).number, ", ".join(map(str, difference.deliveries[:10]))]
        for kind in kinds
    ]
    print_table(f"Campaign {found.campaign}: {found.compared} compared", ["", "deliveries", "the first of them"], rows)
    if found.not_comparable:
        say(f"{found.not_comparable} went by a provider that keeps no record anybody can ask for.")
    say("Ledger and record agree." if found.agrees else "Ledger and record differ.")


def _record(opened: House, session: Session, campaign_id: int) -> reconciliation.Record:
    """Ask each channel's first provider, in the way it can answer."""
    found: dict[Channel, Mapping[int, int]] = {}
    for channel, providers in opened.providers.items():
        for provider in providers[:1]:
            url = {
                "sendgrid": opened.settings.sendgrid.base_url,
                "twilio": opened.settings.twilio.base_url,
            }.get(provider.name, "")
            if is_loopback(urlsplit(url).hostname or ""):
                found[channel] = _received(opened, url, channel)
            elif isinstance(provider, ListsRecord):
                found[channel] = asyncio.run(_listed(opened, session, provider, campaign_id, channel))
            elif provider.settled_by is SettledBy.EVENTS:
                found[channel] = reconciliation.heard_of(session, campaign_id, channel)
    return found


def _received(opened: House, url: str, channel: Channel) -> dict[int, int]:
    """Ask the sandbox which references it received, and how often."""
    try:
        with build_opener(ProxyHandler({})).open(f"{url.rstrip('/')}/sandbox/references", timeout=_TIMEOUT_S) as answer:
            references: dict[str, dict[str, int]] = orjson.loads(answer.read())
    except (URLError, OSError, orjson.JSONDecodeError) as wrong:
        raise Conflict(f"The sandbox at {url} does not answer; start it with `notifier sandbox`") from wrong
    received: Counter[int] = Counter()
    for reference, times in references.get(channel, {}).items():
        said = opened.keyring.open(Purpose.DELIVERY, reference)
        if said is not None:
            received[said.subject] += times
    return received


async def _listed(
    opened: House, session: Session, provider: ListsRecord, campaign_id: int, channel: Channel
) -> dict[int, int]:
    """Read the provider's list and know the campaign's messages by the code in their text.

    Rounds of a recurring campaign to one number are told apart by their order.
    """
    campaign = lifecycle.find(session, campaign_id)
    waiting = reconciliation.by_destination(session, campaign_id, channel)
    times: Counter[str] = Counter()
    since = campaign.approved_at or campaign.created_at
    try:
        async for page in provider.read_record(since=since, until=opened.clock()):
            times.update(event.destination or "" for event in page if campaign.code in (event.text or ""))
    finally:
        await provider.close()
    return {
        delivery_id: number
        for destination, ids in waiting.items()
        for delivery_id, number in _shared_out(ids, times[destination]).items()
    }


def _shared_out(ids: list[int], times: int) -> dict[int, int]:
    """Give each delivery to a destination one message of those on record; the last has what is left over."""
    shares: dict[int, Any] = dict.fromkeys(ids[:times], 1)
    if times > len(ids):
        shares[ids[-1]] += times - len(ids)
    return shares
