"""Rows by the thousand: only new ones go in, whichever way the database takes them, and each is taken out once."""

from datetime import UTC, datetime, timedelta, timezone

from sqlalchemy import Column, Integer, MetaData, String, Table, bindparam, literal, select
from sqlalchemy.orm import Session

from notifier.kit.bulk import Row, insert_new_rows, insert_plain_rows, moment_writer, read_plain_rows, take_first
from notifier.kit.db import Database
from notifier.tracking.models import PendingEvent, ProviderEvent

COLUMNS = ("provider", "event_id", "kind", "occurred_at", "received_at", "raw")
KEY = ("provider", "event_id")
SOME = Table(
    "some_taken",
    MetaData(),
    Column("id", Integer),
    Column("kind", String(20)),
    Column("number", Integer),
    prefixes=["TEMPORARY"],
)


def rows(session: Session, now: datetime, *names: str) -> list[Row]:
    moment = moment_writer(session.get_bind().dialect.name)(now)
    return [("sendgrid", name, "delivered", moment, moment, '{"a": "\\\\t\\u00e9"}') for name in names]


def insert(session: Session, now: datetime, *names: str) -> list[int]:
    return list(insert_new_rows(session, ProviderEvent, COLUMNS, rows(session, now, *names), key=KEY))


def test_only_rows_that_are_new_go_in(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        assert insert(session, now, "a", "b") == [0, 1]
        assert insert(session, now, "b", "c", "a", "d", "c") == [1, 3]
        assert insert(session, now, "a") == []
    with database.reading() as session:
        assert sorted(session.scalars(select(ProviderEvent.event_id))) == ["a", "b", "c", "d"]
        assert session.scalars(select(ProviderEvent.raw).limit(1)).one() == {"a": "\\t\u00e9"}


def test_more_rows_than_one_statement_takes_go_in_all_the_same(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        assert len(insert(session, now, *[str(one) for one in range(450)])) == 450
        assert insert(session, now, *[str(one) for one in range(440, 460)]) == list(range(10, 20))


def test_a_moment_written_as_text_is_the_same_moment(database: Database) -> None:
    melbourne = datetime(2026, 11, 23, 9, 0, 0, 5, tzinfo=timezone(timedelta(hours=11)))
    with database.transaction() as session:
        insert(session, melbourne, "a")
        found = session.scalars(select(ProviderEvent.occurred_at)).one()
    assert found == datetime(2026, 11, 22, 22, 0, 0, 5, tzinfo=UTC)


def _taken(session: Session) -> list[str]:
    take_first(session, PendingEvent, SOME, limit=3)
    return sorted(session.scalars(select(SOME.c.kind)))


def test_the_first_rows_are_taken_in_order_and_each_once(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        moment = moment_writer(session.get_bind().dialect.name)(now)
        sizes = {"a": 1, "b": 2, "c": 1, "d": 5, "e": 1, "f": 2}
        given = [("sendgrid", kind, moment, moment, number) for kind, number in sizes.items()]
        insert_plain_rows(session, PendingEvent, ("provider", "kind", "occurred_at", "received_at", "number"), given)
        taken = [_taken(session) for _ in range(5)]
        # Each row counts as its number says; one that is larger than a portion is taken alone.
        assert taken == [["a", "b"], ["c"], ["d"], ["e", "f"], []]
        assert session.scalars(select(PendingEvent.id)).all() == []


def test_plain_rows_are_read_as_they_were_written_and_in_order(database: Database, now: datetime) -> None:
    names = ['quote " and \\', "é 伟 فاطمة", "%%x%%", ""]
    question = (
        select(ProviderEvent.id, ProviderEvent.event_id, ProviderEvent.code, literal(7).label("seven"))
        .where(ProviderEvent.provider == bindparam("the_provider"))
        .order_by(ProviderEvent.id.desc())
        .limit(bindparam("at_most", type_=Integer()))
    )
    with database.transaction() as session:
        insert(session, now, *names)
        found = read_plain_rows(session, question, the_provider="sendgrid", at_most=3)
        assert [row[1:] for row in found] == [(name, None, 7) for name in reversed(names[1:])]
        assert [row[0] for row in found] == sorted((row[0] for row in found), reverse=True)
        assert read_plain_rows(session, question, the_provider="nobody", at_most=3) == []
