"""SendGrid: email for up to a thousand recipients in one request, and the signed events that come back.

All that is known about SendGrid's words is here or in `sendgrid_events`. A request is accepted whole or refused whole,
so `send` either returns a receipt for everybody or raises. Nothing is ever retried here.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

import orjson
from python_http_client.client import Client, Response
from python_http_client.exceptions import HTTPError
from sendgrid import SendGridAPIClient

from notifier.providers import sendgrid_events
from notifier.providers.base import (
    BULK_HEADERS,
    ONE_CLICK,
    REFERENCE_ARGUMENT,
    AccountTrouble,
    Ambiguous,
    ErasedBy,
    Event,
    Permanent,
    ProviderError,
    Receipt,
    SettledBy,
    Temporary,
    WebhookRequest,
    unsubscribe_header,
)
from notifier.providers.settings import SendGridSettings
from notifier.vocabulary import Channel, EmailMessage, Envelope, Message

# What each refusing status means for the whole request. A status not listed is a fault of theirs from 500 on, and of
# our request below.
_REFUSALS: dict[int, type[ProviderError]] = {
    400: Permanent,
    401: AccountTrouble,
    403: AccountTrouble,
    408: Temporary,
    413: Permanent,
    429: Temporary,
}
_SERVER_FAULT = 500

# Clicks and opens are not counted: these are messages about children, and a rewritten link is one nobody can check.
_TRACKING_OFF = {
    "click_tracking": {"enable": False, "enable_text": False},
    "open_tracking": {"enable": False},
    "subscription_tracking": {"enable": False},
}

_THIS_MACHINE = {"127.0.0.1", "::1", "localhost"}

# The SDK logs every payload, and the key with it, at DEBUG.
_SDK_LOGGER = "python_http_client.client"


_JSON = {"Content-Type": "application/json; charset=utf-8"}


class _Door(Client):  # type: ignore[misc]  # the SDK ships no types
    """The SDK's client for one address, with a timeout. A stand-in on this machine is never looked for by a proxy."""

    def __init__(self, settings: SendGridSettings, *path: str) -> None:
        host = settings.base_url.rstrip("/")
        headers = SendGridAPIClient(settings.api_key, host=host).client.request_headers
        super().__init__(host, {**headers, **_JSON}, version=3, url_path=[*path], timeout=settings.timeout_s)
        is_here = urlsplit(host).hostname in _THIS_MACHINE
        self._opener = build_opener(ProxyHandler({})) if is_here else build_opener()

    def post_encoded(self, body: bytes) -> Response:
        """Post a body that is JSON already; what is refused raises the SDK's HTTPError.

        The SDK's own way to post encodes once more, puts the whole payload together for a log nobody reads, and makes
        an opener for each request, which takes as long as the request.
        """
        request = Request(self._build_url(None), body, self.request_headers, method="POST")  # noqa: S310 - an address of the settings
        return Response(self._make_request(self._opener, request))


class SendGrid:
    """SendGrid's v3 API, through its own SDK. The SDK waits, so each request waits in a thread."""

    name = "sendgrid"
    channel = Channel.EMAIL
    settled_by = SettledBy.EVENTS
    erased_by = ErasedBy.EMAIL_ADDRESS

    def __init__(self, settings: SendGridSettings) -> None:
        self.group_size = settings.recipients_per_request
        self._settings = settings
        self._events = sendgrid_events.Webhook(settings.verification_key, settings.replay_window_s)
        self._threads = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="sendgrid")
        logging.getLogger(_SDK_LOGGER).setLevel(logging.WARNING)
        self._mail_send = _Door(settings, "mail", "send")
        self._erase_job = _Door(settings, "recipients", "erasejob")

    async def send(self, message: Message, envelopes: Sequence[Envelope]) -> list[Receipt]:
        """Send one message to up to a thousand recipients in one request. Addresses must differ from each other."""
        if not isinstance(message, EmailMessage):
            raise Permanent("SendGrid sends email only", code="not_an_email")
        body = orjson.dumps(payload(message, envelopes), default=dict)
        message_id = await asyncio.get_running_loop().run_in_executor(self._threads, self._post, self._mail_send, body)
        return [Receipt(message_id)] * len(envelopes)

    async def erase(self, subject: str) -> None:
        """Ask SendGrid to erase everything it holds about an email address. Raises ProviderError."""
        body = orjson.dumps({"email_addresses": [subject]})
        await asyncio.to_thread(self._post, self._erase_job, body)

    def verify(self, request: WebhookRequest) -> None:
        """Raise BadSignature unless SendGrid signed this request, recently."""
        self._events.verify(request)

    def parse(self, request: WebhookRequest) -> list[Event]:
        """Read the events of one post of the event webhook, or the mail of one post of inbound parse."""
        return sendgrid_events.parse(request)

    async def close(self) -> None:
        """Let the threads go. Connections last no longer than their request."""
        self._threads.shutdown(wait=False)

    def _post(self, door: _Door, body: bytes) -> str | None:
        try:
            answer = door.post_encoded(body)
        except HTTPError as refused:
            raise refusal(refused.status_code, refused.headers, refused.body, now=time.time()) from None
        except URLError as failed:
            # urllib wraps in URLError what goes wrong until the whole request has left, and nothing after that.
            raise Temporary(f"SendGrid could not be reached: {failed.reason}", code="unreachable") from None
        except (OSError, HTTPException) as lost:
            raise Ambiguous(f"SendGrid did not answer: {type(lost).__name__}", code="no_answer") from None
        message_id = answer.headers.get("X-Message-Id")
        return str(message_id) if message_id else None


def payload(message: EmailMessage, envelopes: Sequence[Envelope]) -> dict[str, Any]:
    """Return the JSON document of a mail/send request."""
    whole: dict[str, Any] = {
        "personalizations": [_personalization(envelope) for envelope in envelopes],
        "from": {"email": message.sender, "name": message.sender_name},
        "subject": message.subject,
        "content": [{"type": "text/plain", "value": message.text}, {"type": "text/html", "value": message.html}],
        "headers": BULK_HEADERS | dict(message.headers),
        "tracking_settings": _TRACKING_OFF,
    }
    if message.reply_to:
        whole["reply_to"] = {"email": message.reply_to}
    return whole


def _personalization(envelope: Envelope) -> dict[str, Any]:
    reference, destination, values, leave, _ = envelope
    one: dict[str, Any] = {"to": [{"email": destination}], "custom_args": {REFERENCE_ARGUMENT: reference}}
    if values:
        one["substitutions"] = values
    if leave:
        one["headers"] = {"List-Unsubscribe": unsubscribe_header(leave), "List-Unsubscribe-Post": ONE_CLICK}
    return one


def refusal(status: int, headers: Any, body: bytes, *, now: float) -> ProviderError:  # noqa: ANN401 - the SDK's own
    """Return what a refusing answer means. `now` is a unix time."""
    kind = _REFUSALS.get(status, Temporary if status >= _SERVER_FAULT else Permanent)
    wait = _retry_after(headers, now) if kind is Temporary else None
    return kind(f"SendGrid answered {status}: {_explanation(body)}", code=str(status), retry_after_s=wait)


def _retry_after(headers: Any, now: float) -> float | None:  # noqa: ANN401 - the SDK's own
    """Return the seconds to wait: Retry-After counts seconds, X-RateLimit-Reset is a unix time."""
    for name, origin in (("Retry-After", 0.0), ("X-RateLimit-Reset", now)):
        try:
            return max(0.0, float(headers.get(name)) - origin)
        except (AttributeError, TypeError, ValueError):
            continue
    return None


def _explanation(body: bytes) -> str:
    """Return the fields SendGrid complains about. Its messages may repeat an address, so they are not passed on."""
    try:
        errors = orjson.loads(body)["errors"]
        fields = [str(error.get("field") or "the request") for error in errors]
    except (ValueError, TypeError, KeyError, AttributeError):
        return "no explanation"
    return ", ".join(fields[:5]) or "no explanation"
