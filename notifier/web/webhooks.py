"""Where providers tell us what became of a message: verify on the raw bytes, store once, answer, apply later.

Nothing is decided here. A post that is not proven to be the provider's gets a 403 that says nothing; one that is proven
and cannot be read is kept as an unknown event, because an error would make the provider repeat it for a day.
"""

from hashlib import sha256

import structlog
from fastapi import APIRouter, Request, Response
from starlette.status import (
    HTTP_204_NO_CONTENT,
    HTTP_403_FORBIDDEN,
    HTTP_404_NOT_FOUND,
    HTTP_413_CONTENT_TOO_LARGE,
    HTTP_503_SERVICE_UNAVAILABLE,
)

from notifier.kit.errors import Invalid
from notifier.providers.base import BadSignature, Event, Provider, WebhookRequest
from notifier.vocabulary import EventKind
from notifier.web.intake import Busy, Intake
from notifier.web.metrics import WebMetrics
from notifier.web.parts import WebParts
from notifier.web.security import BodyTooLarge, read_body

log = structlog.get_logger()

_KEPT_CHARACTERS = 2000


def webhook_routes(parts: WebParts, intake: Intake, metrics: WebMetrics) -> APIRouter:
    """Return the doors of the configured providers."""
    router = APIRouter(tags=["webhooks"])

    async def take(name: str, request: Request) -> Response:
        provider = parts.providers.get(name)
        if provider is None:
            return Response(status_code=HTTP_404_NOT_FOUND)
        try:
            body = await read_body(request, parts.settings.webhook_max_bytes)
            arrived = WebhookRequest(_public_url(parts, request), request.headers, body, parts.clock())
            provider.verify(arrived)
            events = _read(provider, arrived)
            await intake.store(events)
        except BodyTooLarge:
            return metrics.refused(name, HTTP_413_CONTENT_TOO_LARGE)
        except BadSignature:
            return metrics.refused(name, HTTP_403_FORBIDDEN)
        except Busy:
            return metrics.refused(name, HTTP_503_SERVICE_UNAVAILABLE, headers={"retry-after": "30"})
        metrics.taken(name, events, arrived.received_at)
        return Response(status_code=HTTP_204_NO_CONTENT)

    @router.post("/webhooks/sendgrid/events", status_code=HTTP_204_NO_CONTENT)
    async def sendgrid_events(request: Request) -> Response:
        """Take a signed batch of SendGrid events."""
        return await take("sendgrid", request)

    @router.post("/webhooks/twilio/status", status_code=HTTP_204_NO_CONTENT)
    async def twilio_status(request: Request) -> Response:
        """Take one signed status callback of Twilio."""
        return await take("twilio", request)

    return router


def _public_url(parts: WebParts, request: Request) -> str:
    query = f"?{request.url.query}" if request.url.query else ""
    return f"{parts.settings.public_url.rstrip('/')}{request.url.path}{query}"


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
