"""`notifier lists`, `audiences`, `suppressions` and `recipients`, as typed in a school's office and at the police."""

import csv
import json
import shutil
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete
from typer.testing import CliRunner

from notifier.accounts import users
from notifier.accounts.models import UserRole
from notifier.audiences.models import Suppression
from notifier.cli import app
from notifier.kit.db import Database

ROOT = Path(__file__).parents[2]
OFFICE = "office@school.example"
BY = ("--as", OFFICE)
IMPORT = ("suppressions", "import", "out.csv", *BY)
PARENTS = """Parent email,Mobile,First name,Year level
maria@example.org,0491 570 006,Maria,7
n/a,0491 570 156,Nikos,
,,Nobody,
"""


@dataclass(frozen=True)
class Desk:
    """A working folder with one user in its database."""

    folder: Path
    environment: dict[str, str]

    def type(self, *words: str, code: int = 0) -> str:
        """Type a command; return everything it said, as one line."""
        done = CliRunner(env=self.environment).invoke(app, list(words))
        assert done.exit_code == code, done.output
        return " ".join(done.output.split())

    def read(self, *words: str) -> Any:  # noqa: ANN401 - whatever the command prints
        """Type a command with --json; return its document."""
        done = CliRunner(env=self.environment).invoke(app, [*words, "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)


@pytest.fixture
def desk(tmp_path: Path, sqlite_url: str, now: datetime) -> Iterator[Desk]:
    """A desk with a list, northcote-high, and a file, parents.csv."""
    folder = tmp_path / "installation"
    for name in ("config", "templates", "audiences"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / "parents.csv").write_text(PARENTS)
    database = Database(sqlite_url)
    with database.transaction() as session:
        users.add(session, email=OFFICE, name="Office", role=UserRole.OFFICER, now=now)
    database.close()
    keys = {"NOTIFIER_KEYS_ADDRESSES": "07" * 32, "NOTIFIER_KEYS_TOKENS": f"1:{'08' * 32}"}
    environment = {"NOTIFIER_DATABASE_URL": sqlite_url, "NOTIFIER_HOME": str(folder / "var"), "COLUMNS": "200", **keys}
    made = Desk(folder, environment)
    with chdir(folder):
        made.type(
            *[
                "lists",
                "create",
                "northcote-high",
                "--name",
                "Northcote",
                "--region",
                "AU-VIC",
                "--basis",
                "public_task",
                "--as",
            ],
            OFFICE,
        )
        yield made


def test_a_list_is_made_with_its_basis_and_the_word_of_a_known_person(desk: Desk) -> None:
    shown = desk.read("lists", "show", "northcote-high")
    assert (shown["lawful_basis"], shown["attested_by"], shown["attestation_version"]) == (
        "public_task",
        OFFICE,
        "2026-11",
    )
    again = ("lists", "create", "other", "--name", "O", "--basis", "consent")
    assert "There is no region 'XX'" in desk.type(*again, "--region", "XX", "--as", OFFICE, code=1)
    assert "There is no user nobody@" in desk.type(*again, "--region", "DE", "--as", "nobody@school.example", code=1)
    students = ("--region", "DE", "--as", OFFICE, "--readers", "young-people")
    assert "--students" in desk.type(*again, *students, code=1)
    desk.type(*again, *students, "--students")


def test_an_upload_is_shown_then_carried_out_then_changes_nothing(desk: Desk) -> None:
    upload = ("lists", "import", "northcote-high", "parents.csv")
    assert "Nothing has changed yet" in desk.type(*upload)
    assert desk.read("lists", "show", "northcote-high")["people"] == 0
    done = desk.read(*upload, "--apply")
    assert (done["applied"], done["added"], done["refused"]) == (True, 2, 1)
    assert desk.read(*upload, "--replace", "--apply")["unchanged"] == 2
    assert desk.read("lists", "show", "northcote-high")["people"] == 2


def test_a_yes_to_what_was_shown_is_refused_once_the_list_has_changed(desk: Desk) -> None:
    (desk.folder / "other.csv").write_text("email\nother@example.org\n")
    upload = ("lists", "import", "northcote-high", "parents.csv")
    desk.type(*upload)
    desk.type("lists", "import", "northcote-high", "other.csv", "--apply")
    assert "has changed since" in desk.type(*upload, "--apply", code=1)
    assert desk.read("lists", "show", "northcote-high")["people"] == 1
    desk.type(*upload)
    assert desk.read(*upload, "--apply")["added"] == 2


def test_a_mass_removal_is_carried_out_only_with_its_number(desk: Desk) -> None:
    desk.type("lists", "import", "northcote-high", "parents.csv", "--apply")
    (desk.folder / "few.csv").write_text("email\nnew@example.org\n")
    upload = ("lists", "import", "northcote-high", "few.csv", "--replace", "--apply")
    assert "2 of 2 people would be removed: --apply asks for --confirm-removals 2 too." in desk.type(*upload[:-1])
    assert "--confirm-removals 2" in desk.type(*upload, code=1)
    desk.type(*upload, "--confirm-removals", "2")


def test_the_verdicts_can_be_worked_through_in_a_spreadsheet(desk: Desk) -> None:
    desk.type("lists", "import", "northcote-high", "parents.csv")
    desk.type("lists", "verdicts", "northcote-high", "--out", "verdicts.csv", "--as", OFFICE)
    with (desk.folder / "verdicts.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["row"], line["verdict"], line["column"], line["reason"]) for line in lines] == [
        ("2", "changed", "mobile", "normalised"),
        ("3", "changed", "mobile", "normalised"),
        ("3", "changed", "email", "placeholder"),
        ("4", "refused", "email", "no_address"),
    ]
    assert lines[0]["becomes"] == "'+61491570006"


def test_a_mapping_is_remembered_by_the_list(desk: Desk) -> None:
    (desk.folder / "odd.csv").write_text("Kontakt\nmaria@example.org\n")
    upload = ("lists", "import", "northcote-high", "odd.csv")
    assert "no column for an email address" in desk.type(*upload, code=1)
    desk.type(*upload, "--column", "Kontakt=email")
    assert desk.read(*upload)["added"] == 1
    assert "write --column" in desk.type(*upload, "--column", "Kontakt", code=2)
    assert "'post' is no column" in desk.type(*upload, "--column", "Kontakt=post", code=1)


def test_a_header_that_is_not_there_is_refused_and_not_remembered(desk: Desk) -> None:
    upload = ("lists", "import", "northcote-high", "parents.csv")
    assert "no column 'Nope'" in desk.type(*upload, "--column", "Nope=email", code=1)
    assert desk.read(*upload)["added"] == 2
    desk.type(*upload, "--column", "First name=-")
    (desk.folder / "another.csv").write_text("email\nnew@example.org\n")
    assert desk.read("lists", "import", "northcote-high", "another.csv")["added"] == 1


def test_a_column_nobody_knows_is_named(desk: Desk) -> None:
    headers = ["Kontakt", *(f"Notiz {number}" for number in range(30))]
    (desk.folder / "odd.csv").write_text(f"email,{','.join(headers)}\nmaria@example.org,0491570006\n")
    said = desk.type("lists", "import", "northcote-high", "odd.csv")
    assert "Columns that were not read: 'Kontakt', 'Notiz 0'" in said
    assert "and 11 more. Is one needed? Say which: --column 'THEIR HEADER=mobile'" in said
    done = desk.read("lists", "import", "northcote-high", "odd.csv", "--column", "Kontakt=mobile")
    assert "Kontakt" not in done["unread_columns"]
    (desk.folder / "nobody.csv").write_text("email\n")
    assert "The file names nobody" in desk.type("lists", "import", "northcote-high", "nobody.csv")


def test_what_is_not_there_is_named(desk: Desk) -> None:
    assert "no contact list 'nowhere'" in desk.type("lists", "import", "nowhere", "parents.csv", code=1)
    assert "nowhere.csv cannot be read" in desk.type("lists", "import", "northcote-high", "nowhere.csv", code=1)
    assert "There is no audience 'nobody'" in desk.type("audiences", "count", "nobody", code=1)


def test_an_audience_is_counted(desk: Desk) -> None:
    desk.type("lists", "import", "northcote-high", "parents.csv", "--apply")
    reach = desk.read("audiences", "count", "victoria-parents")
    assert [(one["channel"], one["reachable"]) for one in reach["channels"]] == [("email", 1), ("sms", 2)]
    assert "Northcote" in desk.type("audiences", "count", "victoria-parents")
    assert "victoria-parents" in {audience["name"] for audience in desk.read("audiences", "list")}


def test_a_region_or_topic_that_is_not_there_is_an_error_with_its_line(desk: Desk) -> None:
    file = desk.folder / "audiences" / "odd.toml"
    file.write_text('title = "Odd"\nreaders = "parents"\nregions = ["AU", "DX"]\n')
    assert "odd.toml, line 3: there is no region 'DX'" in desk.type("audiences", "count", "odd", code=1)
    file.write_text('title = "Odd"\nreaders = "parents"\ntopics = ["gardening"]\n')
    assert "odd.toml, line 3: no advisory is about 'gardening'" in desk.type("audiences", "list", code=1)
    for word in ("lists", "excluded_lists"):
        file.write_text(f'title = "Odd"\nreaders = "parents"\n{word} = [\n  "northcote-high",\n  "nowhere",\n]\n')
        assert "odd.toml, line 5: there is no contact list 'nowhere'" in desk.type("audiences", "count", "odd", code=1)
    file.write_text('title = "Odd"\nreaders = "parents"\nregions = ["AU"]\n')
    assert "No advisory is about 'x'" in desk.type("audiences", "count", "odd", "--topic", "x", code=1)
    desk.type("audiences", "count", "odd")


def test_an_address_is_suppressed_listed_and_allowed_again(desk: Desk) -> None:
    desk.type("lists", "import", "northcote-high", "parents.csv", "--apply")
    desk.type("suppressions", "add", "0491 570 006", "--country", "AU", "--as", OFFICE)
    assert desk.read("suppressions", "list")["counts"] == {"manual": 1}
    desk.type("suppressions", "export", "--out", "out.csv", "--as", OFFICE)
    assert "'+61491570006" in (desk.folder / "out.csv").read_text()
    desk.type("suppressions", "lift", "+61491570006", "--as", OFFICE, "--why", "a mistake")
    assert desk.read("suppressions", "list")["counts"] == {}
    (desk.folder / "old.csv").write_text("email\nmaria@example.org\nn/a\n")
    said = desk.type("suppressions", "import", "old.csv", "--as", OFFICE)
    assert "1 addresses are suppressed now, 0 for a stronger reason than before, 0 were already, 1 could not" in said
    assert "Row 3, email: placeholder. Leave the cell empty if there is no value." in said


def test_a_person_can_see_everything_and_be_erased_everywhere(desk: Desk) -> None:
    desk.type("lists", "import", "northcote-high", "parents.csv", "--apply")
    held = json.loads(
        CliRunner(env=desk.environment).invoke(app, ["recipients", "show", "maria@example.org", "--as", OFFICE]).stdout
    )
    assert held["subscriptions"][0]["list"] == "Northcote"
    assert held["deliveries"] == []
    said = desk.type("recipients", "forget", "Maria@example.org", "--as", OFFICE)
    assert "Erased: 2 addresses" in said
    assert "asked to erase 1 addresses, 0 taken; 1 wait and are asked again" in " ".join(said.split())
    assert "but `live` is not true" in " ".join(said.split())
    assert [one["provider"] for one in desk.read("recipients", "erasures")] == ["sendgrid", "twilio"]
    assert "Nothing is held" in desk.type("recipients", "show", "maria@example.org", "--as", OFFICE, code=1)
    again = desk.read("lists", "import", "northcote-high", "parents.csv", "--replace", "--apply")
    assert (again["added"], again["left_alone"]) == (0, 1)


def test_a_made_up_list_is_the_same_for_the_same_seed_and_can_be_imported(desk: Desk) -> None:
    for name in ("one.csv", "two.csv"):
        desk.type("lists", "sample", "--rows", "50", "--seed", "7", "--out", name)
    assert (desk.folder / "one.csv").read_bytes() == (desk.folder / "two.csv").read_bytes()
    assert desk.read("lists", "import", "northcote-high", "one.csv")["added"] == 50
    assert "no made-up people for 'XX'" in desk.type("lists", "sample", "--region", "XX", "--out", "x.csv", code=1)


def test_what_is_shown_says_where_to_look_and_what_stays_as_it_is(desk: Desk) -> None:
    upload = ("lists", "import", "northcote-high", "parents.csv")
    shown = desk.type(*upload, "--apply")
    assert "refused or rewritten, and why: notifier lists verdicts northcote-high" in shown
    assert "Left alone" not in shown
    desk.type("suppressions", "add", "maria@example.org", "--as", OFFICE)
    assert "Left alone (1): the owner of an address wants no messages" in desk.type(*upload)


def test_a_long_list_of_suppressions_is_taken_over_and_given_back_whole(desk: Desk) -> None:
    rows = "".join(f"p{number}@example.org,0491 57{number:04}\n" for number in range(1_200))
    (desk.folder / "old.csv").write_text(f"email,mobile\n{rows}")
    done = desk.read("suppressions", "import", "old.csv", "--country", "AU", "--as", OFFICE)
    assert {name for name, number in done.items() if number} == {"new"}
    assert done["new"] == 2_400
    assert desk.read("suppressions", "export", "--out", "out.csv", "--as", OFFICE)["suppressions"] == 2_400


def test_an_export_comes_back_whole_in_a_fresh_installation_with_the_same_keys(desk: Desk, tmp_path: Path) -> None:
    desk.type("lists", "import", "northcote-high", "parents.csv", "--apply")
    desk.type("suppressions", "add", "stranger@example.org", "--as", OFFICE, "--note", "=by letter")
    desk.type("recipients", "forget", "maria@example.org", "--as", OFFICE)
    desk.type("suppressions", "export", "--out", "out.csv", "--as", OFFICE)
    fresh = replace(desk, environment=desk.environment | {"NOTIFIER_DATABASE_URL": f"sqlite:///{tmp_path}/new.sqlite3"})
    fresh.type("init")
    fresh.type("users", "add", OFFICE, "--name", "Office", "--role", "officer")
    assert "leave --reason out" in fresh.type(*IMPORT, "--reason", "manual", code=1)
    assert fresh.read(*IMPORT) == {
        "new": 3, "stronger": 0, "known": 0, "refused": 0, "empty": 0, "erased_but_held": 0, "refusals": []
    }  # fmt: skip
    said = fresh.type(*IMPORT)
    assert "0 addresses are suppressed now, 0 for a stronger reason than before, 3 were already" in said
    fresh.type("suppressions", "export", "--out", "again.csv", "--as", OFFICE)
    assert (desk.folder / "again.csv").read_bytes() == (desk.folder / "out.csv").read_bytes()
    fresh.type("lists", "create", "northcote-high", "--name", "N", "--region", "AU-VIC", "--basis", "consent", *BY)
    again = fresh.read("lists", "import", "northcote-high", "parents.csv", "--apply")
    assert (again["added"], again["left_alone"]) == (1, 1)


def test_keys_of_another_installation_are_refused_by_row_with_what_to_do(desk: Desk) -> None:
    desk.type("suppressions", "add", "stranger@example.org", "--as", OFFICE)
    desk.type("suppressions", "export", "--out", "out.csv", "--as", OFFICE)
    other = replace(desk, environment=desk.environment | {"NOTIFIER_KEYS_ADDRESSES": "09" * 32})
    said = other.type(*IMPORT)
    assert "Row 2, key: key made elsewhere. This key was made with another keys.addresses" in said
    many = (desk.folder / "out.csv").read_text().splitlines(keepends=True)
    (desk.folder / "out.csv").write_text("".join([many[0], *many[1:] * 130]))
    assert "And 110 more; --json tells the first 100." in other.type(*IMPORT)
    done = other.read(*IMPORT)
    assert (done["refused"], len(done["refusals"]), done["refusals"][99]["row"]) == (130, 100, 101)


def test_an_erased_address_that_a_list_has_again_is_said(desk: Desk) -> None:
    desk.type("recipients", "forget", "maria@example.org", "--as", OFFICE)
    desk.type("suppressions", "export", "--out", "out.csv", "--as", OFFICE)
    database = Database(desk.environment["NOTIFIER_DATABASE_URL"])
    with database.transaction() as session:
        session.execute(delete(Suppression))
    database.close()
    desk.type("lists", "import", "northcote-high", "parents.csv", "--apply")
    assert "1 of them were erased and stand on a list here all the same" in desk.type(*IMPORT)
    shown = desk.read("suppressions", "list", "--reason", "erased", *BY)["newest"]
    assert {one["address"] for one in shown} == {"maria@example.org"}
