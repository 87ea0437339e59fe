"""The database: what is committed stays, what fails leaves nothing, moments keep their zone."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import insert, make_url, select, text
from sqlalchemy.exc import IntegrityError

from notifier.accounts.models import User, UserRole
from notifier.kit.db import Database, all_or_nothing
from notifier.kit.errors import Invalid
from notifier.kit.reachable import DatabaseUnavailable


def _user(now: datetime) -> User:
    return User(email="a@police.example", name="A", role=UserRole.OFFICER, created_at=now)


def test_a_transaction_commits_at_its_end(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        session.add(_user(now))
    with database.reading() as session:
        assert session.scalars(select(User.email)).all() == ["a@police.example"]


def test_a_transaction_that_fails_leaves_nothing(database: Database, now: datetime) -> None:
    with pytest.raises(RuntimeError), database.transaction() as session:
        session.add(_user(now))
        session.flush()
        raise RuntimeError
    with database.reading() as session:
        assert session.scalars(select(User.email)).all() == []


def test_a_moment_comes_back_in_utc(database: Database) -> None:
    melbourne = datetime(2026, 11, 23, 9, 0, tzinfo=timezone(timedelta(hours=11)))
    with database.transaction() as session:
        session.add(_user(melbourne))
    with database.reading() as session:
        assert session.scalars(select(User.created_at)).one() == datetime(2026, 11, 22, 22, 0, tzinfo=UTC)


def test_a_database_that_is_not_there_is_named_with_the_way_out() -> None:
    nowhere = Database("postgresql+psycopg://postgres@127.0.0.1:1/none")
    with (
        pytest.raises(DatabaseUnavailable, match=r"127\.0\.0\.1:1/none.*NOTIFIER_DATABASE_URL"),
        nowhere.reading() as session,
    ):
        session.execute(select(1))
    nowhere.close()


def test_another_kind_of_database_is_refused() -> None:
    with pytest.raises(Invalid, match="mysql"):
        Database("mysql://localhost/x")


def test_a_transaction_waits_for_the_disk_unless_it_can_be_repeated(sqlite_url: str) -> None:
    full, normal = 2, 1
    database = Database(sqlite_url)
    ask = text("PRAGMA synchronous")
    with database.repeatable_transaction() as session:
        assert session.scalar(ask) == normal
    with database.transaction() as session:
        assert session.scalar(ask) == full
    with database.overtaking_transaction() as session:
        assert session.scalar(ask) == full
    database.close()


def test_a_long_statement_that_fails_leaves_nothing_of_its_transaction(database: Database, now: datetime) -> None:
    nameless = all_or_nothing(insert(User)).values(email="b@police.example", name=None, role="officer", created_at=now)
    with pytest.raises(IntegrityError), database.transaction() as session:
        session.add(_user(now))
        session.flush()
        session.execute(nameless)
    with database.transaction() as session:
        assert session.scalars(select(User.email)).all() == []
        session.add(_user(now))


def test_on_postgresql_too_only_what_can_be_repeated_does_not_wait(postgres_url: str) -> None:
    # The tests' server waits for no disk of its own accord.
    waiting = make_url(postgres_url).update_query_dict({"options": "-c synchronous_commit=on"})
    database = Database(waiting.render_as_string(hide_password=False))
    ask = text("SHOW synchronous_commit")
    with database.repeatable_transaction() as session:
        assert session.scalar(ask) == "off"
    for kind in (database.transaction, database.overtaking_transaction):
        with kind() as session:
            assert session.scalar(ask) == "on"
    database.close()


def test_a_connection_the_server_has_ended_is_replaced_before_anybody_uses_it(postgres_url: str) -> None:
    database = Database(postgres_url)
    with database.transaction() as session:
        ended = session.scalar(text("SELECT pg_backend_pid()"))
    other = Database(postgres_url)
    with other.transaction() as session:
        assert session.scalar(text(f"SELECT pg_terminate_backend({ended}, 5000)"))
    with database.transaction() as session:
        assert session.scalar(text("SELECT pg_backend_pid()")) != ended
    other.close()
    database.close()


def test_nobody_is_about_where_nobody_has_come(database: Database) -> None:
    with database.transaction() as session:
        session.execute(text("SELECT 1"))
    assert not database.people_are_about


def test_people_are_about_after_one_has_come(database: Database) -> None:
    with database.overtaking_transaction() as session:
        session.execute(text("SELECT 1"))
    assert database.people_are_about
