"""Planning what is due: wave by wave, slice by slice, each slice in a transaction of its own.

While a slice is written, the people of the next one are gathered on a connection of their own. They are good if they
are still exactly what is wanted once the wave is locked for the next slice; else they are gathered anew.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from notifier.audiences.segments import Audience
from notifier.campaigns import lifecycle
from notifier.campaigns.approval import fingerprint
from notifier.campaigns.lifecycle import CampaignStatus
from notifier.campaigns.models import Campaign
from notifier.delivery import control, gathering, planner, waves
from notifier.delivery.filling import Unfilled
from notifier.delivery.gathering import Gathered, Wanted
from notifier.delivery.models import Wave
from notifier.delivery.planner import Planned, PlanSettings
from notifier.delivery.variants import Drafts, NotRendered, Press
from notifier.kit.errors import NotifierError
from notifier.kit.steps import Steps
from notifier.worker.engine import Engine

log = structlog.get_logger("notifier.scheduler")

# How many addresses are planned in one transaction while people come: on SQLite they wait for its end, on PostgreSQL
# for a core and for its log to reach the disk.
_PLANNED_BESIDE_PEOPLE = 500
# How long what a campaign is made from is believed to be what was approved, and how long people stay gathered.
_LOOK_AGAIN = timedelta(seconds=1)


def plan_due(engine: Engine) -> int:
    """Plan every due wave, the most urgent first, slice by slice; return how many deliveries were written."""
    planned = 0
    drafts = Drafts()
    approved = Approved(engine, drafts)
    unfilled: dict[int, Mapping[int, Unfilled]] = {}
    grace = timedelta(seconds=engine.planning.grace_s)
    with engine.database.transaction() as session:
        waves.hold_missed(session, now=engine.clock(), grace=grace)
    with closing(Ahead(engine)) as ahead:
        while _look_ahead(engine, approved):
            try:
                with ahead.next_slice() as (session, gathered):
                    wave = waves.next_due(session, now=engine.clock())
                    if wave is None:
                        return planned
                    done = plan_slice(session, wave, engine, approved, unfilled.get(wave.id, {}), gathered, ahead)
            except NotRendered:
                drafts.render()
                continue
            # What a slice left unfilled is known once it is committed.
            planned += done.deliveries if done else 0
            unfilled[wave.id] = done.unfilled if done else {}
    return planned


def _look_ahead(engine: Engine, approved: "Approved") -> bool:
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


class Approved:
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


class Ahead:
    """Gathers the people of a slice while the one before it is written."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gather")
        self._coming: Future[tuple[Steps, Gathered | None]] | None = None
        self._since = engine.clock()

    def begin(self, wanted: Wanted) -> None:
        """Begin to gather a slice."""
        self._drop()
        self._since = self._engine.clock()
        self._coming = self._thread.submit(self._gather, wanted)

    @contextmanager
    def next_slice(self) -> Iterator[tuple[Session, Gathered | None]]:
        """Open the transaction of the next slice, and give what was gathered for it."""
        coming, self._coming = self._coming, None
        steps, gathered = coming.result() if coming is not None else (Steps(self._engine.database), None)
        with closing(steps), steps.writing() as session:
            # The turn to write may have been long in coming, and an upload may have had it before.
            is_fresh = self._engine.clock() - self._since < _LOOK_AGAIN
            yield session, gathered if is_fresh else None

    def close(self) -> None:
        """End; what was gathered and not asked for is dropped."""
        self._drop()
        self._thread.shutdown()

    def _drop(self) -> None:
        coming, self._coming = self._coming, None
        if coming is not None and coming.exception() is None:
            coming.result()[0].close()

    def _gather(self, wanted: Wanted) -> tuple[Steps, Gathered | None]:
        steps, gathered = Steps(self._engine.database), None
        try:
            # What is wrong with it is said by the slice itself, which can hold the campaign.
            with suppress(NotifierError), steps.asking() as session:
                gathered = _gather(session, wanted, self._engine)
        except BaseException:
            steps.close()
            raise
        return steps, gathered


def _gather(session: Session, wanted: Wanted, engine: Engine) -> Gathered:
    latest = engine.planning.latest(wanted.expires_at, max(engine.clock(), wanted.due_at))
    return gathering.gather(session, wanted, latest=latest)


def plan_slice(
    session: Session,
    wave: Wave,
    engine: Engine,
    approved: Approved,
    unfilled: Mapping[int, Unfilled],
    gathered: Gathered | None = None,
    ahead: Ahead | None = None,
) -> Planned | None:
    """Plan one slice; whatever is wrong with it holds the campaign and says so.

    `gathered` are its people, if they were gathered before; `ahead` gathers those of the slice after it.
    """
    campaign = lifecycle.find(session, wave.campaign_id)
    try:
        with session.begin_nested():
            press, audience = approved.of(campaign)
            if campaign.status == CampaignStatus.APPROVED:
                campaign = lifecycle.start(session, campaign.id, now=engine.clock())
            wanted = planner.next_slice(wave, campaign, audience, planning_now(engine))
            if gathered is None or not gathering.is_good(session, gathered, wanted):
                gathered = _gather(session, wanted, engine)
            if ahead is not None and gathered.following is not None:
                ahead.begin(gathered.following)
            return planner.plan_slice(
                session,
                wave,
                campaign,
                gathered,
                press=press,
                settings=engine.planning,
                unfilled=unfilled,
                now=engine.clock(),
            )
    except NotifierError as wrong:
        log.warning("wave.held", campaign=campaign.id, wave=wave.id)
        control.hold(session, campaign.id, reason=str(wrong), now=engine.clock())
        return None


def planning_now(engine: Engine) -> PlanSettings:
    """Return how the next slice is planned: a smaller one while people are about."""
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
