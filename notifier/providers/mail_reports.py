"""Mail that answers mail: delivery reports (RFC 3464), complaints (RFC 5965) and replies from people.

For senders with a relay of their own, this is the only way the world answers. Whatever a mail holds, reading it gives
events or none; it never fails. What it says is not proven: a mail is not signed, so its reference must open with our
own key before anything follows from it.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email import policy
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from email.utils import parseaddr, parsedate_to_datetime
from hashlib import sha256
from typing import Any, Final

from notifier.providers.base import Event
from notifier.vocabulary import EventKind

PROVIDER: Final = "smtp"

ACTIONS: Final = {
    "failed": EventKind.SOFT_BOUNCED,  # until the status says that it is for ever
    "delayed": EventKind.DEFERRED,
    "delivered": EventKind.DELIVERED,
    "relayed": EventKind.ACCEPTED,
    "expanded": EventKind.DELIVERED,
}

# A status of class 5 is an address's end only if it is about the address: a full mailbox (5.2.2), a message too large
# (5.3.4) or a policy (5.7.x) says nothing about the next message.
HARD_STATUS: Final = re.compile(r"5\.(0\.0|1\.\d+|2\.1)")
UNAUTHENTICATED_STATUS: Final = re.compile(r"5\.7\.(515|26|27|29|30)")

FEEDBACK: Final = {
    "abuse": EventKind.COMPLAINED,
    "fraud": EventKind.COMPLAINED,
    "virus": EventKind.COMPLAINED,
    "other": EventKind.COMPLAINED,
    "opt-out": EventKind.UNSUBSCRIBED,
    "opt-out-list": EventKind.UNSUBSCRIBED,
    "not-spam": EventKind.UNKNOWN,
}

_REFERENCE = re.compile(r"<?([0-9A-Za-z_-]{10,64})@")
_VERP = re.compile(r"\+([0-9A-Za-z_-]{10,64})@")
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_DETAIL_LENGTH = 1000
_TEXT_LENGTH = 10_000


def read_report(mail: bytes, *, received_at: datetime) -> list[Event]:
    """Return what a delivery report or a complaint says; nothing if the mail is neither."""
    message = _parse(mail)
    kind = str(message.get_param("report-type", "")).lower()
    if message.get_content_type() != "multipart/report":
        return []
    events = _complaints(message) if kind == "feedback-report" else _deliveries(message)
    return [_event(mail, message, number, received_at, **told) for number, told in enumerate(events)]


def read_mail(mail: bytes, *, received_at: datetime) -> list[Event]:
    """Return what any mail to us says: a report's events, or one event for a reply.

    A machine's answer (an absence notice) is UNKNOWN, so that nobody is asked to read it.
    """
    events = read_report(mail, received_at=received_at)
    if events:
        return events
    message = _parse(mail)
    automatic = _header(message, "Auto-Submitted", "no").lower() != "no" or bool(message.get("X-Autoreply"))
    told = {
        "kind": EventKind.UNKNOWN if automatic else EventKind.REPLIED,
        "code": "automatic_reply" if automatic else None,
        "destination": parseaddr(_header(message, "From"))[1],
        "reference": _reference_in(_header(message, "In-Reply-To")),
        "text": _text_of(message),
        "detail": _header(message, "Subject"),
    }
    return [_event(mail, message, 0, received_at, **told)]


def _deliveries(message: "Message[Any, Any]") -> Iterator[dict[str, Any]]:
    blocks = [block for part in _parts(message, "message/delivery-status") for block in _blocks(part)]
    original = _original_reference(message)
    for block in blocks:
        action = _header(block, "Action").strip().lower()
        if not action:
            original = original or _reference_in(_header(block, "Original-Envelope-Id") + "@")
            continue
        status = _first(_STATUS, _header(block, "Status"))
        yield {
            "kind": _delivery_kind(action, status),
            "code": status or action,
            "detail": _header(block, "Diagnostic-Code"),
            "destination": _recipient(block),
            "reference": original,
        }


def _delivery_kind(action: str, status: str | None) -> EventKind:
    kind = ACTIONS.get(action, EventKind.UNKNOWN)
    if action == "failed" and status and UNAUTHENTICATED_STATUS.fullmatch(status):
        return EventKind.ACCOUNT_TROUBLE
    if action == "failed" and status and HARD_STATUS.fullmatch(status):
        return EventKind.HARD_BOUNCED
    return kind


def _complaints(message: "Message[Any, Any]") -> Iterator[dict[str, Any]]:
    for part in _parts(message, "message/feedback-report"):
        for block in _blocks(part):
            word = _header(block, "Feedback-Type").strip().lower()
            yield {
                "kind": FEEDBACK.get(word, EventKind.UNKNOWN),
                "code": word or None,
                "detail": _header(block, "User-Agent"),
                "destination": _address(_header(block, "Original-Rcpt-To")),
                "reference": _original_reference(message),
            }


def _event(mail: bytes, message: "Message[Any, Any]", number: int, received_at: datetime, **told: Any) -> Event:  # noqa: ANN401
    detail, destination, text = told.get("detail"), told.get("destination"), told.get("text")
    return Event(
        provider=PROVIDER,
        event_id=f"{sha256(mail).hexdigest()}:{number}",
        kind=told["kind"],
        occurred_at=_moment(_header(message, "Date"), received_at),
        reference=told["reference"],
        destination=_stored(destination, 254),
        message_id=_stored(_header(message, "Message-ID").strip("<> "), 80),
        code=_stored(told["code"], 60),
        detail=_stored(detail, _DETAIL_LENGTH),
        text=_stored(text, _TEXT_LENGTH),
    )


def _parse(mail: bytes) -> "Message[Any, Any]":
    return BytesParser(policy=policy.compat32).parsebytes(mail)


def _parts(message: "Message[Any, Any]", kind: str) -> "list[Message[Any, Any]]":
    return [part for part in message.walk() if part.get_content_type() == kind]


def _blocks(part: "Message[Any, Any]") -> "list[Message[Any, Any]]":
    payload = part.get_payload()
    return [block for block in payload if isinstance(block, Message)] if isinstance(payload, list) else []


def _original_reference(message: "Message[Any, Any]") -> str | None:
    """Return our reference: from the headers of the returned message, or from the address the report came to."""
    for part in message.walk():
        if part is message:
            continue
        if part.get_content_type() == "text/rfc822-headers":
            payload = part.get_payload(decode=True)
            part = _parse(payload) if isinstance(payload, bytes) else part  # noqa: PLW2901 - what the part holds
        found = _reference_in(_header(part, "Message-ID"))
        if found:
            return found
    return _first(_VERP, _header(message, "To")) or _first(_VERP, _header(message, "Delivered-To"))


def _recipient(block: "Message[Any, Any]") -> str | None:
    return _address(_header(block, "Original-Recipient")) or _address(_header(block, "Final-Recipient"))


def _address(value: str) -> str | None:
    """Read `rfc822; person@example.com`, or the address alone."""
    return parseaddr(value.rpartition(";")[2].strip())[1] or None


def _reference_in(value: str) -> str | None:
    return _first(_REFERENCE, value)


def _first(pattern: re.Pattern[str], value: str) -> str | None:
    found = pattern.search(value)
    return found[found.re.groups] if found else None


def _text_of(message: "Message[Any, Any]") -> str:
    for part in message.walk():
        if part.get_content_type() == "text/plain":
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes):
                return _decoded(payload, part.get_content_charset() or "utf-8")
    return ""


def _decoded(payload: bytes, charset: str) -> str:
    try:
        return payload.decode(charset, "replace")
    except LookupError:
        return payload.decode("utf-8", "replace")


def _header(message: "Message[Any, Any]", name: str, otherwise: str = "") -> str:
    try:
        value = message.get(name, otherwise)
        return str(make_header(decode_header(value)))
    except (ValueError, LookupError, TypeError):
        return otherwise


def _moment(value: str, otherwise: datetime) -> datetime:
    """Read a Date header. A date of a clock gone wrong is not believed past the moment the mail came."""
    try:
        read = parsedate_to_datetime(value)
        aware = read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return otherwise
    return min(aware, otherwise)


def _stored(value: object, length: int) -> str | None:
    """Return what a database can store, or None for nothing."""
    cleaned = str(value or "").replace("\x00", "").encode("utf-8", "replace").decode()
    return cleaned[:length] or None
