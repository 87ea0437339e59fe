"""SendGrid's dialect: mail/send in, and the event webhook's batches out."""

import secrets
import time
from collections.abc import Iterator
from typing import Any

import orjson

from notifier.providers.base import REFERENCE_ARGUMENT
from notifier.sandbox import sendgrid_rules
from notifier.sandbox.accounts import Accounts
from notifier.sandbox.behaviour import Answer, Dice, Outcome
from notifier.sandbox.postman import Letter, Reply
from notifier.sandbox.store import MailRequest, Store, joined

MAX_REQUEST_BYTES = 30_000_000
EVENTS_PER_POST = 500
MAX_ERASED = 5_000
MAX_ERASURE_BYTES = 256_000

# The events each outcome is told by, in the order in which the real service tells them.
STORIES: dict[Outcome, tuple[str, ...]] = {
    Outcome.DELIVERED: ("processed", "delivered"),
    Outcome.BOUNCED: ("processed", "bounce"),
    Outcome.BLOCKED: ("processed", "blocked"),
    Outcome.DEFERRED: ("processed", "deferred", "delivered"),
    Outcome.DROPPED: ("dropped",),
    Outcome.COMPLAINED: ("processed", "delivered", "spamreport"),
    Outcome.UNSUBSCRIBED: ("processed", "delivered", "unsubscribe"),
    Outcome.SILENT: (),
}

DETAILS: dict[str, dict[str, Any]] = {
    "processed": {},
    "delivered": {"response": "250 2.0.0 OK", "tls": 1},
    "deferred": {"response": "451 4.2.1 try again later", "attempt": "1"},
    "bounce": {
        "type": "bounce",
        "reason": "550 5.1.1 the mailbox does not exist",
        "status": "5.1.1",
        "bounce_classification": "Invalid Address",
    },
    "blocked": {
        "event": "bounce",
        "type": "blocked",
        "reason": "550 5.7.1 the message was refused",
        "status": "5.7.1",
        "bounce_classification": "Reputation",
    },
    "dropped": {"reason": "Bounced Address", "status": "5.0.0"},
    "spamreport": {},
    "unsubscribe": {},
}


class SendGridDialect:
    """The two ends of SendGrid that Notifier meets."""

    def __init__(self, store: Store, accounts: Accounts, events_url: str) -> None:
        self._store = store
        self._accounts = accounts
        self._events_url = events_url

    def erase(self, headers: Any, body: bytes) -> Reply:  # noqa: ANN401 - any mapping
        """Take an erasure job, as the real service does: at once, with the job's id; the erasing itself follows."""
        if headers.get("Authorization") != self._accounts.bearer:
            return _refusal(401, "The provided authorization grant is invalid, expired, or revoked")
        if len(body) > MAX_ERASURE_BYTES:
            return _refusal(400, "Request body too large")
        try:
            addresses = orjson.loads(body)["email_addresses"]
        except (orjson.JSONDecodeError, TypeError, KeyError):
            addresses = None
        if (
            not isinstance(addresses, list)
            or not 1 <= len(addresses) <= MAX_ERASED
            or not all(map(_is_email, addresses))
        ):
            return _refusal(400, "email_addresses must hold from 1 to 5000 valid email addresses")
        self._store.erased.update(addresses)
        return Reply(202, orjson.dumps({"job_id": secrets.token_hex(16)}))

    def judge(self, headers: Any, body: bytes) -> tuple[Reply | None, dict[str, Any]]:  # noqa: ANN401 - any mapping
        """Return the refusal of a request (None if it would be taken) and the document it holds."""
        if headers.get("Authorization") != self._accounts.bearer:
            return _refusal(401, "The provided authorization grant is invalid, expired, or revoked"), {}
        if not headers.get("Content-Type", "").startswith("application/json"):
            return _refusal(415, "Unsupported Media Type"), {}
        if len(body) > MAX_REQUEST_BYTES:
            return Reply(413, b"<html><body>413 Request Entity Too Large</body></html>", "text/html"), {}
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            return _refusal(400, "Bad Request"), {}
        errors = sendgrid_rules.errors_of(document)
        if errors:
            return Reply(400, orjson.dumps({"errors": errors})), {}
        return None, document

    def take(self, document: dict[str, Any], body: bytes, dice: Dice) -> tuple[Reply, list[Letter]]:
        """Accept a judged request: keep it, and return the answer and the letters that will tell what became of it."""
        if document.get("mail_settings", {}).get("sandbox_mode", {}).get("enable"):
            return Reply(200, b""), []
        rows = document["personalizations"]
        recipients = [(mailbox["email"], row) for row in rows for mailbox in row["to"]]
        destinations = [email for email, _ in recipients]
        request = MailRequest(
            received_at=time.time(),
            message_id=secrets.token_urlsafe(16),
            body=body,
            size=len(recipients),
            destinations_text=joined(destinations),
            references_text=joined([row.get("custom_args", {}).get(REFERENCE_ARGUMENT, "") for _, row in recipients]),
            outcomes=dice.email_outcomes(destinations),
        )
        self._store.add_mail(request)
        letters = list(self._letters(request, dice)) if self._events_url else []
        return Reply(202, b"", headers={"X-Message-Id": request.message_id}), letters

    def refused(self, answer: Answer, dice: Dice) -> Reply:
        """Return the answer of a service that is too busy or broken."""
        if answer is Answer.THROTTLE:
            reset = str(int(time.time() + dice.behaviour.retry_after_s + 0.999))
            headers = {"X-RateLimit-Limit": "600", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}
            return _refusal(429, "too many requests", headers)
        return _refusal(500, "Internal Server Error")

    def _letters(self, request: MailRequest, dice: Dice) -> Iterator[Letter]:
        """Return the posts about one request, each made only when it is sent."""
        longest = max((len(STORIES[outcome]) for outcome in request.outcomes.values()), default=2)
        for chapter in range(max(longest, 2)):
            for start in range(0, request.size, EVENTS_PER_POST):
                yield Letter(
                    "sendgrid",
                    self._events_url,
                    lambda chapter=chapter, start=start: self._post(request, chapter, start, dice),  # type: ignore[misc]
                )

    def _post(self, request: MailRequest, chapter: int, start: int, dice: Dice) -> tuple[bytes, dict[str, str]] | None:
        events = _events(request, chapter, start)
        if not events:
            return None
        dice.shuffle(events)
        request.told = True
        body = orjson.dumps(events) + b"\r\n"
        timestamp = str(int(time.time()))
        return body, {
            "Content-Type": "application/json",
            "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
            "X-Twilio-Email-Event-Webhook-Signature": self._accounts.sign_events(timestamp, body),
        }


def _events(request: MailRequest, chapter: int, start: int) -> list[dict[str, Any]]:
    destinations, references = request.destinations, request.references
    now, events = int(time.time()), []
    for place in range(start, min(start + EVENTS_PER_POST, request.size)):
        story = STORIES[request.outcomes.get(place, Outcome.DELIVERED)]
        if chapter >= len(story):
            continue
        word = story[chapter]
        events.append(
            {
                "email": destinations[place],
                "timestamp": now,
                "event": word,
                "sg_event_id": f"{word}-{place}-{request.message_id}",
                "sg_message_id": f"{request.message_id}.sandbox-{place}",
                REFERENCE_ARGUMENT: references[place],
                **DETAILS[word],
            }
        )
    return events


def _is_email(value: object) -> bool:
    return isinstance(value, str) and "@" in value


def _refusal(status: int, message: str, headers: dict[str, str] | None = None) -> Reply:
    body = orjson.dumps({"errors": [sendgrid_rules.error(message, None)]})
    return Reply(status, body, headers=headers or {})
