"""The worker: claim, prepare, hand over, record, again.

Database work runs in threads and is committed before and after each call to a provider, never during one. A worker that
is told to stop finishes what is in flight and gives the rest back; one that is killed leaves a lease that runs out.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from notifier.delivery import answers, control, later, pacing, queue, sender
from notifier.delivery.queue import LeaseLost
from notifier.delivery.sender import Group, Job
from notifier.delivery.waves import URGENT
from notifier.kit.reachable import DatabaseUnavailable
from notifier.providers.base import Ambiguous, Provider, ProviderError, Receipt, Temporary
from notifier.vocabulary import Channel
from notifier.worker.circuit import Switch
from notifier.worker.clocks import Clocks
from notifier.worker.engine import Engine, worker_name
from notifier.worker.tempo import Tempo, tempo_of

T = TypeVar("T")
Answer = Sequence[Receipt] | ProviderError

log = structlog.get_logger("notifier.worker")

# After something unforeseen a worker rests this long, so that a broken database is not asked a thousand times a second.
_REST_AFTER_TROUBLE_S = 1.0

# What has to wait for longer than this for its campaign's own limit goes back, and makes room for others.
_WAITS_IN_HAND_S = 1.0
# In quiet hours so many batches are put off in one transaction before the worker rests.
_PUT_OFF_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Step:
    """A group that is about to leave by a provider; without a group the batch is through."""

    provider: Provider
    group: Group | None


@dataclass(frozen=True, slots=True)
class Begun:
    """A batch just claimed, with its first group if that is prepared already."""

    job: Job
    first: Step | None


# What was approved for the sandbox, unreviewed words and all, must never reach a family because a setting was changed.
_OTHER_PEOPLE = (
    "This campaign was approved for the sandbox, and Notifier now writes to real people, or the other way round. "
    "Cancel it, and draft and approve it again."
)


class Worker:
    """One process's share of the sending."""

    def __init__(self, engine: Engine) -> None:
        self.name = worker_name()
        self._engine = engine
        self._held: set[int] = set()
        self._clocks = Clocks(engine)
        self._shelf = sender.Shelf()
        self._resting = {channel: asyncio.Lock() for channel in engine.providers}
        self._switches = {channel: Switch(providers, engine.circuit) for channel, providers in engine.providers.items()}
        # SQLite has one writer; more threads would only wait for each other inside the process.
        threads = 1 if engine.database.is_sqlite else 1 + sum(1 + engine.worker.in_flight(c) for c in engine.providers)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="ledger")

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop, then finish what is in flight."""
        heartbeat = asyncio.create_task(self._beat())
        try:
            async with asyncio.TaskGroup() as tasks:
                for channel in self._engine.providers:
                    for _ in range(self._engine.worker.in_flight(channel)):
                        tasks.create_task(self._serve(channel, stop, least=None))
                    # One hand is always free for what is urgent, however slow the rest may be.
                    tasks.create_task(self._serve(channel, stop, least=URGENT))
        finally:
            heartbeat.cancel()
            await asyncio.gather(heartbeat, return_exceptions=True)
            self._threads.shutdown()

    async def drain(self) -> None:
        """Work until nothing is due any more. For commands and tests; a running worker never ends by itself."""
        try:
            for channel in self._engine.providers:
                begun = await self._in_thread(lambda session: self._begin(session, channel, None))  # noqa: B023
                while begun is not None:
                    begun = await self._see_through(begun, asyncio.Event(), least=None)
                    begun = begun or await self._in_thread(lambda session: self._begin(session, channel, None))  # noqa: B023
        finally:
            self._threads.shutdown()

    async def _serve(self, channel: Channel, stop: asyncio.Event, *, least: int | None) -> None:
        while not stop.is_set():
            try:
                # Told to stop while this waits for its thread, it must not claim what another hand has just given back.
                begun = await self._in_thread(
                    lambda session: None if stop.is_set() else self._begin(session, channel, least)
                )
                found_some = begun is not None
                while begun is not None:
                    begun = await self._see_through(begun, stop, least=least)
            except Exception:
                log.exception("worker.trouble", channel=channel)
                await _rest(stop, _REST_AFTER_TROUBLE_S)
                continue
            if not found_some:
                # One after the other: an idle worker looks once in a while, not once for each batch it could hold.
                async with self._resting[channel]:
                    await _rest(stop, self._engine.worker.poll_s)

    async def _see_through(self, begun: Begun, stop: asyncio.Event, *, least: int | None) -> Begun | None:
        """Work through a batch just claimed; return another, if one was claimed as this one ended."""
        claim = begun.job.claim
        self._held.add(claim.batch_id)
        try:
            return await self._work_through(begun, stop, least=least)
        except LeaseLost:
            log.info("batch.lease_lost", batch=claim.batch_id)
            return None
        finally:
            self._held.discard(claim.batch_id)

    async def _work_through(self, begun: Begun, stop: asyncio.Event, *, least: int | None) -> Begun | None:
        job, step = begun.job, begun.first
        switch = self._switches[job.claim.channel]
        while step or not stop.is_set():
            step = step or await self._next_step(job, stop)
            if step is None or step.group is None:
                return None
            provider, group = step.provider, step.group
            if self._engine.clock() - group.started_at > self._engine.worker.lease:
                raise LeaseLost  # the process stood still; whoever took over has decided about these already
            answer = await self._hand_over(provider, job, group)
            switch.note(provider, answer, self._engine.clock())
            following = await self._bring_home(job, group, answer, stop, least=least)
            if group.last:
                return following
            step = following.first if following else None
        await self._in_thread(lambda session: queue.give_back(session, job.claim))
        return None

    async def _next_step(self, job: Job, stop: asyncio.Event) -> Step | None:
        """Wait until more may leave, and prepare it; None if the batch went back to wait for longer."""
        provider = self._switches[job.claim.channel].choose(self._engine.clock())
        tempo = tempo_of(self._engine, job, provider)
        if not tempo.is_free:
            wait = await self._in_thread(lambda session: self._reserve(session, job, tempo))
            if wait is None:
                return None
            await _rest(stop, wait)
            if stop.is_set():
                await self._in_thread(lambda session: queue.give_back(session, job.claim))
                return None
        now = self._engine.clock()
        opens_at = job.opens_at(now)
        if opens_at is not None:
            # The quiet hours have begun since the batch was claimed: a slow sender may take minutes for one.
            await self._in_thread(lambda session: later.put_off(session, job.claim, until=opens_at, now=now))
            return None
        return Step(provider, await self._in_thread(lambda session: self._prepare(session, job, provider, tempo)))

    async def _hand_over(self, provider: Provider, job: Job, group: Group) -> Answer:
        """Call the provider. Whatever it throws is an answer: what is not understood may have been sent."""
        try:
            envelopes = sender.envelopes(job, group, post=self._engine.post)
        except Exception as trouble:
            log.exception("worker.no_envelopes", batch=job.claim.batch_id)
            return Temporary(f"Nothing has left: {type(trouble).__name__} while it was addressed", code="not_sent")
        try:
            return await provider.send(job.message, envelopes)
        except ProviderError as refusal:
            return refusal
        except Exception as trouble:
            log.exception("provider.trouble", provider=provider.name, batch=job.claim.batch_id)
            return Ambiguous(f"the adapter failed: {type(trouble).__name__}", code="adapter")

    async def _bring_home(
        self, job: Job, group: Group, answer: Answer, stop: asyncio.Event, *, least: int | None
    ) -> Begun | None:
        """Write down what the provider said, and in the same transaction begin what follows: a group, or a batch."""
        if not stop.is_set():
            try:
                return await self._in_thread(lambda session: self._record_and_go_on(session, job, group, answer, least))
            except Exception:
                # Whatever went wrong, the answer must not be lost with it.
                log.exception("worker.not_gone_on", batch=group.claim.batch_id, attempt=group.attempt_id)
        await self._write_down(group, answer, stop)
        return None

    async def _write_down(self, group: Group, answer: Answer, stop: asyncio.Event) -> None:
        """Write down what the provider said, however long the database is away: nobody else knows it.

        Writing it twice, where only the word that it was written got lost, changes nothing. A worker that is told to
        stop tries for a lease; what it cannot bring home then is in doubt.
        """
        deadline: datetime | None = None
        while True:
            try:
                await self._in_thread(lambda session: self._record(session, group, answer))
            except (DatabaseUnavailable, OperationalError):
                log.exception("worker.answer_kept", batch=group.claim.batch_id, attempt=group.attempt_id)
                if stop.is_set():
                    deadline = deadline or self._engine.clock() + self._engine.worker.lease
                    if self._engine.clock() > deadline:
                        raise
                await asyncio.sleep(_REST_AFTER_TROUBLE_S)
            else:
                return

    async def _beat(self) -> None:
        """Keep the leases of everything in hand, three times in a lease; a beat that fails is followed by the next."""
        engine = self._engine
        while True:
            await asyncio.sleep(engine.worker.lease_s / 3)
            held = list(self._held)
            if not held:
                continue
            try:
                await self._in_thread(
                    lambda session: queue.beat(session, self.name, held, now=engine.clock(), lease=engine.worker.lease)  # noqa: B023
                )
            except Exception:
                log.exception("worker.no_heartbeat")

    # ── what happens inside one transaction ──────────────────────────────────────────────────────────────────────

    def _begin(self, session: Session, channel: Channel, least: int | None) -> Begun | None:
        """Claim a batch and, where nothing has to be waited for, prepare its first group in the same transaction."""
        engine = self._engine
        for _ in range(_PUT_OFF_AT_ONCE):
            now = engine.clock()
            claim = queue.claim(session, channel, owner=self.name, now=now, lease=engine.worker.lease, least=least)
            if claim is None:
                return None
            job = sender.open_job(session, claim, audience=engine.audience, place=self._clocks.place, shelf=self._shelf)
            if job.live is not engine.live:
                control.hold(session, claim.campaign_id, reason=_OTHER_PEOPLE, now=now)
                continue
            opens_at = job.opens_at(now)
            if opens_at is None:
                return self._begun(session, job)
            later.put_off(session, claim, until=opens_at, now=now)
        return None

    def _begun(self, session: Session, job: Job) -> Begun:
        return Begun(job, self._at_once(session, job))

    def _at_once(self, session: Session, job: Job) -> Step | None:
        """Prepare the next group of a batch that is ours, unless something has to be waited for."""
        provider = self._switches[job.claim.channel].choose(self._engine.clock())
        tempo = tempo_of(self._engine, job, provider)
        if not tempo.is_free:
            return None
        now = self._engine.clock()
        latest = self._engine.planning.latest(job.claim.expires_at, now)
        group = sender.prepare_held(session, job, provider=provider.name, limit=tempo.group, latest=latest, now=now)
        return Step(provider, group)

    def _reserve(self, session: Session, job: Job, tempo: Tempo) -> float | None:
        """Take room for the next group; return how long to wait, None if its campaign has to wait for longer."""
        now, amount = self._engine.clock(), min(job.claim.size, tempo.group)
        wait = 0.0
        if tempo.campaign is not None:
            wait = pacing.reserve_soon(session, tempo.campaign, amount, within_s=_WAITS_IN_HAND_S, now=now)
            if wait > _WAITS_IN_HAND_S:
                queue.put_off_campaign(session, job.claim, until=now + timedelta(seconds=wait))
                return None
        take = pacing.overtake if job.claim.priority == URGENT else pacing.reserve
        return max(wait, take(session, tempo.rates, amount, now=now))

    def _prepare(self, session: Session, job: Job, provider: Provider, tempo: Tempo) -> Group | None:
        engine = self._engine
        now = engine.clock()
        return sender.prepare(
            session,
            job,
            provider=provider.name,
            limit=tempo.group,
            lease=engine.worker.lease,
            latest=engine.planning.latest(job.claim.expires_at, now),
            now=now,
        )

    def _record(self, session: Session, group: Group, answer: Answer) -> bool:
        engine = self._engine
        return answers.record(
            session,
            group,
            answer,
            lease=engine.worker.lease,
            retry=engine.retry,
            chance=engine.chance,
            now=engine.clock(),
        )

    def _record_and_go_on(
        self, session: Session, job: Job, group: Group, answer: Answer, least: int | None
    ) -> Begun | None:
        """Record one group and, if nothing has to be waited for, prepare the next; after the last, claim a batch."""
        is_ours = self._record(session, group, answer)
        if group.last:
            return self._begin(session, job.claim.channel, least)
        # Whatever stands in the way is looked into by the next step.
        if not is_ours or job.opens_at(self._engine.clock()) is not None:
            return None
        return Begun(job, self._at_once(session, job))

    async def _in_thread(self, act: Callable[[Session], T]) -> T:
        def in_transaction() -> T:
            with self._engine.database.transaction() as session:
                return act(session)

        return await asyncio.get_running_loop().run_in_executor(self._threads, in_transaction)


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
