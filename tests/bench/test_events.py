"""`notifier bench events` at a size nobody would measure with."""

from notifier.bench.events import events
from notifier.bench.ground import Kind, Workshop


def test_webhooks_are_posted_until_applied_and_people_leave_meanwhile(shop: Workshop) -> None:
    figures = [figure.as_dict() for figure in events(shop, [Kind.SQLITE], 40)]
    assert [figure["name"] for figure in figures] == [
        "events: SendGrid batches",
        "events: Twilio posts",
        "one-click while sending",
    ]
    # One of the forty has opted out; two events come for each of the others.
    assert [figure["recipients"] for figure in figures[:2]] == [78, 78]
    assert all(figure["rate"] > 0 and figure["floor_rate"] > 0 for figure in figures)
    assert 0 < figures[2]["p50_ms"] <= figures[2]["p99_ms"]
