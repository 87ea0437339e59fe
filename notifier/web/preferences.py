"""The preference centre: what a recipient gets and why, and every way to change it, without logging in.

The link is the key: it opens the address it was sent to. GET and HEAD only look; every change is a POST that is logged
with the wording people saw, counts at once and is confirmed on the page. Nothing here can bring back an address whose
owner has left: only that owner can.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from fastapi import APIRouter, Request, Response
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.status import HTTP_404_NOT_FOUND

from notifier.audiences.choices import Choices, Wishes, choices_of, choose
from notifier.audiences.suppressions import lift_address, suppress_address
from notifier.kit.errors import NotFound
from notifier.kit.tokens import Opened, Purpose
from notifier.reports.words import masked
from notifier.tracking import allowances
from notifier.tracking.allowances import Limit
from notifier.tracking.optout import RECIPIENT, note_opt_out, spoken_language
from notifier.tracking.requests import RequestKind, ask
from notifier.vocabulary import SuppressionReason
from notifier.web.courier import send_notice
from notifier.web.forms import Form, read_form
from notifier.web.intake import Intake
from notifier.web.pages import PageLanguage, Pages, wishes
from notifier.web.parts import WebParts
from notifier.web.wording import BASES, CHANGES, CHOICES_SAVED, PAUSES, TOPICS, WORDING

WHY = f"preference page, wording {WORDING}"
_CHANGES_PER_HOUR = Limit("preferences", 120, 3600)

# What one form asks for: carried out for an address, it gives the names of what changed.
Deed = Callable[[Session, int, Form, datetime], frozenset[str]]


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the page shows: the choices as they stand, and the language the person is known to read."""

    choices: Choices
    spoken: str | None


class PreferenceCentre:
    """The pages of one installation."""

    def __init__(self, parts: WebParts, intake: Intake, pages: Pages) -> None:
        self._parts = parts
        self._intake = intake
        self._pages = pages
        self._topics = tuple(dict.fromkeys(advisory.topic for advisory in parts.library.advisories()))
        self._languages = _written(parts)

    async def show(self, token: str, request: Request) -> Response:
        """Show what stands. Nothing is changed, whoever fetches this."""
        opened = self._parts.keyring.open(Purpose.PREFERENCES, token)
        seen = None if opened is None else await run_in_threadpool(self._look, opened)
        if opened is None or seen is None:
            return self._nothing(request)
        return self._page(token, request, seen, frozenset())

    async def change(self, token: str, request: Request, deed: Deed) -> Response:
        """Carry out one form and show what stands now. Raises TooOften, or NotFound for an address that is gone."""
        opened = self._parts.keyring.open(Purpose.PREFERENCES, token)
        if opened is None:
            return self._nothing(request)
        form = await read_form(request, self._parts.settings.form_max_bytes)
        seen, changed = await self._intake.act(partial(self._carry_out, opened, form, deed))
        if changed and form.ticked("confirm"):
            await self._confirm(token, request, seen, changed)
        return self._page(token, request, seen, changed)

    def save(self, session: Session, address_id: int, form: Form, now: datetime) -> frozenset[str]:
        """Carry out the main form."""
        before = choices_of(session, address_id)
        start, end = form.clock("quiet_from"), form.clock("quiet_until")
        wanted, topics = form.every("list"), form.every("topic")
        language = form.one("language")
        asked = Wishes(
            language=language if language in self._languages else None,
            lists={one.list_id: str(one.list_id) in wanted for one in before.lists},
            topics={topic: topic in topics for topic in self._topics},
            paused_until=_pause(form.one("pause"), before.paused_until, now),
            quiet_from=start if end else None,
            quiet_until=end if start else None,
        )
        return choose(session, address_id, asked, actor=RECIPIENT, why=WHY, now=now)

    def _look(self, opened: Opened) -> _Seen | None:
        with self._parts.database.reading() as session:
            try:
                return _Seen(choices_of(session, opened.subject), spoken_language(session, opened.subject))
            except NotFound:
                return None

    def _carry_out(
        self, opened: Opened, form: Form, deed: Deed, session: Session, now: datetime
    ) -> tuple[_Seen, frozenset[str]]:
        secret = self._parts.address_secret
        allowances.use(session, secret, _CHANGES_PER_HOUR, str(opened.subject), now=now)
        changed = deed(session, opened.subject, form, now)
        return _Seen(choices_of(session, opened.subject), spoken_language(session, opened.subject)), changed

    async def _confirm(self, token: str, request: Request, seen: _Seen, changed: frozenset[str]) -> None:
        language = self._language(request, seen)
        say = self._parts.renderer.furniture.say(language.tag)
        told = [say(CHANGES[name]) for name in CHANGES if name in changed]
        link = self._parts.link(f"/p/{token}")
        await send_notice(
            self._parts,
            seen.choices.channel,
            seen.choices.value,
            subject=say(CHOICES_SAVED),
            text="\n".join([f"{self._parts.sender_name}:", *told, link]),
            language=language.tag,
        )

    def _page(self, token: str, request: Request, seen: _Seen, changed: frozenset[str]) -> Response:
        language = self._language(request, seen)
        say = self._parts.renderer.furniture.say(language.tag)
        choices = seen.choices
        return self._pages.answer(
            "preferences.html",
            language,
            token=token,
            choices=choices,
            now=self._parts.clock(),
            address=masked(choices.channel, choices.value),
            others=[(other, masked(other.channel, other.value)) for other in choices.others],
            topics=[(topic, say(TOPICS.get(topic, topic.replace("-", " ").capitalize()))) for topic in self._topics],
            bases={basis: say(words) for basis, words in BASES.items()},
            pauses={key: say(words) for key, words in PAUSES.items()},
            languages=[self._pages.described(tag) for tag in self._languages],
            spoken=seen.spoken,
            told=[say(words) for name, words in CHANGES.items() if name in changed],
            saved=request.method == "POST",
            posted_to=f"/p/{token}",
            sms_number=self._parts.context.sms_sender,
            switch=self._pages.offered(),
        )

    def _language(self, request: Request, seen: _Seen) -> PageLanguage:
        return self._pages.language(*wishes(request)[:1], seen.choices.language, seen.spoken, *wishes(request))

    def _nothing(self, request: Request) -> Response:
        return self._pages.answer(
            "no_such_page.html", self._pages.language(*wishes(request)), status=HTTP_404_NOT_FOUND
        )


def preference_routes(parts: WebParts, intake: Intake, pages: Pages) -> APIRouter:
    """Return the doors of the preference centre."""
    router = APIRouter(tags=["preferences"])
    centre = PreferenceCentre(parts, intake, pages)

    @router.head("/p/{token}", include_in_schema=False)
    @router.get("/p/{token}", response_class=Response)
    async def show(token: str, request: Request) -> Response:
        """Show what a recipient gets and why."""
        return await centre.show(token, request)

    @router.post("/p/{token}", response_class=Response)
    async def save(token: str, request: Request) -> Response:
        """Change language, schools, topics, quiet hours and pause."""
        return await centre.change(token, request, centre.save)

    for name, deed in (
        ("stop", _stop),
        ("resume", _resume),
        ("other", _stop_other),
        ("data", _data),
        ("forget", _forget),
    ):
        router.add_api_route(
            f"/p/{{token}}/{name}",
            _door(centre, deed),
            methods=["POST"],
            response_class=Response,
            name=f"preferences_{name}",
            summary=(deed.__doc__ or "").strip(),
        )
    return router


def _door(centre: PreferenceCentre, deed: Deed) -> Callable[[str, Request], object]:
    async def door(token: str, request: Request) -> Response:
        return await centre.change(token, request, deed)

    return door


def _stop(session: Session, address_id: int, _form: Form, now: datetime) -> frozenset[str]:
    """Write to this address no more."""
    _suppress(session, address_id, now)
    return frozenset({"stopped"})


def _resume(session: Session, address_id: int, _form: Form, now: datetime) -> frozenset[str]:
    """Take back one's own opt-out of this address, and nothing else."""
    lifted = lift_address(session, address_id, source=WHY, actor=RECIPIENT, now=now)
    return frozenset({"resumed"} if lifted else set())


def _stop_other(session: Session, address_id: int, form: Form, now: datetime) -> frozenset[str]:
    """Write no more to the other address the school holds for the same person."""
    wanted = form.one("address")
    others = [other.address_id for other in choices_of(session, address_id).others]
    chosen = [other for other in others if str(other) == wanted]
    for other in chosen:
        _suppress(session, other, now)
    return frozenset({"other"} if chosen else set())


def _data(session: Session, address_id: int, _form: Form, now: datetime) -> frozenset[str]:
    """Ask for a copy of one's data."""
    ask(session, address_id, RequestKind.DATA, now=now)
    return frozenset({"data"})


def _forget(session: Session, address_id: int, form: Form, now: datetime) -> frozenset[str]:
    """Stop all messages to this address and ask for its data to be deleted."""
    if not form.ticked("sure"):
        return frozenset()
    _suppress(session, address_id, now)
    ask(session, address_id, RequestKind.FORGET, now=now)
    return frozenset({"forget"})


def _suppress(session: Session, address_id: int, now: datetime) -> None:
    suppress_address(session, address_id, SuppressionReason.OPT_OUT, source=WHY, actor=RECIPIENT, now=now)
    note_opt_out(session, address_id, now=now)


def _pause(asked: str, before: datetime | None, now: datetime) -> datetime | None:
    if asked == "keep":
        return before
    return now + timedelta(days=int(asked)) if asked in PAUSES and asked.isdecimal() else None


def _written(parts: WebParts) -> tuple[str, ...]:
    """Return every language some advisory is written in, by the order of `config/languages.toml`."""
    written = {tag for advisory in parts.library.advisories() for _, _, tag in advisory.documents}
    return tuple(language.tag for language in parts.languages.all() if language.tag in written)
