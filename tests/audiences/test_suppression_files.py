"""An export of suppressions brings everything back, on both databases, and what it cannot bring is said row by row."""

import csv
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from notifier.audiences import forgetting, suppression_files, suppressions
from notifier.audiences.models import Address, Subscription, SubscriptionChange, Suppression
from notifier.audiences.reading import open_sheet
from notifier.audiences.suppression_files import EXPORTED, TakenOver, Trouble
from notifier.kit.errors import Conflict
from notifier.kit.sheets import write_csv
from notifier.kit.tokens import address_key, key_proof
from notifier.vocabulary import Channel, SuppressionReason
from tests.audiences.conftest import ACTOR, SECRET, School

FAMILY = "email,mobile,first name\njack@example.com,0491 570 156,Jack\nmaria@example.org,0491 570 006,Maria\n"
SINCE = "2026-11-23 09:00:00+00:00"


def suppress(school: School, value: str, reason: SuppressionReason, note: str | None = None, days: int = 0) -> None:
    channel, moment = Channel.EMAIL if "@" in value else Channel.SMS, school.now - timedelta(days=days)
    with school.database.transaction() as session:
        suppressions.suppress(
            session, SECRET, channel, value, reason, source="=a letter", actor=ACTOR, now=moment, note=note
        )


def export(school: School, secret: bytes = SECRET) -> Path:
    path = school.folder / "suppressions.csv"
    with school.database.reading() as session, path.open("w", encoding="utf-8", newline="") as file:
        write_csv(file, EXPORTED, suppression_files.exported(session, secret))
    return path


def take(school: School, path: Path, secret: bytes = SECRET, reason: SuppressionReason | None = None) -> TakenOver:
    with open_sheet(path, own=EXPORTED) as sheet, school.database.transaction() as session:
        return suppression_files.take_over(
            session, secret, sheet, reason, country="AU", source="file x.csv", actor=ACTOR, now=school.now
        )


def take_rows(school: School, rows: Sequence[Sequence[str]]) -> TakenOver:
    path = school.folder / "rows.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([EXPORTED, *rows])
    return take(school, path)


def key_cell(value: str, channel: str = "email", secret: bytes = SECRET) -> str:
    key = address_key(secret, channel, value)
    return f"{key.hex()}-{key_proof(secret, key).hex()}"


def all_of(school: School) -> list[tuple[object, ...]]:
    columns = ("address_key", "channel", "reason", "source", "note", "created_at")
    with school.database.reading() as session:
        query = select(*[getattr(Suppression, name) for name in columns]).order_by(Suppression.id)
        return [tuple(row) for row in session.execute(query)]


def start_afresh(school: School) -> None:
    with school.database.transaction() as session:
        for table in (Subscription, Address, Suppression, SubscriptionChange):
            session.execute(delete(table))


def test_everything_comes_back_with_its_reason_time_source_and_note(school: School, now: datetime) -> None:
    school.upload(FAMILY)
    suppress(school, "jack@example.com", SuppressionReason.OPT_OUT, days=3)
    suppress(school, "nobodys@example.org", SuppressionReason.HARD_BOUNCE, note="'=odd", days=2)
    suppress(school, "+61491570110", SuppressionReason.COMPLAINT, days=1)
    with school.database.transaction() as session:
        forgetting.forget(session, SECRET, Channel.EMAIL, "maria@example.org", actor=ACTOR, now=now)
    before, path = all_of(school), export(school)
    start_afresh(school)
    assert take(school, path) == TakenOver(new=5)
    assert all_of(school) == before
    shown = school.upload(FAMILY)
    assert (shown.added, shown.left_alone) == (1, 2)
    with school.database.reading() as session:
        assert session.scalars(select(Address.value).order_by(Address.value)).all() == [
            "+61491570156",
            "jack@example.com",
        ]


def test_the_same_export_twice_changes_nothing_and_is_no_row_in_the_log(school: School) -> None:
    school.upload(FAMILY)
    suppress(school, "jack@example.com", SuppressionReason.OPT_OUT)
    suppress(school, "nobodys@example.org", SuppressionReason.ERASED)
    path, before = export(school), all_of(school)
    with school.database.reading() as session:
        log = len(session.scalars(select(SubscriptionChange.id)).all())
    assert take(school, path) == TakenOver(known=2)
    assert all_of(school) == before
    with school.database.reading() as session:
        assert len(session.scalars(select(SubscriptionChange.id)).all()) == log


def test_of_two_reasons_the_stronger_stands_and_the_change_is_logged(school: School) -> None:
    suppress(school, "jack@example.com", SuppressionReason.HARD_BOUNCE)
    suppress(school, "maria@example.org", SuppressionReason.ERASED)
    done = take_rows(
        school,
        [
            ["email", "opt_out", SINCE, "page", "", "jack@example.com", ""],
            ["email", "manual", SINCE, "desk", "", "maria@example.org", ""],
            ["email", "hard_bounce", SINCE, "sendgrid", "", "", key_cell("new@example.org")],
            ["email", "complaint", SINCE, "sendgrid", "", "", key_cell("new@example.org")],
        ],
    )
    assert done == TakenOver(new=1, stronger=1, known=2)
    assert [(row[2], row[3]) for row in all_of(school)] == [
        ("opt_out", "page"),
        ("erased", "=a letter"),
        ("complaint", "sendgrid"),
    ]
    with school.database.reading() as session:
        log = select(SubscriptionChange.old, SubscriptionChange.new).where(SubscriptionChange.why == "file x.csv")
        assert {tuple(row) for row in session.execute(log)} == {
            ("suppressed:hard_bounce", "suppressed:opt_out"),
            ("allowed", "suppressed:complaint"),
        }


@pytest.mark.parametrize(
    ("row", "column", "why"),
    [
        (["email", "opt_out", SINCE, "s", "", "", "abc"], "key", Trouble.MALFORMED_KEY),
        (["email", "opt_out", SINCE, "s", "", "", "1.2E+31"], "key", Trouble.MALFORMED_KEY),
        (["email", "opt_out", SINCE, "s", "", "", key_cell("a@b.org")[:32]], "key", Trouble.MALFORMED_KEY),
        (
            ["email", "opt_out", SINCE, "s", "", "", key_cell("a@b.org", secret=b"other")],
            "key",
            Trouble.KEY_MADE_ELSEWHERE,
        ),
        (["email", "opt_out", SINCE, "s", "", "", ""], "key", Trouble.NEITHER_ADDRESS_NOR_KEY),
        (["fax", "opt_out", SINCE, "s", "", "", key_cell("a@b.org")], "channel", Trouble.UNKNOWN_CHANNEL),
        (["email", "whim", SINCE, "s", "", "", key_cell("a@b.org")], "reason", Trouble.UNKNOWN_REASON),
        (["email", "opt_out", "yesterday", "s", "", "a@b.org", ""], "since", Trouble.UNREADABLE_MOMENT),
        (["email", "opt_out", SINCE[:19], "s", "", "a@b.org", ""], "since", Trouble.UNREADABLE_MOMENT),
        (["email", "opt_out", "0001-01-01 00:00+14:00", "s", "", "a@b.org", ""], "since", Trouble.UNREADABLE_MOMENT),
        (["sms", "opt_out", SINCE, "s", "", "a@b.org", ""], "address", "email_in_phone"),
        (["email"], "reason", Trouble.UNKNOWN_REASON),
    ],
)
def test_what_cannot_be_taken_is_refused_with_its_row_and_a_remedy(
    school: School, row: list[str], column: str, why: str
) -> None:
    done = take_rows(school, [["email", "manual", SINCE, "s", "", "", key_cell("good@example.org")], row, [""] * 7])
    assert (done.new, done.refused, done.empty) == (1, 1, 1)
    (refused,) = done.refusals
    assert (refused.row, refused.column, refused.reason) == (3, column, why)
    assert refused.remedy
    assert len(all_of(school)) == 1


def test_an_address_is_taken_whatever_keys_the_file_was_made_with(school: School) -> None:
    school.upload(FAMILY)
    suppress(school, "jack@example.com", SuppressionReason.OPT_OUT)
    suppress(school, "nobodys@example.org", SuppressionReason.MANUAL)
    path = export(school)
    start_afresh(school)
    elsewhere = bytes(32)
    done = take(school, path, elsewhere)
    assert (done.new, done.refused, done.refusals[0].reason) == (1, 1, Trouble.KEY_MADE_ELSEWHERE)
    with school.database.reading() as session:
        assert suppressions.is_suppressed(session, elsewhere, Channel.EMAIL, "jack@example.com") == "opt_out"


def test_an_export_that_went_through_a_spreadsheet_is_still_one(school: School) -> None:
    suppress(school, "+61491570110", SuppressionReason.OPT_OUT, note="x; y")
    suppress(school, "nobodys@example.org", SuppressionReason.ERASED)
    path, before = export(school), all_of(school)
    with path.open(encoding="utf-8", newline="") as file:
        rows = [
            [cell.upper() if cell.count("-") == 1 and len(cell) == 41 else cell for cell in row] + [""]
            for row in csv.reader(file)
        ]
    with path.open("w", encoding="utf-16", newline="") as file:
        csv.writer(file, delimiter=";").writerows([["Suppressions"], *rows])
    start_afresh(school)
    assert take(school, path) == TakenOver(new=2)
    assert all_of(school) == before


def test_a_reason_for_all_is_refused_where_the_file_says_it_row_by_row(school: School) -> None:
    with pytest.raises(Conflict, match="leave --reason out"):
        take(school, export(school), reason=SuppressionReason.MANUAL)


def test_every_row_of_another_systems_list_is_counted(school: School) -> None:
    path = school.folder / "old.csv"
    path.write_text("name,email\nJack,jack@example.com\nNobody,\n,n/a\nJack,JACK@example.com\n")
    done = take(school, path)
    assert (done.new, done.known, done.refused, done.empty) == (1, 1, 1, 1)
    assert done.refusals[0][:3] == (4, "email", "placeholder")
    assert all_of(school)[0][2:4] == ("opt_out", "file x.csv")


def test_an_upload_shown_before_erasures_came_in_has_to_be_shown_again(school: School) -> None:
    import_id, _ = school.look(FAMILY)
    done = take_rows(school, [["email", "erased", SINCE, "erasure", "", "", key_cell("jack@example.com")]])
    assert (done.new, done.erased_but_held) == (1, 0)
    with pytest.raises(Conflict, match="has changed since"):
        school.carry_out(import_id)
    assert school.upload(FAMILY).added == 2, "the mobile number of the row was not erased"
    with school.database.reading() as session:
        assert "jack@example.com" not in session.scalars(select(Address.value)).all()
