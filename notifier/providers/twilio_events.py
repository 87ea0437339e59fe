"""What Twilio tells later: its two signatures, its statuses and error codes, and what people write to our numbers.

Every word of theirs that matters is in a table here; an unknown one becomes an UNKNOWN event. Which words mean STOP is
not decided here, except where Twilio says so itself (`OptOutType`).
"""

import re
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qs, parse_qsl

from twilio.request_validator import RequestValidator, get_signature_algorithm

from notifier.kit.errors import Invalid
from notifier.providers.base import BadSignature, Event, WebhookRequest
from notifier.vocabulary import EventKind

PROVIDER: Final = "twilio"
SIGNATURE_HEADER = "X-Twilio-Signature"
SETTINGS_HEADER = "X-Twilio-Webhooks-Signature-Settings"
SHARED_KEY_ALGORITHM = "HMAC_SHA256"

STATUSES: Final = {
    "accepted": EventKind.ACCEPTED,
    "scheduled": EventKind.ACCEPTED,
    "queued": EventKind.ACCEPTED,
    "sending": EventKind.ACCEPTED,
    "sent": EventKind.ACCEPTED,
    "partially_delivered": EventKind.ACCEPTED,  # some parts arrived: not a text anybody could read
    "delivered": EventKind.DELIVERED,
    "read": EventKind.DELIVERED,
    "undelivered": EventKind.FAILED,
    "failed": EventKind.FAILED,
    "canceled": EventKind.FAILED,
}

# Why a message failed, where it matters: a dead number, a handset that is off, our account. Any other code is a FAILED
# event that says nothing about the next message.
ERRORS: Final = {
    21610: EventKind.OPTED_OUT,
    30002: EventKind.ACCOUNT_TROUBLE,  # the account is suspended
    30003: EventKind.SOFT_BOUNCED,  # the handset is off or out of reach
    30005: EventKind.HARD_BOUNCED,  # the number is not in use
    30006: EventKind.HARD_BOUNCED,  # a landline
    30008: EventKind.SOFT_BOUNCED,  # the carrier does not say
    30034: EventKind.ACCOUNT_TROUBLE,  # the sender is not registered
}

OPT_OUT_TYPES: Final = {
    "STOP": EventKind.OPTED_OUT,
    "START": EventKind.RESUBSCRIBED,
    "HELP": EventKind.REPLIED,
}

_FIELDS_LIMIT = 200
# The one character that a form can hold and a database cannot.
_NUL = re.compile(rb"\x00|%00")
_TEXT_LENGTH = 1600


class _Form(dict[str, list[str]]):
    """A form whose fields may be repeated, in the shape Twilio's validator knows."""

    def getall(self, name: str) -> list[str]:
        """Return every value of a field."""
        return self[name]


class Webhook:
    """The signatures of Twilio's posts: HMAC over the public address and the fields.

    The account's token signs with SHA-1; a shared key, where there is one, with SHA-256. The request says which; each
    secret is used with its own algorithm only.
    """

    def __init__(self, auth_token: str, shared_key: str) -> None:
        self._validators = {
            algorithm: RequestValidator(secret)
            for algorithm, secret in (("HMAC_SHA1", auth_token), (SHARED_KEY_ALGORITHM, shared_key))
            if secret
        }

    def verify(self, request: WebhookRequest) -> None:
        """Raise BadSignature unless Twilio signed this request."""
        algorithm = get_signature_algorithm(request.header(SETTINGS_HEADER)).upper()
        validator = self._validators.get(algorithm)
        signature = request.header(SIGNATURE_HEADER)
        if validator is None or not signature or not _is_signed(validator, request, signature, algorithm):
            raise BadSignature("This request is not signed by Twilio.")


def _is_signed(validator: RequestValidator, request: WebhookRequest, signature: str, algorithm: str) -> bool:
    try:
        return bool(validator.validate(request.url, _form(request.body), signature, algorithm))
    except (ValueError, UnicodeError):
        return False


def parse(request: WebhookRequest) -> list[Event]:
    """Read a status callback or an inbound message. Raises Invalid if it is neither."""
    try:
        fields = {name: values[-1] for name, values in _form(request.body).items()}
    except ValueError as wrong:
        raise Invalid("This is not a post of Twilio: it cannot be read as a form.") from wrong
    if _NUL.search(request.body):
        fields = {_stored(name): _stored(value) for name, value in fields.items()}
    message_id = fields.get("MessageSid") or fields.get("SmsSid") or ""
    if not message_id:
        raise Invalid("This is not a post of Twilio about a message: MessageSid is missing.")
    status = (fields.get("MessageStatus") or fields.get("SmsStatus") or "").lower()
    if "Body" in fields and status in {"", "received"}:
        return [_inbound(fields, message_id, request.received_at)]
    return [_status(fields, message_id, status, request)]


def read_record(record: dict[str, Any], otherwise: datetime) -> Event:
    """Return what a message resource says about one message. `otherwise` is its moment if it does not say."""
    status, error = str(record.get("status", "")).lower(), str(record.get("error_code") or "")
    message_id = str(record.get("sid", ""))
    return Event(
        provider=PROVIDER,
        event_id=f"{message_id}:{status}"[:180],
        kind=_kind(status, error),
        occurred_at=_moment(record.get("date_created"), otherwise),
        destination=str(record.get("to", "")) or None,
        message_id=message_id[:80] or None,
        code=error[:60] or None,
        text=str(record.get("body") or ""),
        raw=record,
    )


def _kind(status: str, error: str) -> EventKind:
    kind = STATUSES.get(status, EventKind.UNKNOWN)
    if kind is EventKind.FAILED and error.isascii() and error.isdecimal():
        return ERRORS.get(int(error[:9]), kind)
    return kind


def _moment(value: object, otherwise: datetime) -> datetime:
    try:
        return parsedate_to_datetime(str(value))
    except ValueError:
        return otherwise


def _status(fields: dict[str, str], message_id: str, status: str, request: WebhookRequest) -> Event:
    error = fields.get("ErrorCode", "")
    kind = _kind(status, error)
    return Event(
        provider=PROVIDER,
        event_id=f"{message_id}:{status}"[:180],
        kind=kind,
        occurred_at=request.received_at,
        reference=_reference(request.url),
        destination=fields.get("To") or None,
        message_id=message_id[:80],
        code=(error or (status if kind in {EventKind.UNKNOWN, EventKind.FAILED} else ""))[:60] or None,
        detail=fields.get("ErrorMessage") or fields.get("ChannelStatusMessage") or None,
        raw=dict(fields),
    )


def _inbound(fields: dict[str, str], message_id: str, received_at: datetime) -> Event:
    said = fields.get("OptOutType", "").upper()
    return Event(
        provider=PROVIDER,
        event_id=f"{message_id}:received"[:180],
        kind=OPT_OUT_TYPES.get(said, EventKind.REPLIED),
        occurred_at=received_at,
        destination=fields.get("From") or None,
        message_id=message_id[:80],
        code=said[:60] or None,  # with one, Twilio has already answered the person
        text=fields.get("Body", "")[:_TEXT_LENGTH],
        raw=dict(fields),
    )


# A post is read to verify it, and again for what it says.
@lru_cache(maxsize=4)
def _form(body: bytes) -> _Form:
    form = _Form()
    for name, value in parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_FIELDS_LIMIT):
        form.setdefault(name, []).append(value)
    return form


def _reference(url: str) -> str | None:
    found = parse_qs(url.partition("?")[2]).get("ref", [""])[0]
    return _stored(found)[:180] or None


def _stored(text: str) -> str:
    """Take out what a database cannot store."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()
