"""A report as one self-contained page: plots as inline SVG, every figure also as a table, good on paper.

Nothing is loaded from anywhere, so the page can be mailed and filed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from notifier.delivery.status import DeliveryStatus
from notifier.reports.report import CampaignReport, Counts
from notifier.reports.words import STATUSES

_S = DeliveryStatus
_FOLDER = Path(str(files("notifier.reports"))) / "pages"

# The order of the pieces of a bar, from good news to none.
_ORDER = (
    _S.DELIVERED,
    _S.ACCEPTED,
    _S.SENDING,
    _S.QUEUED,
    _S.UNKNOWN,
    _S.BOUNCED,
    _S.FAILED,
    _S.HELD_BACK,
    _S.CANCELLED,
)
_BAR_WIDTH = 1000
_PLOT_HEIGHT = 200
_MOST_ROWS = 60


@dataclass(frozen=True, slots=True)
class Piece:
    """One coloured piece of a bar, in thousandths of its width."""

    status: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a breakdown: its counts and its bar."""

    name: str
    counts: Counts
    total: int
    reached: int
    pieces: tuple[Piece, ...]


def html(report: CampaignReport) -> str:
    """Return the page of a report."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    present = [status for status in _ORDER if report.by_status.get(status)]
    return environment.get_template("report.html").render(
        report=report,
        words=STATUSES,
        statuses=present,
        whole=row("", report.by_status),
        breakdowns=[
            (title, rows(counts), max(len(counts) - _MOST_ROWS, 0))
            for title, counts in (
                ("Channel", report.by_channel),
                ("Language", report.by_language),
                ("Region", report.by_region),
                ("School", report.by_school),
            )
            if counts
        ],
        reasons=sorted(report.reasons.items(), key=lambda item: -sum(item[1].values())),
        plot=plot(report),
    )


def rows(counts: Mapping[str, Counts]) -> list[Row]:
    """Return the lines of a breakdown, the largest first, as many as a page can hold."""
    return sorted((row(name, one) for name, one in counts.items()), key=lambda line: -line.total)[:_MOST_ROWS]


def row(name: str, counts: Counts) -> Row:
    """Return one line with its bar."""
    total = sum(counts.values())
    pieces, x = [], 0.0
    for status in _ORDER:
        width = _BAR_WIDTH * counts.get(status, 0) / total if total else 0
        if width:
            pieces.append(Piece(status, round(x, 1), round(width, 1)))
            x += width
    return Row(name, counts, total, counts.get(_S.DELIVERED, 0), tuple(pieces))


@dataclass(frozen=True, slots=True)
class Plot:
    """Two lines over time, as points of an SVG polyline; `top` is the number at the upper edge."""

    handed_over: str
    delivered: str
    top: int
    first: str
    last: str


def plot(report: CampaignReport) -> Plot | None:
    """Return the curves of what was handed over and delivered up to each hour, or None before anything was."""
    if not report.hours:
        return None
    handed_over, delivered = [0], [0]
    for hour in report.hours:
        handed_over.append(handed_over[-1] + hour.handed_over)
        delivered.append(delivered[-1] + hour.delivered)
    top = max(handed_over[-1], delivered[-1], 1)
    return Plot(_points(handed_over, top), _points(delivered, top), top, report.hours[0].hour, report.hours[-1].hour)


def _points(sums: list[int], top: int) -> str:
    step = _BAR_WIDTH / max(len(sums) - 1, 1)
    return " ".join(f"{place * step:.1f},{_PLOT_HEIGHT * (1 - value / top):.1f}" for place, value in enumerate(sums))
