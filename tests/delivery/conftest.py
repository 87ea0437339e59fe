"""A small world for the engine: real words and regions, made-up people, and a provider that does as it is told."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.accounts import users
from notifier.accounts.models import User, UserRole
from notifier.audiences.segments import load_audience
from notifier.campaigns import lifecycle
from notifier.campaigns.approval import fingerprint
from notifier.campaigns.models import Campaign
from notifier.campaigns.options import Options
from notifier.delivery import control
from notifier.delivery.answers import RetrySettings
from notifier.delivery.doubt import DoubtSettings
from notifier.delivery.guards import GuardSettings
from notifier.delivery.models import Delivery
from notifier.delivery.numbers import Number
from notifier.delivery.planner import PlanSettings
from notifier.delivery.quiet import QuietSettings
from notifier.delivery.sender import Post
from notifier.delivery.variants import Press
from notifier.kit.db import Database
from notifier.kit.tokens import Keyring, Purpose
from notifier.providers.base import Event, ProviderError, Receipt, SettledBy, WebhookRequest
from notifier.tracking import inbox
from notifier.vocabulary import Channel, ChannelPolicy, Envelope, EventKind, Message
from notifier.worker import duties, planning
from notifier.worker.engine import Engine, WorkerSettings
from notifier.worker.loop import Worker
from tests.factories import SECRET, Person, make_campaign, make_list, make_people, make_user

ROOT = Path(__file__).parents[2]

Answer = list[Receipt] | ProviderError


@dataclass
class Clock:
    """A clock that moves when it is told to."""

    moment: datetime

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, **how_far: float) -> None:
        """Move on."""
        self.moment += timedelta(**how_far)


@dataclass
class FakeProvider:
    """Takes everything, and keeps it, unless told to answer otherwise."""

    channel: Channel
    name: str = "fake"
    group_size: int = 1_000
    settled_by: SettledBy = SettledBy.EVENTS
    answers: list[Callable[[Sequence[Envelope]], Answer]] = field(default_factory=list)
    taken: list[Envelope] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    calls: int = 0

    async def send(self, message: Message, envelopes: Sequence[Envelope]) -> list[Receipt]:
        self.calls += 1
        self.messages.append(message)
        answer: Answer = self.answers.pop(0)(envelopes) if self.answers else self.take(envelopes)
        if isinstance(answer, ProviderError):
            raise answer
        return answer

    def take(self, envelopes: Sequence[Envelope]) -> list[Receipt]:
        """Take them all, as SendGrid does: one message id for the request."""
        self.taken.extend(envelopes)
        return [Receipt(message_id=f"request-{self.calls}") for _ in envelopes]

    def verify(self, request: WebhookRequest) -> None:
        """Believe everything."""

    def parse(self, request: WebhookRequest) -> list[Event]:  # noqa: ARG002
        return []

    async def close(self) -> None:
        """Hold nothing."""


@dataclass
class World:
    """Everything a test of the engine needs, and short ways to drive it."""

    database: Database
    clock: Clock
    press: Press
    keyring: Keyring
    email: FakeProvider = field(default_factory=lambda: FakeProvider(Channel.EMAIL))
    sms: FakeProvider = field(default_factory=lambda: FakeProvider(Channel.SMS, group_size=2))
    # Melbourne sleeps at the moment of most tests; those about the night set the hours themselves.
    quiet: QuietSettings = field(default_factory=lambda: QuietSettings(sms_from="", sms_until=""))
    numbers: tuple[Number, ...] = ()
    guards: GuardSettings = field(default_factory=GuardSettings)
    live: bool = False
    planning: PlanSettings = field(default_factory=lambda: PlanSettings(slice_addresses=3, email_batch=2, sms_batch=2))

    @property
    def engine(self) -> Engine:
        return Engine(
            database=self.database,
            providers={Channel.EMAIL: [self.email], Channel.SMS: [self.sms]},
            press=lambda: self.press,
            audience=lambda name: load_audience(ROOT / "audiences", name),
            post=Post(self.keyring, "https://n.example", self.numbers),
            clock=self.clock,
            address_secret=SECRET,
            planning=self.planning,
            worker=WorkerSettings(lease_s=60.0),
            doubt=DoubtSettings(events_wait_s=600.0, record_wait_s=300.0),
            quiet=self.quiet,
            guards=self.guards,
            retry=RetrySettings(first_s=10.0, longest_s=100.0, most=3),
            live=self.live,
            chance=Random(7),  # noqa: S311 - jitter, not a secret
        )

    def people(self, *people: Person, **school: str) -> int:
        """Put people on a school's list."""
        with self.database.transaction() as session:
            list_id = make_list(session, self.clock(), **school)  # type: ignore[arg-type]
            make_people(session, list_id, people, self.clock())
            return list_id

    def campaign(
        self,
        channels: ChannelPolicy = ChannelPolicy.EMAIL,
        *,
        urgent: bool = False,
        expires_at: datetime | None = None,
        schedule: Mapping[str, Any] | None = None,
        options: Options | None = None,
        zones: Mapping[str, Sequence[str]] | None = None,
        audience: str = "victoria-parents",
        advisory: str = "online-blackmail",
    ) -> int:
        """Draft, submit and approve a campaign."""
        now = self.clock()
        with self.database.transaction() as session:
            names = ("officer", "approver")
            known = {name: f"{name}{now:%f}{len(lifecycle.everything(session))}@police.example" for name in names}
            officer = make_user(session, known["officer"], UserRole.OFFICER, now)
            approver = make_user(session, known["approver"], UserRole.APPROVER, now)
            campaign = make_campaign(
                session,
                officer,
                now,
                channels=channels,
                urgent=urgent,
                expires_at=expires_at,
                schedule=schedule,
                options=options.chosen() if options else None,
                audience=audience,
                advisory=advisory,
            )
            seen = fingerprint(campaign, self.press.papers, today=now.date())
            lifecycle.submit(session, campaign.id, by=officer, fingerprint=seen, now=now)
            control.approve(session, campaign.id, by=approver, fingerprint=seen, zones=zones or {}, now=now)
            return campaign.id

    def officer(self, session: Session, campaign_id: int) -> User:
        """Return the officer of a campaign."""
        return users.find(session, lifecycle.find(session, campaign_id).created_by)

    def found(self, campaign_id: int) -> Campaign:
        """Return a campaign as it is now."""
        with self.database.reading() as session:
            return lifecycle.find(session, campaign_id)

    def tell(self, destination: str, kind: EventKind) -> None:
        """Let the provider tell of one delivery, and apply it."""
        with self.database.transaction() as session:
            delivery_id = session.scalars(select(Delivery.id).where(Delivery.destination == destination)).one()
            reference = self.keyring.seal(Purpose.DELIVERY, delivery_id)
            told = Event("fake", f"e-{delivery_id}-{kind}", kind, self.clock(), reference=reference)
            inbox.store(session, [told], keyring=self.keyring, now=self.clock())
        duties.apply_events(self.engine)

    def plan(self) -> int:
        """Do the scheduler's planning once."""
        return planning.plan_due(self.engine)

    def work(self) -> None:
        """Let a worker do everything that is due."""
        asyncio.run(Worker(self.engine).drain())

    def statuses(self, campaign_id: int) -> dict[str, str]:
        """Return each address's status."""
        with self.database.reading() as session:
            rows = session.execute(
                select(Delivery.destination, Delivery.status).where(Delivery.campaign_id == campaign_id)
            )
            return {str(destination): status for destination, status in rows}

    def reasons(self, campaign_id: int) -> dict[str, str | None]:
        """Return each address's reason."""
        with self.database.reading() as session:
            rows = session.execute(
                select(Delivery.destination, Delivery.reason).where(Delivery.campaign_id == campaign_id)
            )
            return {str(destination): reason for destination, reason in rows}


@pytest.fixture
def world(database: Database, now: datetime, press: Press, keyring: Keyring) -> World:
    """A world with an empty ledger."""
    return World(database, Clock(now), press, keyring)
