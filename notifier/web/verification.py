"""Is this message really from the police? The official text of every message, at the address every message names.

Anybody may look, nothing is written, and nothing here knows who was written to. A page for young people has a way out
that leaves no trace in the browser's history.
"""

from collections.abc import Sequence
from dataclasses import replace

from babel.core import UnknownLocaleError
from babel.dates import format_date
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.status import HTTP_404_NOT_FOUND

from notifier.content.languages import ENGLISH, Reason
from notifier.content.library import Advisory
from notifier.kit.errors import NotifierError
from notifier.reports.official import OfficialMessage, official_message
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
    if message is None:
        status = HTTP_404_NOT_FOUND if code else 200
        shown = pages.language(*wishes(request))
        return pages.answer("unknown_message.html", shown, status=status, code=code, switch=pages.offered())
    return _official(parts, pages, request, message)


def _official(parts: WebParts, pages: Pages, request: Request, message: OfficialMessage) -> Response:
    advisory = parts.library.advisory(message.advisory)
    languages = advisory.languages(message.readers, Channel.EMAIL)
    region = _region(message, request)
    tag = _language(parts, advisory, message.readers, languages, region, request)
    if request.query_params.get("region") not in message.regions:
        region = _home_of(parts, message.regions, tag) or region
    shown = pages.language(tag)
    try:
        context = replace(parts.context, code=message.code, today=parts.clock().date())
        text = parts.renderer.page(advisory, message.readers, tag, region, context)
    except NotifierError:
        text = None  # its number may not be shown any more: the page still says that the message was real
    return pages.answer(
        "official.html",
        shown,
        message=message,
        text=text,
        text_language=pages.described(tag),
        date=_date(message, shown.tag),
        region=region,
        regions=[parts.atlas.region(code) for code in message.regions],
        sender=parts.atlas.sender_name(region) or parts.sender_name,
        young=message.readers is Readers.YOUNG_PEOPLE,
        leave_to=parts.settings.quick_exit_url,
        switch=[pages.described(one) for one in languages],
    )


def _region(message: OfficialMessage, request: Request) -> str:
    asked = request.query_params.get("region", "")
    return asked if asked in message.regions else message.regions[0]


def _home_of(parts: WebParts, regions: Sequence[str], tag: str) -> str | None:
    """Return the first region the message went to where the language is at home."""
    language = tag.partition("-")[0]
    return next(
        (
            code
            for code in regions
            if language in {one.partition("-")[0] for one in parts.atlas.region(code).official_languages}
        ),
        None,
    )


def _language(
    parts: WebParts,
    advisory: Advisory,
    readers: Readers,
    languages: Sequence[str],
    region: str,
    request: Request,
) -> str:
    """Return the language of the text: the first wish it can be had in, else the region's, else the source's."""
    for wish in wishes(request):
        found = parts.languages.lookup(wish, languages, ()) if wish else None
        if found and found.reason in {Reason.WANTED, Reason.CHAIN}:
            return found.language
    chosen = parts.library.choose(advisory, readers, Channel.EMAIL, None, parts.atlas.region(region))
    return chosen.language if chosen else languages[0]


def _date(message: OfficialMessage, tag: str) -> str:
    locale = _BRITISH if tag == ENGLISH else tag.replace("-", "_")
    try:
        return format_date(message.sent_on, format="long", locale=locale)
    except (UnknownLocaleError, ValueError):
        return format_date(message.sent_on, format="long", locale=_BRITISH)
