"""Rows by the thousand: reading them, inserting those that are new, and taking the first of a table for oneself.

Nothing converts a value on its way, so callers hand over plain ones: text, numbers, JSON as text, and moments as
`moment_writer` writes them. The statements are few and long, because each costs a fixed price: on SQLite the
interpreter's lock is let go and fetched again around every one.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from typing import Any, cast

import orjson
import psycopg
from psycopg import sql
from psycopg.errors import UniqueViolation
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Integer,
    LargeBinary,
    Select,
    String,
    Table,
    delete,
    func,
    insert,
    select,
)
from sqlalchemy.engine import Connection, CursorResult
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateTable

from notifier.kit.db import Base, UtcDateTime, perform

Row = tuple[object, ...]

# SQLite takes 32,766 parameters in a statement; longer ones than this gain nothing more.
_ROWS_IN_A_STATEMENT = 200

# How PostgreSQL is given the plain values of a column: the type of the array, and how one value of it is read.
_PLAIN: dict[type[Any], tuple[str, str]] = {
    UtcDateTime: ("text", "{}::timestamptz"),
    JSON: ("text", "{}::json"),
    BigInteger: ("bigint", "{}"),
    Integer: ("bigint", "{}"),
    Boolean: ("boolean", "{}"),
    LargeBinary: ("bytea", "{}"),
}
_COUNTED = {"preserve_rowcount": True}
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
        # As one text they come in one step; else the interpreter's lock would change hands for every row.
        told: str = perform(session, _as_one_text(question), **values).scalar_one()
        return list(map(tuple, orjson.loads(told)))
    result = perform(session, question, **values)
    rows = list(result.cursor.fetchall())
    result.close()
    return rows


@lru_cache(maxsize=64)
def _as_one_text(question: Select[*tuple[Any, ...]]) -> Select[str]:
    return select(func.json_group_array(func.json_array(*question.subquery().c), type_=String()))


def insert_plain_rows(session: Session, table: type[Base], columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Insert plain rows of which none can be there already."""
    if not rows:
        return
    connection = session.connection()
    if _is_sqlite(session):
        _insert_on_sqlite(connection, table, columns, rows)
    else:
        _copy(connection, table, columns, rows)


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
                _copy(connection, table, columns, rows)
        except UniqueViolation:
            made = _insert_rest_on_postgresql(connection, table, columns, rows, key)
            return _places(rows, columns, key, made)
        return range(len(rows))
    last = connection.exec_driver_sql(f"SELECT max(id) FROM {table.__tablename__}").scalar() or 0
    if _insert_on_sqlite(connection, table, columns, rows, "ON CONFLICT DO NOTHING") == len(rows):
        return range(len(rows))
    which = cast("Table", table.__table__)
    made = session.execute(select(*[which.c[name] for name in key]).where(which.c.id > last)).all()
    return _places(rows, columns, key, made)


def take_first(session: Session, table: type[Base], taken: Table, *, limit: int) -> int:
    """Move the first rows of a table, by id, into a temporary one of the same column names; return how many.

    What the temporary table held is forgotten. Rows that another transaction is just taking are left to it.
    """
    empty(session, taken)
    source = cast("Table", table.__table__)
    names = [column.name for column in taken.columns]
    first = select(source.c.id).order_by(source.c.id).limit(limit)
    if _is_sqlite(session):
        rows = select(*[source.c[name] for name in names]).order_by(source.c.id).limit(limit)
        number = _count(session.execute(insert(taken).from_select(names, rows), execution_options=_COUNTED))
        if number:
            session.execute(delete(source).where(source.c.id.in_(first)))
        return number
    chosen = first.with_for_update(skip_locked=True).cte("chosen")
    moved = delete(source).where(source.c.id == chosen.c.id).returning(*[source.c[name] for name in names]).cte("moved")
    rows = select(*[moved.c[name] for name in names])
    return _count(session.execute(insert(taken).from_select(names, rows), execution_options=_COUNTED))


def empty(session: Session, table: Table) -> None:
    """Make a temporary table of this connection, or forget what it holds."""
    session.execute(CreateTable(table, if_not_exists=True))
    session.execute(delete(table))


def _is_sqlite(session: Session) -> bool:
    return session.get_bind().dialect.name == "sqlite"


def _count(result: object) -> int:
    return result.rowcount if isinstance(result, CursorResult) else 0


def _insert_on_sqlite(
    connection: Connection, table: type[Base], columns: Sequence[str], rows: Sequence[Row], rule: str = ""
) -> int:
    one = f"({', '.join('?' * len(columns))})"
    head = f"INSERT INTO {table.__tablename__} ({', '.join(columns)}) VALUES "
    whole = len(rows) - len(rows) % _ROWS_IN_A_STATEMENT
    made = 0
    for start in range(0, whole, _ROWS_IN_A_STATEMENT):
        several = tuple(chain.from_iterable(rows[start : start + _ROWS_IN_A_STATEMENT]))
        statement = f"{head}{', '.join([one] * _ROWS_IN_A_STATEMENT)} {rule}"
        made += connection.exec_driver_sql(statement, several).rowcount
    if whole < len(rows):
        made += connection.exec_driver_sql(f"{head}{one} {rule}", list(rows[whole:])).rowcount
    return made


def _copy(connection: Connection, table: type[Base], columns: Sequence[str], rows: Sequence[Row]) -> None:
    driver = connection.connection.driver_connection
    if not isinstance(driver, psycopg.Connection):
        raise TypeError("rows are copied through psycopg")
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.__tablename__), names)
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)


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
