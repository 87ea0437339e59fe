"""The report of one campaign: who was reached, who not and why, by channel, language, region and school, over time.

What is counted comes from the kept counts; only the moments (by hour, complaints, opt-outs) are read from the ledger,
in one pass. A school's view holds that school's people and nobody else's, and reads only the batches they are in.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from notifier.audiences.lists import find_list, names_of
from notifier.audiences.models import ContactList
from notifier.campaigns.lifecycle import find
from notifier.campaigns.models import Campaign
from notifier.delivery.counts import cells, of_school, school_cells
from notifier.delivery.models import Delivery, Variant
from notifier.delivery.status import DeliveryStatus
from notifier.kit.dialects import HourOf
from notifier.reports.progress import languages_of, through_list
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


@dataclass(frozen=True, slots=True)
class _Moments:
    """Deliveries that share the hours in which things happened to them; an empty hour stands for never."""

    handed_over: str
    delivered: str
    came_back: str
    number: int
    complained: int
    opted_out: int


def campaign_report(session: Session, campaign_id: int, *, now: datetime) -> CampaignReport:
    """Make the report of a campaign. Raises NotFound."""
    campaign = find(session, campaign_id)
    languages = languages_of(session, campaign_id)
    lines = [
        _Line(cell.channel, languages.get(cell.variant_id, ""), cell.region, cell.status, cell.reason, cell.number)
        for cell in cells(session, campaign_id)
    ]
    moments = _moments(session, Delivery.campaign_id == campaign_id)
    return _report(campaign, lines, moments, _by_school(session, campaign_id), school=None, now=now)


def school_report(session: Session, campaign_id: int, list_code: str, *, now: datetime) -> CampaignReport:
    """Make one school's view of a campaign: only what was reached through its own list. Raises NotFound."""
    campaign = find(session, campaign_id)
    school = find_list(session, list_code)
    parts = [and_(part, through_list(school.id)) for part in of_school(campaign_id, school.id)]
    lines = [line for part in parts for line in _lines(session, part)]
    moments = [one for part in parts for one in _moments(session, part)]
    by_school = {school.name: _by(lines, lambda _line: [""]).get("", {})}
    return _report(campaign, lines, moments, by_school, school=school, now=now)


def _report(
    campaign: Campaign,
    lines: Sequence[_Line],
    moments: Sequence[_Moments],
    by_school: dict[str, Counts],
    *,
    school: ContactList | None,
    now: datetime,
) -> CampaignReport:
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
        by_school=by_school,
        reasons=_reasons(lines),
        complained=sum(one.complained for one in moments),
        opted_out=sum(one.opted_out for one in moments),
        hours=_hours(moments),
    )


def _lines(session: Session, which: ColumnElement[bool]) -> list[_Line]:
    groups = (
        Delivery.channel,
        func.coalesce(Variant.language, ""),
        Delivery.region,
        Delivery.status,
        func.coalesce(Delivery.reason, ""),
    )
    rows = session.execute(
        select(*groups, func.count())
        .outerjoin(Variant, Variant.id == Delivery.variant_id)
        .where(which)
        .group_by(*groups)
    )
    return [_Line(*row) for row in rows.all()]


def _moments(session: Session, which: ColumnElement[bool]) -> list[_Moments]:
    """Read the moments of deliveries in one pass."""
    hours = [
        func.coalesce(HourOf(moment), "").label(moment.key)
        for moment in (Delivery.accepted_at, Delivery.delivered_at, Delivery.bounced_at)
    ]
    facts = (func.count(), func.count(Delivery.complained_at), func.count(Delivery.opted_out_at))
    rows: Sequence[Any] = session.execute(select(*hours, *facts).where(which).group_by(*hours)).all()
    return [_Moments(*row) for row in rows]


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


def _hours(moments: Iterable[_Moments]) -> tuple[Hour, ...]:
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for one in moments:
        for place, hour in enumerate((one.handed_over, one.delivered, one.came_back)):
            sums[hour][place] += one.number
    sums.pop("", None)
    return tuple(Hour(hour, *sums[hour]) for hour in sorted(sums))
