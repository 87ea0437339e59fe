"""Rows by the thousand: reading them, inserting those that are new, and taking the first of a table for oneself.

Nothing converts a value on its way, so callers hand over plain ones: text, numbers, JSON as text, and moments as
`moment_writer` writes them. The statements are few and long, because each costs a fixed price: on SQLite the
interpreter's lock is let go and fetched again around every one, and beside a busy thread each fetch may take a
millisecond in which the database stays locked.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from typing import Any, cast

import orjson
from psycopg.errors import UniqueViolation
from sqlalchemy import (
    CTE,
    JSON,
    BigInteger,
    Boolean,
    Delete,
    Dialect,
    Executable,
    Integer,
    LargeBinary,
    Select,
    String,
    Table,
    delete,
    func,
    insert,
    or_,
    select,
)
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateTable

from notifier.kit.db import Base, UtcDateTime, copy_rows, perform

Row = tuple[object, ...]

# How many rows a statement takes on SQLite, which has 32,766 parameters; few sizes, so that statements come back.
_SIZES = (1_000, 100, 10)

# How PostgreSQL is given the plain values of a column: the type of the array, and how one value of it is read.
_PLAIN: dict[type[Any], tuple[str, str]] = {
    UtcDateTime: ("text", "{}::timestamptz"),
    JSON: ("text", "{}::json"),
    BigInteger: ("bigint", "{}"),
    Integer: ("bigint", "{}"),
    Boolean: ("boolean", "{}"),
    LargeBinary: ("bytea", "{}"),
}
_MOMENT_LENGTH = len("2026-11-23 09:00:00.000000")


def moment_writer(dialect: str) -> Callable[[datetime], str]:
    """Return what writes a moment as a database reads it from text: in UTC, to the microsecond."""
    return _moment_without_zone if dialect == "sqlite" else _moment_with_zone


# The events of one post share a few seconds.
@lru_cache(maxsize=1024)
def _moment_without_zone(moment: datetime) -> str:
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.isoformat(" ", "microseconds")[:_MOMENT_LENGTH]


@lru_cache(maxsize=1024)
def _moment_with_zone(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(" ", "microseconds")


def read_plain_rows(session: Session, question: Select[*tuple[Any, ...]], **values: object) -> list[tuple[Any, ...]]:
    """Return the rows of a question that was put together once, in its order: plain values only (text, numbers).

    A question with an order has a limit, too, or SQLite would forget about the order.
    """
    if _is_sqlite(session):
        # As a text for each column they come in one step; else the interpreter's lock would change hands for each row.
        told = perform(session, _as_texts(question), **values).one()
        return list(zip(*map(orjson.loads, told), strict=True))
    result = perform(session, question, **values)
    rows = list(result.cursor.fetchall())
    result.close()
    return rows


@lru_cache(maxsize=64)
def _as_texts(question: Select[*tuple[Any, ...]]) -> Select[*tuple[str, ...]]:
    return select(*[func.json_group_array(column, type_=String()) for column in question.subquery().c])


def insert_plain_rows(session: Session, table: type[Base], columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert plain rows of which none can be there already."""
    if not rows:
        return
    connection = session.connection()
    if _is_sqlite(session):
        _insert_on_sqlite(connection, table, columns, rows)
    else:
        copy_rows(connection, table, columns, rows)


def insert_texts(session: Session, table: type[Base], columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert plain rows in which "" stands for NULL, and bytes are given as `bytearray`.

    That is the quickest form: Python's sqlite3 asks for a converter of every None and of all bytes, which takes longer
    than the rest of a value's way.
    """
    connection = session.connection()
    if not _is_sqlite(session):
        copy_rows(connection, table, columns, rows, "(NULL '')")
    elif rows:
        places = ["nullif(?, '')" if table.__table__.c[column].nullable else "?" for column in columns]
        _insert_on_sqlite(connection, table, columns, rows, places=places)


def insert_new_rows(
    session: Session, table: type[Base], columns: Sequence[str], rows: Sequence[Row], *, key: Sequence[str]
) -> Sequence[int]:
    """Insert the plain rows whose `key`, a unique constraint, is not there yet; return which of them those were.

    Of rows that share a key the first is inserted.
    """
    if not rows:
        return ()
    connection = session.connection()
    if not _is_sqlite(session):
        try:
            with connection.begin_nested():
                copy_rows(connection, table, columns, rows)
        except UniqueViolation:
            made = _insert_rest_on_postgresql(connection, table, columns, rows, key)
            return _places(rows, columns, key, made)
        return range(len(rows))
    last = connection.exec_driver_sql(f"SELECT max(id) FROM {table.__tablename__}").scalar() or 0
    if _insert_on_sqlite(connection, table, columns, rows, rule="ON CONFLICT DO NOTHING") == len(rows):
        return range(len(rows))
    which = cast("Table", table.__table__)
    made = session.execute(select(*[which.c[name] for name in key]).where(which.c.id > last)).all()
    return _places(rows, columns, key, made)


def take_first(session: Session, table: type[Base], taken: Table, *, limit: int) -> None:
    """Move the first rows of a table, by id, into a temporary one of the same column names, its `id` among them.

    Each row counts as much as its `number` says: as many are moved as come to `limit`, and always one. What the
    temporary table held is forgotten. Rows that another transaction is just taking are left to it.
    """
    empty(session, taken)
    for statement in _moving(cast("Table", table.__table__), taken, session.get_bind().dialect.name, limit):
        perform(session, statement)


@lru_cache(maxsize=64)
def _moving(source: Table, taken: Table, dialect: str, limit: int) -> list[Executable]:
    names = [column.name for column in taken.columns]
    first = select(source.c.id, source.c.number).order_by(source.c.id).limit(limit)
    if dialect == "sqlite":
        rows = select(*[source.c[name] for name in names]).where(source.c.id.in_(_within(first.cte("first"), limit)))
        return [
            insert(taken).from_select(names, rows),
            delete(source).where(source.c.id.in_(select(taken.c.id))),
        ]
    chosen = _within(first.with_for_update(skip_locked=True).cte("first"), limit)
    moved = delete(source).where(source.c.id.in_(chosen)).returning(*[source.c[name] for name in names]).cte("moved")
    return [insert(taken).from_select(names, select(*[moved.c[name] for name in names]))]


def _within(first: CTE, limit: int) -> Select[int]:
    """Ask for the ids of the first rows whose numbers do not come to more than `limit`, or of the very first."""
    upto = func.sum(first.c.number).over(order_by=first.c.id).label("upto")
    summed = select(first.c.id, first.c.number, upto).subquery()
    return select(summed.c.id).where(or_(summed.c.upto <= limit, summed.c.upto == summed.c.number))


def empty(session: Session, table: Table) -> None:
    """Make a temporary table of this connection, or forget what it holds."""
    making, emptying = _emptying(table, session.get_bind().dialect)
    session.connection().exec_driver_sql(making)
    perform(session, emptying)


# Asked for with every portion of work, and put together anew by SQLAlchemy each time.
@lru_cache(maxsize=64)
def _emptying(table: Table, dialect: Dialect) -> tuple[str, Delete]:
    return str(CreateTable(table, if_not_exists=True).compile(dialect=dialect)), delete(table)


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def _insert_on_sqlite(
    connection: Connection,
    table: type[Base],
    columns: Sequence[str],
    rows: Sequence[Row],
    *,
    rule: str = "",
    places: Sequence[str] | None = None,
) -> int:
    one = f"({', '.join(places or '?' * len(columns))})"
    head = f"INSERT INTO {table.__tablename__} ({', '.join(columns)}) VALUES "
    made = start = 0
    for size in _sizes(len(rows)):
        several = tuple(chain.from_iterable(rows[start : start + size]))
        made += connection.exec_driver_sql(f"{head}{', '.join([one] * size)} {rule}", several).rowcount
        start += size
    return made


def _sizes(number: int) -> Iterator[int]:
    """Take a number of rows apart into statements."""
    for size in _SIZES:
        yield from [size] * (number // size)
        number %= size
    if number:
        yield number


def _insert_rest_on_postgresql(
    connection: Connection, table: type[Base], columns: Sequence[str], rows: Sequence[Row], key: Sequence[str]
) -> Sequence[Any]:
    kinds = [_PLAIN.get(type(table.__table__.c[column].type), ("text", "{}")) for column in columns]
    arrays = ", ".join(f"%s::{array}[]" for array, _ in kinds)
    values = ", ".join(form.format(f'c."{column}"') for column, (_, form) in zip(columns, kinds, strict=True))
    given = ", ".join(f'"{column}"' for column in columns)
    statement = (
        f"INSERT INTO {table.__tablename__} ({', '.join(columns)}) "
        f"SELECT {values} FROM unnest({arrays}) AS c ({given}) ON CONFLICT DO NOTHING RETURNING {', '.join(key)}"
    )
    return connection.exec_driver_sql(statement, tuple(map(list, zip(*rows, strict=True)))).all()


def _places(rows: Sequence[Row], columns: Sequence[str], key: Sequence[str], made: Sequence[Any]) -> list[int]:
    new = {tuple(row) for row in made}
    which = [columns.index(name) for name in key]
    found = []
    for place, row in enumerate(rows):
        own = tuple(row[number] for number in which)
        if own in new:
            new.discard(own)
            found.append(place)
    return found
