"""The engine from approval to receipt: planned once, sent once, and every answer of a provider has its consequence."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from notifier.accounts import users
from notifier.accounts.models import User
from notifier.audiences import suppressions
from notifier.campaigns import lifecycle
from notifier.delivery import control, queue, sender, waves
from notifier.delivery.models import Attempt, Batch, Delivery, Variant
from notifier.kit.tokens import Keyring, Purpose
from notifier.providers.base import AccountTrouble, Ambiguous, Permanent, Receipt, Temporary
from notifier.vocabulary import Channel, ChannelPolicy, Envelope, SuppressionReason
from notifier.worker import duties, planning
from notifier.worker.clocks import Clocks
from notifier.worker.engine import Engine
from tests.delivery.conftest import World
from tests.factories import SECRET, Person, address_id

ADA, BOB, EVE = (Person(email=f"{name}@example.org", given_name=name.title()) for name in ("ada", "bob", "eve"))


def _many(amount: int) -> list[Person]:
    return [Person(email=f"p{number}@example.org") for number in range(amount)]


def test_every_address_of_the_audience_gets_one_delivery_in_batches_by_variant(world: World) -> None:
    world.people(*_many(7), Person(email="viet@example.org", language="vi"))
    campaign = world.campaign()
    assert world.plan() == 8
    with world.database.reading() as session:
        sizes = session.execute(select(Batch.variant_id, Batch.size).order_by(Batch.id)).all()
        variants = dict(session.execute(select(Variant.id, Variant.language)).all())
    assert sum(size for _, size in sizes) == 8
    assert all(size <= 2 for _, size in sizes)
    assert sorted(variants.values()) == ["en-AU", "vi"]
    assert set(world.statuses(campaign).values()) == {"queued"}


def test_a_parent_on_two_lists_gets_one_message_with_both_schools_named(world: World) -> None:
    first = world.people(ADA)
    second = world.people(ADA, code="preston-primary", name="Preston Primary")
    world.campaign()
    world.plan()
    world.work()
    with world.database.reading() as session:
        assert session.scalars(select(Delivery.list_ids)).all() == [f"{first},{second}"]
    assert [envelope.destination for envelope in world.email.taken] == ["ada@example.org"]
    assert any("Northcote High; Preston Primary" in value for value in world.email.taken[0].values.values())


def test_two_parents_who_share_a_phone_get_one_message(world: World) -> None:
    world.people(Person(mobile="+61491570006", given_name="Ada"), Person(mobile="+61491570006", given_name="Bob"))
    world.campaign(ChannelPolicy.SMS)
    world.plan()
    world.work()
    assert [envelope.destination for envelope in world.sms.taken] == ["+61491570006"]


def test_what_is_taken_is_accepted_with_its_attempt(world: World) -> None:
    world.people(ADA, BOB)
    campaign = world.campaign()
    world.plan()
    world.work()
    assert world.statuses(campaign) == {"ada@example.org": "accepted", "bob@example.org": "accepted"}
    with world.database.reading() as session:
        attempt = session.scalars(select(Attempt)).one()
    assert (attempt.outcome, attempt.recipients, attempt.provider_message_id) == ("accepted", 2, "request-1")


def test_planning_again_after_a_crash_between_slices_misses_nobody_and_repeats_nobody(world: World) -> None:
    world.people(*_many(10))
    campaign = world.campaign()
    with world.database.transaction() as session:
        wave = waves.next_due(session, now=world.clock())
        assert wave is not None
        planning.plan_slice(session, wave, world.engine, planning.Approved(world.engine), {})
    assert len(world.statuses(campaign)) == 3
    world.plan()
    assert len(world.statuses(campaign)) == 10
    with world.database.reading() as session:
        assert session.scalar(select(func.sum(Batch.size))) == 10


def test_a_suppressed_address_gets_a_row_with_the_reason_and_no_message(world: World) -> None:
    world.people(ADA, BOB)
    with world.database.transaction() as session:
        suppressions.suppress(
            session, SECRET, Channel.EMAIL, "ada@example.org", SuppressionReason.COMPLAINT,
            source="test", actor="test", now=world.clock(),
        )  # fmt: skip
    campaign = world.campaign()
    world.plan()
    world.work()
    assert world.statuses(campaign) == {"ada@example.org": "held_back", "bob@example.org": "accepted"}
    assert world.reasons(campaign)["ada@example.org"] == "complaint"


def test_an_opt_out_after_planning_stops_what_is_queued(world: World) -> None:
    world.people(ADA, BOB)
    campaign = world.campaign()
    world.plan()
    with world.database.transaction() as session:
        ada = address_id(session, Channel.EMAIL, "ada@example.org", world.clock())
        suppressions.suppress_address(
            session, ada, SuppressionReason.OPT_OUT, source="one-click", actor="recipient", now=world.clock()
        )
    world.work()
    assert world.reasons(campaign)["ada@example.org"] == "opt_out"
    assert [envelope.destination for envelope in world.email.taken] == ["bob@example.org"]


def test_a_temporary_refusal_is_queued_again_later_and_then_sent(world: World) -> None:
    world.people(ADA, BOB)
    campaign = world.campaign()
    world.email.answers = [lambda _: Temporary("too many", code="429", retry_after_s=5.0)]
    world.plan()
    world.work()
    assert set(world.statuses(campaign).values()) == {"queued"}
    world.work()
    assert world.email.calls == 1, "it must wait"
    world.clock.forward(seconds=30)
    world.work()
    assert set(world.statuses(campaign).values()) == {"accepted"}


def test_a_delivery_that_is_refused_too_often_has_failed(world: World) -> None:
    world.people(ADA)
    campaign = world.campaign()
    world.email.answers = [lambda _: Temporary("down", code="503")] * 3
    world.plan()
    for _ in range(4):
        world.work()
        world.clock.forward(seconds=200)
    assert world.statuses(campaign) == {"ada@example.org": "failed"}
    assert world.reasons(campaign) == {"ada@example.org": "gave_up"}


def test_a_refused_request_is_halved_until_the_bad_address_stands_alone(world: World) -> None:
    def picky(envelopes: Sequence[Envelope]) -> list[Receipt] | Permanent:
        if any(envelope.destination == "p5@example.org" for envelope in envelopes):
            return Permanent("does not contain a valid address", code="400")
        return world.email.take(envelopes)

    world.planning = type(world.planning)(slice_addresses=100, email_batch=8)
    world.people(*_many(8))
    campaign = world.campaign()
    world.email.answers = [picky] * 50
    world.plan()
    world.work()
    statuses = world.statuses(campaign)
    assert statuses.pop("p5@example.org") == "failed"
    assert set(statuses.values()) == {"accepted"}
    assert world.reasons(campaign)["p5@example.org"] == "400"
    assert world.email.calls == 7


def test_a_refusal_of_one_recipient_fails_that_delivery_only(world: World) -> None:
    world.people(Person(mobile="+61491570006"), Person(mobile="+61491570156"))
    campaign = world.campaign(ChannelPolicy.SMS)
    world.sms.answers = [
        lambda _: [Receipt(error=Permanent("invalid number", code="21211")), Receipt(message_id="SM1")]
    ]
    world.plan()
    world.work()
    assert world.statuses(campaign) == {"+61491570006": "failed", "+61491570156": "accepted"}


def test_a_number_that_opted_out_with_the_provider_is_suppressed(world: World) -> None:
    world.people(Person(mobile="+61491570006"))
    world.campaign(ChannelPolicy.SMS)
    world.sms.answers = [lambda _: [Receipt(error=Permanent("unsubscribed recipient", code="opt_out"))]]
    world.plan()
    world.work()
    with world.database.reading() as session:
        assert suppressions.is_suppressed(session, SECRET, Channel.SMS, "+61491570006") == SuppressionReason.OPT_OUT


def test_a_number_that_is_none_is_suppressed(world: World) -> None:
    world.people(Person(mobile="+61491570006"))
    world.campaign(ChannelPolicy.SMS)
    world.sms.answers = [lambda _: [Receipt(error=Permanent("no phone number", code="invalid_number"))]]
    world.plan()
    world.work()
    with world.database.reading() as session:
        found = suppressions.is_suppressed(session, SECRET, Channel.SMS, "+61491570006")
    assert found == SuppressionReason.HARD_BOUNCE


def test_trouble_with_the_account_holds_the_campaign_and_loses_nothing(world: World) -> None:
    world.people(*_many(5))
    campaign = world.campaign()
    world.email.answers = [lambda _: AccountTrouble("bad key", code="401")]
    world.plan()
    world.work()
    with world.database.reading() as session:
        held = lifecycle.find(session, campaign)
    assert held.status == "held"
    assert "bad key" in (held.status_reason or "")
    assert set(world.statuses(campaign).values()) == {"queued"}
    with world.database.transaction() as session:
        officer = lifecycle.find(session, campaign).created_by
        control.resume(session, campaign, by=_user(session, officer), now=world.clock())
    world.work()
    assert set(world.statuses(campaign).values()) == {"accepted"}


def test_an_answer_that_did_not_come_leaves_unknown_and_is_never_sent_again_blindly(world: World) -> None:
    world.people(ADA, BOB)
    campaign = world.campaign()
    world.email.answers = [lambda _: Ambiguous("timeout")]
    world.plan()
    world.work()
    world.clock.forward(hours=1)
    world.work()
    assert set(world.statuses(campaign).values()) == {"unknown"}
    assert world.email.calls == 1


def test_what_could_not_be_addressed_has_not_left_and_is_tried_again(world: World) -> None:
    class Broken(Keyring):
        def seal_many(self, purpose: Purpose, subjects: Iterable[int], context: int = 0) -> list[str]:  # noqa: ARG002
            raise ValueError("no key")

    world.people(ADA, BOB)
    campaign = world.campaign()
    world.plan()
    good, world.keyring = world.keyring, Broken({"1": bytes(32)})
    world.work()
    assert world.email.calls == 0
    assert set(world.statuses(campaign).values()) == {"queued"}
    world.keyring = good
    world.clock.forward(seconds=120)
    world.work()
    assert set(world.statuses(campaign).values()) == {"accepted"}


def test_an_adapter_that_breaks_leaves_unknown(world: World) -> None:
    def broken(_: Sequence[Envelope]) -> list[Receipt]:
        raise RuntimeError

    world.people(ADA)
    campaign = world.campaign()
    world.email.answers = [broken]
    world.plan()
    world.work()
    assert world.statuses(campaign) == {"ada@example.org": "unknown"}


def test_a_worker_that_dies_in_the_middle_leaves_unknown_and_the_rest_is_sent(world: World) -> None:
    world.planning = type(world.planning)(slice_addresses=100, sms_batch=4)
    world.people(*(Person(mobile=f"+6149157000{number}") for number in range(4)))
    campaign = world.campaign(ChannelPolicy.SMS)
    world.plan()
    engine = world.engine
    with world.database.transaction() as session:
        claim = queue.claim(session, Channel.SMS, owner="dead", now=world.clock(), lease=timedelta(seconds=60))
        assert claim is not None
        job = _job(session, claim, engine)
        assert _prepare(session, job, engine) is not None
    assert sorted(world.statuses(campaign).values()) == ["queued", "queued", "sending", "sending"]
    assert duties.take_over(engine) == 0, "the lease is still good"
    world.clock.forward(seconds=61)
    assert duties.take_over(engine) == 1
    world.work()
    assert sorted(world.statuses(campaign).values()) == ["accepted", "accepted", "unknown", "unknown"]
    assert len(world.sms.taken) == 2


def test_a_worker_whose_lease_has_run_out_begins_nothing_more(world: World) -> None:
    world.people(*_many(2))
    world.campaign()
    world.plan()
    with world.database.transaction() as session:
        claim = queue.claim(session, Channel.EMAIL, owner="slow", now=world.clock(), lease=timedelta(seconds=60))
        assert claim is not None
        job = _job(session, claim, world.engine)
    world.clock.forward(seconds=61)
    duties.take_over(world.engine)
    world.work()
    with world.database.transaction() as session, pytest.raises(queue.LeaseLost):
        _prepare(session, job, world.engine)


def test_two_workers_never_claim_the_same_batch(world: World) -> None:
    world.people(*_many(6))
    world.campaign()
    world.plan()
    claimed = []
    with world.database.transaction() as session:
        for owner in ("one", "two", "one", "two", "one"):
            claim = queue.claim(session, Channel.EMAIL, owner=owner, now=world.clock(), lease=timedelta(seconds=60))
            claimed.append(claim.batch_id if claim else None)
    assert claimed[-1] is None
    assert len(set(claimed[:-1])) == 4


def test_what_was_approved_for_the_sandbox_never_reaches_real_people(world: World) -> None:
    world.people(ADA, BOB)
    campaign = world.campaign()
    world.plan()
    world.live = True
    world.work()
    assert world.email.calls == 0
    with world.database.reading() as session:
        held = lifecycle.find(session, campaign)
    assert held.status == "held"
    assert "approved for the sandbox" in (held.status_reason or "")
    assert set(world.statuses(campaign).values()) == {"queued"}


def test_an_urgent_campaign_overtakes_a_running_one(world: World) -> None:
    world.people(*_many(6))
    world.campaign()
    world.plan()
    urgent = world.campaign(urgent=True)
    world.plan()
    with world.database.transaction() as session:
        claim = queue.claim(session, Channel.EMAIL, owner="w", now=world.clock(), lease=timedelta(seconds=60))
    assert claim is not None
    assert claim.campaign_id == urgent


def test_a_paused_campaign_sends_nothing_until_it_is_resumed(world: World) -> None:
    world.people(ADA, BOB)
    campaign = world.campaign()
    world.plan()
    with world.database.transaction() as session:
        by = _user(session, lifecycle.find(session, campaign).created_by)
        control.pause(session, campaign, by=by, reason=None, now=world.clock())
    world.work()
    assert world.email.calls == 0
    with world.database.transaction() as session:
        control.resume(session, campaign, by=by, now=world.clock())
    world.work()
    assert len(world.email.taken) == 2


def test_a_cancelled_campaign_keeps_what_has_left_and_cancels_the_rest(world: World) -> None:
    world.people(*_many(4))
    campaign = world.campaign()
    world.plan()
    with world.database.transaction() as session:
        session.execute(update(Batch).where(Batch.id > 1).values(due_at=world.clock() + timedelta(hours=1)))
    world.work()
    with world.database.transaction() as session:
        by = _user(session, lifecycle.find(session, campaign).created_by)
        control.cancel(session, campaign, by=by, reason="a mistake", now=world.clock())
    world.clock.forward(hours=2)
    world.work()
    assert sorted(world.statuses(campaign).values()) == ["accepted", "accepted", "cancelled", "cancelled"]


def test_what_expires_before_it_can_leave_is_held_back(world: World) -> None:
    world.people(ADA)
    campaign = world.campaign(expires_at=world.clock() + timedelta(minutes=5))
    world.plan()
    world.clock.forward(minutes=6)
    world.work()
    assert world.reasons(campaign) == {"ada@example.org": "expired"}


def test_a_campaign_is_sent_when_nothing_is_left_to_do(world: World) -> None:
    world.people(ADA)
    campaign = world.campaign()
    world.plan()
    assert duties.finish(world.engine) == []
    world.work()
    assert duties.finish(world.engine) == [campaign]
    with world.database.reading() as session:
        assert lifecycle.find(session, campaign).status == "sent"


def test_a_wave_missed_by_more_than_its_grace_period_is_held_for_a_person(world: World) -> None:
    world.people(ADA)
    campaign = world.campaign()
    world.clock.forward(hours=2)
    assert world.plan() == 0
    with world.database.reading() as session:
        held = lifecycle.find(session, campaign)
    assert held.status == "held"
    assert "grace period" in (held.status_reason or "")


def test_words_that_changed_after_approval_hold_the_campaign(world: World) -> None:
    world.people(ADA)
    campaign = world.campaign()
    with world.database.transaction() as session:
        lifecycle.find(session, campaign).approved_hash = "of other words"
    assert world.plan() == 0
    with world.database.reading() as session:
        assert "not what was approved" in (lifecycle.find(session, campaign).status_reason or "")
    assert world.statuses(campaign) == {}


def _user(session: Session, email: str) -> User:
    return users.find(session, email)


def _job(session: Session, claim: queue.Claim, engine: Engine) -> sender.Job:
    return sender.open_job(session, claim, audience=engine.audience, place=Clocks(engine).place, shelf=sender.Shelf())


def _prepare(session: Session, job: sender.Job, engine: Engine) -> sender.Group | None:
    now = engine.clock()
    return sender.prepare(session, job, provider="fake", limit=2, lease=timedelta(seconds=60), latest=now, now=now)
