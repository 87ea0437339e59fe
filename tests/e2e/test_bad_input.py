"""What goes wrong at the screen: each ends in a sentence that names the thing and the way out, and leaves nothing."""

import shutil
import socket
from contextlib import chdir, closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.e2e.conftest import Office

ROOT = Path(__file__).parents[2]
OFFICER = ("--as", "officer@police.example")
CREATE = ("campaigns", "create", "online-blackmail", "--audience", "victoria-parents", "--channels", "email", *OFFICER)
LIST = ("lists", "create", "nh", "--name", "North", "--region", "AU-VIC", "--basis", "public_task", *OFFICER)

# The doctor's table breaks a long sentence where the screen ends.
WIDE = {"COLUMNS": "2000"}


@pytest.fixture
def desk(tmp_path: Path) -> Office:
    """An installation on SQLite after `notifier init`, with an officer."""
    made = Office(tmp_path / "var")
    made.run("init")
    made.run("users", "add", "officer@police.example", "--name", "An Officer", "--role", "officer")
    return made


@pytest.mark.parametrize(
    "words", [("doctor", "--json"), ("run", "--port", "0"), ("work",), ("schedule",), ("campaigns", "list"), CREATE]
)
def test_a_database_that_was_never_made_is_refused_with_the_way_to_make_it(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    assert "notifier init" in Office(tmp_path / "var").run(*words, expect=1)
    assert not (tmp_path / "var").exists()


@pytest.mark.parametrize("words", [("init",), ("doctor", "--json"), ("run", "--port", "0"), ("campaigns", "list")])
def test_a_database_server_that_does_not_answer_is_named(tmp_path: Path, words: tuple[str, ...]) -> None:
    nowhere = Office(tmp_path / "var", {**WIDE, "NOTIFIER_DATABASE_URL": "postgresql+psycopg://x@127.0.0.1:1/x"})
    assert "127.0.0.1:1/x cannot be reached" in nowhere.run(*words, expect=1)


def test_an_empty_database_is_refused_with_the_way_to_fill_it(tmp_path: Path) -> None:
    (tmp_path / "empty.sqlite3").touch()
    office = Office(tmp_path / "var", {"NOTIFIER_DATABASE_URL": f"sqlite:///{tmp_path / 'empty.sqlite3'}"})
    assert "Run `notifier init`" in office.run("campaigns", "list", expect=1)


def test_an_empty_database_on_a_server_is_refused_with_the_way_to_fill_it(
    tmp_path: Path, empty_postgres_url: str
) -> None:
    office = Office(tmp_path / "var", {"NOTIFIER_DATABASE_URL": empty_postgres_url})
    assert "Run `notifier init`" in office.run("campaigns", "list", expect=1)


@pytest.mark.parametrize("words", [("init",), ("doctor", "--json"), ("run", "--port", "0")])
def test_a_database_newer_than_the_program_is_left_alone(office: Office, words: tuple[str, ...]) -> None:
    url = office.environment.get("NOTIFIER_DATABASE_URL") or f"sqlite:///{office.home / 'notifier.sqlite3'}"
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    assert "at migration 9999" in office.run(*words, expect=1)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "letter.sqlite3").write_text("Dear parents, " * 100)
    office = Office(tmp_path / "var", {**WIDE, "NOTIFIER_DATABASE_URL": f"sqlite:///{tmp_path / 'letter.sqlite3'}"})
    for words in (("init",), ("doctor", "--json"), ("users", "list")):
        assert "letter.sqlite3 cannot be read" in office.run(*words, expect=1)


def test_a_database_that_may_only_be_read_is_named(desk: Office) -> None:
    url = f"sqlite:///file:{desk.home / 'notifier.sqlite3'}?mode=ro&uri=true"
    looking = Office(desk.home, {"NOTIFIER_DATABASE_URL": url})
    assert "officer@police.example" in looking.run("users", "list")
    assert "cannot be written to" in looking.run("users", "add", "b@police.example", "--name", "B", expect=1)


def test_a_port_in_use_is_named(desk: Office) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = str(taken.getsockname()[1])
        assert f"127.0.0.1:{port}" in desk.run("run", "--port", port, expect=1)
        assert port in desk.run("sandbox", "--port", port, expect=1)


@pytest.mark.parametrize(
    ("wish", "sentence"),
    [
        (("--at", "2020-01-01T00:00Z"), "has passed"),
        (("--at", "9998-01-01T00:00Z"), "is the year right?"),
        (("--local", "9998-12-31 23:59"), "is the year right?"),
        (("--expires", "2020-01-01T00:00Z"), "expired already"),
        (("--stagger", "900000d/3"), "at most 366 days"),
        (("--canary", "999999999999999999999"), "between 0 and"),
        (("--canary", "5", "--canary-wait", "1e300"), "at most 30 days"),
    ],
)
def test_a_campaign_that_cannot_be_is_refused_and_not_written(
    desk: Office, wish: tuple[str, ...], sentence: str
) -> None:
    desk.run(*LIST)
    assert sentence in desk.run(*CREATE, *wish, expect=1)
    assert desk.json("campaigns", "list") == []


@pytest.mark.parametrize(
    "wish",
    [
        ("--at", "tomorrow"),
        ("--at", "2027-01-01T00:00"),
        ("--at", "9999-12-31T23:59-12:00"),
        ("--stagger", "99999999999d/3"),
    ],
)
def test_a_time_nobody_can_read_is_wrong_usage(desk: Office, wish: tuple[str, ...]) -> None:
    desk.run(*CREATE, *wish, expect=2)
    assert desk.json("campaigns", "list") == []


def test_a_campaign_cannot_expire_before_it_begins(desk: Office) -> None:
    begin = "2027-01-02T00:00Z"
    assert "before it goes out" in desk.run(*CREATE, "--at", begin, "--expires", "2027-01-01T00:00Z", expect=1)


def test_a_number_no_database_can_hold_is_wrong_usage(office: Office) -> None:
    for words in (("show",), ("coverage",), ("deliveries",), ("report",)):
        office.run("campaigns", *words, "99999999999999999999999", expect=2)
        assert "There is no campaign 999" in office.run("campaigns", *words, "999", expect=1)
    assert "There is no campaign 999" in office.run("reports", "recipients", "999", *OFFICER, expect=1)


def test_a_result_that_cannot_be_written_leaves_nothing(desk: Office, tmp_path: Path) -> None:
    missing = tmp_path / "missing" / "out.csv"
    for words in (("lists", "sample", "--rows", "5"), ("suppressions", "export", "--as", "officer@police.example")):
        assert "cannot be written" in desk.run(*words, "--out", str(missing), expect=1)
    assert not missing.parent.exists()


def test_a_result_that_fails_half_way_leaves_what_was_there(desk: Office, tmp_path: Path) -> None:
    desk.run(*LIST)
    kept = tmp_path / "verdicts.csv"
    kept.write_text("of last week")
    assert "Nothing was ever imported" in desk.run(
        "lists", "verdicts", "nh", "--out", str(kept), "--as", "officer@police.example", expect=1
    )
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ""] == ["verdicts.csv"]
    assert kept.read_text() == "of last week"


def test_a_preview_into_something_that_is_no_folder_is_refused(desk: Office, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = desk.run("advisories", "preview", "say-no", "--region", "GR", "--out", str(tmp_path / "file"), expect=1)
    assert str(tmp_path / "file") in said


def test_a_preview_for_people_who_never_get_it_is_refused(desk: Office) -> None:
    assert "nobody in GR gets it" in desk.run("advisories", "preview", "online-blackmail", "--region", "GR", expect=1)


def test_a_folder_that_holds_no_mail_is_refused(desk: Office, tmp_path: Path) -> None:
    letter = tmp_path / "letter.pdf"
    letter.write_bytes(b"%PDF-1.4")
    for place in (letter, tmp_path):
        assert "neither a Maildir" in desk.run("bounces", "read", str(place), expect=1)


def test_a_name_that_would_act_on_the_terminal_is_shown_without_its_power(desk: Office) -> None:
    said = desk.run("users", "add", "b@police.example", "--name", "\x1b[2J[/red]\u202eB")
    assert "[2J[/red]B" in said
    assert "\x1b" not in desk.run("users", "list")


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("NOTIFIER_LIVE", "perhaps", "NOTIFIER_LIVE"),
        ("NOTIFIER_WEB_PORT", "eighty", "NOTIFIER_WEB_PORT"),
        ("NOTIFIER_KEYS_TOKENS", "1:not hex", "NOTIFIER_KEYS_TOKENS"),
        ("NOTIFIER_KEYS_ADDRESSES", "00", "NOTIFIER_KEYS_ADDRESSES"),
        ("NOTIFIER_PROVIDERS_EMAIL", "pigeon", "providers.email"),
        ("NOTIFIER_SENDGRID_BASE_URL", "https://api.sendgrid.com", "NOTIFIER_SENDGRID_BASE_URL"),
        ("NOTIFIER_QUIET_HOURS_SMS_FROM", "nine", "[quiet_hours]"),
        ("NOTIFIER_DATABASE_URL", "mysql://localhost/x", "NOTIFIER_DATABASE_URL"),
    ],
)
def test_a_setting_that_cannot_be_is_named(desk: Office, variable: str, value: str, named: str) -> None:
    assert named in Office(desk.home, {variable: value}).run("doctor", expect=1)


def test_a_relay_elsewhere_is_refused_while_no_real_people_are_meant(desk: Office) -> None:
    elsewhere = {"NOTIFIER_PROVIDERS_EMAIL": "smtp", "NOTIFIER_SMTP_HOST": "mail.example.org"}
    assert "NOTIFIER_SMTP_HOST" in Office(desk.home, elsewhere).run("doctor", expect=1)


@pytest.mark.parametrize(
    "name",
    [
        "config/notifier.toml",
        "config/languages.toml",
        "config/terms.toml",
        "config/regions/AU-VIC.toml",
        "audiences/victoria-parents.toml",
        "templates/advisories/online-blackmail/advisory.toml",
    ],
)
@pytest.mark.parametrize("content", [b"[broken", b"a = '\xff\xfe'"])
def test_a_file_of_the_installation_that_cannot_be_read_is_named(
    desk: Office, tmp_path: Path, name: str, content: bytes
) -> None:
    for folder in ("config", "audiences", "templates"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / name).write_bytes(content)
    with chdir(tmp_path):
        assert Path(name).stem in desk.run("doctor", expect=1).replace(" ", ""), "the screen may break a long path"
