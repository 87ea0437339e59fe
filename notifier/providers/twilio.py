"""Twilio: one request per SMS through the SDK's asynchronous client, and the signed callbacks that come back.

Every message is accepted or refused by itself, so `send` gives a receipt for each and raises only when the account was
refused before anything was taken. Nothing is ever retried here.
"""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import count
from typing import Any
from urllib.parse import quote, quote_plus

import orjson
from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
    DummyCookieJar,
    TCPConnector,
)
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

from notifier.providers import twilio_events
from notifier.providers.base import (
    INVALID_NUMBER,
    NOT_A_MOBILE,
    OPTED_OUT,
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
)
from notifier.providers.personal import Blanks
from notifier.providers.rounds import Round
from notifier.providers.settings import TwilioSettings
from notifier.vocabulary import Channel, Envelope, Message, SmsMessage

# What Twilio's error codes mean for us; a code not listed is judged by the status of the answer.
REFUSALS: dict[int, type[ProviderError]] = {
    20003: AccountTrouble,  # the credentials are refused
    20429: Temporary,  # too many requests at once
    21211: Permanent,  # no phone number
    21212: AccountTrouble,  # the sender is no sender: the same for every message of this sender
    21408: Permanent,  # the country is switched off: only its numbers fail, the others go on
    21606: AccountTrouble,  # the sender is not ours
    21608: AccountTrouble,  # a trial account writes to verified numbers only
    21610: Permanent,  # the recipient has opted out
    21611: Temporary,  # the sender's queue is full
    21612: Permanent,  # no route between sender and number
    21614: Permanent,  # no mobile number
    21617: Permanent,  # the text is too long
    21635: Permanent,  # a landline
    30001: Temporary,  # a queue is full
    30002: AccountTrouble,  # the account is suspended
}

# The codes our rooms act on have our own words; the others keep Twilio's number.
CODES = {21610: OPTED_OUT, 21211: INVALID_NUMBER, 21614: NOT_A_MOBILE, 21635: NOT_A_MOBILE}

_STATUS_REFUSALS: dict[int, type[ProviderError]] = {401: AccountTrouble, 403: AccountTrouble, 429: Temporary}
_SERVER_FAULT = 500
_PAGE = 1_000
_DONE = {200, 201}
_GONE = {"20404", "404"}  # Twilio has no such message any more
_LOOKED_AT = 50

# How Twilio shall repeat a callback that we did not take: five times, whatever went wrong. Not part of the signature.
_CALLBACK_RETRIES = "#rc=5&rp=all"


class Twilio:
    """Twilio's Programmable Messaging. `public_url` is where Twilio can reach our webhooks."""

    name = "twilio"
    channel = Channel.SMS
    settled_by = SettledBy.RECORD
    erased_by = ErasedBy.MOBILE_NUMBER

    def __init__(self, settings: TwilioSettings, *, public_url: str) -> None:
        self.group_size = settings.group_size
        self._settings = settings
        self._callback = f"{public_url.rstrip('/')}/webhooks/twilio/status?ref="
        self._messages = f"{settings.base_url.rstrip('/')}/2010-04-01/Accounts/{settings.account_sid}/Messages.json"
        self._webhook = twilio_events.Webhook(settings.auth_token, settings.shared_key)
        # A client belongs to the loop it was made in, and the scheduler asks in a loop of its own.
        self._opened: dict[asyncio.AbstractEventLoop, Client] = {}

    async def send(self, message: Message, envelopes: Sequence[Envelope]) -> list[Receipt]:
        """Send one message to each recipient; at most `concurrency` requests are under way at once."""
        if not isinstance(message, SmsMessage):
            raise Permanent("Twilio sends SMS only", code="not_an_sms")
        # Every form is made before the first request leaves, so that a missing value stops them all.
        form = _Form(message, self._callback)
        forms = [form.fill(envelope) for envelope in envelopes]
        calls = Round(len(forms))
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._settings.concurrency, len(forms))):
                group.create_task(self._work(calls, forms))
        return calls.receipts()

    def verify(self, request: WebhookRequest) -> None:
        """Raise BadSignature unless Twilio signed this request."""
        self._webhook.verify(request)

    def parse(self, request: WebhookRequest) -> list[Event]:
        """Read a status callback, or a message somebody sent to our number."""
        return twilio_events.parse(request)

    async def find(self, destination: str, *, after: datetime) -> list[Event]:
        """Return what Twilio has on record for a number since a moment, newest first, each with its text.

        For messages whose answer was lost. The record does not hold our reference: whoever asks must know the message
        by its text. An event of a record has the id the callback of the same status has. Raises ProviderError.
        """
        told = await self._call("GET", params={"To": destination, "PageSize": _LOOKED_AT})
        since = after.replace(microsecond=0)  # Twilio's record knows whole seconds
        records = [record for record in told.get("messages") or [] if isinstance(record, dict)]
        events = [twilio_events.read_record(record, after) for record in records]
        return [event for event in events if event.occurred_at >= since]

    async def read_record(self, *, since: datetime, until: datetime) -> AsyncIterator[list[Event]]:
        """Return everything Twilio took from us in a period, page by page, newest first. Raises ProviderError."""
        # Its filter knows days only; the hours are looked at here.
        days = {"DateSent>": since.strftime("%Y-%m-%d"), "DateSent<": (until + timedelta(days=1)).strftime("%Y-%m-%d")}
        for page in count():
            told = await self._call("GET", params={**days, "PageSize": _PAGE, "Page": page})
            records = [record for record in told.get("messages") or () if isinstance(record, dict)]
            events = [twilio_events.read_record(record, since) for record in records if _is_ours(record)]
            yield [event for event in events if since <= event.occurred_at <= until]
            if not told.get("next_page_uri"):
                return

    async def erase(self, subject: str) -> None:
        """Have the text of every message to and from a number emptied. Raises ProviderError.

        Twilio calls this redaction: the record of the message stays, the words go. What the number wrote to us, our
        answers and the codes of sign-ups are on record there like the messages of campaigns.
        """
        for side in ("To", "From"):
            for page in count():
                told = await self._call("GET", params={side: subject, "PageSize": _PAGE, "Page": page})
                records = [record for record in told.get("messages") or () if isinstance(record, dict)]
                for sid in [str(record.get("sid", "")) for record in records if record.get("body") != ""]:
                    await self._redact(sid)
                if not told.get("next_page_uri"):
                    break

    async def _redact(self, sid: str) -> None:
        """Empty the text of one message; one Twilio has no more is erased. Raises ProviderError."""
        resource = f"{self._messages.removesuffix('.json')}/{quote(sid, safe='')}.json"
        try:
            await self._call("POST", resource, data={"Body": ""})
        except Permanent as refused:
            if refused.code not in _GONE:
                raise

    async def close(self) -> None:
        """Close the connections of the running loop."""
        client = self._opened.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.http_client.close()

    async def _work(self, calls: Round, forms: Sequence[bytes]) -> None:
        """Send what is waiting, one after the other."""
        while (number := calls.next()) is not None:
            calls.settle(number, await self._create(forms[number]))

    async def _create(self, form: bytes) -> Receipt:
        try:
            told = await self._call("POST", data=form)
        except ProviderError as error:
            return Receipt(error=error)
        return Receipt(message_id=str(told.get("sid") or "") or None)

    async def _call(self, method: str, resource: str = "", **how: object) -> dict[str, Any]:
        """Ask Twilio for or about messages, or for one resource of its own. Raises ProviderError."""
        try:
            answer = await self._client().request_async(method, resource or self._messages, **how)
        except (ConnectionTimeoutError, ClientConnectorError) as failed:
            raise Temporary(f"Twilio could not be reached: {type(failed).__name__}", code="unreachable") from None
        except (TimeoutError, ClientError, OSError) as lost:
            raise Ambiguous(f"Twilio did not answer: {type(lost).__name__}", code="no_answer") from None
        told = _document(answer.text)
        if answer.status_code not in _DONE:
            raise refusal(answer.status_code, told.get("code"), answer.headers)
        return told

    def _client(self) -> Client:
        """Return the SDK's client for the running loop."""
        loop = asyncio.get_running_loop()
        client = self._opened.get(loop)
        if client is None:
            client = self._opened[loop] = _open(self._settings)
        return client


class _Form:
    """A message as Twilio takes it, spelled for a form once; what is a recipient's own is put in.

    Given a dictionary, aiohttp would make ready for an upload of files first, which takes longer than all the rest.
    """

    def __init__(self, message: SmsMessage, callback: str) -> None:
        self._sender = message.sender
        self._text = Blanks(message.text, message.markers, _spelled)
        self._callback = _spelled(callback)
        self._rest = _spelled(_CALLBACK_RETRIES) + f"&ValidityPeriod={message.validity_s}"

    def fill(self, envelope: Envelope) -> bytes:
        """Return the form for one recipient."""
        return (
            f"To={quote_plus(envelope.destination)}&From={_spelled(envelope.sender or self._sender)}"
            f"&Body={self._text.fill(envelope.values)}"
            f"&StatusCallback={self._callback}{quote_plus(quote(envelope.reference, safe=''))}{self._rest}"
        ).encode()


# The names of a school's parents come again and again, and spelling one takes longer than anything else about it.
@lru_cache(maxsize=4096)
def _spelled(value: str) -> str:
    return quote_plus(value)


def _is_ours(record: Mapping[str, Any]) -> bool:
    return record.get("direction") == "outbound-api"


def _open(settings: TwilioSettings) -> Client:
    http = _Quiet(pool_connections=False)
    # The SDK's own session would take no notice of a timeout, and keep a hundred connections.
    http.session = ClientSession(
        timeout=ClientTimeout(total=settings.timeout_s, sock_connect=settings.connect_timeout_s),
        connector=TCPConnector(limit=settings.concurrency),
        cookie_jar=DummyCookieJar(),
    )
    return Client(
        account_sid=settings.account_sid,
        http_client=http,
        credential_provider=_Credentials(settings),
        environment={"TWILIO_REGION": ""},  # without one of its own, it would read settings that are not ours
    )


class _Credentials:
    """What the SDK asks for an Authorization header; its own way of writing one is going out of use in aiohttp."""

    def __init__(self, settings: TwilioSettings) -> None:
        name = settings.api_key_sid or settings.account_sid
        secret = settings.api_key_secret or settings.auth_token
        self._header = "Basic " + b64encode(f"{name}:{secret}".encode()).decode()

    def to_auth_strategy(self) -> "_Credentials":
        """Return the strategy, which is this."""
        return self

    def get_auth_string(self) -> str:
        """Return the header's value."""
        return self._header


class _Quiet(AsyncTwilioHttpClient):  # type: ignore[misc]  # the SDK ships no types
    """The SDK's HTTP client without its log: it names the account, and is put together though nobody reads it."""

    def log_request(self, _request: object) -> None:
        """Say nothing."""

    def log_response(self, _status: int, _response: object) -> None:
        """Say nothing."""


def _document(body: str) -> dict[str, Any]:
    try:
        read = orjson.loads(body)
    except ValueError:
        return {}
    return read if isinstance(read, dict) else {}


def refusal(status: int, code: object, headers: Any) -> ProviderError:  # noqa: ANN401 - the SDK's own
    """Return what a refusing answer means. Twilio's sentence may repeat the number, so it is not passed on."""
    number = code if isinstance(code, int) else 0
    otherwise = Temporary if status >= _SERVER_FAULT else _STATUS_REFUSALS.get(status, Permanent)
    kind = REFUSALS.get(number, otherwise)
    word = CODES.get(number, str(number or status))
    wait = _seconds(headers.get("Retry-After")) if kind is Temporary else None
    return kind(f"Twilio answered {status}, code {number or 'none'}", code=word, retry_after_s=wait)


def _seconds(value: object) -> float | None:
    try:
        return max(0.0, float(value))  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
