"""Who may do and see what: every role against every command that asks who acts, and the trail each reading leaves."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from notifier.accounts.models import AuditEntry
from notifier.tracking.models import InboundMessage, RecipientRequest
from tests.cli.test_every_command import COMMANDS
from tests.e2e.conftest import Office
from tests.e2e.test_answers import database_of
from tests.reports.test_report import a_story

TEAM = {"officer", "approver", "administrator"}
EVERYBODY = TEAM | {"school"}
APPROVER = {"approver"}

PARENTS = "First name,Email,Mobile\nMaria,maria@example.org,0491 570 006\nNikos,not an address,0491 570 156\n"


@dataclass(frozen=True)
class Act:
    """A command that names who acts, and the roles that may do it."""

    words: str
    roles: set[str]

    @property
    def command(self) -> str:
        """The command without what it is about."""
        words = self.words.split()
        return " ".join(words[:2])


# `{out}` is a file of the test's own, `{story}` a campaign that has been sent.
ACTS = (
    Act("lists create new-list --name New --region AU-VIC --basis public_task", TEAM),
    Act("lists entrust north-<high> --to school@example.edu", TEAM),
    Act("lists take-back north-<high> --from school@example.edu", TEAM),
    Act("lists import east-primary {parents} --apply", EVERYBODY),
    Act("lists verdicts east-primary --out {out}", EVERYBODY),
    Act("lists show east-primary", EVERYBODY),
    Act("suppressions list", TEAM),
    Act("suppressions add maria@example.org", TEAM),
    Act("suppressions lift maria@example.org --why mistake", TEAM),
    Act("suppressions import {parents}", TEAM),
    Act("suppressions export --out {out}", TEAM),
    Act("recipients show +61491570006", TEAM),
    Act("recipients forget nikos@example.org", TEAM),
    Act("campaigns create online-blackmail --audience victoria-parents --channels email", TEAM),
    Act("campaigns submit {story}", TEAM),
    Act("campaigns approve {story}", APPROVER),
    Act("campaigns return {story} --reason no", APPROVER),
    Act("campaigns pause {story}", TEAM),
    Act("campaigns resume {story}", TEAM),
    Act("campaigns go-on {story}", TEAM),
    Act("campaigns resolve {story} --sent", TEAM),
    Act("campaigns withdraw {story} --reason wrong", TEAM),
    Act("campaigns deliveries {story}", TEAM),
    Act("campaigns report {story}", EVERYBODY),
    Act("campaigns cancel {story}", TEAM),
    Act("reports report {story}", EVERYBODY),
    Act("reports recipients {story} --school east-primary", EVERYBODY),
    Act("reports messages", TEAM),
    Act("reports read 1", TEAM),
    Act("reports requests", TEAM),
    Act("reports done 1", TEAM),
    Act("advisories review online-blackmail parents xx", TEAM),
    Act("advisories review-messages xx", TEAM),
    Act("regions confirm AU-VIC no_such_fact", TEAM),
    Act("regions change AU-VIC no_such_fact --value 1 --source nowhere", TEAM),
    Act("users trail", TEAM),
    Act("users add another@police.example --name Another", {"administrator"}),
)


@dataclass(frozen=True)
class Station:
    """An installation with a user of each role, two schools, and a campaign that was sent to both."""

    office: Office
    story: str
    folder: Path

    def words(self, act: Act, user: str) -> list[str]:
        """What is typed for an act."""
        told = {"story": self.story, "parents": str(self.folder / "parents.csv"), "out": str(self.folder / "out.csv")}
        return [*(word.format(**told) for word in act.words.split()), "--as", user]

    def trail(self) -> list[tuple[str, str]]:
        """Every entry of the audit trail: who, and what."""
        database = database_of(self.office)
        with database.reading() as session:
            rows = session.execute(select(AuditEntry.actor, AuditEntry.action).order_by(AuditEntry.id)).all()
        database.close()
        return [(row.actor, row.action) for row in rows]


USERS = {
    "officer": "officer@police.example",
    "approver": "approver@police.example",
    "administrator": "administrator@police.example",
    "school": "school@example.edu",
}


@pytest.fixture
def station(office: Office, tmp_path: Path) -> Station:
    office.run("users", "add", USERS["administrator"], "--name", "An Administrator", "--role", "administrator")
    office.run("users", "add", USERS["school"], "--name", "A School", "--role", "school")
    (tmp_path / "parents.csv").write_text(PARENTS, encoding="utf-8")
    now = datetime.now(UTC)
    database = database_of(office)
    with database.transaction() as session:
        story = a_story(session, now)
        session.add(InboundMessage(channel="sms", sender="+61491570006", text="Who are you?", received_at=now))
        session.add(RecipientRequest(address_id=1, kind="data", asked_at=now))
    database.close()
    office.run("lists", "entrust", "east-primary", "--to", USERS["school"], "--as", USERS["officer"])
    return Station(office, str(story), tmp_path)


# Who may do what is decided before any statement that the databases could see differently.
@pytest.mark.parametrize("office", ["sqlite"], indirect=True)
@pytest.mark.parametrize("role", sorted(USERS))
def test_a_role_may_do_its_acts_and_is_refused_the_others_with_the_way_out(station: Station, role: str) -> None:
    wrong = []
    for act in ACTS:
        said = station.office.run(*station.words(act, USERS[role]), expect=None)
        refused = f"{USERS[role]} is {role};" in said
        if refused == (role in act.roles) or (refused and "takes an" not in said):
            wrong.append(f"{act.words}: {said}")
    assert wrong == []


def test_no_command_that_names_who_acts_is_left_out_above() -> None:
    named = {name for name, command in COMMANDS.items() if any("--as" in one.opts for one in command.params)}
    assert named - {act.command for act in ACTS} == set()


READINGS = {
    "lists verdicts": "list.verdicts_read",
    "suppressions list": "suppressions.listed",
    "suppressions export": "suppressions.exported",
    "recipients show": "recipient.shown",
    "campaigns deliveries": "recipients.listed",
    "reports recipients": "recipients.listed",
    "reports messages": "messages.listed",
    "reports requests": "requests.listed",
}


def test_whoever_sees_what_is_personal_is_in_the_trail_and_the_data_is_not(station: Station) -> None:
    station.office.run(*station.words(ACTS[3], USERS["officer"]))
    before = len(station.trail())
    acts = [act for act in ACTS if act.command in READINGS]
    for act in acts:
        station.office.run(*station.words(act, USERS["officer"]))
    assert station.trail()[before:] == [(USERS["officer"], READINGS[act.command]) for act in acts]
    database = database_of(station.office)
    with database.reading() as session:
        entries = session.scalars(select(AuditEntry)).all()
        written = " ".join(f"{entry.subject} {entry.reason} {entry.detail}" for entry in entries)
    database.close()
    assert not any(word in written for word in ("maria", "570006", "570 006", "Maria", "Who are you"))


def test_the_trail_can_be_read_by_who_and_by_what(station: Station) -> None:
    office, officer = station.office, ("--as", USERS["officer"])
    office.run("reports", "messages", "--as", USERS["approver"])
    office.run("campaigns", "deliveries", station.story, *officer)
    seen = office.json("users", "trail", "--by", USERS["approver"], *officer)
    assert [(one["action"], one["subject"]) for one in seen] == [("messages.listed", "messages")]
    about = office.json("users", "trail", "--subject", f"campaign {station.story}", *officer)
    assert [(one["actor"], one["action"]) for one in about] == [(USERS["officer"], "recipients.listed")]
    everything = office.json("users", "trail", *officer)
    assert "list.entrusted" in {one["action"] for one in everything}
    assert "Audit trail" in office.run("users", "trail", *officer)


def test_without_a_name_what_is_personal_is_masked_and_no_entry_is_made(station: Station) -> None:
    office = station.office
    office.run(*station.words(ACTS[3], USERS["officer"]))
    office.run("suppressions", "add", "maria@example.org", "--as", USERS["officer"])
    before = station.trail()
    shown = str(
        [
            office.json("reports", "messages"),
            office.json("reports", "requests"),
            office.json("suppressions", "list"),
            office.json("campaigns", "deliveries", station.story),
        ]
    )
    assert "•••" in shown
    assert not any(word in shown for word in ("maria@", "570006", "Who are you"))
    assert station.trail() == before


def test_a_school_sees_its_own_school_and_its_own_lists_only(station: Station) -> None:
    office, school = station.office, ("--as", USERS["school"])
    assert [one["code"] for one in office.json("lists", "show", *school)] == ["east-primary"]
    own = office.json("campaigns", "report", station.story, *school)
    assert (own["school"], own["planned"], list(own["by_school"])) == ("East Primary", 3, ["East Primary"])
    lines = office.json("reports", "recipients", station.story, *school)
    assert len(lines) == 3
    assert len({line["list_ids"] for line in lines}) == 1
    for words in (
        ("lists", "show", "north-<high>"),
        ("lists", "import", "north-<high>", str(station.folder / "parents.csv")),
        ("lists", "verdicts", "north-<high>", "--out", str(station.folder / "out.csv")),
        ("campaigns", "report", station.story, "--school", "north-<high>"),
        ("reports", "recipients", station.story, "--school", "north-<high>"),
    ):
        assert "theirs: east-primary" in office.run(*words, *school, expect=1)
    assert not (station.folder / "out.csv").exists()


def test_a_school_with_several_lists_says_which_and_one_with_none_is_told_who_gives_one(station: Station) -> None:
    office, school, officer = station.office, ("--as", USERS["school"]), ("--as", USERS["officer"])
    office.run("lists", "entrust", "north-<high>", "--to", USERS["school"], *officer)
    assert "east-primary, north-<high>" in office.run("campaigns", "report", station.story, *school, expect=1)
    for code in ("east-primary", "north-<high>"):
        office.run("lists", "take-back", code, "--from", USERS["school"], *officer)
    assert "an officer entrusts one" in office.run("campaigns", "report", station.story, *school, expect=1)
    assert office.json("lists", "show", *school) == []
    assert "keeps every list" in office.run(
        "lists", "entrust", "east-primary", "--to", USERS["approver"], *officer, expect=1
    )


def test_what_needs_a_name_says_so_as_wrong_usage(station: Station) -> None:
    for words in (("recipients", "show", "maria@example.org"), ("suppressions", "export", "--out", "x.csv")):
        assert "--as" in station.office.run(*words, expect=2)
