"""What is said about how a PostgreSQL server is set up."""

from contextlib import closing

from sqlalchemy import text

from notifier.kit.advice import advice
from notifier.kit.db import Database


def test_each_setting_that_endangers_a_promise_is_named_with_its_value(postgres_url: str) -> None:
    with closing(Database(postgres_url)) as database:
        said = advice(database)
    assert [one.partition(" is ")[0] for one in said] == [
        "fsync",
        "full_page_writes",
        "synchronous_commit",
        "min_wal_size",
    ]
    assert said[0].startswith("fsync is off: after a power cut")
    assert "min_wal_size is 80MB" in said[-1]
    assert "ALTER SYSTEM SET min_wal_size = '1GB'" in said[-1]


def test_a_server_that_hides_what_its_connections_do_is_named(postgres_url: str) -> None:
    with closing(Database(postgres_url)) as database:
        with database.reading() as session:
            name = session.scalar(text("SELECT current_database()"))
        with database.changing() as connection:
            connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET track_activities TO off')
        database.close()
        try:
            assert "track_activities is off" in " ".join(advice(database))
        finally:
            with database.changing() as connection:
                connection.exec_driver_sql(f'ALTER DATABASE "{name}" RESET track_activities')


def test_a_file_needs_no_advice(sqlite_url: str) -> None:
    with closing(Database(sqlite_url)) as database:
        assert advice(database) == []
