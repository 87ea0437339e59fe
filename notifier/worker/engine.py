"""What the engine room works with: the ledger, the providers, the words, and how hard to run."""

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from os import getpid
from random import Random
from uuid import uuid4

from notifier.audiences.segments import Audience
from notifier.delivery.answers import RetrySettings
from notifier.delivery.doubt import DoubtSettings
from notifier.delivery.guards import GuardSettings
from notifier.delivery.pacing import Rate
from notifier.delivery.planner import PlanSettings
from notifier.delivery.quiet import QuietSettings
from notifier.delivery.sender import Post
from notifier.delivery.variants import Press
from notifier.kit.clock import Clock
from notifier.kit.db import Database
from notifier.providers.base import Provider
from notifier.tracking.retention import RetentionSettings
from notifier.vocabulary import Channel
from notifier.worker.circuit import CircuitSettings


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """`[worker]`: how a worker runs.

    `email_in_flight`, `sms_in_flight`: batches it works on at once, by channel. `lease_s`: how long a claim is good
    without a heartbeat, in seconds. `poll_s`: how long it rests when there is nothing to do. `email_per_second`,
    `sms_per_second`: the most messages all workers together hand to the provider of a channel (0: no limit).
    """

    email_in_flight: int = 4
    sms_in_flight: int = 4
    lease_s: float = 60.0
    poll_s: float = 0.2
    email_per_second: float = 0.0
    sms_per_second: float = 0.0

    @property
    def lease(self) -> timedelta:
        """How long a claim is good without a heartbeat."""
        return timedelta(seconds=self.lease_s)

    def in_flight(self, channel: Channel) -> int:
        """How many batches of a channel a worker works on at once."""
        return self.email_in_flight if channel is Channel.EMAIL else self.sms_in_flight

    def rates(self, channel: Channel, provider: str) -> list[Rate]:
        """Return the limits messages of a channel keep to."""
        per_second = self.email_per_second if channel is Channel.EMAIL else self.sms_per_second
        return [Rate(f"provider:{provider}", per_second)] if per_second else []


@dataclass(frozen=True, slots=True)
class TickSettings:
    """`[ticks]`: how often the scheduler does each of its duties, in seconds."""

    plan_s: float = 0.25
    take_over_s: float = 5.0
    apply_s: float = 0.25
    finish_s: float = 1.0
    settle_s: float = 5.0
    watch_s: float = 2.0
    count_s: float = 5.0
    forget_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything the worker and the scheduler are built from. The providers of a channel are in order of preference."""

    database: Database
    providers: Mapping[Channel, Sequence[Provider]]
    press: Callable[[], Press]
    audience: Callable[[str], Audience]
    post: Post
    clock: Clock
    address_secret: bytes
    worker: WorkerSettings = field(default_factory=WorkerSettings)
    ticks: TickSettings = field(default_factory=TickSettings)
    planning: PlanSettings = field(default_factory=PlanSettings)
    guards: GuardSettings = field(default_factory=GuardSettings)
    doubt: DoubtSettings = field(default_factory=DoubtSettings)
    quiet: QuietSettings = field(default_factory=QuietSettings)
    retry: RetrySettings = field(default_factory=RetrySettings)
    circuit: CircuitSettings = field(default_factory=CircuitSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    live: bool = False
    chance: Random = field(default_factory=Random)


def worker_name() -> str:
    """Return a name no other worker has: host, process, and a chance part, since process ids come round again."""
    return f"{socket.gethostname()[:40]}-{getpid()}-{uuid4().hex[:8]}"
