"""A transaction in two steps: questions keep nobody waiting, and what they found is there for the writing."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, func, insert, select

from notifier.accounts.models import User
from notifier.kit.bulk import empty
from notifier.kit.db import Database
from notifier.kit.steps import Steps

found = Table("found", MetaData(), Column("id", Integer), prefixes=["TEMPORARY"], postgresql_on_commit="DELETE ROWS")


@pytest.fixture
def steps(database: Database) -> Iterator[Steps]:
    made = Steps(database)
    yield made
    made.close()


def _ask(steps: Steps) -> None:
    with steps.asking() as session:
        empty(session, found)
        session.connection().execute(insert(found).from_select(["id"], select(User.id)))


def _add(database: Database, name: str, now: datetime) -> None:
    with database.transaction() as session:
        session.add(_user(name, now))


def _user(name: str, now: datetime) -> User:
    return User(email=f"{name}@police.example", name=name, role="officer", created_at=now)


def _users(database: Database) -> int:
    with database.reading() as session:
        return session.scalar(select(func.count()).select_from(User)) or 0


def test_others_write_while_questions_are_asked_and_what_was_found_is_kept(
    database: Database, steps: Steps, now: datetime
) -> None:
    _add(database, "ada", now)
    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(_ask, steps).result()
        with steps.asking() as session:
            elsewhere.submit(_add, database, "bob", now).result()
            assert session.scalar(select(func.count()).select_from(found)) == 1
    with steps.writing() as session:
        assert session.scalar(select(func.count()).select_from(found)) == 1
        session.add(_user("cem", now))
    assert _users(database) == 3


def test_the_first_step_may_be_left_out(database: Database, steps: Steps, now: datetime) -> None:
    with steps.writing() as session:
        session.add(_user("ada", now))
    assert _users(database) == 1


def test_what_is_raised_while_writing_undoes_it_and_lets_the_next_one_write(
    database: Database, steps: Steps, now: datetime
) -> None:
    with pytest.raises(ZeroDivisionError), steps.writing() as session:
        session.add(_user("ada", now))
        session.flush()
        raise ZeroDivisionError
    _add(database, "bob", now)
    assert _users(database) == 1


def test_a_question_that_fails_leaves_the_second_step_free(database: Database, steps: Steps, now: datetime) -> None:
    with pytest.raises(ZeroDivisionError), steps.asking():
        raise ZeroDivisionError
    with steps.writing() as session:
        session.add(_user("ada", now))
    assert _users(database) == 1


def test_what_nobody_writes_is_undone_with_the_connection(database: Database, now: datetime) -> None:
    _add(database, "ada", now)
    dropped = Steps(database)
    _ask(dropped)
    dropped.close()
    _add(database, "bob", now)
    again = Steps(database)
    with again.writing() as session:
        empty(session, found)
        assert session.scalar(select(func.count()).select_from(found)) == 0
    again.close()
