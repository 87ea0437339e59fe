"""What is held about one person, its erasure, and suppressions."""

from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from notifier.audiences import forgetting, suppression_files, suppressions
from notifier.audiences.models import Address, ImportRow, Subscription, SubscriptionChange, Suppression
from notifier.audiences.reading import open_sheet
from notifier.kit.errors import Conflict, Invalid, NotFound
from notifier.vocabulary import Channel, SuppressionReason
from tests.audiences.conftest import SECRET, School

FAMILY = """id,first name,email,mobile
1,Maria,maria@example.org,0491 570 006
2,Nikos,nikos@example.org,0491 570 006
3,Jack,jack@example.com,0491 570 156
"""


def forget(school: School, value: str, channel: Channel = Channel.EMAIL) -> forgetting.Forgotten:
    with school.database.transaction() as session:
        return forgetting.forget(session, SECRET, channel, value, actor="o@police.example", now=school.now)


def values(school: School) -> list[str]:
    with school.database.reading() as session:
        return list(session.scalars(select(Address.value).order_by(Address.value)))


def test_everything_held_about_an_address_can_be_shown(school: School) -> None:
    school.upload(FAMILY)
    with school.database.reading() as session:
        address_id = forgetting.find_address(session, SECRET, Channel.EMAIL, "jack@example.com")
        assert address_id is not None
        held = forgetting.held(session, address_id)
    assert held["address"]["value"] == "jack@example.com"
    assert [row["given_name"] for row in held["subscriptions"]] == ["Jack"]
    assert [entry["new"] for entry in held["log"]] == ["subscribed"]


def test_an_erasure_takes_the_rows_and_the_addresses_that_stand_nowhere_else(school: School) -> None:
    school.upload(FAMILY)
    done = forget(school, "jack@example.com")
    assert (len(done.addresses), done.rows, done.shared_rows) == (2, 1, 0)
    assert values(school) == ["+61491570006", "maria@example.org", "nikos@example.org"]
    with school.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Suppression)) == 2
        assert session.scalar(select(func.count()).where(ImportRow.given_name == "Jack")) == 0
        assert session.scalar(select(func.count()).where(Subscription.given_name == "Jack")) == 0


def test_a_phone_another_parent_uses_too_stays(school: School) -> None:
    school.upload(FAMILY)
    assert forget(school, "maria@example.org").rows == 1
    assert "+61491570006" in values(school)


def test_a_shared_phone_is_taken_from_each_row_and_the_people_stay(school: School) -> None:
    school.upload(FAMILY)
    done = forget(school, "+61491570006", Channel.SMS)
    assert (done.rows, done.shared_rows) == (0, 2)
    assert values(school) == ["+61491570156", "jack@example.com", "maria@example.org", "nikos@example.org"]


def test_the_next_upload_does_not_bring_an_erased_person_back(school: School) -> None:
    school.upload(FAMILY)
    forget(school, "jack@example.com")
    shown = school.upload(FAMILY, mode="replace")
    assert (shown.added, shown.changed, shown.unchanged, shown.left_alone) == (0, 0, 2, 1)
    assert "jack@example.com" not in values(school)


@pytest.mark.parametrize("held", [FAMILY, "email\nsomebody.else@example.org\n"])
@pytest.mark.parametrize("value", ["jack@example.com", "+61491570006"])
def test_an_upload_shown_before_an_erasure_has_to_be_shown_again(school: School, held: str, value: str) -> None:
    school.upload(held)
    import_id, _ = school.look(FAMILY.replace("Jack", "John"))
    forget(school, value, Channel.EMAIL if "@" in value else Channel.SMS)
    with pytest.raises(Conflict, match="changed since"):
        school.carry_out(import_id)


def test_an_address_nobody_holds_can_be_erased_ahead(school: School) -> None:
    (erased,) = forget(school, "jack@example.com").addresses
    assert (erased.id, erased.value) == (None, "jack@example.com")
    school.upload(FAMILY)
    assert "jack@example.com" not in values(school)


def test_an_address_that_is_not_held_is_not_found_and_what_is_none_is_refused(school: School) -> None:
    with school.database.reading() as session:
        assert forgetting.find_address(session, SECRET, Channel.EMAIL, "a@example.org") is None
    with pytest.raises(Invalid, match="no email address and no mobile number"):
        forgetting.read_address("12", "AU")


def suppress(school: School, reason: SuppressionReason, value: str = "jack@example.com") -> bool:
    with school.database.transaction() as session:
        return suppressions.suppress(
            session, SECRET, Channel.EMAIL, value, reason, source="test", actor="o@police.example", now=school.now
        )


def reason_of(school: School, value: str = "jack@example.com") -> SuppressionReason | None:
    with school.database.reading() as session:
        return suppressions.is_suppressed(session, SECRET, Channel.EMAIL, value)


def test_suppressing_twice_is_suppressing_once_and_a_weaker_reason_hides_no_stronger_one(school: School) -> None:
    assert suppress(school, SuppressionReason.OPT_OUT)
    assert not suppress(school, SuppressionReason.OPT_OUT)
    assert not suppress(school, SuppressionReason.HARD_BOUNCE)
    assert reason_of(school) is SuppressionReason.OPT_OUT
    assert suppress(school, SuppressionReason.ERASED)
    with school.database.reading() as session:
        log = session.execute(select(SubscriptionChange.old, SubscriptionChange.new).order_by(SubscriptionChange.id))
        assert [tuple(row) for row in log] == [
            ("allowed", "suppressed:opt_out"),
            ("suppressed:opt_out", "suppressed:erased"),
        ]


def test_a_suppression_is_lifted_with_a_reason_but_an_erasure_is_not(school: School, now: datetime) -> None:
    suppress(school, SuppressionReason.HARD_BOUNCE)
    with school.database.transaction() as session:
        suppressions.lift(session, SECRET, Channel.EMAIL, "jack@example.com", actor="o", now=now, why="new mailbox")
    assert reason_of(school) is None
    with school.database.transaction() as session, pytest.raises(NotFound, match="is not suppressed"):
        suppressions.lift(session, SECRET, Channel.EMAIL, "jack@example.com", actor="o", now=now, why="again")
    suppress(school, SuppressionReason.ERASED)
    with school.database.transaction() as session, pytest.raises(Conflict, match="was erased"):
        suppressions.lift(session, SECRET, Channel.EMAIL, "jack@example.com", actor="o", now=now, why="again")


def test_an_owner_takes_back_an_opt_out_and_nothing_else(school: School, now: datetime) -> None:
    school.upload(FAMILY)
    address_id = school.address_id("jack@example.com")
    for reason, lifted in ((SuppressionReason.HARD_BOUNCE, False), (SuppressionReason.OPT_OUT, True)):
        suppress(school, reason)
        with school.database.transaction() as session:
            assert suppressions.lift_address(session, address_id, source="START", actor="recipient", now=now) is lifted


def test_another_systems_suppressions_are_taken_over_once(school: School, tmp_path: Path, now: datetime) -> None:
    school.upload(FAMILY)
    path = tmp_path / "old.csv"
    path.write_text("Email,Mobile\njack@example.com,0491 570 156\nJACK@example.com,n/a\nother@example.org,\n")
    for expected in ((3, 1, 1), (0, 4, 1)):
        with open_sheet(path) as sheet, school.database.transaction() as session:
            done = suppression_files.take_over(
                session, SECRET, sheet, SuppressionReason.OPT_OUT, country="AU", source="f", actor="o", now=now
            )
        assert (done.new, done.known, done.refused) == expected
    with school.database.reading() as session:
        assert suppressions.counts(session) == {"opt_out": 3}
        shown = {row.address for row in suppressions.listed(session, None)}
        assert shown == {"jack@example.com", "+61491570156", None}
