"""What the two databases say in different words: being alone, hours, JSON as rows, which index to leave."""

from typing import Any
from zlib import crc32

from sqlalchemy import BigInteger, String, func, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


def hold_alone(session: Session, name: str) -> None:
    """Be the only one with this name until the transaction ends; whoever holds it or shares it is waited for.

    On SQLite a writing transaction is alone anyway.
    """
    _advise(session, "pg_advisory_xact_lock", name)


def hold_shared(session: Session, name: str) -> None:
    """Keep those out who want to be alone with this name, until the transaction ends."""
    _advise(session, "pg_advisory_xact_lock_shared", name)


def _advise(session: Session, function: str, name: str) -> None:
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(getattr(func, function)(crc32(name.encode()))))


class HourOf(FunctionElement[str]):
    """The hour of a moment in UTC, as text (`2026-11-23 09`)."""

    inherit_cache = True
    type = String()


@compiles(HourOf, "sqlite")
def _hour_on_sqlite(element: HourOf, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - the compiler's own
    return f"substr({compiler.process(element.clauses, **options)}, 1, 13)"


@compiles(HourOf, "postgresql")
def _hour_on_postgresql(element: HourOf, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - as above
    return f"to_char({compiler.process(element.clauses, **options)} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24')"


class ElementsOf(FunctionElement[str]):
    """The elements of a list in a JSON column, as rows: `ElementsOf(column).table_valued("value")`."""

    inherit_cache = True


@compiles(ElementsOf, "sqlite")
def _elements_on_sqlite(element: ElementsOf, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - as above
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(ElementsOf, "postgresql")
def _elements_on_postgresql(element: ElementsOf, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - as above
    return f"json_array_elements_text({compiler.process(element.clauses, **options)})"


class Pairs(FunctionElement[str]):
    """The names and values of a JSON object, each pair a row of two texts, `key` and `value`."""

    inherit_cache = True


@compiles(Pairs, "sqlite")
def _pairs_on_sqlite(element: Pairs, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - as above
    return f"json_each({compiler.process(element.clauses, **options)})"


@compiles(Pairs, "postgresql")
def _pairs_on_postgresql(element: Pairs, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - as above
    return f"json_each_text(CAST({compiler.process(element.clauses, **options)} AS JSON))"


class WithoutIndex(FunctionElement[int]):
    """A number column of which SQLite is not to use the index.

    SQLite goes by rules; PostgreSQL by what it knows of the column, which anything around the column would hide.
    """

    inherit_cache = True
    type = BigInteger()


@compiles(WithoutIndex, "sqlite")
def _without_index_on_sqlite(element: WithoutIndex, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - as above
    return f"+{compiler.process(element.clauses, **options)}"


@compiles(WithoutIndex, "postgresql")
def _without_index_on_postgresql(element: WithoutIndex, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - as above
    return compiler.process(element.clauses, **options)
