"""One-click unsubscribe (RFC 8058): POST takes an address out at once; GET and HEAD only show a page.

No cookie, no redirect, no login, no limit, no difference between the first time and the tenth. Link scanners fetch
every link of every message, so whatever is not a POST changes nothing.
"""

from datetime import datetime

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session
from starlette.status import HTTP_404_NOT_FOUND, HTTP_413_CONTENT_TOO_LARGE

from notifier.kit.tokens import Opened, Purpose
from notifier.tracking import optout
from notifier.web.intake import Intake
from notifier.web.metrics import WebMetrics
from notifier.web.pages import Pages
from notifier.web.parts import WebParts
from notifier.web.security import BodyTooLarge, read_body


def one_click_routes(parts: WebParts, intake: Intake, metrics: WebMetrics, pages: Pages) -> APIRouter:
    """Return the doors of the List-Unsubscribe header."""
    router = APIRouter(tags=["one-click"])

    @router.post("/u/{token}")
    async def unsubscribe(token: str, request: Request) -> Response:
        """Take the address out. The body says `List-Unsubscribe=One-Click`, in either encoding; the token says who."""
        try:
            await read_body(request, parts.settings.form_max_bytes)
        except BodyTooLarge:
            return Response(status_code=HTTP_413_CONTENT_TOO_LARGE)
        opened = parts.keyring.open(Purpose.UNSUBSCRIBE, token)
        if opened is None:
            return pages.answer("no_such_page.html", status=HTTP_404_NOT_FOUND)
        await intake.act(lambda session, now: _leave(session, opened, now))
        metrics.opt_outs.inc()
        return pages.answer("one_click_done.html")

    @router.head("/u/{token}", include_in_schema=False)
    @router.get("/u/{token}")
    async def ask(token: str) -> Response:
        """Show a page with a button. Nothing is changed, whoever fetches this."""
        if parts.keyring.open(Purpose.UNSUBSCRIBE, token) is None:
            return pages.answer("no_such_page.html", status=HTTP_404_NOT_FOUND)
        return pages.answer("one_click.html")

    return router


def _leave(session: Session, opened: Opened, now: datetime) -> None:
    optout.leave_by_one_click(session, opened.subject, campaign_id=opened.context, now=now)
