"""People at a PostgreSQL server: every process sees that they are about, and the server is asked only now and then."""

from contextlib import closing

from sqlalchemy import event, text

from notifier.kit.db import Database
from notifier.kit.people import NAME, Lookout


def _come(database: Database) -> None:
    with database.overtaking_transaction() as session:
        session.execute(text("SELECT 1"))


def test_another_process_sees_that_somebody_has_come(postgres_url: str) -> None:
    with closing(Database(postgres_url)) as doors, closing(Database(postgres_url)) as planner:
        _come(doors)
        assert planner.people_are_about


def test_what_is_done_for_nobody_is_not_taken_for_a_person(postgres_url: str) -> None:
    with closing(Database(postgres_url)) as doors, closing(Database(postgres_url)) as planner:
        for transaction in (doors.transaction, doors.repeatable_transaction, doors.reading):
            with transaction() as session:
                session.execute(text("SELECT 1"))
        assert not planner.people_are_about


def test_somebody_who_came_long_ago_is_not_about(postgres_url: str) -> None:
    with closing(Database(postgres_url)) as doors:
        _come(doors)
        assert Lookout(doors.engine, within_s=60.0).sees_people()
        assert not Lookout(doors.engine, within_s=0.0).sees_people()


def test_the_server_is_asked_once_in_a_while_and_not_each_time(postgres_url: str) -> None:
    with closing(Database(postgres_url)) as planner:
        asked: list[str] = []

        @event.listens_for(planner.engine, "before_cursor_execute")
        def _note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            asked.append(statement)

        assert [planner.people_are_about for _ in range(5)] == [False] * 5
        assert len(asked) == 1


def test_the_server_names_their_connections(postgres_url: str) -> None:
    with closing(Database(postgres_url)) as doors:
        for transaction, name in ((doors.overtaking_transaction, NAME), (doors.transaction, "notifier")):
            with transaction() as session:
                assert session.scalar(text("SHOW application_name")) == name


def test_a_name_the_address_of_the_database_gives_stands_but_for_people(postgres_url: str) -> None:
    with closing(Database(f"{postgres_url}{'&' if '?' in postgres_url else '?'}application_name=police")) as doors:
        for transaction, name in ((doors.overtaking_transaction, NAME), (doors.transaction, "police")):
            with transaction() as session:
                assert session.scalar(text("SHOW application_name")) == name
