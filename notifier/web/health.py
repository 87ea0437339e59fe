"""Is it alive, is it ready, how is it doing: answers for the machines that watch over this one."""

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.status import HTTP_200_OK, HTTP_503_SERVICE_UNAVAILABLE

from notifier.kit.reachable import DatabaseUnavailable
from notifier.providers.base import SettledBy
from notifier.reports.state import DoubtLine, held_campaigns, silent_providers, state_at
from notifier.web.intake import Intake
from notifier.web.metrics import CONTENT_TYPE, WebMetrics
from notifier.web.parts import WebParts


def health_routes(parts: WebParts, intake: Intake, metrics: WebMetrics) -> APIRouter:
    """Return the doors for monitors."""
    router = APIRouter(tags=["health"])

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Say that this process answers."""
        return {"status": "alive"}

    @router.get("/readyz")
    async def readyz() -> JSONResponse:
        """Say whether everything needed is there, and what is wrong in words."""
        wrong = await run_in_threadpool(troubles, parts, intake)
        status = HTTP_503_SERVICE_UNAVAILABLE if wrong else HTTP_200_OK
        return JSONResponse({"ready": not wrong, "problems": wrong}, status_code=status)

    @router.get("/metrics")
    async def read_metrics() -> Response:
        """Say how it is doing, in Prometheus's text format."""
        return Response(await run_in_threadpool(metrics.exposition), media_type=CONTENT_TYPE)

    return router


def troubles(parts: WebParts, intake: Intake) -> list[str]:
    """Return what is wrong, one sentence each."""
    settings = parts.settings
    try:
        with parts.database.reading() as session:
            state = state_at(session, parts.clock())
            held = held_campaigns(session)
            silent = silent_providers(session, _telling(parts), now=parts.clock(), silence_s=settings.events_silence_s)
    except (DatabaseUnavailable, SQLAlchemyError):
        return ["The database cannot be asked: it is not reachable, or `notifier init` has not made its tables."]
    found = [f"Campaign {campaign_id} is held and waits for a person: {reason}" for campaign_id, reason in held]
    # A long queue is no trouble while it moves: a campaign may be paced over hours.
    stands_still = state.idle_s is None or state.idle_s > settings.queue_lag_s
    if state.oldest_due_s > settings.queue_lag_s and stands_still:
        found.append(
            f"A batch has been due for {state.oldest_due_s:.0f} s: no worker is taking it, or the provider does not. "
            "Is `notifier work` or `notifier run` running?"
        )
    if state.inbox_oldest_s > settings.inbox_lag_s:
        found.append(
            f"{state.inbox_pending} provider events wait to be applied, the oldest for {state.inbox_oldest_s:.0f} s. "
            "Is `notifier schedule` or `notifier run` running?"
        )
    found += [_unknown(line) for line in state.doubts if line.oldest_s > settings.unknown_lag_s and line.deliveries]
    found += [
        f"No event has come from {provider} since before {taken_at:%Y-%m-%d %H:%M} UTC, when it took messages "
        "of ours. Do its webhooks reach us?"
        for provider, taken_at in silent
    ]
    if intake.waiting >= settings.waiting_max:
        found.append("Posts arrive faster than the database takes them; providers are asked to come again later.")
    return found


def _telling(parts: WebParts) -> list[str]:
    """Return the providers that tell by webhooks what becomes of messages."""
    return [name for name, provider in parts.providers.items() if provider.settled_by is not SettledBy.PERSON]


def _unknown(line: DoubtLine) -> str:
    heard = (
        f"it was last heard of at {line.last_heard:%Y-%m-%d %H:%M} UTC" if line.last_heard else "no event of it came"
    )
    which = ", ".join(map(str, line.campaigns))
    return (
        f"{line.deliveries} deliveries by {line.provider} are unknown, the oldest for {line.oldest_s:.0f} s; {heard}. "
        f"Do its webhooks reach us? A person has to ask {line.provider} what became of campaign {which}, and say so: "
        f"`notifier campaigns show` names them, `notifier campaigns resolve` settles them."
    )
