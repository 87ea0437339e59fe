"""Assemble the doors: webhooks, one-click, health, pages; one writer behind all, safe headers on all."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.routing import Route
from starlette.status import (
    HTTP_400_BAD_REQUEST,
    HTTP_404_NOT_FOUND,
    HTTP_413_CONTENT_TOO_LARGE,
    HTTP_429_TOO_MANY_REQUESTS,
    HTTP_500_INTERNAL_SERVER_ERROR,
    HTTP_503_SERVICE_UNAVAILABLE,
)

from notifier.kit.errors import Invalid, NotFound
from notifier.kit.reachable import DatabaseUnavailable
from notifier.tracking.allowances import TooOften
from notifier.web.health import health_routes
from notifier.web.intake import Busy, Intake
from notifier.web.metrics import WebMetrics
from notifier.web.oneclick import one_click_routes
from notifier.web.pages import STATIC, Pages, wishes
from notifier.web.parts import WebParts
from notifier.web.preferences import preference_routes
from notifier.web.security import HEADERS, BodyTooLarge, SecurityHeaders
from notifier.web.subscribe import subscribe_routes
from notifier.web.verification import verification_routes
from notifier.web.webhooks import webhook_routes

__all__ = ["WebParts", "create_app"]

log = structlog.get_logger("notifier.web")

# What a door may refuse with, the status that says so, and the page people see.
_REFUSALS: dict[type[Exception], tuple[int, str | None]] = {
    BodyTooLarge: (HTTP_413_CONTENT_TOO_LARGE, None),
    Busy: (HTTP_503_SERVICE_UNAVAILABLE, "too_often.html"),
    DatabaseUnavailable: (HTTP_503_SERVICE_UNAVAILABLE, "too_often.html"),
    Invalid: (HTTP_400_BAD_REQUEST, "no_such_page.html"),
    NotFound: (HTTP_404_NOT_FOUND, "no_such_page.html"),
    TooOften: (HTTP_429_TOO_MANY_REQUESTS, "too_often.html"),
}


def create_app(parts: WebParts) -> FastAPI:
    """Return the application. Nothing is opened before it starts, and everything is written before it stops."""
    intake = Intake(
        parts.database,
        parts.keyring,
        parts.clock,
        events_per_commit=parts.settings.events_per_commit,
        waiting_max=parts.settings.waiting_max,
    )
    metrics = WebMetrics(parts.database, parts.clock)
    pages = Pages(parts.renderer.furniture, parts.languages, parts.sender_name)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        intake.start()
        yield
        await intake.stop()

    app = FastAPI(
        title="Notifier",
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
        lifespan=lifespan,
        # Paths hold recipients' tokens: no trace of a request goes anywhere.
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
    )
    hooks = webhook_routes(parts, intake, metrics)
    app.include_router(hooks)
    # The same doors once more and first, by the plainest route: they take no parameters, and posts come in floods.
    plain = [Route(one.path, one.endpoint, methods=["POST"]) for one in hooks.routes if isinstance(one, APIRoute)]
    app.router.routes[:0] = plain
    app.include_router(one_click_routes(parts, intake, metrics, pages))
    app.include_router(preference_routes(parts, intake, pages))
    app.include_router(subscribe_routes(parts, intake, pages))
    app.include_router(verification_routes(parts, pages))
    app.include_router(health_routes(parts, intake, metrics))
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_middleware(SecurityHeaders, https=parts.settings.public_url.startswith("https://"))
    _answer_refusals(app, pages)
    return app


def _answer_refusals(app: FastAPI, pages: Pages) -> None:
    """Every refusal is a page for people or an empty answer, and never says more than its status does."""
    for kind, (status, page) in _REFUSALS.items():
        app.add_exception_handler(kind, _refusal(pages, status, page))

    @app.exception_handler(HTTPException)
    async def plain(request: Request, wrong: HTTPException) -> Response:
        if wrong.status_code == HTTP_404_NOT_FOUND:
            return pages.answer("no_such_page.html", pages.language(*wishes(request)), status=HTTP_404_NOT_FOUND)
        return Response(status_code=wrong.status_code, headers=wrong.headers)

    @app.exception_handler(Exception)
    async def broken(_request: Request, wrong: Exception) -> Response:
        log.error("request_failed", kind=type(wrong).__name__)
        return Response(status_code=HTTP_500_INTERNAL_SERVER_ERROR, headers=HEADERS)


def _refusal(pages: Pages, status: int, page: str | None) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, _wrong: Exception) -> Response:
        if page is None:
            return Response(status_code=status)
        return pages.answer(page, pages.language(*wishes(request)), status=status)

    return answer
