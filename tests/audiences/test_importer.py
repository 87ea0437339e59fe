"""An upload: shown first, carried out whole, never undoing what a recipient said."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from sqlalchemy import func, select

from notifier.audiences import importer, lists, suppressions
from notifier.audiences.crowds import Crowds
from notifier.audiences.models import (
    Address,
    ContactList,
    ImportMode,
    ImportRow,
    ListChoice,
    Subscription,
    SubscriptionChange,
)
from notifier.audiences.reading import file_digest
from notifier.kit.db import Database
from notifier.kit.errors import Conflict, NotFound
from notifier.vocabulary import Channel, SuppressionReason
from tests.audiences.conftest import SECRET, School

TWO = """Given name,Surname,Parent email,Mobile,Language,Year level
Maria,Papadopoulou,Maria.P@Example.org,0491 570 006,Greek,Year 7
Jack,Harris,jack@example.com,,,9
"""


def people(database: Database) -> list[tuple[str | None, str | None, str | None, str]]:
    with database.reading() as session:
        email = select(Address.value).where(Address.id == Subscription.email_address_id).scalar_subquery()
        mobile = select(Address.value).where(Address.id == Subscription.sms_address_id).scalar_subquery()
        rows = session.execute(
            select(Subscription.given_name, email, mobile, Subscription.status).order_by(Subscription.id)
        )
        return [tuple(row) for row in rows]


def test_what_is_only_shown_changes_nothing(school: School) -> None:
    _, shown = school.look(TWO)
    assert (shown.rows, shown.added, shown.rewritten) == (2, 2, 1)
    assert people(school.database) == []


def test_a_yes_brings_the_people_in_normalised(school: School) -> None:
    assert school.upload(TWO).added == 2
    assert people(school.database) == [
        ("Maria", "maria.p@example.org", "+61491570006", "active"),
        ("Jack", "jack@example.com", None, "active"),
    ]


def test_the_same_file_twice_changes_nothing(school: School) -> None:
    school.upload(TWO)
    _, again = school.look(TWO, mode="replace")
    assert again.changes_nothing
    assert again.unchanged == 2


def test_every_address_that_comes_or_goes_is_a_row_in_the_consent_log(school: School) -> None:
    school.upload(TWO)
    school.upload(TWO.replace("jack@example.com", "jack.harris@example.com"), mode="replace")
    with school.database.reading() as session:
        rows = session.execute(
            select(SubscriptionChange.channel, SubscriptionChange.new, func.count())
            .group_by(SubscriptionChange.channel, SubscriptionChange.new)
            .order_by(SubscriptionChange.channel, SubscriptionChange.new)
        )
        assert [tuple(row) for row in rows] == [
            ("email", "removed", 1),
            ("email", "subscribed", 3),
            ("sms", "subscribed", 1),
        ]


def test_in_replace_mode_whoever_is_absent_is_removed_and_may_come_back(school: School) -> None:
    school.upload(TWO)
    without_jack = TWO.replace("Jack,Harris,jack@example.com,,,9\n", "")
    assert school.upload(without_jack, mode="replace").removed == 1
    assert [person[-1] for person in people(school.database)] == ["active", "removed"]
    assert school.upload(TWO, mode="replace").added == 1
    assert [person[-1] for person in people(school.database)] == ["active", "active"]


def test_in_merge_mode_an_absent_row_and_an_empty_cell_say_nothing(school: School) -> None:
    school.upload(TWO)
    shown = school.upload("First name,Last name,Email\nMaria,Papadopoulou,maria.p@example.org\n")
    assert (shown.removed, shown.changed, shown.unchanged) == (0, 0, 1)
    assert people(school.database)[0][2] == "+61491570006"


def test_a_changed_field_is_counted_by_its_name(school: School) -> None:
    text = "id,first name,email,mobile\n7,Maria,maria@example.org,0491 570 006\n"
    school.upload(text)
    shown = school.upload(text.replace("006", "156").replace("maria@", "m.p@"), mode="replace")
    assert (shown.changed, shown.fields) == (1, {"email": 1, "mobile": 1})
    assert people(school.database) == [("Maria", "m.p@example.org", "+61491570156", "active")]


def test_removing_many_needs_the_number_said_aloud(school: School) -> None:
    school.upload(TWO)
    import_id, shown = school.look("email\nnew@example.org\n", mode="replace")
    assert shown.removed == 2
    with pytest.raises(Conflict, match=r"remove 2 of 2 people.*--confirm-removals 2"):
        school.carry_out(import_id)
    with pytest.raises(Conflict):
        school.carry_out(import_id, confirmed=3)
    school.carry_out(import_id, confirmed=2)


def test_a_difference_is_not_carried_out_on_a_list_that_changed_since(school: School) -> None:
    import_id, _ = school.look(TWO)
    with school.database.transaction() as session:
        session.scalars(select(ContactList)).one().version += 1
    with pytest.raises(Conflict, match="changed since"):
        school.carry_out(import_id)
    assert people(school.database) == []


def test_a_difference_is_carried_out_once(school: School) -> None:
    import_id, _ = school.look(TWO)
    school.carry_out(import_id)
    with pytest.raises(NotFound, match="no longer waiting"):
        school.carry_out(import_id)


def test_a_later_upload_overtakes_the_one_that_waits(school: School) -> None:
    first, _ = school.look(TWO)
    school.look("email\nnew@example.org\n")
    with pytest.raises(NotFound):
        school.carry_out(first)


def test_of_two_uploads_at_the_same_time_the_first_is_refused_and_nothing_mixes(school: School) -> None:
    path = school.folder / "first.csv"
    path.write_text(TWO)
    first = school.hand_over(path, mode="replace")
    second, _ = school.look("email\nnew@example.org\n")
    with school.database.transaction() as session, pytest.raises(Conflict, match="Another upload"):
        importer.settle(session, first, Crowds(), school.settings)
    with pytest.raises(NotFound):
        school.carry_out(first)
    school.carry_out(second)
    assert [person[1] for person in people(school.database)] == ["new@example.org"]


def test_while_one_yes_is_carried_out_the_next_upload_waits(school: School) -> None:
    started, _ = school.look(TWO)
    path = school.folder / "next.csv"
    path.write_text("email\nnew@example.org\n")
    with ThreadPoolExecutor(1) as pool:
        with school.database.transaction() as session:
            importer.carry_out(session, started, school.settings, actor="a", now=school.now)
            waiting = pool.submit(school.hand_over, path)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.3)
            assert session.scalar(select(func.count()).where(ImportRow.import_id == started)) == 2
        assert waiting.result(timeout=30) > started


def test_one_mother_on_two_rows_is_taken_once_with_all_year_levels(school: School) -> None:
    text = "name,email,year level\nMaria P,maria@example.org,Year 9\nMaria P,maria@example.org,Year 7\n"
    shown = school.upload(text)
    assert (shown.added, shown.duplicates) == (1, 1)
    with school.database.reading() as session:
        assert session.scalars(select(Subscription.year_levels)).one() == "7,9"


def test_an_address_on_many_rows_is_taken_for_the_schools_own(school: School) -> None:
    rows = "".join(f"Parent {number},office@school.example,04915701{number:02}\n" for number in range(56, 80))
    shown = school.upload(f"name,email,mobile\n{rows}")
    assert (shown.refused + shown.added, shown.rows) == (24, 24)
    with school.database.reading() as session:
        assert session.scalar(select(func.count()).where(Address.channel == "email")) == 0
        assert "shared_by_many" in (session.scalars(select(ImportRow.findings)).first() or "")


def test_an_upload_leaves_an_opt_out_standing_and_says_how_many(school: School, now: datetime) -> None:
    with school.database.transaction() as session:
        suppressions.suppress(
            session,
            SECRET,
            Channel.EMAIL,
            "jack@example.com",
            SuppressionReason.OPT_OUT,
            source="link",
            actor="x",
            now=now,
        )
    assert school.upload(TWO).left_alone == 1
    with school.database.reading() as session:
        assert suppressions.is_suppressed(session, SECRET, Channel.EMAIL, "jack@example.com") == "opt_out"


def test_an_upload_does_not_bring_back_who_was_erased(school: School, now: datetime) -> None:
    with school.database.transaction() as session:
        suppressions.suppress(
            session,
            SECRET,
            Channel.EMAIL,
            "jack@example.com",
            SuppressionReason.ERASED,
            source="letter",
            actor="x",
            now=now,
        )
    shown = school.upload(TWO)
    assert (shown.added, shown.left_alone) == (1, 1)
    assert [person[0] for person in people(school.database)] == ["Maria"]
    with school.database.reading() as session:
        assert session.scalar(select(func.count()).where(Address.value == "jack@example.com")) == 0


def test_a_list_that_was_left_stays_left_whatever_the_next_upload_says(school: School, now: datetime) -> None:
    school.upload(TWO)
    address_id, list_id = school.address_id("jack@example.com"), school.list_id("northcote-high")
    with school.database.transaction() as session:
        session.add(ListChoice(address_id=address_id, list_id=list_id, wanted=False, changed_at=now))
    assert school.upload(TWO, mode="replace").left_alone == 1
    with school.database.reading() as session:
        assert session.scalars(select(ListChoice.wanted)).all() == [False]


def test_whoever_has_an_address_first_others_share_it_within_a_file_and_between_lists(school: School) -> None:
    school.make("preston-primary")
    school.upload(TWO)
    shared = "given name,email,mobile\nNikos,new@example.org,0491 570 157\nEleni,jack@example.com,0491 570 157\n"
    school.upload(shared, code="preston-primary")
    with school.database.reading() as session:
        rows = session.execute(
            select(Subscription.given_name, Subscription.email_address_id, Subscription.sms_address_id)
        ).all()
        held = {name: (email, mobile) for name, email, mobile in rows}
        values = dict(session.execute(select(Address.id, Address.value)).all())
    assert held["Eleni"][0] == held["Jack"][0] == school.address_id("jack@example.com")
    assert held["Eleni"][1] == held["Nikos"][1] == school.address_id("+61491570157")
    assert held["Nikos"][0] == school.address_id("new@example.org")
    assert len(values) == len(set(values.values()))


def test_an_upload_that_broke_off_before_it_was_shown_does_not_stand_in_the_way(school: School) -> None:
    path = school.folder / "first.csv"
    path.write_text(TWO)
    school.hand_over(path)
    school.upload("email\nnew@example.org\n")
    with school.database.reading() as session:
        found = lists.find_list(session, "northcote-high")
        digest = file_digest(path)
        assert importer.shown_before(session, found, digest=digest, mode=ImportMode.MERGE) is None
