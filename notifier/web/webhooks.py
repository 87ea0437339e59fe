"""Where providers tell us what became of a message: verify on the raw bytes, store once, answer, apply later.

Nothing is decided here. A post that is not proven to be the provider's gets a 403 that says nothing; one that is proven
and cannot be read is kept as an unknown event, because an error would make the provider repeat it for a day.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from hashlib import sha256

import structlog
from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session
from starlette.status import (
    HTTP_204_NO_CONTENT,
    HTTP_403_FORBIDDEN,
    HTTP_404_NOT_FOUND,
    HTTP_413_CONTENT_TOO_LARGE,
    HTTP_503_SERVICE_UNAVAILABLE,
)

from notifier.kit.errors import Invalid
from notifier.providers.base import BadSignature, Event, Provider, WebhookRequest
from notifier.tracking.inbound import Heard, hear_mail, hear_text
from notifier.tracking.inbox import only_proven
from notifier.vocabulary import EventKind
from notifier.web.intake import Busy, Intake
from notifier.web.metrics import WebMetrics
from notifier.web.parts import WebParts
from notifier.web.replies import twiml
from notifier.web.security import BodyTooLarge, read_body

log = structlog.get_logger()

Act = Callable[[Sequence[Event]], Awaitable[Response]]

_KEPT_CHARACTERS = 2000


_WRITTEN = {EventKind.OPTED_OUT, EventKind.RESUBSCRIBED, EventKind.REPLIED}
_SILENCE = Heard(None, None)


class Doors:
    """The way every post takes: size, signature, reading, storing, counting."""

    def __init__(self, parts: WebParts, intake: Intake, metrics: WebMetrics) -> None:
        self._parts = parts
        self._intake = intake
        self._metrics = metrics

    async def take(self, name: str, request: Request, act: Act) -> Response:
        """Let a provider's post in, or answer it with a silent no."""
        provider = self._parts.providers.get(name)
        if provider is None:
            return Response(status_code=HTTP_404_NOT_FOUND)
        try:
            body = await read_body(request, self._parts.settings.webhook_max_bytes)
            await self._intake.let_people_through()
            arrived = WebhookRequest(_public_url(self._parts, request), request.headers, body, self._parts.clock())
            provider.verify(arrived)
            events = _read(provider, arrived)
            answer = await act(events)
        except BodyTooLarge:
            return self._metrics.refused(name, HTTP_413_CONTENT_TOO_LARGE)
        except BadSignature:
            return self._metrics.refused(name, HTTP_403_FORBIDDEN)
        except Busy:
            return self._metrics.refused(name, HTTP_503_SERVICE_UNAVAILABLE, headers={"retry-after": "30"})
        self._metrics.taken(name, events, arrived.received_at)
        return answer

    async def store(self, events: Sequence[Event]) -> Response:
        """Store events to be applied later."""
        await self._intake.store(events)
        return Response(status_code=HTTP_204_NO_CONTENT)

    async def hear_texts(self, events: Sequence[Event]) -> Response:
        """Obey text messages at once, and answer the last of them in the sender's language."""
        heard = _SILENCE
        for event in events:
            if event.kind in _WRITTEN:
                heard = await self._intake.act(partial(self._hear_text, event))
            else:
                await self._intake.store([event])
        parts = self._parts
        return twiml(heard, parts.renderer.furniture, sender_name=parts.sender_name, check_page=parts.link("/v"))

    async def hear_mail(self, events: Sequence[Event]) -> Response:
        """Keep what people wrote; store what machines reported, as far as it is proven by a reference of ours."""
        written = [event for event in events if event.kind is EventKind.REPLIED]
        for event in written:
            await self._intake.act(partial(self._hear_mail, event))
        reported = [event for event in events if event.kind is not EventKind.REPLIED]
        await self._intake.store(only_proven(reported, keyring=self._parts.keyring))
        return Response(status_code=HTTP_204_NO_CONTENT)

    def _hear_text(self, event: Event, session: Session, now: datetime) -> Heard:
        parts = self._parts
        return hear_text(session, event, address_secret=parts.address_secret, keyring=parts.keyring, now=now)

    def _hear_mail(self, event: Event, session: Session, now: datetime) -> None:
        parts = self._parts
        hear_mail(session, event, address_secret=parts.address_secret, keyring=parts.keyring, now=now)


def webhook_routes(parts: WebParts, intake: Intake, metrics: WebMetrics) -> APIRouter:
    """Return the doors of the configured providers."""
    router = APIRouter(tags=["webhooks"])
    doors = Doors(parts, intake, metrics)

    @router.post("/webhooks/sendgrid/events", status_code=HTTP_204_NO_CONTENT)
    async def sendgrid_events(request: Request) -> Response:
        """Take a signed batch of SendGrid events."""
        return await doors.take("sendgrid", request, doors.store)

    @router.post("/webhooks/sendgrid/inbound", status_code=HTTP_204_NO_CONTENT)
    async def sendgrid_inbound(request: Request) -> Response:
        """Take one mail that SendGrid received for us: a reply, a delivery report or a complaint."""
        return await doors.take("sendgrid", request, doors.hear_mail)

    @router.post("/webhooks/twilio/status", status_code=HTTP_204_NO_CONTENT)
    async def twilio_status(request: Request) -> Response:
        """Take one signed status callback of Twilio."""
        return await doors.take("twilio", request, doors.store)

    @router.post("/webhooks/twilio/inbound", response_class=Response)
    async def twilio_inbound(request: Request) -> Response:
        """Take one text message that somebody wrote to us; answer it with TwiML."""
        return await doors.take("twilio", request, doors.hear_texts)

    return router


def _public_url(parts: WebParts, request: Request) -> str:
    query = request.scope["query_string"].decode("latin-1")
    return parts.link(f"{request.scope['path']}{'?' if query else ''}{query}")


def _read(provider: Provider, arrived: WebhookRequest) -> list[Event]:
    try:
        return provider.parse(arrived)
    except Invalid:
        log.warning("webhook_unreadable", provider=provider.name)
    except Exception:  # a post we have verified must never be answered with a 500
        log.exception("webhook_parser_failed", provider=provider.name)
    return [_unreadable(provider, arrived)]


def _unreadable(provider: Provider, arrived: WebhookRequest) -> Event:
    return Event(
        provider=provider.name,
        event_id=f"unreadable-{sha256(arrived.body).hexdigest()}",
        kind=EventKind.UNKNOWN,
        occurred_at=arrived.received_at,
        raw={"body": arrived.body[:_KEPT_CHARACTERS].decode(errors="replace").replace("\0", "")},
    )
