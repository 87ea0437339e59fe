"""What the sandbox received. Emails are kept by request, in columns, because a million of them must fit."""

import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import Any

import orjson

from notifier.sandbox.behaviour import Outcome

_SEPARATOR = "\n"
_SMTP_MAILS_KEPT = 1000


@dataclass(slots=True)
class MailRequest:
    """One accepted request: a column for each thing that must be known for ever, and the rest as it came.

    `body` is the request itself, read again only when somebody looks, and dropped when it is too old for that.
    """

    received_at: float
    message_id: str
    body: bytes
    size: int
    destinations_text: str
    references_text: str
    outcomes: dict[int, Outcome]
    told: bool = False

    @property
    def destinations(self) -> list[str]:
        """The addresses, in order."""
        return self.destinations_text.split(_SEPARATOR)

    @property
    def references(self) -> list[str]:
        """Our delivery references, in order; an empty one where the request carried none."""
        return self.references_text.split(_SEPARATOR)

    def status(self, place: int) -> str:
        """What became of one message, as far as webhooks have told."""
        return self.outcomes.get(place, Outcome.DELIVERED) if self.told else "accepted"


@dataclass(slots=True)
class Sms:
    """One text message, as Twilio's message resource has it."""

    sid: str
    to: str
    sender: str
    body: str
    created_at: float
    reference: str = ""
    callback: str = ""
    status: str = "queued"
    error_code: int | None = None
    direction: str = "outbound-api"


@dataclass(slots=True)
class Counts:
    """How much came in and went out."""

    email: int = 0
    sms: int = 0
    requests: int = 0
    refused: int = 0
    webhooks_posted: int = 0
    webhooks_failed: int = 0
    webhooks_pending: int = 0


@dataclass
class Store:
    """Everything received since the start or the last reset."""

    keep_messages: int
    mail: list[MailRequest] = field(default_factory=list)
    sms: list[Sms] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)
    erased: set[str] = field(default_factory=set)  # the email addresses we were asked to erase
    opted_out: set[tuple[str, str]] = field(default_factory=set)
    smtp: list[tuple[str, str]] = field(default_factory=list)
    sms_by_sid: dict[str, Sms] = field(default_factory=dict)
    sms_by_number: dict[str, list[Sms]] = field(default_factory=dict)
    _smtp_mails: deque[tuple[float, int, bytes]] = field(default_factory=lambda: deque(maxlen=_SMTP_MAILS_KEPT))
    _readable: deque[MailRequest] = field(default_factory=deque)
    _readable_size: int = 0

    def add_mail(self, request: MailRequest) -> None:
        """Keep an accepted request; forget the texts of the oldest when there are too many."""
        self.mail.append(request)
        self.counts.email += request.size
        self._readable.append(request)
        self._readable_size += request.size
        while self._readable_size > self.keep_messages and len(self._readable) > 1:
            oldest = self._readable.popleft()
            oldest.body = b""
            self._readable_size -= oldest.size

    def add_smtp(self, reference: str, destination: str, mail: bytes) -> None:
        """Keep who a mail by SMTP was for, and its reference; the newest mails stay readable."""
        self.smtp.append((reference, destination))
        self._smtp_mails.append((time.time(), len(self.smtp) - 1, mail))
        self.counts.email += 1

    def add_sms(self, sms: Sms) -> None:
        """Keep an accepted text message."""
        self.sms.append(sms)
        self.counts.sms += 1
        self.sms_by_sid[sms.sid] = sms
        self.sms_by_number.setdefault(sms.to, []).append(sms)

    def references(self) -> dict[str, dict[str, int]]:
        """Return how often each delivery reference was accepted, by channel."""
        email: Counter[str] = Counter()
        for request in self.mail:
            email.update(request.references)
        email.update(reference for reference, _ in self.smtp)
        sms = Counter(sms.reference for sms in self.sms if sms.direction == "outbound-api")
        return {"email": dict(email), "sms": dict(sms)}

    def messages(self, *, limit: int, to: str = "") -> list[dict[str, Any]]:
        """Return the newest messages, both channels together, as a person reads them."""
        each = (self._emails(to), self._mails(to), self._texts(to))
        found = [message for several in each for message in _first(limit, several)]
        found.sort(key=lambda message: message["received_at"], reverse=True)
        return found[:limit]

    def email(self, message_id: str, place: int) -> dict[str, Any] | None:
        """Return one email, HTML included."""
        for request in reversed(self.mail):
            if request.message_id == message_id and 0 <= place < request.size:
                return _email(request, _open(request), place)
        return None

    def _emails(self, to: str) -> Iterator[dict[str, Any]]:
        for request in reversed(self.mail):
            if to and to not in request.destinations_text:
                continue
            opened = _open(request)
            for place, destination in reversed(list(enumerate(request.destinations))):
                if not to or destination == to:
                    yield _email(request, opened, place)

    def _mails(self, to: str) -> Iterator[dict[str, Any]]:
        for received_at, place, mail in reversed(self._smtp_mails):
            reference, destination = self.smtp[place]
            if not to or destination == to:
                yield _mail(received_at, place, reference, destination, mail)

    def _texts(self, to: str) -> Iterator[dict[str, Any]]:
        for sms in reversed(self.sms_by_number.get(to, []) if to else self.sms):
            yield {
                "channel": "sms",
                "id": sms.sid,
                "to": sms.to,
                "from": sms.sender,
                "reference": sms.reference,
                "subject": None,
                "text": sms.body,
                "received_at": moment(sms.created_at),
                "status": sms.status,
            }


def joined(values: list[str]) -> str:
    """Return a column of texts as one text."""
    return _SEPARATOR.join([value.replace(_SEPARATOR, " ") if _SEPARATOR in value else value for value in values])


def moment(seconds: float) -> str:
    """Return a unix time in ISO 8601."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _first(limit: int, found: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    return [message for message, _ in zip(found, range(limit), strict=False)]


@dataclass(slots=True)
class _Opened:
    """A request read again: what is the same for all, and the personalization each recipient belongs to."""

    shared: dict[str, Any]
    personal: list[dict[str, Any]]
    destinations: list[str]
    references: list[str]


def _open(request: MailRequest) -> _Opened:
    shared = orjson.loads(request.body) if request.body else {}
    rows = [row for row in shared.get("personalizations", []) for _ in row["to"]]
    return _Opened(shared, rows or [{}] * request.size, request.destinations, request.references)


def _email(request: MailRequest, opened: _Opened, place: int) -> dict[str, Any]:
    personal, shared = opened.personal[place], opened.shared
    values = personal.get("substitutions", {})
    texts = {part["type"]: _substituted(part["value"], values) for part in shared.get("content", [])}
    return {
        "channel": "email",
        "id": f"{request.message_id}.{place}",
        "to": opened.destinations[place],
        "from": shared.get("from"),
        "reference": opened.references[place],
        "subject": _substituted(personal.get("subject") or shared.get("subject", ""), values),
        "text": texts.get("text/plain", ""),
        "html": texts.get("text/html", ""),
        "headers": {**shared.get("headers", {}), **personal.get("headers", {})},
        "received_at": moment(request.received_at),
        "status": str(request.status(place)),
    }


def _mail(received_at: float, place: int, reference: str, destination: str, mail: bytes) -> dict[str, Any]:
    parsed = message_from_bytes(mail, policy=policy.default)
    parts = {part.get_content_type(): part for part in parsed.walk() if part.get_content_maintype() == "text"}
    texts = {kind: str(part.get_content()) for kind, part in parts.items()}
    return {
        "channel": "email",
        "id": f"smtp.{place}",
        "to": destination,
        "from": str(parsed["From"]),
        "reference": reference,
        "subject": str(parsed["Subject"]),
        "text": texts.get("text/plain", ""),
        "html": texts.get("text/html", ""),
        "headers": {name: str(value) for name, value in parsed.items()},
        "received_at": moment(received_at),
        "status": "accepted",
    }


def _substituted(text: str, values: dict[str, str]) -> str:
    for mark, value in values.items():
        text = text.replace(mark, value)
    return text
