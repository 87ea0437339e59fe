"""What SendGrid tells later: its signature, its events and its inbound mail, in our words.

Every word of theirs that matters is in a table here. An unknown word, field or shape becomes an UNKNOWN event: refusing
one would make SendGrid post the whole batch again for a day.
"""

import base64
import binascii
import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from email import policy
from email.parser import BytesParser
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from notifier.kit.errors import Invalid
from notifier.providers.base import REFERENCE_ARGUMENT, BadSignature, Event, WebhookRequest
from notifier.providers.mail_reports import read_mail
from notifier.vocabulary import EventKind

PROVIDER: Final = "sendgrid"
SIGNATURE_HEADER = "X-Twilio-Email-Event-Webhook-Signature"
TIMESTAMP_HEADER = "X-Twilio-Email-Event-Webhook-Timestamp"

KINDS: Final = {
    "processed": EventKind.ACCEPTED,
    "deferred": EventKind.DEFERRED,
    "delivered": EventKind.DELIVERED,
    "bounce": EventKind.HARD_BOUNCED,
    "dropped": EventKind.DROPPED,
    "spamreport": EventKind.COMPLAINED,
    "unsubscribe": EventKind.UNSUBSCRIBED,
    "group_unsubscribe": EventKind.UNSUBSCRIBED,
    "group_resubscribe": EventKind.RESUBSCRIBED,
    "open": EventKind.OPENED,
    "click": EventKind.CLICKED,
}

# A bounce "of type blocked" is the receiving server's mood, not the address's end.
BOUNCE_TYPES: Final = {"bounce": EventKind.HARD_BOUNCED, "blocked": EventKind.SOFT_BOUNCED}

# Why SendGrid did not even try, as the code of a DROPPED event. Over quota nothing of ours leaves any more.
DROP_CODES: Final = {
    "bounced address": "hard_bounce",
    "spam reporting address": "complaint",
    "unsubscribed address": "opt_out",
    "invalid": "invalid_address",
    "spam content": "spam_content",
    "invalid smtpapi header": "invalid_header",
    "recipient list over package quota": "over_quota",
}
_ACCOUNT_WIDE_DROPS: Final = {"over_quota"}

# The account itself: everything but its return is trouble.
_ACCOUNT_RETURNS: Final = {"reactivate"}

# Receiving servers that say our domain is not authenticated: no fault of the address (Outlook, Gmail).
UNAUTHENTICATED: Final = {"5.7.515", "5.7.26", "5.7.27", "5.7.29", "5.7.30"}

_MILLISECONDS_FROM = 100_000_000_000
_CODE_LENGTH = 60
_ID_LENGTH = 180
_DETAIL_LENGTH = 1000


class Webhook:
    """The signature of SendGrid's posts: ECDSA over the timestamp and the raw body."""

    def __init__(self, verification_key: str, replay_window_s: float) -> None:
        self._key = _public_key(verification_key) if verification_key else None
        self._window_s = replay_window_s

    def verify(self, request: WebhookRequest) -> None:
        """Raise BadSignature unless SendGrid signed this request within the replay window."""
        timestamp = request.header(TIMESTAMP_HEADER)
        if self._key is None or not _is_recent(timestamp, request.received_at, self._window_s):
            raise BadSignature("This request is not signed by SendGrid.")
        try:
            signature = base64.b64decode(request.header(SIGNATURE_HEADER), validate=True)
            self._key.verify(signature, timestamp.encode() + request.body, ec.ECDSA(hashes.SHA256()))
        except (InvalidSignature, binascii.Error, ValueError):
            raise BadSignature("This request is not signed by SendGrid.") from None


def parse(request: WebhookRequest) -> list[Event]:
    """Read a post of the event webhook (a JSON array) or of inbound parse (a form with a mail in it).

    Raises Invalid if it is neither.
    """
    if request.header("Content-Type").lower().startswith("multipart/form-data"):
        return _inbound(request)
    found = _json(request.body)
    if isinstance(found, dict):
        found = [found]
    if not isinstance(found, list):
        raise Invalid("This is not a post of SendGrid's event webhook: it holds no list of events.")
    return [_event(item, request.received_at) for item in found]


def _event(item: object, received_at: datetime) -> Event:
    raw: dict[str, Any] = item if isinstance(item, dict) else {"value": item}
    get = raw.get
    word = get("event", "")
    # Nearly all are of these kinds and well-formed, so they are read without a detour.
    kind = _FREQUENT.get(word) if type(word) is str else None
    if kind is not None:
        code = get("status")
    else:
        word = str(word).lower()
        kind, code = _WORDS.get(word, _plain)(word, raw)
    message_id = get("sg_message_id")
    # As Event(...) makes it, in a third of the time: they come by the hundred thousand.
    return tuple.__new__(
        Event,
        (
            PROVIDER,
            _event_id(raw),
            kind,
            _moment(get("timestamp"), received_at),
            _text(get(REFERENCE_ARGUMENT), _ID_LENGTH),
            _text(get("email"), 254),
            _text(str(message_id).partition(".")[0], 80) if message_id else None,
            None if code is None else _text(code, _CODE_LENGTH),
            _text(get("reason") or get("response"), _DETAIL_LENGTH),
            None,
            raw,
        ),
    )


def _plain(word: str, raw: dict[str, Any]) -> tuple[EventKind, object]:
    return KINDS.get(word, EventKind.UNKNOWN), raw.get("status") or (None if word in KINDS else word)


def _bounce(_word: str, raw: dict[str, Any]) -> tuple[EventKind, object]:
    status = raw.get("status")
    if str(status) in UNAUTHENTICATED:
        return EventKind.ACCOUNT_TROUBLE, status
    kind = BOUNCE_TYPES.get(str(raw.get("type", "bounce")).lower(), EventKind.SOFT_BOUNCED)
    return kind, status or raw.get("bounce_classification")


def _dropped(_word: str, raw: dict[str, Any]) -> tuple[EventKind, object]:
    reason = str(raw.get("reason", ""))
    code = DROP_CODES.get(reason.lower(), "dropped")
    return (EventKind.ACCOUNT_TROUBLE if code in _ACCOUNT_WIDE_DROPS else EventKind.DROPPED), code


def _group(word: str, raw: dict[str, Any]) -> tuple[EventKind, object]:
    return KINDS[word], f"group:{raw.get('asm_group_id', '')}"


def _account(_word: str, raw: dict[str, Any]) -> tuple[EventKind, object]:
    change = str(raw.get("type", ""))
    return (EventKind.UNKNOWN if change in _ACCOUNT_RETURNS else EventKind.ACCOUNT_TROUBLE), change


_WORDS: Final[dict[str, Callable[[str, dict[str, Any]], tuple[EventKind, object]]]] = {
    "bounce": _bounce,
    "dropped": _dropped,
    "group_unsubscribe": _group,
    "group_resubscribe": _group,
    "account_status_change": _account,
}

# Whose word alone says what they are.
_FREQUENT: Final = {word: kind for word, kind in KINDS.items() if word not in _WORDS}


def _inbound(request: WebhookRequest) -> list[Event]:
    head = f"Content-Type: {request.header('Content-Type')}\r\n\r\n".encode("latin-1", "replace")
    try:
        form = BytesParser(policy=policy.compat32).parsebytes(head + request.body)
        parts = {
            str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True)
            for part in form.walk()
            if not part.is_multipart()
        }
    except (ValueError, LookupError, TypeError) as wrong:
        raise Invalid("This is not a post of SendGrid's inbound parse: it cannot be read as a form.") from wrong
    mail = parts.get("email")
    if not isinstance(mail, bytes) or not mail:
        raise Invalid("This post holds no mail; switch on 'POST the raw, full MIME message' for inbound parse.")
    events = read_mail(mail, received_at=request.received_at)
    return [event._replace(provider=PROVIDER) for event in events]


def _public_key(text: str) -> ec.EllipticCurvePublicKey:
    try:
        key = load_der_public_key(base64.b64decode("".join(text.split()), validate=True))
    except ValueError as wrong:
        raise Invalid(
            "The setting sendgrid.verification_key is not a public key; copy it from SendGrid's event webhook page"
        ) from wrong
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise Invalid(
            "The setting sendgrid.verification_key is not an elliptic curve key; SendGrid signs with no other"
        )
    return key


def _is_recent(timestamp: str, received_at: datetime, window_s: float) -> bool:
    try:
        return abs(received_at.timestamp() - float(timestamp)) <= window_s
    except ValueError:
        return False


def _json(body: bytes) -> object:
    """Read JSON; a lone surrogate or a broken byte inside one text must not cost the whole post."""
    try:
        found: object = orjson.loads(body)
        if b"\\u0000" not in body:
            return found
        return _clean(found)
    except orjson.JSONDecodeError:
        pass
    try:
        return _clean(json.loads(body.decode("utf-8", "replace")))
    except (ValueError, RecursionError) as wrong:
        raise Invalid("This is not a post of SendGrid's event webhook: it is not JSON.") from wrong


def _clean(value: object) -> object:
    """Take out what a database cannot store: the character NUL and halves of surrogate pairs."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, dict):
        return {str(_clean(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _event_id(raw: dict[str, Any]) -> str:
    """Return SendGrid's id of the event; without one, the same event must still get the same id again."""
    given = raw.get("sg_event_id")
    if isinstance(given, str) and 0 < len(given) <= _ID_LENGTH:
        return given
    canonical = json.dumps(raw, sort_keys=True, default=str)
    return f"sha256:{sha256(canonical.encode()).hexdigest()}"


def _moment(value: object, otherwise: datetime) -> datetime:
    """Read a unix time, in seconds or (in marketing events) milliseconds."""
    try:
        return _at(value if type(value) is int else float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError, OSError):
        return otherwise


@lru_cache(maxsize=256)
def _at(seconds: float) -> datetime:
    """Return the moment of a unix time; the events of one post share a few seconds."""
    return datetime.fromtimestamp(seconds / 1000 if seconds > _MILLISECONDS_FROM else seconds, UTC)


def _text(value: object, length: int) -> str | None:
    if value is None:
        return None
    if type(value) is str:
        return value[:length] or None
    return str(value)[:length] if value or value == 0 else None
