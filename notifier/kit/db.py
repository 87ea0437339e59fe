"""The database: one engine for SQLite or PostgreSQL, one declarative base, and transactions opened at the edge.

Rooms take a `Session` first and never commit. `transaction()` is opened in web, worker and cli only. The two databases
differ here and in `delivery/queue.py`, nowhere else.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson
import psycopg
from psycopg import sql
from sqlalchemy import (
    URL,
    BigInteger,
    CursorResult,
    DateTime,
    Dialect,
    Engine,
    Executable,
    Integer,
    MetaData,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.sql.selectable import HasPrefixes
from sqlalchemy.types import TypeDecorator

from notifier.kit import people
from notifier.kit.errors import Invalid
from notifier.kit.lifelines import LOST_AFTER_S, ours, see_whether_it_lives, tell_server
from notifier.kit.reachable import reachable
from notifier.kit.turns import Rank, Turns
from notifier.kit.write_lock import begin_writing

Statement = TypeVar("Statement", bound=HasPrefixes)

# SQLite gives a rowid only to a column declared exactly INTEGER, which there holds 64 bits anyway.
BigId = BigInteger().with_variant(Integer(), "sqlite")

SQLITE_BUSY_TIMEOUT_S = 30.0
# Where one person has just come, others are likely to come in the next seconds.
_ABOUT_S = 5.0

# Any number will do, as long as nobody else takes it: the lock under which migrations run.
_MIGRATION_LOCK = 7_260_034


def _json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()


# Events carry their raw text as JSON by the hundred thousand; orjson reads and writes it five times as fast. Parameters
# are hidden in error messages, because they are the addresses and names of people.
_OPTIONS: dict[str, Any] = {"json_serializer": _json, "json_deserializer": orjson.loads, "hide_parameters": True}


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment, stored in UTC. A naive datetime is refused: nobody can say which clock it was read from."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn an aware moment into UTC for storage."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise TypeError("a moment without a time zone cannot be stored")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the stored moment, aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The base of every table. Constraint names follow one convention, so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime()}  # noqa: RUF012 - the name and form SQLAlchemy asks for


class Database:
    """An engine and the two ways to use it."""

    def __init__(self, url: str, *, lost_after_s: float = LOST_AFTER_S) -> None:
        self.engine = build_engine(url, lost_after_s=lost_after_s)
        # SQLite has one writer, and waits by sleeping and looking again; threads of one process can do better.
        self._turns = Turns() if self.is_sqlite else None
        self._people = self.engine if self.is_sqlite else build_engine(url, lost_after_s=lost_after_s, name=people.NAME)
        self._lookout = people.Lookout(self.engine, _ABOUT_S)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is the single-file database."""
        return self.engine.dialect.name == "sqlite"

    @property
    def people_are_about(self) -> bool:
        """Whether a person came in the last seconds, who waits for writers and cores; on PostgreSQL, to any process."""
        if self._turns is not None:
            return self._turns.person_came_within(_ABOUT_S)
        with reachable(self.engine):
            return self._lookout.sees_people()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open a session that is committed at the end, or rolled back if anything is raised."""
        with self._transaction(Rank.ORDINARY) as session:
            yield session

    @contextmanager
    def overtaking_transaction(self) -> Iterator[Session]:
        """Open one for a person who waits for the answer: it goes before all that are waiting to write."""
        with self._transaction(Rank.PERSON) as session:
            yield session

    @contextmanager
    def repeatable_transaction(self) -> Iterator[Session]:
        """Open one whose loss in a power cut does no harm, because what it did is then simply done again.

        Nobody waits for the disk at its end. Whatever is committed after it, and waits, takes it along.
        """
        with self._transaction(Rank.ORDINARY, sqlite_synchronous="NORMAL") as session:
            self.need_not_last(session)
            yield session

    def need_not_last(self, session: Session) -> None:
        """Let the commit of this transaction on PostgreSQL wait for no disk; SQLite is told at its beginning."""
        if not self.is_sqlite:
            session.connection().exec_driver_sql("SET LOCAL synchronous_commit TO off")

    @contextmanager
    def _transaction(self, rank: Rank, **options: str) -> Iterator[Session]:
        engine = self._people if rank is Rank.PERSON else self.engine
        if options:
            engine = engine.execution_options(**options)
        with (
            self.turn(rank),
            reachable(engine),
            Session(engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session for questions only; whatever it did is rolled back.

        On SQLite it takes no write lock, so that readers never wait for a writer.
        """
        engine = self.engine.execution_options(sqlite_begin="BEGIN")
        with reachable(engine), Session(engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def turn(self, rank: Rank = Rank.ORDINARY) -> Iterator[None]:
        """Wait for the turn to write among the threads of this process; on PostgreSQL nobody waits."""
        # Whoever waits longer than SQLite would goes on, and hears from SQLite what is wrong.
        taken = self._turns is not None and self._turns.take(rank, SQLITE_BUSY_TIMEOUT_S)
        try:
            yield
        finally:
            if taken and self._turns is not None:
                self._turns.hand_on()

    @contextmanager
    def changing(self) -> Iterator[Connection]:
        """Open a connection for migrations, which change tables; committed at the end."""
        with reachable(self.engine), self.engine.begin() as connection:
            if not self.is_sqlite:
                # SQLite lets in one writer at a time; here the second of two must wait to see what the first has done.
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            yield connection

    def close(self) -> None:
        """Give back every connection."""
        self.engine.dispose()
        self._people.dispose()


def build_engine(url: str, *, lost_after_s: float = LOST_AFTER_S, name: str | None = None) -> Engine:
    """Make the engine for a SQLAlchemy URL (`sqlite:///path` or `postgresql+psycopg://…`).

    Parameters are hidden in errors: they are the addresses and names of people. `lost_after_s` is how long a
    connection to PostgreSQL may be without a sign of life, and `name` what its server calls these connections.

    Raises Invalid if the URL cannot be read or names another kind of database.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as wrong:
        raise Invalid(
            "The setting database.url (NOTIFIER_DATABASE_URL) is not a database address; write for example "
            "sqlite:///var/notifier.sqlite3 or postgresql+psycopg://user@host/notifier"
        ) from wrong
    if parsed.get_backend_name() == "sqlite":
        return _sqlite_engine(url)
    if parsed.drivername == "postgresql+psycopg":
        return _postgresql_engine(parsed, lost_after_s, name)
    raise Invalid(
        f"The setting database.url (NOTIFIER_DATABASE_URL) names {parsed.drivername!r}; Notifier runs on sqlite or "
        "postgresql+psycopg"
    )


def _postgresql_engine(url: URL, lost_after_s: float, name: str | None) -> Engine:
    given = ours(url, lost_after_s)
    # What the server calls a connection is `name`, or else what the URL says, or else this.
    given["fallback_application_name"] = "notifier"
    if name is not None:
        given["application_name"] = name
    engine = create_engine(url, connect_args=given, pool_size=10, max_overflow=10, **_OPTIONS)
    event.listen(engine, "connect", lambda connection, _record: tell_server(connection, lost_after_s))
    event.listen(engine, "checkout", see_whether_it_lives)
    return engine


def _sqlite_engine(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_S, "check_same_thread": False}, **_OPTIONS)

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        # The driver's own transaction handling is switched off, so that BEGIN below is the only one.
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            # A commit that says "about to send" must survive a power cut, or the message would go twice.
            "synchronous=FULL",
            "foreign_keys=ON",
            "cache_size=-40960",
            "temp_store=MEMORY",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A transaction that reads first and writes later could fail to get the write lock half-way; taking it at the
        # start makes the others wait instead.
        options = connection.get_execution_options()
        # The connection is one of many that serve everybody in turn; it is told where the next of them wants another.
        synchronous = options.get("sqlite_synchronous", "FULL")
        if connection.info.get("synchronous") != synchronous:
            connection.exec_driver_sql(f"PRAGMA synchronous={synchronous}")
            connection.info["synchronous"] = synchronous
        begin = options.get("sqlite_begin")
        if begin is None:
            begin_writing(connection, timeout_s=SQLITE_BUSY_TIMEOUT_S)
        else:
            connection.exec_driver_sql(begin)

    return engine


def perform(session: Session, statement: Executable, **values: object) -> CursorResult[*tuple[Any, ...]]:
    """Run a statement that was put together once, with the values it leaves open.

    Putting a statement together takes several times as long as running it. Nothing is loaded, and no object in the
    session hears of a change: for the hot path, where there are none.
    """
    session.flush()
    return session.connection().execute(statement, values)


def plain_rows(session: Session, statement: Executable, **values: object) -> list[tuple[Any, ...]]:
    """As `perform`, and return every row as the driver gives it: for columns of plain types only (text, numbers)."""
    result = perform(session, statement, **values)
    rows = list(result.cursor.fetchall())
    result.close()
    return rows


def insert_or_skip(session: Session, table: type[Base]) -> sqlite.Insert | postgresql.Insert:
    """Return an INSERT that leaves alone what a unique constraint says is there already."""
    if session.get_bind().dialect.name == "sqlite":
        return sqlite.insert(table).on_conflict_do_nothing()
    return postgresql.insert(table).on_conflict_do_nothing()


def all_or_nothing(statement: Statement) -> Statement:
    """Let a long statement that fails undo its whole transaction on SQLite, as its caller does anyway.

    To undo the statement alone, SQLite keeps a copy in memory of every page it touches, as it was before: with an index
    in random order that is all of the index, for each statement anew (docs/decisions/0074).
    """
    return statement.prefix_with("OR ROLLBACK", dialect="sqlite")


def insert_rows(
    session: Session, table: type[Base], columns: Sequence[str], rows: Iterable[tuple[object, ...]]
) -> None:
    """Insert plain rows by the quickest way the database has: COPY on PostgreSQL, one prepared statement on SQLite.

    For columns of plain types only (text, numbers, bytes): nothing converts a value on its way.
    """
    connection = session.connection()
    if connection.dialect.name == "sqlite":
        some = list(rows)
        if some:
            places = ", ".join("?" * len(columns))
            connection.exec_driver_sql(
                f"INSERT INTO {table.__tablename__} ({', '.join(columns)}) VALUES ({places})", some
            )
    else:
        copy_rows(connection, table, columns, rows)


def copy_rows(
    connection: Connection,
    table: type[Base],
    columns: Sequence[str],
    rows: Iterable[tuple[object, ...]],
    options: str = "",
) -> None:
    """Copy plain rows into a table of PostgreSQL; `options` are those of COPY."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError("rows are copied through psycopg")
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN {}").format(
        sql.Identifier(table.__tablename__), names, sql.SQL(options)
    )
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


def refresh_statistics(session: Session, *tables: type[Base]) -> None:
    """Tell PostgreSQL's planner now what has just been written in bulk; it would find out only minutes later.

    SQLite plans by its rules, which the statements are written for.
    """
    if session.get_bind().dialect.name == "postgresql":
        for table in tables:
            session.connection().exec_driver_sql(f"ANALYZE {table.__tablename__}")


def give_room(session: Session) -> None:
    """Let PostgreSQL sort and compare a whole school's list in memory until this transaction ends.

    Its own limit of 4 MB is made for many small questions at once. SQLite has the room of its page cache.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.connection().exec_driver_sql(f"SET LOCAL work_mem = '{_ROOM_MB}MB'")


_ROOM_MB = 64
