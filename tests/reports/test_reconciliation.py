"""Reconciliation: every way in which a ledger and a provider's record can differ, and the ways in which they agree."""

import pytest

from notifier.cli.reconcile import _shared_out
from notifier.delivery.models import Delivery
from notifier.kit.errors import NotFound
from notifier.reports import reconciliation
from notifier.vocabulary import Channel, ChannelPolicy, EventKind
from tests.delivery.conftest import World
from tests.factories import Person


def _campaign(world: World, statuses: list[str], *, occurrences: bool = False) -> tuple[int, list[int]]:
    """Make a campaign with one email delivery of each status; return it and the deliveries."""
    campaign = world.campaign()
    with world.database.transaction() as session:
        rows = [
            Delivery(
                campaign_id=campaign, wave_id=1, channel=Channel.EMAIL, address_id=1 if occurrences else place + 1,
                occurrence=place + 1 if occurrences else 1, destination="ada@example.org", list_ids="1",
                wanted_language="", region="AU-VIC", status=status,
            )
            for place, status in enumerate(statuses)
        ]  # fmt: skip
        session.add_all(rows)
        session.flush()
        return campaign, [row.id for row in rows]


def _reconcile(world: World, campaign: int, record: reconciliation.Record) -> reconciliation.Reconciliation:
    with world.database.reading() as session:
        return reconciliation.reconcile(session, campaign, record)


def test_what_was_taken_once_and_what_never_left_agree(world: World) -> None:
    sent = ["accepted", "delivered", "bounced"]
    campaign, ids = _campaign(world, [*sent, "failed", "queued", "held_back", "cancelled"])
    found = _reconcile(world, campaign, {Channel.EMAIL: dict.fromkeys(ids[:3], 1)})
    assert found.agrees
    assert found.compared == 7


@pytest.mark.parametrize("status", ["accepted", "delivered", "bounced"])
def test_what_the_provider_does_not_know_is_missing(world: World, status: str) -> None:
    campaign, ids = _campaign(world, [status])
    found = _reconcile(world, campaign, {Channel.EMAIL: {}})
    assert (found.agrees, found.missing.deliveries) == (False, ids)


@pytest.mark.parametrize("status", ["queued", "held_back", "cancelled"])
def test_what_should_never_have_left_is_unexpected(world: World, status: str) -> None:
    campaign, ids = _campaign(world, [status])
    found = _reconcile(world, campaign, {Channel.EMAIL: {ids[0]: 1}})
    assert (found.agrees, found.unexpected.deliveries) == (False, ids)


def test_what_was_taken_twice_is_told(world: World) -> None:
    campaign, ids = _campaign(world, ["accepted", "failed"])
    found = _reconcile(world, campaign, {Channel.EMAIL: {ids[0]: 2, ids[1]: 1}})
    assert (found.twice.number, found.as_dict()["agrees"]) == (1, False)


@pytest.mark.parametrize("status", ["sending", "unknown"])
def test_what_nobody_knows_yet_is_no_difference(world: World, status: str) -> None:
    campaign, ids = _campaign(world, [status])
    found = _reconcile(world, campaign, {Channel.EMAIL: {}})
    assert (found.agrees, found.open.deliveries) == (True, ids)


def test_a_channel_without_a_record_is_not_compared(world: World) -> None:
    campaign, _ = _campaign(world, ["accepted"])
    found = _reconcile(world, campaign, {})
    assert (found.compared, found.not_comparable, found.agrees) == (0, 1, True)


def test_an_unknown_campaign_is_refused(world: World) -> None:
    with pytest.raises(NotFound):
        _reconcile(world, 77, {})


def test_events_are_a_record_where_there_is_no_other(world: World) -> None:
    world.people(Person(email="ada@example.org"), Person(email="bob@example.org"))
    campaign = world.campaign(ChannelPolicy.EMAIL)
    world.plan()
    world.work()
    world.tell("ada@example.org", EventKind.DELIVERED)
    with world.database.reading() as session:
        record = {Channel.EMAIL: reconciliation.heard_of(session, campaign, Channel.EMAIL)}
    assert _reconcile(world, campaign, record).missing.number == 1


def test_rounds_to_one_number_share_the_messages_on_record(world: World) -> None:
    campaign, ids = _campaign(world, ["accepted", "accepted", "accepted"], occurrences=True)
    with world.database.reading() as session:
        found = reconciliation.by_destination(session, campaign, Channel.EMAIL)
    assert found == {"ada@example.org": ids}
    assert _shared_out(ids, 2) == {ids[0]: 1, ids[1]: 1}
    assert _shared_out(ids, 4) == {ids[0]: 1, ids[1]: 1, ids[2]: 2}
    assert _shared_out(ids, 0) == {}
