"""The report of one campaign: who was reached, who not and why, by channel, language, region and school, over time.

Counted from the ledger when it is made, in a few passes over the campaign's deliveries, and by school from the kept
counts; what is asked all the time is in `progress.py`. A school's view holds that school's people and nobody else's.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from notifier.audiences.lists import find_list, names_of
from notifier.audiences.models import ContactList
from notifier.campaigns.lifecycle import find
from notifier.campaigns.models import Campaign
from notifier.delivery.counts import school_cells
from notifier.delivery.models import Delivery, Variant
from notifier.delivery.status import DeliveryStatus
from notifier.kit.dialects import HourOf
from notifier.reports.progress import through_list
from notifier.reports.words import reason_words

Counts = dict[str, int]

_NOT_REACHED = frozenset({DeliveryStatus.HELD_BACK, DeliveryStatus.BOUNCED, DeliveryStatus.FAILED})


@dataclass(frozen=True, slots=True)
class Hour:
    """What happened in one hour (UTC, `2026-11-23 09`)."""

    hour: str
    handed_over: int
    delivered: int
    came_back: int


@dataclass(frozen=True, slots=True)
class CampaignReport:
    """Everything a report shows. Each breakdown maps a name to its counts by status.

    `school` is set where the report is one school's view. `complained` and `opted_out` count people, whatever became of
    their message.
    """

    id: int
    code: str
    advisory: str
    audience: str
    status: str
    approved_at: datetime | None
    made_at: datetime
    school: str | None
    planned: int
    reached: int
    by_status: Counts
    by_channel: dict[str, Counts]
    by_language: dict[str, Counts]
    by_region: dict[str, Counts]
    by_school: dict[str, Counts]
    reasons: dict[str, Counts]
    complained: int
    opted_out: int
    hours: tuple[Hour, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values, for JSON."""
        return asdict(self)

    def cells(self) -> Iterable[tuple[str, str, str, int]]:
        """Return every count as (breakdown, name, status or reason, number), for a table of one shape."""
        yield from (("all", "", status, number) for status, number in self.by_status.items())
        for breakdown, names in (
            ("channel", self.by_channel),
            ("language", self.by_language),
            ("region", self.by_region),
            ("school", self.by_school),
            ("reason", self.reasons),
        ):
            for name, counts in names.items():
                yield from ((breakdown, name, status, number) for status, number in counts.items())


@dataclass(frozen=True, slots=True)
class _Line:
    """Deliveries that share everything a report distinguishes."""

    channel: str
    language: str
    region: str
    status: str
    reason: str
    number: int
    complained: int
    opted_out: int


def campaign_report(session: Session, campaign_id: int, *, now: datetime) -> CampaignReport:
    """Make the report of a campaign. Raises NotFound."""
    campaign = find(session, campaign_id)
    return _report(session, campaign, Delivery.campaign_id == campaign_id, school=None, now=now)


def school_report(session: Session, campaign_id: int, list_code: str, *, now: datetime) -> CampaignReport:
    """Make one school's view of a campaign: only what was reached through its own list. Raises NotFound."""
    campaign = find(session, campaign_id)
    school = find_list(session, list_code)
    mine = and_(Delivery.campaign_id == campaign_id, through_list(school.id))
    return _report(session, campaign, mine, school=school, now=now)


def _report(
    session: Session, campaign: Campaign, which: ColumnElement[bool], *, school: ContactList | None, now: datetime
) -> CampaignReport:
    lines = _lines(session, which)
    by_status = _by(lines, lambda _line: [""]).get("", {})
    return CampaignReport(
        id=campaign.id,
        code=campaign.code,
        advisory=campaign.advisory,
        audience=campaign.audience,
        status=campaign.status,
        approved_at=campaign.approved_at,
        made_at=now,
        school=school.name if school else None,
        planned=sum(line.number for line in lines),
        reached=by_status.get(DeliveryStatus.DELIVERED, 0),
        by_status=by_status,
        by_channel=_by(lines, lambda line: [line.channel]),
        by_language=_by(lines, lambda line: [line.language] if line.language else []),
        by_region=_by(lines, lambda line: [line.region]),
        by_school=_by_school(session, campaign.id) if school is None else {school.name: by_status},
        reasons=_reasons(lines),
        complained=sum(line.complained for line in lines),
        opted_out=sum(line.opted_out for line in lines),
        hours=_hours(session, which),
    )


def _lines(session: Session, which: ColumnElement[bool]) -> list[_Line]:
    groups = (
        Delivery.channel,
        func.coalesce(Variant.language, ""),
        Delivery.region,
        Delivery.status,
        func.coalesce(Delivery.reason, ""),
    )
    facts = (func.count(), func.count(Delivery.complained_at), func.count(Delivery.opted_out_at))
    rows = session.execute(
        select(*groups, *facts).outerjoin(Variant, Variant.id == Delivery.variant_id).where(which).group_by(*groups)
    )
    return [_Line(*row) for row in rows.all()]


def _by(lines: Iterable[_Line], names: Callable[[_Line], Iterable[str]]) -> dict[str, Counts]:
    """Count lines by the names they go under, and by status. A line may go under several names, as with schools."""
    sums: dict[str, Counts] = defaultdict(lambda: defaultdict(int))
    for line in lines:
        for name in names(line):
            sums[name][line.status] += line.number
    return {name: dict(sorted(counts.items())) for name, counts in sorted(sums.items())}


def _by_school(session: Session, campaign_id: int) -> dict[str, Counts]:
    """Count a campaign by school, from the kept counts; one message counts in each school it stands for."""
    cells = [cell for cell in school_cells(session, campaign_id) if cell.list_id]
    known = names_of(session, sorted({cell.list_id for cell in cells}))
    sums: dict[str, Counts] = defaultdict(lambda: defaultdict(int))
    for cell in cells:
        sums[known.get(cell.list_id, "a list that is gone")][cell.status] += cell.number
    return {name: dict(sorted(counts.items())) for name, counts in sorted(sums.items())}


def _reasons(lines: Iterable[_Line]) -> dict[str, Counts]:
    """Count what was not reached by our words for the reason, and by status."""
    troubled = [line for line in lines if line.status in _NOT_REACHED]
    return _by(troubled, lambda line: [reason_words(line.reason)])


def _hours(session: Session, which: ColumnElement[bool]) -> tuple[Hour, ...]:
    handed_over, delivered, came_back = (
        _by_hour(session, which, moment)
        for moment in (Delivery.accepted_at, Delivery.delivered_at, Delivery.bounced_at)
    )
    return tuple(
        Hour(hour, handed_over.get(hour, 0), delivered.get(hour, 0), came_back.get(hour, 0))
        for hour in sorted({*handed_over, *delivered, *came_back})
    )


def _by_hour(
    session: Session, which: ColumnElement[bool], moment: InstrumentedAttribute[datetime | None]
) -> dict[str, int]:
    hour = HourOf(moment).label("hour")
    rows = session.execute(select(hour, func.count().label("number")).where(which, moment.is_not(None)).group_by(hour))
    return {row.hour: row.number for row in rows}
