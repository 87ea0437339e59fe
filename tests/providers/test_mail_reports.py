"""Reports that come back as mail."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.providers.base import WebhookRequest
from notifier.providers.mail_reports import read_mail, read_report
from notifier.providers.sendgrid import SendGrid
from notifier.providers.settings import SendGridSettings
from notifier.vocabulary import EventKind

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


def delivery_report(
    action: str = "failed", status: str = "5.1.1", original: str = "", to: str = "b@police.example"
) -> bytes:
    """A delivery report as Postfix writes it."""
    returned = original or "Message-ID: <1reference0reference0ref@police.example>\r\nSubject: Hello\r\n"
    return (
        f"From: MAILER-DAEMON@mail.example\r\nTo: {to}\r\nDate: Mon, 23 Nov 2026 08:00:00 +0000\r\n"
        "MIME-Version: 1.0\r\nMessage-ID: <report@mail.example>\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="B"\r\n\r\n'
        "--B\r\nContent-Type: text/plain\r\n\r\nIt could not be delivered.\r\n"
        "--B\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; mail.example\r\n\r\n"
        f"Final-Recipient: rfc822; p@families.example\r\nAction: {action}\r\nStatus: {status}\r\n"
        "Diagnostic-Code: smtp; 550 no such person\r\n"
        f"\r\n--B\r\nContent-Type: text/rfc822-headers\r\n\r\n{returned}\r\n--B--\r\n"
    ).encode()


COMPLAINT = (
    b"From: fbl@mail.example\r\nTo: b@police.example\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/report; report-type=feedback-report; boundary="B"\r\n\r\n'
    b"--B\r\nContent-Type: text/plain\r\n\r\nSomebody pressed the button.\r\n"
    b"--B\r\nContent-Type: message/feedback-report\r\n\r\n"
    b"Feedback-Type: abuse\r\nUser-Agent: Button/1.0\r\nVersion: 1\r\nOriginal-Rcpt-To: <p@families.example>\r\n"
    b"\r\n--B\r\nContent-Type: message/rfc822\r\n\r\n"
    b"From: advisories@police.example\r\nMessage-ID: <1reference0reference0ref@police.example>\r\n"
    b"\r\nHello\r\n--B--\r\n"
)


@pytest.mark.parametrize(
    ("action", "status", "kind"),
    [
        ("failed", "5.1.1", EventKind.HARD_BOUNCED),
        ("failed", "5.1.10", EventKind.HARD_BOUNCED),
        ("failed", "5.2.1", EventKind.HARD_BOUNCED),
        ("failed", "5.0.0", EventKind.HARD_BOUNCED),
        ("failed", "5.2.2", EventKind.SOFT_BOUNCED),
        ("failed", "5.7.1", EventKind.SOFT_BOUNCED),
        ("failed", "5.7.515", EventKind.ACCOUNT_TROUBLE),
        ("failed", "4.4.7", EventKind.SOFT_BOUNCED),
        ("delayed", "4.4.1", EventKind.DEFERRED),
        ("delivered", "2.0.0", EventKind.DELIVERED),
        ("relayed", "2.0.0", EventKind.ACCEPTED),
        ("teleported", "2.0.0", EventKind.UNKNOWN),
    ],
)
def test_a_delivery_report_is_read_by_its_action_and_status(action: str, status: str, kind: EventKind) -> None:
    (event,) = read_report(delivery_report(action, status), received_at=NOW)
    assert (event.kind, event.code, event.destination) == (kind, status, "p@families.example")


def test_the_reference_comes_from_the_returned_headers() -> None:
    (event,) = read_report(delivery_report(), received_at=NOW)
    assert event.reference == "1reference0reference0ref"
    assert event.occurred_at == datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def test_without_returned_headers_the_reference_comes_from_the_return_path() -> None:
    report = delivery_report(original="Subject: x\r\n", to="bounces+1reference0reference0ref@police.example")
    assert read_report(report, received_at=NOW)[0].reference == "1reference0reference0ref"


def test_the_same_report_has_the_same_event_id_again() -> None:
    first, second = (read_report(delivery_report(), received_at=NOW)[0].event_id for _ in range(2))
    assert first == second


def test_a_complaint_is_read() -> None:
    (event,) = read_report(COMPLAINT, received_at=NOW)
    assert (event.kind, event.code) == (EventKind.COMPLAINED, "abuse")
    assert (event.destination, event.reference) == ("p@families.example", "1reference0reference0ref")


def test_an_opt_out_by_feedback_loop_is_one() -> None:
    (event,) = read_report(COMPLAINT.replace(b"abuse", b"opt-out"), received_at=NOW)
    assert event.kind is EventKind.UNSUBSCRIBED


def test_a_reply_brings_its_text_and_its_writer() -> None:
    mail = (
        b"From: Mina <p@families.example>\r\nSubject: =?utf-8?b?w6k=?=\r\n"
        b"In-Reply-To: <1reference0reference0ref@x.example>\r\n"
        b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\nThank you, Andr\xe9"
    )
    (event,) = read_mail(mail, received_at=NOW)
    assert (event.kind, event.text, event.detail) == (EventKind.REPLIED, "Thank you, André", "é")
    assert (event.destination, event.reference) == ("p@families.example", "1reference0reference0ref")


def test_an_absence_notice_is_nobodys_reply() -> None:
    mail = b"From: p@families.example\r\nAuto-Submitted: auto-replied\r\n\r\nI am away."
    (event,) = read_mail(mail, received_at=NOW)
    assert (event.kind, event.code) == (EventKind.UNKNOWN, "automatic_reply")


def test_a_mail_that_is_no_report_holds_no_report() -> None:
    assert read_report(b"Subject: Hello\r\n\r\nHello", received_at=NOW) == []


@given(mail=st.binary(max_size=500))
def test_no_mail_whatever_crashes(mail: bytes) -> None:
    for event in read_mail(mail, received_at=NOW):
        assert event.kind in EventKind


@given(start=st.integers(0, 900), stop=st.integers(0, 900), noise=st.binary(max_size=40), whole=st.sampled_from([0, 1]))
def test_no_damaged_report_crashes(start: int, stop: int, noise: bytes, whole: int) -> None:
    report = (delivery_report(), COMPLAINT)[whole]
    for event in read_mail(report[:start] + noise + report[stop:], received_at=NOW):
        assert event.detail is None or "\x00" not in event.detail


def test_a_report_posted_by_inbound_parse_is_read_as_well() -> None:
    body = (
        b'--F\r\nContent-Disposition: form-data; name="to"\r\n\r\nb@police.example\r\n'
        b'--F\r\nContent-Disposition: form-data; name="email"\r\n\r\n' + delivery_report() + b"\r\n--F--\r\n"
    )
    request = WebhookRequest("", {"Content-Type": 'multipart/form-data; boundary="F"'}, body, NOW)
    (event,) = SendGrid(SendGridSettings()).parse(request)
    assert (event.provider, event.kind) == ("sendgrid", EventKind.HARD_BOUNCED)
    assert event.reference == "1reference0reference0ref"
