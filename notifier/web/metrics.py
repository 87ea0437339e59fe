"""What Prometheus may ask: what came in through this process, and what the ledger says now.

Gauges are read from the database when they are asked for, from indexes and kept totals; nothing counts deliveries or
calls that are over. No label ever holds anything of a person.
"""

from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.responses import Response

from notifier.campaigns.lifecycle import CampaignStatus
from notifier.kit.clock import Clock
from notifier.kit.db import Database
from notifier.providers.base import Event
from notifier.reports.state import State, state_at

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LAG_S = (1, 5, 15, 60, 300, 3600, 86400)

Labelled = Iterable[tuple[tuple[str, ...], float]]


M = TypeVar("M", Counter, Histogram)


class WebMetrics:
    """The counters of one app, in a registry of its own."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._registry = registry = CollectorRegistry()
        self._known: dict[tuple[int | str, ...], Any] = {}
        self._events = Counter("notifier_webhook_events", "Events received", ["provider", "kind"], registry=registry)
        self._posts = Counter("notifier_webhook_posts", "Webhook posts", ["provider", "status"], registry=registry)
        self._lag = Histogram(
            "notifier_webhook_lag_seconds",
            "From the provider's moment of an event to its arrival",
            ["provider"],
            buckets=_LAG_S,
            registry=registry,
        )
        self.opt_outs = Counter("notifier_one_click_opt_outs", "One-click opt-outs taken", registry=registry)
        registry.register(_Ledger(database, clock))

    def taken(self, provider: str, events: Sequence[Event], now: datetime) -> None:
        """Count a post that was stored."""
        self._of(self._posts, provider, "204").inc()
        for kind, number in Tally([event.kind for event in events]).items():
            self._of(self._events, provider, kind).inc(number)
        if events:
            oldest = min([event.occurred_at for event in events])
            self._of(self._lag, provider).observe(max((now - oldest).total_seconds(), 0))

    def _of(self, metric: M, *labels: str) -> M:
        """Return the counter of some labels. The library looks each one up anew, which costs more than counting."""
        key: tuple[int | str, ...] = (id(metric), *labels)
        if key not in self._known:
            self._known[key] = metric.labels(*labels)
        found: M = self._known[key]
        return found

    def refused(self, provider: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
        """Count a post that was refused, and return the empty answer that refuses it."""
        self._posts.labels(provider, str(status)).inc()
        return Response(status_code=status, headers=headers)

    def exposition(self) -> bytes:
        """Everything, in Prometheus's text format."""
        return generate_latest(self._registry)


class _Ledger(Collector):
    """Gauges that are questions to the database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def describe(self) -> Iterator[Metric]:
        """Say nothing: registering must not ask the database."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Ask every question once, and say the answers as gauges."""
        with self._database.reading() as session:
            found = state_at(session, self._clock())
        return gauges(found)


def gauges(found: State) -> Iterator[Metric]:
    """Turn the figures of one moment into gauges."""
    queue = found.queue
    by_queue, by_outcome = ("channel", "status"), ("channel", "provider", "outcome")
    calls = [((line.channel, line.provider, line.outcome), line) for line in found.calls]
    yield _gauge(
        "queue_batches", "Batches to be worked on", by_queue, [((q.channel, q.status), q.batches) for q in queue]
    )
    yield _gauge(
        "queue_deliveries", "Deliveries in them", by_queue, [((q.channel, q.status), q.deliveries) for q in queue]
    )
    yield _gauge("oldest_due_batch_seconds", "How long the oldest due batch has waited", (), [((), found.oldest_due_s)])
    # A campaign that is held is what somebody is woken for: its line is always there.
    campaigns = {CampaignStatus.HELD.value: 0} | found.campaigns
    yield _gauge("campaigns", "Campaigns", ("status",), [((word,), number) for word, number in campaigns.items()])
    yield _gauge("provider_calls", "Calls to providers", by_outcome, [(key, line.calls) for key, line in calls])
    yield _gauge(
        "provider_recipients", "Messages in those calls", by_outcome, [(key, line.recipients) for key, line in calls]
    )
    yield _gauge(
        "provider_messages_taken",
        "Those of them the provider took, or may have taken while that is in doubt",
        by_outcome,
        [(key, line.taken) for key, line in calls],
    )
    yield _gauge(
        "provider_call_seconds",
        "Time those calls took together",
        by_outcome,
        [(key, line.duration_ms / 1000) for key, line in calls],
    )
    yield _gauge(
        "deliveries_unknown",
        "Deliveries nobody knows about yet",
        ("provider",),
        [((d.provider,), d.deliveries) for d in found.doubts],
    )
    yield _gauge(
        "oldest_doubt_seconds",
        "How long the oldest call has been in doubt",
        ("provider",),
        [((d.provider,), d.oldest_s) for d in found.doubts],
    )
    yield _gauge("inbox_pending", "Events stored and not applied yet", (), [((), found.inbox_pending)])
    yield _gauge("inbox_oldest_seconds", "How long the oldest of them has waited", (), [((), found.inbox_oldest_s)])
    yield _gauge("messages_unread", "Replies nobody has read yet", (), [((), found.unread)])


def _gauge(name: str, text: str, labels: Sequence[str], values: Labelled) -> Metric:
    family = GaugeMetricFamily(f"notifier_{name}", text, labels=labels)
    for key, value in values:
        family.add_metric(key, value)
    return family
