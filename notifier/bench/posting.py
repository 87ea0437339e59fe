"""Webhooks made and signed beforehand, and posted over connections that stay open: the load, not what is measured."""

import asyncio
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from urllib.parse import urlencode, urlsplit

import orjson
from sqlalchemy import select

from notifier.bootstrap import House
from notifier.config import Settings
from notifier.delivery.models import Delivery
from notifier.delivery.status import DeliveryStatus
from notifier.kit.tokens import Purpose
from notifier.providers.base import REFERENCE_ARGUMENT
from notifier.sandbox.accounts import Accounts
from notifier.vocabulary import Channel

CONNECTIONS = 16
EVENTS_PER_POST = 500
SENDGRID_PATH, TWILIO_PATH = "/webhooks/sendgrid/events", "/webhooks/twilio/status"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_SUCCESS = b"2"
_TWICE_IN = 50  # one email in so many comes back
_BOUNCE = {"event": "bounce", "type": "bounce", "status": "5.1.1", "reason": "550 5.1.1 no such user"}
_DELIVERED = {"event": "delivered", "response": "250 2.0.0 OK"}

Addressee = tuple[str, str]  # (reference, destination)


def accounts(settings: Settings) -> Accounts:
    """Return the keys webhooks are signed with."""
    return Accounts(
        sendgrid_api_key=settings.sendgrid.api_key,
        twilio_account_sid=settings.twilio.account_sid,
        twilio_auth_token=settings.twilio.auth_token,
        signing_key=settings.sandbox.signing_key,
    )


def addressees(opened: House, channel: Channel) -> list[Addressee]:
    """Return whom the messages of a channel went to."""
    wanted = (
        select(Delivery.id, Delivery.destination)
        .where(Delivery.channel == channel, Delivery.status != DeliveryStatus.HELD_BACK)
        .order_by(Delivery.id)
    )
    with opened.database.reading() as session:
        rows = session.execute(wanted).all()
    references = opened.keyring.seal_many(Purpose.DELIVERY, [delivery_id for delivery_id, _ in rows])
    return [(reference, destination or "") for reference, (_, destination) in zip(references, rows, strict=True)]


def sendgrid_posts(settings: Settings, people: Sequence[Addressee], run: str) -> Iterator[bytes]:
    """Give signed posts of SendGrid's events, two about each email: taken, and delivered or come back."""
    keys = accounts(settings)
    events = [event for number, one in enumerate(people) for event in _about_email(run, number, one)]
    for start in range(0, len(events), EVENTS_PER_POST):
        body = orjson.dumps(events[start : start + EVENTS_PER_POST])
        timestamp = str(int(time.time()))
        yield request(
            SENDGRID_PATH,
            {
                "Content-Type": "application/json",
                "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
                "X-Twilio-Email-Event-Webhook-Signature": keys.sign_events(timestamp, body),
            },
            body,
        )


def _about_email(run: str, number: int, addressee: Addressee) -> Iterator[dict[str, object]]:
    reference, destination = addressee
    last = _BOUNCE if number % _TWICE_IN == 0 else _DELIVERED
    for what in ({"event": "processed"}, last):
        yield {
            "email": destination,
            "timestamp": int(time.time()),
            "sg_event_id": f"{what['event']}-{number}-{run}",
            "sg_message_id": f"{run}.bench-{number}",
            REFERENCE_ARGUMENT: reference,
            **what,
        }


def twilio_posts(settings: Settings, people: Sequence[Addressee], run: str) -> Iterator[bytes]:
    """Give signed posts of Twilio, two about each text message: sent and delivered."""
    keys = accounts(settings)
    public = settings.web.public_url.rstrip("/")
    for status in ("sent", "delivered"):
        for number, (reference, destination) in enumerate(people):
            fields = {
                "AccountSid": keys.twilio_account_sid,
                "ApiVersion": "2010-04-01",
                "From": settings.sender.sms,
                "To": destination,
                "MessageSid": f"SM{run}{number:024x}",
                "SmsSid": f"SM{run}{number:024x}",
                "MessageStatus": status,
                "SmsStatus": status,
            }
            path = f"{TWILIO_PATH}?ref={reference}"
            kind = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
            yield request(path, kind | keys.sign_form(public + path, fields.items()), urlencode(fields).encode())


def request(path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """Return the bytes of one POST."""
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n{''.join(lines)}\r\n"
    return head.encode() + body


def post_all(url: str, requests: Iterable[bytes], connections: int = CONNECTIONS) -> None:
    """Post every request, each connection the next one as soon as its last was taken."""
    asyncio.run(_post_all(urlsplit(url).port or 0, iter(requests), connections))


async def _post_all(port: int, requests: Iterator[bytes], connections: int) -> None:
    async with asyncio.TaskGroup() as tasks:
        for _ in range(connections):
            tasks.create_task(_post(port, requests))


async def _post(port: int, requests: Iterator[bytes]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for one in requests:
        writer.write(one)
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if length:
            await reader.readexactly(int(length[1]))
        if not head[9:10] == _SUCCESS:
            raise RuntimeError(f"a webhook was answered with {head[9:12].decode()}")
    writer.close()
    await writer.wait_closed()
