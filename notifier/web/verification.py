"""Is this message really from the police? The official text of every message, at the address every message names.

What is shown is the text as it was approved, whatever has become of the files since. Anybody may look, nothing is
written, and nothing here knows who was written to. A page for young people has a way out that leaves no trace in the
browser's history.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from babel.core import UnknownLocaleError
from babel.dates import format_date
from fastapi import APIRouter, Request, Response
from markupsafe import Markup
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.status import HTTP_404_NOT_FOUND

from notifier.content.languages import ENGLISH, Reason
from notifier.content.pinned import OfficialPage, basis, official_page
from notifier.content.render import RenderContext
from notifier.kit.errors import NotFound, NotifierError
from notifier.reports.official import OfficialMessage, kept_page, official_message
from notifier.vocabulary import Channel, Readers
from notifier.web.pages import Pages, wishes
from notifier.web.parts import WebParts

_BRITISH = "en_GB"


def verification_routes(parts: WebParts, pages: Pages) -> APIRouter:
    """Return the doors at which a message is checked."""
    router = APIRouter(tags=["verification"])

    @router.head("/v", include_in_schema=False)
    @router.get("/v", response_class=Response)
    async def check(request: Request, code: str = "") -> Response:
        """Ask for the code of a message, or show the message of the code that was typed."""
        return await run_in_threadpool(_show, parts, pages, request, code)

    @router.head("/v/{code}", include_in_schema=False)
    @router.get("/v/{code}", response_class=Response)
    async def show(code: str, request: Request) -> Response:
        """Show the official text of a message, or what to do with a message that is not ours."""
        return await run_in_threadpool(_show, parts, pages, request, code)

    return router


def _show(parts: WebParts, pages: Pages, request: Request, code: str) -> Response:
    with parts.database.reading() as session:
        message = official_message(session, code) if code else None
        if message is not None:
            return _official(session, parts, pages, request, message)
    status = HTTP_404_NOT_FOUND if code else 200
    shown = pages.language(*wishes(request))
    return pages.answer("unknown_message.html", shown, status=status, code=code, switch=pages.offered())


def _official(session: Session, parts: WebParts, pages: Pages, request: Request, message: OfficialMessage) -> Response:
    offer = _offer(parts, message)
    tag = _language(parts, offer, _region(message, request), request)
    region = _region_for(parts, offer, message, tag, request)
    text = _text(session, parts, message, tag, region) if tag in offer else None
    shown = pages.language(tag, *wishes(request))
    places = offer.get(tag, message.regions)
    sender = text.sender if text else parts.atlas.sender_name(region) or parts.sender_name
    return pages.answer(
        "official.html",
        shown,
        # The head of the page says who wrote, as the message does: two names would make a parent doubt both.
        sender_name=sender,
        message=message,
        text=text,
        html=Markup(text.html) if text else "",  # noqa: S704 - rendered with autoescape before it was kept
        text_language=pages.described(tag or shown.tag),
        date=_date(message, shown.tag),
        region=region,
        regions=[_described(parts, code) for code in places],
        sender=sender,
        young=message.readers is Readers.YOUNG_PEOPLE,
        leave_to=parts.settings.quick_exit_url,
        switch=[pages.described(one) for one in offer],
    )


def _offer(parts: WebParts, message: OfficialMessage) -> dict[str, list[str]]:
    """Return the languages the text can be shown in, each with its regions.

    What was kept at the approval can always be shown; today's files only where they are still what was approved.
    """
    offer: dict[str, list[str]] = {}
    for region in message.regions:
        unchanged = _languages_today(parts, message, region)
        kept = [language for language, place in message.kept if place == region]
        for language in dict.fromkeys([*unchanged, *sorted(kept)]):
            offer.setdefault(language, []).append(region)
    return offer


def _languages_today(parts: WebParts, message: OfficialMessage, region: str) -> tuple[str, ...]:
    """Return the languages of today's files if a region's pages are still made from what was approved."""
    try:
        advisory = parts.library.advisory(message.advisory)
        now = basis(parts.renderer, advisory, message.readers, region, _context(parts, message), frame=parts.frame)
    except NotifierError:
        return ()  # the advisory is gone, or its numbers may not be shown any more
    return advisory.languages(message.readers, Channel.EMAIL) if now == message.basis(region) else ()


def _text(session: Session, parts: WebParts, message: OfficialMessage, tag: str, region: str) -> OfficialPage | None:
    if (tag, region) in message.kept:
        return kept_page(session, message, tag, region)
    advisory, context = parts.library.advisory(message.advisory), _context(parts, message)
    try:
        return official_page(parts.renderer, advisory, message.readers, tag, region, context, frame=parts.frame)
    except NotifierError:
        return None  # the page still says that the message was real


def _context(parts: WebParts, message: OfficialMessage) -> RenderContext:
    return replace(parts.context, code=message.code, today=parts.clock().date())


def _described(parts: WebParts, code: str) -> tuple[str, str]:
    """Return a region's code and its name; the code for one whose file has gone."""
    try:
        return code, parts.atlas.region(code).name
    except NotFound:
        return code, code


def _official_languages(parts: WebParts, region: str) -> tuple[str, ...]:
    try:
        return tuple(parts.atlas.region(region).official_languages)
    except NotFound:
        return ()


def _region(message: OfficialMessage, request: Request) -> str:
    asked = request.query_params.get("region", "")
    return asked if asked in message.regions else message.regions[0]


def _region_for(
    parts: WebParts, offer: Mapping[str, Sequence[str]], message: OfficialMessage, tag: str, request: Request
) -> str:
    """Return the region whose numbers are shown: as asked, else where the language is at home, else the first."""
    places = offer.get(tag, message.regions)
    asked = request.query_params.get("region", "")
    if asked in places:
        return asked
    language = tag.partition("-")[0]
    at_home = (
        code for code in places if language in {one.partition("-")[0] for one in _official_languages(parts, code)}
    )
    return next(at_home, places[0])


def _language(parts: WebParts, offer: Collection[str], region: str, request: Request) -> str:
    """Return the language of the text: the first wish it can be had in, else the region's; "" if there is no text."""
    for wish in wishes(request):
        found = parts.languages.lookup(wish, offer, ()) if wish else None
        if found and found.reason in {Reason.WANTED, Reason.CHAIN}:
            return found.language
    chosen = parts.languages.lookup(None, offer, _official_languages(parts, region))
    return chosen.language if chosen else next(iter(offer), "")


def _date(message: OfficialMessage, tag: str) -> str:
    locale = _BRITISH if tag == ENGLISH else tag.replace("-", "_")
    try:
        return format_date(message.sent_on, format="long", locale=locale)
    except (UnknownLocaleError, ValueError):
        return format_date(message.sent_on, format="long", locale=_BRITISH)
