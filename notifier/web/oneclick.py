"""One-click unsubscribe (RFC 8058): POST takes an address out at once; GET and HEAD only show a page.

No cookie, no redirect, no login, no limit, no difference between the first time and the tenth. Link scanners fetch
every link of every message, so whatever is not a POST changes nothing.
"""

from datetime import datetime
from functools import partial

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.status import HTTP_404_NOT_FOUND

from notifier.kit.tokens import Opened, Purpose
from notifier.tracking import optout
from notifier.web.intake import Intake
from notifier.web.metrics import WebMetrics
from notifier.web.pages import PageLanguage, Pages, wishes
from notifier.web.parts import WebParts
from notifier.web.security import read_body


def one_click_routes(parts: WebParts, intake: Intake, metrics: WebMetrics, pages: Pages) -> APIRouter:
    """Return the doors of the List-Unsubscribe header."""
    router = APIRouter(tags=["one-click"])

    @router.post("/u/{token}", response_class=Response)
    async def unsubscribe(token: str, request: Request) -> Response:
        """Take the address out. The body says `List-Unsubscribe=One-Click`, in either encoding; the token says who."""
        await read_body(request, parts.settings.form_max_bytes)
        opened = parts.keyring.open(Purpose.UNSUBSCRIBE, token)
        if opened is None:
            return pages.answer("no_such_page.html", pages.language(*wishes(request)), status=HTTP_404_NOT_FOUND)
        spoken = await intake.act(partial(_leave, opened))
        metrics.opt_outs.inc()
        return pages.answer("one_click_done.html", pages.language(*wishes(request)[:1], spoken, *wishes(request)))

    @router.head("/u/{token}", include_in_schema=False)
    @router.get("/u/{token}", response_class=Response)
    async def ask(token: str, request: Request) -> Response:
        """Show a page with a button. Nothing is changed, whoever fetches this."""
        opened = parts.keyring.open(Purpose.UNSUBSCRIBE, token)
        if opened is None:
            return pages.answer("no_such_page.html", pages.language(*wishes(request)), status=HTTP_404_NOT_FOUND)
        language = await run_in_threadpool(_page_language, parts, pages, opened, request)
        return pages.answer("one_click.html", language)

    return router


def _leave(opened: Opened, session: Session, now: datetime) -> str | None:
    return optout.leave_by_one_click(session, opened.subject, campaign_id=opened.context, now=now)


def _page_language(parts: WebParts, pages: Pages, opened: Opened, request: Request) -> PageLanguage:
    with parts.database.reading() as session:
        spoken = optout.spoken_language(session, opened.subject)
    return pages.language(*wishes(request)[:1], spoken, *wishes(request))
