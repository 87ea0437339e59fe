"""What only a person can decide or settle: through the commands, on both databases."""

import asyncio
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from notifier import config
from notifier.bootstrap import House
from notifier.kit.clock import utc_now
from notifier.providers.base import Ambiguous, Event, ProviderError, Receipt, SettledBy, WebhookRequest
from notifier.vocabulary import Channel, Envelope, Message
from notifier.worker import duties, planning
from notifier.worker.engine import Engine
from notifier.worker.loop import Worker
from tests.e2e.conftest import Office

OFFICER, APPROVER = ("--as", "officer@police.example"), ("--as", "approver@police.example")
PEOPLE = 4


@dataclass
class Relay:
    """An email provider that takes what it is given, unless it has an answer ready."""

    settled_by: SettledBy = SettledBy.PERSON
    answers: list[ProviderError] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    name: str = "smtp"
    channel: Channel = Channel.EMAIL
    group_size: int = 100

    async def send(self, message: Message, envelopes: Sequence[Envelope]) -> list[Receipt]:  # noqa: ARG002
        if self.answers:
            raise self.answers.pop(0)
        self.taken += [envelope.destination for envelope in envelopes]
        return [Receipt(f"M-{envelope.reference}") for envelope in envelopes]

    def verify(self, request: WebhookRequest) -> None:
        """Believe everything."""

    def parse(self, request: WebhookRequest) -> list[Event]:  # noqa: ARG002
        return []

    async def close(self) -> None:
        """Hold nothing."""


@contextmanager
def engine(office: Office, relay: Relay, *, later: timedelta = timedelta()) -> Iterator[Engine]:
    """Open the office's engine with this provider, on a clock that may be ahead."""
    environment = {"NOTIFIER_HOME": str(office.home), **office.environment}
    house = House(config.load(Path.cwd(), environment), clock=lambda: utc_now() + later)
    try:
        yield replace(house.engine, providers={Channel.EMAIL: [relay]})
    finally:
        house.close()


def go(office: Office, relay: Relay, *steps: Callable[[Engine], object], later: timedelta = timedelta()) -> None:
    """Plan, send, and do what else is wanted."""
    with engine(office, relay, later=later) as running:
        planning.plan_due(running)
        asyncio.run(Worker(running).drain())
        for step in steps:
            step(running)


@pytest.fixture
def approved(office: Office, tmp_path: Path) -> Callable[..., int]:
    """A way to make a campaign that only waits to be sent to four parents."""
    office.environment["NOTIFIER_PROVIDERS_EMAIL"] = "smtp"
    parents = tmp_path / "parents.csv"
    rows = "".join(f"Ada,Harris,p{number}@example.org\n" for number in range(PEOPLE))
    parents.write_text(f"Given name,Family name,Email\n{rows}", encoding="utf-8")
    office.run("lists", "create", "northcote-high", "--name", "Northcote High", "--region", "AU-VIC", "--basis",
               "public_task", *OFFICER)  # fmt: skip
    office.run("lists", "import", "northcote-high", str(parents), *OFFICER, "--apply")

    def make(*options: str) -> int:
        drafted = office.json("campaigns", "create", "online-blackmail", "--audience", "victoria-parents", "--channels",
                              "email", *options, *OFFICER)  # fmt: skip
        number = str(drafted["id"])
        office.run("campaigns", "submit", number, *OFFICER, "--accept", "unreviewed", "--accept", "unchecked_contact")
        office.run("campaigns", "approve", number, *APPROVER)
        return int(number)

    return make


def test_a_person_settles_what_nobody_else_can(office: Office, approved: Callable[..., int]) -> None:
    campaign, relay = str(approved()), Relay(answers=[Ambiguous("the line went dead")])
    go(office, relay)
    shown = office.json("campaigns", "show", campaign)
    (doubt,) = shown["in_doubt"]
    assert (doubt["provider"], doubt["unknown"]) == ("smtp", PEOPLE)
    assert doubt["waits_for"] == "a person: nobody else can say"
    assert doubt["a_person_is_asked_from"] == doubt["since"]
    assert "say either --sent or --resend" in office.run("campaigns", "resolve", campaign, *OFFICER, expect=2)
    said = office.run("campaigns", "resolve", campaign, "--sent", "--attempt", "99", *OFFICER, expect=1)
    assert "has no attempt 99 in doubt" in said
    said = office.run("campaigns", "resolve", campaign, "--resend", "--attempt", str(doubt["attempt"]), *OFFICER)
    assert f"{PEOPLE} deliveries are queued again" in said
    go(office, relay, duties.finish)
    assert sorted(relay.taken) == [f"p{number}@example.org" for number in range(PEOPLE)]
    shown = office.json("campaigns", "show", campaign)
    assert (shown["status"], shown["by_status"], shown["in_doubt"]) == ("sent", {"accepted": PEOPLE}, [])
    assert "has no attempt in doubt" in office.run("campaigns", "resolve", campaign, "--sent", *OFFICER, expect=1)


def test_what_a_person_says_was_sent_is_never_sent_again(office: Office, approved: Callable[..., int]) -> None:
    campaign, relay = str(approved()), Relay(answers=[Ambiguous("the line went dead")])
    go(office, relay)
    found = office.json("campaigns", "resolve", campaign, "--sent", *OFFICER)
    assert (found["decision"], found["deliveries"]) == ("sent", PEOPLE)
    go(office, relay, duties.finish)
    assert relay.taken == []
    assert office.json("campaigns", "show", campaign)["status"] == "sent"


def test_the_last_call_of_a_day_says_what_it_waits_for_and_when_a_person_is_asked(
    office: Office, approved: Callable[..., int]
) -> None:
    office.environment["NOTIFIER_PROVIDERS_EMAIL"] = "sendgrid"
    office.environment["NOTIFIER_WEB_UNKNOWN_LAG_S"] = "7200"
    relay = Relay(SettledBy.EVENTS, [Ambiguous("no answer")], name="sendgrid")
    campaign = str(approved())
    go(office, relay)
    (doubt,) = office.json("campaigns", "show", campaign)["in_doubt"]
    assert doubt["waits_for"].startswith("an event about it until ")
    assert doubt["a_person_is_asked_from"] > doubt["since"]
    # The longest that can be refused as too short is a lease and a timeout: 90 seconds here.
    office.environment["NOTIFIER_WORKER_LEASE_S"] = office.environment["NOTIFIER_SENDGRID_TIMEOUT_S"] = "0.001"
    office.environment["NOTIFIER_DOUBT_EVENTS_WAIT_S"] = "0.01"
    (doubt,) = office.json("campaigns", "show", campaign)["in_doubt"]
    assert doubt["waits_for"] == "any event of sendgrid: nothing has come since, so its silence proves nothing"


def test_the_rest_goes_when_a_person_says_so(office: Office, approved: Callable[..., int]) -> None:
    campaign, relay = str(approved("--canary", "1", "--canary-yes")), Relay()
    assert "No part of campaign" in office.run("campaigns", "go-on", str(approved()), *OFFICER, expect=1)
    go(office, relay, duties.judge_canaries)
    shown = office.json("campaigns", "show", campaign)
    assert (shown["status"], shown["by_status"]) == ("held", {"accepted": 1})
    assert f"notifier campaigns go-on {campaign}" in shown["status_reason"]
    office.run("campaigns", "go-on", campaign, *OFFICER)
    go(office, relay, duties.judge_canaries, duties.finish)
    shown = office.json("campaigns", "show", campaign)
    assert (shown["status"], shown["by_status"]) == ("sent", {"accepted": PEOPLE})
    assert "No part of campaign" in office.run("campaigns", "go-on", campaign, *OFFICER, expect=1)


def test_an_audience_changed_after_approval_is_not_written_to(
    office: Office, approved: Callable[..., int], tmp_path: Path
) -> None:
    audiences = tmp_path / "audiences"
    shutil.copytree("audiences", audiences, ignore=shutil.ignore_patterns("samples"))
    office.environment["NOTIFIER_FOLDERS_AUDIENCES"] = str(audiences)
    campaign, relay = str(approved()), Relay()
    with (audiences / "victoria-parents.toml").open("a", encoding="utf-8") as file:
        file.write('excluded_lists = ["nobody"]\n')
    go(office, relay)
    shown = office.json("campaigns", "show", campaign)
    assert (shown["status"], shown["planned"], relay.taken) == ("held", 0, [])
    assert "What would be sent is not what was approved" in shown["status_reason"]
    office.run("campaigns", "resume", campaign, *OFFICER)
    go(office, relay)
    assert (office.json("campaigns", "show", campaign)["status"], relay.taken) == ("held", [])


def test_a_campaign_begun_too_late_waits_for_a_person(office: Office, approved: Callable[..., int]) -> None:
    campaign, relay = str(approved()), Relay()
    go(office, relay, later=timedelta(hours=2))
    shown = office.json("campaigns", "show", campaign)
    assert (shown["status"], relay.taken) == ("held", [])
    assert [wave["status"] for wave in shown["waves"]] == ["held"]
    office.run("campaigns", "resume", campaign, *OFFICER)
    go(office, relay, duties.finish)
    assert len(relay.taken) == PEOPLE
    assert office.json("campaigns", "show", campaign)["status"] == "sent"
