"""Whatever the order, repetition and delay of what the world tells us, it ends the same; and who left stays left."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.audiences.models import Address
from notifier.audiences.suppressions import is_suppressed
from notifier.kit.db import Database
from notifier.kit.tokens import Keyring
from notifier.providers.base import Event
from notifier.tracking.apply import apply_pending
from notifier.tracking.inbound import hear_text
from notifier.tracking.inbox import store
from notifier.tracking.optout import leave_by_one_click
from notifier.vocabulary import Channel, EventKind
from tests.tracking.ledger import SECRET, a_delivery, an_address, news, the_delivery

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
KEYS = Keyring({"1": bytes(range(32))})
NUMBER = "+61491570006"
KINDS = [kind for kind in EventKind if kind is not EventKind.ACCOUNT_TROUBLE]

FACTS = ("status", "reason", "delivered_at", "bounced_at", "failed_at", "deferred_at", "complained_at", "opted_out_at")


@pytest.fixture(scope="module")
def ledger(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A database for a whole property: examples differ by the delivery they are about, and are rolled back."""
    path = tmp_path_factory.mktemp("properties") / "ledger.sqlite3"
    path.write_bytes(sqlite_template.read_bytes())
    opened = Database(f"sqlite:///{path}")
    yield opened
    opened.close()


class Undone(Exception):
    """Ends an example's transaction without keeping it."""


def outcome(session: Session, events: list[Event], delivery: int, portions: list[int]) -> tuple[object, ...]:
    """Let events come in portions; return everything the delivery then says."""
    waiting = list(events)
    for size in portions:
        store(session, waiting[:size], keyring=KEYS, now=NOW)
        del waiting[:size]
        apply_pending(session, address_secret=SECRET, now=NOW)
    store(session, waiting, keyring=KEYS, now=NOW)
    apply_pending(session, address_secret=SECRET, now=NOW)
    row = the_delivery(session, delivery)
    return tuple(getattr(row, name) for name in FACTS)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_order_repetition_and_delay_of_events_ends_in_the_same_state(ledger: Database, data: st.DataObject) -> None:
    told = data.draw(
        st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 20)), min_size=1, max_size=8, unique=True)
    )
    seen = []
    for _ in range(2):
        with pytest.raises(Undone), ledger.transaction() as session:
            delivery = a_delivery(session, an_address(session, "p@example.org", NOW), status="sending")
            events = [news(KEYS, delivery, kind, NOW - timedelta(minutes=ago)) for kind, ago in told]
            order = data.draw(st.permutations(events + data.draw(st.lists(st.sampled_from(events), max_size=4))))
            portions = data.draw(st.lists(st.integers(0, 4), max_size=4))
            seen.append(outcome(session, order, delivery, portions))
            raise Undone
    assert seen[0] == seen[1]


# What can happen to somebody's number; only "start" is their own wish to come back.
HAPPENINGS = st.sampled_from(["stop", "start", "click", "please stop", "delivered", "opted out", "upload", "repeat"])


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(happenings=st.lists(HAPPENINGS, max_size=12))
def test_nothing_but_ones_own_wish_brings_back_who_has_left(ledger: Database, happenings: list[str]) -> None:
    with pytest.raises(Undone), ledger.transaction() as session:
        world = World(session)
        for number, happening in enumerate(happenings):
            world.let(happening, number)
            assert world.is_out() == world.left
        raise Undone


class World:
    """One number, what happens to it, and whether its owner has left."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.address = an_address(session, NUMBER, NOW)
        self.delivery = a_delivery(session, self.address, channel="sms", status="accepted")
        self.left = False
        self.last: Event | None = None

    def is_out(self) -> bool:
        return is_suppressed(self.session, SECRET, Channel.SMS, NUMBER) is not None

    def let(self, happening: str, number: int) -> None:
        if happening in {"stop", "start", "please stop"}:
            self._write(happening, number)
        elif happening == "repeat" and self.last is not None:
            hear_text(self.session, self.last, address_secret=SECRET, keyring=KEYS, now=NOW)
        elif happening == "click":
            leave_by_one_click(self.session, self.address, campaign_id=1, now=NOW)
            self.left = True
        elif happening in {"delivered", "opted out"}:
            kind = EventKind.DELIVERED if happening == "delivered" else EventKind.OPTED_OUT
            event = news(KEYS, self.delivery, kind, NOW, event_id=f"e{number}", provider="twilio")
            store(self.session, [event], keyring=KEYS, now=NOW)
            apply_pending(self.session, address_secret=SECRET, now=NOW)
            self.left = self.left or kind is EventKind.OPTED_OUT
        elif happening == "upload":
            # An upload finds the address as it is; it never touches what its owner chose.
            assert self.session.scalar(select(Address.id).where(Address.value == NUMBER)) == self.address

    def _write(self, text: str, number: int) -> None:
        self.last = news(
            KEYS, None, EventKind.REPLIED, NOW, event_id=f"m{number}", provider="twilio", destination=NUMBER, text=text
        )
        hear_text(self.session, self.last, address_secret=SECRET, keyring=KEYS, now=NOW)
        if text in {"stop", "start"}:
            self.left = text == "stop"
