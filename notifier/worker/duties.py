"""The scheduler's duties, each a verb of a room called in a transaction of its own.

Every duty may run in several processes at once: rows are locked or changed by compare-and-set, never read and written
back.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from notifier.audiences.segments import Audience
from notifier.campaigns import lifecycle
from notifier.campaigns.approval import fingerprint
from notifier.campaigns.lifecycle import CampaignStatus
from notifier.campaigns.models import Campaign
from notifier.delivery import calls, canary, control, counts, guards, planner, queue, waves
from notifier.delivery.filling import Unfilled
from notifier.delivery.models import Wave
from notifier.delivery.planner import Planned, PlanSettings
from notifier.delivery.variants import Drafts, NotRendered, Press
from notifier.kit.errors import NotifierError
from notifier.tracking import apply, inbox, retention
from notifier.worker import recurrence
from notifier.worker.engine import Engine

log = structlog.get_logger("notifier.scheduler")

# How many provider events are applied in one transaction, and how many while people come.
EVENTS_AT_ONCE, _APPLIED_BESIDE_PEOPLE = 3_000, 1_000
# How many batches are counted, and addresses planned, in one transaction while people come, who on SQLite wait for its
# end; and how many batches otherwise.
_COUNTED_BESIDE_PEOPLE, _COUNTED_AT_ONCE = 3, 20
_PLANNED_BESIDE_PEOPLE = 1_000
# How long what a campaign is made from is believed to be what was approved.
_LOOK_AGAIN = timedelta(seconds=1)


def plan_due(engine: Engine) -> int:
    """Plan every due wave, the most urgent first, slice by slice; return how many deliveries were written."""
    planned = 0
    drafts = Drafts()
    approved = _Approved(engine, drafts)
    unfilled: dict[int, Mapping[int, Unfilled]] = {}
    grace = timedelta(seconds=engine.planning.grace_s)
    with engine.database.transaction() as session:
        waves.hold_missed(session, now=engine.clock(), grace=grace)
    while _look_ahead(engine, approved):
        try:
            with engine.database.transaction() as session:
                wave = waves.next_due(session, now=engine.clock())
                if wave is None:
                    return planned
                done = _plan_slice(session, wave, engine, approved, unfilled.get(wave.id, {}))
        except NotRendered:
            drafts.render()
            continue
        # What a slice left unfilled is known once it is committed.
        planned += done.deliveries if done else 0
        unfilled[wave.id] = done.unfilled if done else {}
    return planned


def _look_ahead(engine: Engine, approved: "_Approved") -> bool:
    """Whether anything is due; what it is made from is read and held against its approval before anybody writes."""
    if approved.is_fresh():
        return True
    with engine.database.reading() as session:
        wave = waves.next_due(session, now=engine.clock())
        if wave is None:
            return False
        campaign = lifecycle.find(session, wave.campaign_id)
    # What is wrong with it is said by the slice, which can hold the campaign.
    with suppress(NotifierError):
        approved.of(campaign)
    return True


def take_over(engine: Engine) -> int:
    """Settle what dead workers left behind."""
    with engine.database.transaction() as session:
        return queue.take_over(session, now=engine.clock(), lease=engine.worker.lease)


def apply_events(engine: Engine) -> int:
    """Apply what providers told us, portion by portion, until there is no more than a part of one."""
    with engine.database.reading() as session:
        if not apply.is_pending(session):
            return 0
    applied = 0
    while True:
        limit = _APPLIED_BESIDE_PEOPLE if engine.database.people_are_about else EVENTS_AT_ONCE
        with engine.database.repeatable_transaction() as session:
            some = apply.apply_pending(session, address_secret=engine.address_secret, now=engine.clock(), limit=limit)
        applied += some
        # A portion costs a fixed price beside what its events cost, so what has just come waits for the next tick. A
        # full one lacks less than one more line of events would have brought.
        if some <= limit - inbox.TOGETHER:
            return applied


def finish(engine: Engine) -> list[int]:
    """Close the campaigns that are through."""
    with engine.database.transaction() as session:
        now = engine.clock()
        return control.finish(session, to_come=recurrence.rounds_to_come(session, now=now), now=now)


def watch(engine: Engine) -> list[int]:
    """Hold the campaigns that go wrong too often."""
    with engine.database.transaction() as session:
        return guards.watch(session, engine.guards, now=engine.clock())


def judge_canaries(engine: Engine) -> list[int]:
    """Let the rest of a campaign go when its first recipients went well, or hold it."""
    with engine.database.transaction() as session:
        return canary.judge_all(session, limits=_limits(engine), now=engine.clock())


def count(engine: Engine) -> int:
    """Keep the counts of what has come to rest, some batches at a time."""
    counted = 0
    while True:
        with engine.database.repeatable_transaction() as session:
            limit = _COUNTED_BESIDE_PEOPLE if engine.database.people_are_about else _COUNTED_AT_ONCE
            some = counts.refresh(session, limit=limit) + calls.count(session)
        counted += some
        if some == 0:
            return counted


def forget(engine: Engine) -> int:
    """Forget what its clock says, in small steps, so that nobody waits for it."""
    forgotten = 0
    while True:
        with engine.database.transaction() as session:
            some = retention.prune(session, engine.retention, now=engine.clock())
        forgotten += some
        if some == 0:
            return forgotten


class _Approved:
    """What campaigns are planned from, held against their approval: at once, and again after a second.

    A slice takes less time than looking at every file. In between the words are those that were found to be approved.
    """

    def __init__(self, engine: Engine, drafts: Drafts | None = None) -> None:
        self._engine = engine
        self._drafts = drafts
        self._seen: dict[int, tuple[datetime, Press, Audience]] = {}

    def is_fresh(self) -> bool:
        """Whether the latest look was a moment ago, so that the next slice need not look."""
        latest = max((when for when, _, _ in self._seen.values()), default=None)
        return latest is not None and self._engine.clock() - latest < _LOOK_AGAIN / 2

    def of(self, campaign: Campaign) -> tuple[Press, Audience]:
        """Return what a campaign is made from, and for whom. Raises NotWhatWasApproved."""
        now, seen = self._engine.clock(), self._seen.get(campaign.id)
        if seen is None or now - seen[0] >= _LOOK_AGAIN:
            press = replace(self._engine.press(), drafts=self._drafts)
            seen = now, press, press.papers.audience(campaign.audience)
            _check_approval(campaign, press, self._engine)
            self._seen[campaign.id] = seen
        return seen[1], seen[2]


def _plan_slice(
    session: Session, wave: Wave, engine: Engine, approved: _Approved, unfilled: Mapping[int, Unfilled]
) -> Planned | None:
    """Plan one slice; whatever is wrong with it holds the campaign and says so."""
    campaign = lifecycle.find(session, wave.campaign_id)
    try:
        with session.begin_nested():
            press, audience = approved.of(campaign)
            if campaign.status == CampaignStatus.APPROVED:
                campaign = lifecycle.start(session, campaign.id, now=engine.clock())
            return planner.plan_slice(
                session,
                wave,
                campaign,
                audience,
                press=press,
                settings=planning_now(engine),
                unfilled=unfilled,
                now=engine.clock(),
            )
    except NotifierError as wrong:
        log.warning("wave.held", campaign=campaign.id, wave=wave.id)
        control.hold(session, campaign.id, reason=str(wrong), now=engine.clock())
        return None


def planning_now(engine: Engine) -> PlanSettings:
    """Return how the next slice is planned: a smaller one while people wait for its end."""
    settings = engine.planning
    if not engine.database.people_are_about:
        return settings
    return replace(settings, slice_addresses=min(settings.slice_addresses, _PLANNED_BESIDE_PEOPLE))


class NotWhatWasApproved(NotifierError):
    """Words, numbers, audience or schedule are no longer what a second person approved."""


def _check_approval(campaign: Campaign, press: Press, engine: Engine) -> None:
    if fingerprint(campaign, press.papers, today=engine.clock().date()) != campaign.approved_hash:
        raise NotWhatWasApproved(
            "What would be sent is not what was approved: the words, the contacts, the audience or the schedule have "
            f"changed. Cancel campaign {campaign.id}, and draft and approve it again."
        )


def _limits(engine: Engine) -> canary.Limits:
    """Return what the first recipients are held to: the guards' limits, from the first message on."""
    guard = engine.guards
    return canary.Limits(guard.hard_bounce_percent, guard.complaint_percent, failures=guard.hard_bounce_percent)
