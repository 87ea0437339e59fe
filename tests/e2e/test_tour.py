"""The README's tour, step by step, and what happens when a step is wrong."""

import socket
from pathlib import Path

import pytest

from tests.e2e.conftest import Office

OFFICER, APPROVER = ("--as", "officer@police.example"), ("--as", "approver@police.example")
LIST = ("northcote-high", "--name", "Northcote High", "--region", "AU-VIC", "--basis", "public_task", *OFFICER)
DRAFT = (
    "campaigns",
    "create",
    "online-blackmail",
    "--audience",
    "victoria-parents",
    "--channels",
    "email,sms",
    *OFFICER,
)


@pytest.fixture
def parents(tmp_path: Path) -> Path:
    path = tmp_path / "parents.csv"
    path.write_text(
        "Given name,Family name,Email,Mobile,Home language\n"
        "Ada,Harris,ada@example.org,0491 570 006,English\n"
        "Hương,Trần,huong@example.org,,Vietnamese\n",
        encoding="utf-8",
    )
    return path


def test_a_campaign_goes_from_draft_to_approved_by_two_people(office: Office, parents: Path) -> None:
    office.run("lists", "create", *LIST)
    office.run("lists", "import", "northcote-high", str(parents), *OFFICER, "--apply")
    assert office.json("audiences", "count", "victoria-parents")["channels"][0]["reachable"] == 2
    office.run(*DRAFT)
    refused = office.run("campaigns", "submit", "1", *OFFICER, expect=1)
    assert "--accept unchecked_contact --accept unreviewed" in refused
    assert office.json("campaigns", "coverage", "1")["lines"][0]["recipients"] > 0
    office.run("campaigns", "submit", "1", *OFFICER, "--accept", "unreviewed", "--accept", "unchecked_contact")
    said = office.run("campaigns", "approve", "1", *OFFICER, expect=1)
    assert "approving a campaign takes an approver" in said
    office.run("campaigns", "approve", "1", *APPROVER)
    shown = office.json("campaigns", "show", "1")
    assert (shown["status"], shown["approved_by"], shown["planned"]) == ("approved", "approver@police.example", 0)
    assert shown["over_limits"] == []


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("campaigns", "show", "77"), 1, "There is no campaign 77"),
        (("campaigns", "submit", "1", "--as", "nobody@police.example"), 1, "There is no user nobody@police.example"),
        (("regions", "show", "XX"), 1, "XX"),
        (("lists", "show", "nowhere"), 1, "nowhere"),
        (("audiences", "count", "nobody"), 1, "nobody"),
        (("advisories", "preview", "no-such", "--readers", "parents"), 1, "There is no advisory 'no-such'"),
        ((*DRAFT[:2], "no-such", *DRAFT[3:]), 1, "There is no advisory 'no-such'"),
        ((*DRAFT[:4], "no-such", *DRAFT[5:]), 1, "no-such"),
        ((*DRAFT[:6], "pigeon", *DRAFT[7:]), 2, "'pigeon' is no choice of channels"),
        ((*DRAFT, "--at", "2020-01-01T09:00+11:00"), 1, "2020-01-01T09:00:00+11:00 has passed"),
        ((*DRAFT, "--at", "tomorrow"), 2, "'tomorrow' is no time"),
        ((*DRAFT, "--at", "2030-01-01T09:00"), 2, "does not say which time zone"),
    ],
)
def test_bad_input_gets_a_sentence_and_an_exit_code(
    office: Office, words: tuple[str, ...], code: int, sentence: str
) -> None:
    assert sentence in office.run(*words, expect=code)
    assert office.json("campaigns", "list") == []


def test_a_file_that_is_no_list_is_refused_and_nothing_is_half_imported(office: Office, tmp_path: Path) -> None:
    office.run("lists", "create", *LIST)
    file = tmp_path / "list.csv"
    file.write_bytes(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n")
    said = office.run("lists", "import", "northcote-high", str(file), *OFFICER, "--apply", expect=1)
    assert "list.csv" in said
    assert office.json("lists", "show", "northcote-high")["people"] == 0


def test_a_wrong_setting_is_named_with_its_place(office: Office) -> None:
    office.environment["NOTIFIER_WEB_PORT"] = "eighty"
    assert "NOTIFIER_WEB_PORT cannot be used" in office.run("users", "list", expect=1)


def test_a_database_that_is_not_there_is_named(office: Office) -> None:
    office.environment["NOTIFIER_DATABASE_URL"] = "postgresql+psycopg://postgres@127.0.0.1:1/none"
    assert "127.0.0.1:1/none cannot be reached" in office.run("users", "list", expect=1)


def test_a_database_that_was_never_set_up_is_told_from_one_that_is(tmp_path: Path) -> None:
    empty = Office(tmp_path / "var")
    empty.home.mkdir()
    assert "notifier init" in empty.run("run", expect=1)


def test_a_port_in_use_is_named(office: Office) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"Cannot listen on 127.0.0.1:{port}" in office.run("run", "--port", port, expect=1)
        assert port in office.run("sandbox", "--port", port, expect=1)


def test_the_doctor_finds_nothing_wrong_with_a_new_installation(office: Office) -> None:
    findings = office.json("doctor")
    assert all(finding["ok"] for finding in findings)
    # A server that may forget what it was told is named, as that of the tests is; on SQLite there is none.
    advised = " ".join(advice for finding in findings for advice in finding["advice"])
    assert ("fsync is off" in advised) is ("NOTIFIER_DATABASE_URL" in office.environment)


def test_the_doctor_names_what_is_wrong(office: Office) -> None:
    office.environment["NOTIFIER_KEYS_ADDRESSES"] = "short"
    assert "keys.addresses" in office.run("doctor", expect=1)


def test_real_providers_are_out_of_reach_unless_the_settings_say_live(office: Office) -> None:
    office.environment["NOTIFIER_SENDGRID_BASE_URL"] = "https://api.sendgrid.com"
    assert "`live` is not true" in office.run("doctor", expect=1)
