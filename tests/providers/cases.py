"""The cases every provider with webhooks must pass: its signature, and its words in ours."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import orjson

from notifier.providers.base import REFERENCE_ARGUMENT, Provider, WebhookRequest
from notifier.providers.sendgrid import SendGrid
from notifier.providers.settings import SendGridSettings, TwilioSettings
from notifier.providers.twilio import Twilio
from notifier.sandbox.accounts import Accounts
from notifier.vocabulary import EventKind
from tests.sandbox.letters import ACCOUNTS, VERIFICATION_KEY

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
URL = "https://n.police.example/webhooks/x?ref=reference-0"
SHARED = Accounts("", ACCOUNTS.twilio_account_sid, ACCOUNTS.twilio_auth_token, "", twilio_shared_key="shared secret")


@dataclass(frozen=True)
class Case:
    """One provider: how it is made, how its posts are signed, and a table of what they say."""

    name: str
    make: Callable[[], Provider]
    sign: Callable[[bytes, datetime], WebhookRequest]
    write: Callable[[dict[str, Any]], bytes]
    words: list[tuple[dict[str, Any], EventKind, str | None]]

    def request(self, fields: dict[str, Any], at: datetime = NOW) -> WebhookRequest:
        """A signed post that says these things."""
        return self.sign(self.write(fields), at)


def _sendgrid_request(body: bytes, at: datetime) -> WebhookRequest:
    timestamp = str(int(at.timestamp()))
    headers = {
        "content-type": "application/json",
        "x-twilio-email-event-webhook-timestamp": timestamp,
        "x-twilio-email-event-webhook-signature": ACCOUNTS.sign_events(timestamp, body),
    }
    return WebhookRequest(URL, headers, body, NOW)


def _twilio_request(accounts: Accounts, url: str = URL) -> Callable[[bytes, datetime], WebhookRequest]:
    def sign(body: bytes, _at: datetime) -> WebhookRequest:
        pairs = [tuple(pair.split("=", 1)) for pair in _unquoted(body)]
        return WebhookRequest(URL, accounts.sign_form(url, pairs), body, NOW)  # type: ignore[arg-type]

    return sign


def _unquoted(body: bytes) -> list[str]:
    return [pair for pair in body.decode().split("&") if pair]


def _sendgrid(fields: dict[str, Any]) -> bytes:
    common = {"email": "p@families.example", "timestamp": 1_700_000_000, "sg_event_id": "e1", "sg_message_id": "m1.f.0"}
    return orjson.dumps([common | {REFERENCE_ARGUMENT: "reference-0"} | fields]) + b"\r\n"


def _twilio(fields: dict[str, Any]) -> bytes:
    return urlencode({"MessageSid": "SM1", "To": "61480000001"} | fields).encode()


def _make_twilio() -> Twilio:
    settings = TwilioSettings(ACCOUNTS.twilio_account_sid, ACCOUNTS.twilio_auth_token, shared_key="shared secret")
    return Twilio(settings, public_url="https://n.police.example")


TWILIO_WORDS: list[tuple[dict[str, Any], EventKind, str | None]] = [
    ({"MessageStatus": "accepted"}, EventKind.ACCEPTED, None),
    ({"MessageStatus": "queued"}, EventKind.ACCEPTED, None),
    ({"MessageStatus": "sent"}, EventKind.ACCEPTED, None),
    ({"MessageStatus": "delivered"}, EventKind.DELIVERED, None),
    ({"MessageStatus": "read"}, EventKind.DELIVERED, None),
    ({"MessageStatus": "canceled"}, EventKind.FAILED, "canceled"),
    ({"MessageStatus": "failed", "ErrorCode": "21610"}, EventKind.OPTED_OUT, "21610"),
    ({"MessageStatus": "failed", "ErrorCode": "30002"}, EventKind.ACCOUNT_TROUBLE, "30002"),
    ({"MessageStatus": "undelivered", "ErrorCode": "30003"}, EventKind.SOFT_BOUNCED, "30003"),
    ({"MessageStatus": "undelivered", "ErrorCode": "30005"}, EventKind.HARD_BOUNCED, "30005"),
    ({"MessageStatus": "undelivered", "ErrorCode": "30007"}, EventKind.FAILED, "30007"),
    ({"MessageStatus": "undelivered", "ErrorCode": "30036"}, EventKind.FAILED, "30036"),
    ({"MessageStatus": "undelivered"}, EventKind.FAILED, "undelivered"),
    ({"MessageStatus": "teleported"}, EventKind.UNKNOWN, "teleported"),
    ({"Body": "STOP", "From": "61480000001"}, EventKind.REPLIED, None),
    ({"Body": "STOP", "From": "61480000001", "OptOutType": "STOP"}, EventKind.OPTED_OUT, "STOP"),
    ({"Body": "START", "From": "61480000001", "OptOutType": "START"}, EventKind.RESUBSCRIBED, "START"),
    ({"Body": "HELP", "From": "61480000001", "OptOutType": "HELP"}, EventKind.REPLIED, "HELP"),
]

CASES = [
    Case(
        "sendgrid",
        lambda: SendGrid(SendGridSettings("key", VERIFICATION_KEY)),
        _sendgrid_request,
        _sendgrid,
        [
            ({"event": "processed"}, EventKind.ACCEPTED, None),
            ({"event": "deferred", "response": "451 later", "attempt": "2"}, EventKind.DEFERRED, None),
            ({"event": "delivered"}, EventKind.DELIVERED, None),
            ({"event": "bounce", "type": "bounce", "status": "5.1.1"}, EventKind.HARD_BOUNCED, "5.1.1"),
            ({"event": "bounce", "type": "blocked", "status": "5.7.1"}, EventKind.SOFT_BOUNCED, "5.7.1"),
            ({"event": "bounce", "type": "blocked", "status": "5.7.515"}, EventKind.ACCOUNT_TROUBLE, "5.7.515"),
            ({"event": "bounce", "type": "new", "bounce_classification": "X"}, EventKind.SOFT_BOUNCED, "X"),
            ({"event": "dropped", "reason": "Bounced Address"}, EventKind.DROPPED, "hard_bounce"),
            ({"event": "dropped", "reason": "Unsubscribed Address"}, EventKind.DROPPED, "opt_out"),
            ({"event": "dropped", "reason": "Spam Reporting Address"}, EventKind.DROPPED, "complaint"),
            ({"event": "dropped", "reason": "Something new"}, EventKind.DROPPED, "dropped"),
            (
                {"event": "dropped", "reason": "Recipient List over Package Quota"},
                EventKind.ACCOUNT_TROUBLE,
                "over_quota",
            ),
            ({"event": "spamreport"}, EventKind.COMPLAINED, None),
            ({"event": "unsubscribe"}, EventKind.UNSUBSCRIBED, None),
            ({"event": "group_unsubscribe", "asm_group_id": 7}, EventKind.UNSUBSCRIBED, "group:7"),
            ({"event": "group_resubscribe", "asm_group_id": 7}, EventKind.RESUBSCRIBED, "group:7"),
            ({"event": "open", "sg_machine_open": True}, EventKind.OPENED, None),
            ({"event": "click", "url": "https://x.example"}, EventKind.CLICKED, None),
            (
                {"event": "account_status_change", "type": "compliance_suspend"},
                EventKind.ACCOUNT_TROUBLE,
                "compliance_suspend",
            ),
            ({"event": "account_status_change", "type": "reactivate"}, EventKind.UNKNOWN, "reactivate"),
            ({"event": "teleported"}, EventKind.UNKNOWN, "teleported"),
        ],
    ),
    Case("twilio", _make_twilio, _twilio_request(ACCOUNTS), _twilio, TWILIO_WORDS),
    Case("twilio with a shared key", _make_twilio, _twilio_request(SHARED), _twilio, TWILIO_WORDS),
    Case(
        "twilio signing with the port",
        _make_twilio,
        _twilio_request(ACCOUNTS, URL.replace("police.example", "police.example:443")),
        _twilio,
        TWILIO_WORDS,
    ),
]

LONG_AGO = NOW - timedelta(hours=1)
