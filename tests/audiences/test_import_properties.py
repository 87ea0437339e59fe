"""Uploads in any order: what was shown is what is done, and the last replacing upload is all that counts."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.orm import aliased

from notifier.audiences import importer, suppressions
from notifier.audiences.difference import Difference
from notifier.audiences.models import Address, Subscription, SubscriptionStatus, Suppression
from notifier.kit.db import Base, Database
from notifier.kit.sheets import safe_cell, write_csv
from notifier.vocabulary import Channel, SuppressionReason
from tests.audiences.conftest import SECRET, School

PEOPLE = st.lists(
    st.tuples(
        st.sampled_from(["", "r1", "r2", "r3"]),
        st.sampled_from(["Maria", "Nikos", ""]),
        st.sampled_from(["", "a@example.org", "b@example.org", "C@example.org", "bad@", "d@example.org"]),
        st.sampled_from(["", "0491 570 006", "0491570156", "n/a"]),
        st.sampled_from(["", "Greek", "ar"]),
        st.sampled_from(["", "7", "Year 9"]),
    ),
    max_size=6,
)
MODES = st.sampled_from(["merge", "replace"])
FEW = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def as_csv(people: list[tuple[str, ...]]) -> str:
    return "id,first name,email,mobile,language,year\n" + "".join(",".join(person) + "\n" for person in people)


def empty(database: Database) -> None:
    with database.transaction() as session:
        for table in reversed(Base.metadata.sorted_tables):
            session.execute(text(f"DELETE FROM {table.name}"))


def active(school: School, code: str = "northcote-high") -> set[tuple[Any, ...]]:
    email, mobile = aliased(Address), aliased(Address)
    with school.database.reading() as session:
        rows = session.execute(
            select(
                Subscription.row_key,
                Subscription.given_name,
                Subscription.language,
                Subscription.year_levels,
                email.value,
                mobile.value,
            )
            .outerjoin(email, email.id == Subscription.email_address_id)
            .outerjoin(mobile, mobile.id == Subscription.sms_address_id)
            .where(Subscription.list_id == school.list_id(code), Subscription.status == SubscriptionStatus.ACTIVE)
        )
        return {tuple(row) for row in rows}


@FEW
@given(before=PEOPLE, after=PEOPLE)
def test_a_replacing_upload_makes_the_list_what_the_file_says_whatever_was_there(
    school: School, before: list[tuple[str, ...]], after: list[tuple[str, ...]]
) -> None:
    empty(school.database)
    school.make()
    school.make("fresh")
    school.upload(as_csv(before))
    school.upload(as_csv(after), mode="replace")
    school.upload(as_csv(after), "fresh", mode="replace")
    assert active(school) == active(school, "fresh")


@FEW
@given(before=PEOPLE, after=PEOPLE, mode=MODES)
def test_what_was_shown_is_what_is_done(
    school: School, before: list[tuple[str, ...]], after: list[tuple[str, ...]], mode: str
) -> None:
    empty(school.database)
    school.make()
    school.upload(as_csv(before))
    was = active(school)
    shown = school.upload(as_csv(after), mode=mode)
    became = active(school)
    keys_before, keys_after = {row[0] for row in was}, {row[0] for row in became}
    assert (shown.people_before, shown.added) == (len(was), len(keys_after - keys_before))
    assert shown.removed == len(keys_before - keys_after)
    assert shown.changed == len({row[0] for row in became - was} & keys_before)
    assert shown.rows == shown.added + shown.changed + shown.unchanged + shown.refused + shown.duplicates
    again = school.look(as_csv(after), mode=mode)[1]
    assert again.changes_nothing


@FEW
@given(uploads=st.lists(st.tuples(PEOPLE, MODES), max_size=3))
def test_no_upload_undoes_a_suppression(school: School, uploads: list[tuple[list[tuple[str, ...]], str]]) -> None:
    empty(school.database)
    school.make()
    with school.database.transaction() as session:
        for value, reason in (
            ("a@example.org", SuppressionReason.OPT_OUT),
            ("b@example.org", SuppressionReason.ERASED),
        ):
            suppressions.suppress(session, SECRET, Channel.EMAIL, value, reason, source="t", actor="t", now=school.now)
    for people, mode in uploads:
        school.upload(as_csv(people), mode=mode)
    with school.database.reading() as session:
        assert sorted(session.scalars(select(Suppression.reason))) == ["erased", "opt_out"]
        assert session.scalar(select(func.count()).where(Address.value == "b@example.org")) == 0


@given(st.lists(st.lists(st.text(max_size=8), min_size=1, max_size=3), max_size=5))
def test_no_cell_we_write_is_run_by_a_spreadsheet(rows: list[list[str]]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "out.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            assert write_csv(file, ["a"], rows) == len(rows)
    for row in rows:
        for cell in row:
            assert not safe_cell(cell).lstrip().startswith(("=", "+", "-", "@", "\t", "\r"))
            assert safe_cell(cell) in {cell, f"'{cell}"}


def test_the_numbers_of_a_difference_come_back_from_storage() -> None:
    shown = Difference(rows=3, added=2, fields={"email": 1})
    assert Difference.from_counts(shown.as_counts()) == shown


def test_what_is_set_by_default_is_what_the_documents_say() -> None:
    assert importer.ImportSettings() == importer.ImportSettings(10.0, 20, 2_000_000, 300)
