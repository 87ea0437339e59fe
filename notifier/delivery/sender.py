"""One group of a batch: prepare it, hand it over elsewhere, record the answer.

`prepare` commits the intent before anything leaves; `record` commits what the provider said. Between the two no
database connection is held. Whatever is prepared and never recorded becomes `unknown` when the lease runs out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import repeat

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from notifier.audiences.lists import names_of
from notifier.audiences.segments import Audience, lists_of
from notifier.campaigns import options
from notifier.campaigns.models import Campaign
from notifier.campaigns.options import Options
from notifier.content.personal import Filler
from notifier.delivery import policy, queue
from notifier.delivery.again import queue_again
from notifier.delivery.later import Patience
from notifier.delivery.models import Attempt, Delivery, Variant
from notifier.delivery.numbers import Number, number_of
from notifier.delivery.policy import Candidate
from notifier.delivery.queue import Claim, LeaseLost
from notifier.delivery.quiet import Place
from notifier.delivery.status import DeliveryStatus, advance
from notifier.delivery.variants import LIVE, message
from notifier.kit.db import perform
from notifier.kit.tokens import Keyring, Purpose
from notifier.vocabulary import Channel, Envelope, Message

_TEXTS_KEPT = 64


@dataclass(frozen=True, slots=True)
class Job:
    """What every group of a batch has in common; asked for once per claim.

    `live`: approved for real people. `names` are those of contact lists, as they are met.
    """

    claim: Claim
    message: Message
    fill: Filler
    topic: str
    list_ids: Sequence[int]
    place: Place
    options: Options
    live: bool
    names: dict[int, str] = field(default_factory=dict)

    def opens_at(self, now: datetime) -> datetime | None:
        """Return when its readers' quiet hours end, None if nothing keeps it from leaving now."""
        return None if self.options.override_quiet_hours else self.place.opening(now)


class Shelf:
    """The messages and campaigns a worker has met lately, each read once: what is approved never changes."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Message, Filler, str, bool]] = {}
        self._campaigns: dict[int, tuple[str, str, Options]] = {}

    def campaign(self, session: Session, campaign_id: int) -> tuple[str, str, Options]:
        """Return the topic of a campaign, the name of its audience, and its options."""
        found = self._campaigns.get(campaign_id)
        if found is None:
            topic, audience, wishes = perform(session, _CAMPAIGN, the_campaign=campaign_id).one()
            if len(self._campaigns) >= _TEXTS_KEPT:
                self._campaigns.clear()
            found = self._campaigns[campaign_id] = topic, audience, options.read(wishes)
        return found

    def text(self, session: Session, claim: Claim) -> tuple[Message, Filler, str, bool]:
        """Return the message of a claimed batch, what fills it in, its region, and whether it is for real people."""
        found = self._kept.get(claim.variant_id)
        if found is None:
            content, region = session.execute(
                select(Variant.content, Variant.region).where(Variant.id == claim.variant_id)
            ).one()
            text = message(content, claim.channel)
            found = text, Filler(text.markers), region, bool(content.get(LIVE))
            if len(self._kept) >= _TEXTS_KEPT:
                self._kept.clear()
            self._kept[claim.variant_id] = found
        return found


def open_job(
    session: Session,
    claim: Claim,
    *,
    audience: Callable[[str], Audience],
    place: Callable[[str, Channel], Place],
    shelf: Shelf,
) -> Job:
    """Read what every group of a claimed batch needs: the message as approved, and who the audience is."""
    text, fill, region, live = shelf.text(session, claim)
    topic, name, chosen = shelf.campaign(session, claim.campaign_id)
    return Job(
        claim=claim,
        message=text,
        fill=fill,
        topic=topic,
        list_ids=lists_of(session, audience(name)),
        place=place(region, claim.channel),
        options=chosen,
        live=live,
    )


@dataclass(frozen=True, slots=True)
class Group:
    """Deliveries that are now `sending`, and the intent that says so.

    `school_names` names the lists of each row, and `last` says that the batch has no more after it.
    """

    claim: Claim
    attempt_id: int
    provider: str
    rows: Sequence[Candidate]
    school_names: Mapping[str, str]
    started_at: datetime
    last: bool

    @property
    def delivery_ids(self) -> list[int]:
        """The deliveries, in order."""
        return [row[0] for row in self.rows]

    @property
    def address_ids(self) -> list[int]:
        """The address of each delivery."""
        return [row[1] for row in self.rows]


@dataclass(frozen=True, slots=True)
class Post:
    """What turns a row into an envelope: keys, and the public address recipients' links point to."""

    keyring: Keyring
    public_url: str
    numbers: tuple[Number, ...] = ()


def prepare(
    session: Session,
    job: Job,
    *,
    provider: str,
    limit: int,
    lease: timedelta,
    latest: datetime,
    now: datetime,
) -> Group | None:
    """Keep a batch and prepare its next group. Raises LeaseLost if it is no longer ours."""
    if not queue.keep(session, job.claim, now=now, lease=lease):
        raise LeaseLost
    return prepare_held(session, job, provider=provider, limit=limit, latest=latest, now=now)


def prepare_held(
    session: Session, job: Job, *, provider: str, limit: int, latest: datetime, now: datetime
) -> Group | None:
    """Decide about the next deliveries of a batch and mark those that go; None when the batch is through.

    Only for a batch that was claimed or kept in this very transaction, so that nobody else can have it. `latest` is
    until when a delivery may wait for its recipient.
    """
    claim = job.claim
    patience = Patience(job.place.zones, latest, mind_quiet_hours=not job.options.override_quiet_hours)
    while True:
        verdict = policy.judge(
            session, claim, topic=job.topic, list_ids=job.list_ids, limit=limit, patience=patience, now=now
        )
        if verdict is None:
            queue.complete(session, claim)
            return None
        for reason, ids in verdict.hold_back.items():
            advance(session, ids, DeliveryStatus.HELD_BACK, at=now, reason=reason)
        for due_at, ids in verdict.later.items():
            queue_again(session, claim, [ids], due_at=due_at, tries=claim.tries, now=now)
        if verdict.send:
            break
    attempt_id = _intend(session, claim, verdict, provider=provider, now=now)
    return Group(
        claim=claim,
        attempt_id=attempt_id,
        provider=provider,
        rows=verdict.send,
        school_names=_school_names(session, job, {row[4] for row in verdict.send}),
        started_at=now,
        last=claim.size <= limit,
    )


def _intend(session: Session, claim: Claim, verdict: policy.Verdict, *, provider: str, now: datetime) -> int:
    """Write down that these deliveries are about to leave: one attempt, one UPDATE."""
    attempt_id = int(
        perform(
            session,
            _INTEND,
            the_batch=claim.batch_id,
            the_campaign=claim.campaign_id,
            the_provider=provider,
            amount=len(verdict.send),
            the_moment=now,
        ).scalar_one()
    )
    # Those held back a moment ago are no longer queued, so the id range names exactly the rows that go.
    span = {"first_id": min(verdict.send)[0], "last_id": verdict.last_id}
    perform(session, _SENDING, the_batch=claim.batch_id, the_attempt=attempt_id, **span)
    return attempt_id


# The statements of the hot path, put together once.
_CAMPAIGN = select(Campaign.topic, Campaign.audience, Campaign.options).where(Campaign.id == bindparam("the_campaign"))
_INTEND = (
    insert(Attempt)
    .values(
        batch_id=bindparam("the_batch"),
        campaign_id=bindparam("the_campaign"),
        provider=bindparam("the_provider"),
        recipients=bindparam("amount"),
        started_at=bindparam("the_moment"),
    )
    .returning(Attempt.id)
)
_SENDING = (
    update(Delivery)
    .where(
        Delivery.batch_id == bindparam("the_batch"),
        Delivery.id.between(bindparam("first_id"), bindparam("last_id")),
        Delivery.status == DeliveryStatus.QUEUED,
    )
    .values(status=DeliveryStatus.SENDING, attempt_id=bindparam("the_attempt"))
)


def envelopes(job: Job, group: Group, *, post: Post) -> list[Envelope]:
    """Return what each recipient of a group has of their own. The database is not asked: nobody waits for this."""
    campaign_id = job.claim.campaign_id
    ids, addresses, destinations, given_names, list_ids, _ = zip(*group.rows, strict=True)
    references = post.keyring.seal_many(Purpose.DELIVERY, ids)
    preferences = post.keyring.seal_many(Purpose.PREFERENCES, addresses, campaign_id)
    values = job.fill.many(given_names, map(group.school_names.__getitem__, list_ids), preferences)
    if job.claim.channel is Channel.SMS:
        several = post.numbers if len(post.numbers) > 1 else ()
        senders = [number_of(several, address) if several else None for address in addresses]
        return list(map(Envelope, references, destinations, values, repeat(None), senders))
    leave = f"{post.public_url}/u/"
    leaving = post.keyring.seal_many(Purpose.UNSUBSCRIBE, addresses, campaign_id)
    return list(map(Envelope, references, destinations, values, [leave + one for one in leaving]))


def _school_names(session: Session, job: Job, list_ids: set[str]) -> Mapping[str, str]:
    """Return "Northcote High; Preston Primary" for each distinct "3,17"."""
    wanted = {int(number) for group in list_ids for number in group.split(",") if number}
    names = job.names
    if not wanted <= names.keys():
        names.update(names_of(session, sorted(wanted)))
    return {group: "; ".join(names.get(int(number), "") for number in group.split(",") if number) for group in list_ids}
