"""What comes back, driven through the command line: mail folders, messages, requests, reports."""

import mailbox
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select

from notifier.accounts.models import AuditEntry
from notifier.config import load
from notifier.kit.db import Database
from notifier.tracking.requests import RequestKind, ask
from tests.e2e.conftest import Office
from tests.reports.test_report import a_story

REPLY = b"From: Maria <maria@example.org>\r\nTo: us@police.example\r\nSubject: Re: Hello\r\n\r\nWho are you?\r\n"
BOUNCE = (
    b"From: MAILER-DAEMON@example.org\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/report; report-type=delivery-status; boundary="x"\r\n\r\n--x\r\n'
    b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; example.org\r\n\r\n"
    b"Final-Recipient: rfc822; maria@example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--x--\r\n"
)


def database_of(office: Office) -> Database:
    environment = {"NOTIFIER_HOME": str(office.home), **office.environment}
    return Database(load(Path(), environment).database_url)


def test_a_mail_folder_is_read_once_and_replies_are_listed_until_somebody_read_them(
    office: Office, tmp_path: Path
) -> None:
    box = mailbox.mbox(tmp_path / "bounces")
    box.add(REPLY)
    box.add(BOUNCE)
    box.close()
    for reports in (1, 0):
        counts = office.json("bounces", "read", str(tmp_path / "bounces"))
        assert counts == {"mails": 2, "reports": reports, "replies": 1}
    [message] = office.json("reports", "messages")
    assert (message["sender"], message["text"]) == ("m•••@example.org", None)
    [message] = office.json("reports", "messages", "--as", "officer@police.example")
    assert message["sender"] == "maria@example.org"
    assert "Who are you?" in message["text"]
    office.run("reports", "read", str(message["id"]), "--as", "officer@police.example")
    assert office.json("reports", "messages") == []
    assert "no mail folder" in office.run("bounces", "read", str(tmp_path / "nowhere"), expect=1)


def test_a_request_is_listed_until_it_is_done(office: Office) -> None:
    database = database_of(office)
    with database.transaction() as session:
        ask(session, 7, RequestKind.DATA, now=datetime.now(UTC))
    database.close()
    [request] = office.json("reports", "requests")
    assert (request["kind"], request["address_id"]) == ("data", 7)
    office.run("reports", "done", str(request["id"]), "--as", "officer@police.example")
    assert office.json("reports", "requests") == []
    assert "no request 99" in office.run("reports", "done", "99", "--as", "officer@police.example", expect=1)


def test_a_campaign_is_reported_in_every_form(office: Office, tmp_path: Path) -> None:
    database = database_of(office)
    with database.transaction() as session:
        campaign = str(a_story(session, datetime.now(UTC)))
    database.close()
    assert "came back" in office.run("campaigns", "report", campaign)
    assert '"reached": 2' in office.run("campaigns", "report", campaign, "--format", "json")
    assert "school,East Primary,failed,1" in office.run("reports", "report", campaign, "--format", "csv")
    office.run("campaigns", "report", campaign, "--format", "html", "--out", str(tmp_path / "r.html"))
    assert (tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "North" not in office.run("campaigns", "report", campaign, "--school", "east-primary")
    listed = office.run("reports", "recipients", campaign, "--as", "officer@police.example")
    assert "the network filtered the text" in listed
    masked = office.json("campaigns", "deliveries", campaign)
    whole = office.json("campaigns", "deliveries", campaign, "--as", "officer@police.example")
    assert all("•••" in line["destination"] for line in masked if line["destination"])
    assert not any("•••" in line["destination"] for line in whole if line["destination"])
    office.run("campaigns", "deliveries", campaign, "--as", "nobody@police.example", expect=1)
    database = database_of(office)
    with database.reading() as session:
        listed_by = session.scalars(select(AuditEntry.actor).where(AuditEntry.action == "recipients.listed")).all()
    database.close()
    assert listed_by == ["officer@police.example"] * 2
    assert "no campaign 99" in office.run("campaigns", "report", "99", expect=1)
    office.run("campaigns", "report", campaign, "--format", "pdf", expect=2)
