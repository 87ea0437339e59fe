"""Signing up without a school's list: a family chooses, and each address confirms that it is theirs.

The page answers the same whether an address is known, suppressed or new. What costs a message is limited per address
and per network; a link in an email only ever shows a button, because scanners follow links.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from ipaddress import ip_address, ip_network

from fastapi import APIRouter, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool
from starlette.status import HTTP_404_NOT_FOUND

from notifier.audiences.addresses import judge_email, phone_judge
from notifier.audiences.models import ContactList
from notifier.audiences.signing_up import Place, may_be_asked
from notifier.kit.tokens import Purpose
from notifier.tracking import allowances, signups
from notifier.tracking.allowances import Limit
from notifier.tracking.signups import NotConfirmed, Pending
from notifier.vocabulary import Channel, Readers
from notifier.web.courier import send_notice
from notifier.web.forms import Form, read_form
from notifier.web.intake import Intake
from notifier.web.pages import PageLanguage, Pages, wishes
from notifier.web.parts import WebParts
from notifier.web.wording import CONFIRM_ADDRESS, CONFIRM_BY_CODE, CONFIRM_BY_LINK, IF_NOT_YOU, TOPICS, WORDING

_PER_ADDRESS = Limit("sign-up address", 3, 86_400)
_PER_NETWORK = Limit("sign-up network", 30, 3_600)
_CONFIRMATIONS = Limit("sign-up confirmation", 60, 3_600)


@dataclass(frozen=True, slots=True)
class Wish:
    """A filled-in form that can be carried out. `addresses` has one entry for each channel that was filled in."""

    addresses: tuple[tuple[Channel, str], ...]
    place: Place
    language: str | None
    declined: frozenset[str]

    def as_kept(self) -> dict[str, object]:
        """Return what is kept until the address confirms."""
        return {
            "place": asdict(self.place),
            "language": self.language,
            "declined": sorted(self.declined),
            "wording": WORDING,
        }


class SignUpDesk:
    """The sign-up pages of one installation."""

    def __init__(self, parts: WebParts, intake: Intake, pages: Pages) -> None:
        self._parts = parts
        self._intake = intake
        self._pages = pages
        self._topics = tuple(dict.fromkeys(advisory.topic for advisory in parts.library.advisories()))
        self._places = {
            region.code: Place(region.code, region.name, region.code, region.country)
            for region in parts.atlas.regions()
            if any(
                parts.atlas.belongs(region.code, group)
                for advisory in parts.library.advisories()
                for group in advisory.regions
            )
        }

    async def show(self, request: Request) -> Response:
        """Show the empty form."""
        school = await run_in_threadpool(self._school, request.query_params.get("school", ""))
        return self._form(request, Form({}), school, ())

    async def take(self, request: Request) -> Response:
        """Take the form: ask each address for its confirmation, and say so whoever it belongs to. Raises TooOften."""
        form = await read_form(request, self._parts.settings.form_max_bytes)
        school = await run_in_threadpool(self._school, form.one("school"))
        wish, wrong = self._read(form, school)
        if wish is None:
            return self._form(request, form, school, wrong)
        pending = await self._intake.act(partial(self._ask, wish, _network(request)))
        token = await self._send(request, wish, pending)
        return self._pages.answer(
            "subscribe_sent.html", self._language(request), token=token, channels=[one for one, _ in wish.addresses]
        )

    async def ask(self, token: str, request: Request) -> Response:
        """Show the button that confirms, or the field for the code."""
        opened = self._parts.keyring.open(Purpose.CONFIRM, token)
        channel = None if opened is None else await run_in_threadpool(self._open_channel, opened.subject)
        if channel is None:
            return self._pages.answer("subscribe_over.html", self._language(request), status=HTTP_404_NOT_FOUND)
        return self._pages.answer("confirm.html", self._language(request), token=token, channel=channel, wrong=False)

    async def confirm(self, token: str, request: Request) -> Response:
        """Confirm one address. Raises TooOften."""
        opened = self._parts.keyring.open(Purpose.CONFIRM, token)
        shown = self._language(request)
        form = await read_form(request, self._parts.settings.form_max_bytes)
        code = "".join(one for one in form.one("code") if one.isdecimal())
        try:
            subject = 0 if opened is None else opened.subject
            done = await self._intake.act(partial(self._confirm, subject, code, _network(request)))
        except NotConfirmed:
            return self._pages.answer("subscribe_over.html", shown, status=HTTP_404_NOT_FOUND)
        if not done:
            return self._pages.answer("confirm.html", shown, token=token, channel=Channel.SMS, wrong=True)
        return self._pages.answer("subscribe_done.html", shown)

    def _read(self, form: Form, school: Place | None) -> tuple[Wish | None, tuple[str, ...]]:
        place = school or self._places.get(form.one("region"))
        email, mobile = form.one("email"), form.one("mobile")
        judged = {
            Channel.EMAIL: judge_email(email)[0] if email else None,
            Channel.SMS: phone_judge(place.country)(mobile)[0] if mobile and place else None,
        }
        wrong = [
            name
            for name, is_wrong in (
                ("region", place is None),
                ("address", not email and not mobile),
                ("email", bool(email) and judged[Channel.EMAIL] is None),
                ("mobile", bool(mobile) and judged[Channel.SMS] is None),
                ("topic", not form.every("topic") & set(self._topics)),
                ("agree", not form.ticked("agree")),
            )
            if is_wrong
        ]
        if wrong or place is None:
            return None, tuple(wrong)
        language = form.one("language")
        return Wish(
            addresses=tuple((channel, value) for channel, value in judged.items() if value),
            place=place,
            language=language if self._parts.languages.knows(language) else None,
            declined=frozenset(self._topics) - form.every("topic"),
        ), ()

    def _ask(self, wish: Wish, network: str, session: Session, now: datetime) -> dict[Channel, Pending]:
        secret = self._parts.address_secret
        allowances.use(session, secret, _PER_NETWORK, network, now=now)
        pending = {}
        for channel, value in wish.addresses:
            allowances.use(session, secret, _PER_ADDRESS, value, now=now)
            if may_be_asked(session, secret, channel, value):
                pending[channel] = signups.ask_to_confirm(session, secret, channel, value, wish.as_kept(), now=now)
        return pending

    async def _send(self, request: Request, wish: Wish, pending: dict[Channel, Pending]) -> str:
        """Send link and code; return the token of the page that takes the code."""
        language = self._pages.language(wish.language, *wishes(request)).tag
        say = self._parts.renderer.furniture.say(language)
        sender, keyring = self._parts.sender_name, self._parts.keyring
        subject = say(CONFIRM_ADDRESS)
        token = ""
        for channel, value in wish.addresses:
            if channel not in pending:
                continue
            sealed = keyring.seal(Purpose.CONFIRM, pending[channel].sign_up_id)
            if channel is Channel.SMS:
                token = sealed
                text = say(CONFIRM_BY_CODE, sender=sender, code=pending[channel].code or "")
            else:
                asked = say(CONFIRM_BY_LINK, sender=sender)
                ignore = say(IF_NOT_YOU)
                text = "\n".join([asked, self._parts.link(f"/s/{sealed}"), ignore])
            await send_notice(self._parts, channel, value, subject=subject, text=text, language=language)
        # A page that takes a code is shown for a number we may not write to as well: the answer gives nothing away.
        return token or keyring.seal(Purpose.CONFIRM, 0)

    def _confirm(self, sign_up_id: int, code: str, network: str, session: Session, now: datetime) -> bool:
        secret = self._parts.address_secret
        allowances.use(session, secret, _CONFIRMATIONS, network, now=now)
        return signups.confirm(session, secret, sign_up_id, code, now=now)

    def _open_channel(self, sign_up_id: int) -> Channel | None:
        with self._parts.database.reading() as session:
            wish = signups.still_open(session, sign_up_id, now=self._parts.clock())
            return None if wish is None else Channel(wish.channel)

    def _school(self, code: str) -> Place | None:
        """Return the place of a school that offers the page on its own site, by the code of its list."""
        if not code:
            return None
        with self._parts.database.reading() as session:
            found = session.scalar(
                select(ContactList).where(ContactList.code == code, ContactList.readers == Readers.PARENTS)
            )
            return None if found is None else Place(found.code, found.name, found.region, found.country)

    def _form(self, request: Request, form: Form, school: Place | None, wrong: tuple[str, ...]) -> Response:
        language = self._language(request)
        say = self._parts.renderer.furniture.say(language.tag)
        return self._pages.answer(
            "subscribe.html",
            language,
            form=form,
            school=school,
            wrong=wrong,
            places=sorted(self._places.values(), key=lambda place: place.name),
            topics=[(topic, say(TOPICS.get(topic, topic.replace("-", " ").capitalize()))) for topic in self._topics],
            chosen=form.every("topic") if wrong else frozenset(self._topics),
            languages=[self._pages.described(one.tag) for one in self._parts.languages.all()],
            switch=self._pages.offered(),
        )

    def _language(self, request: Request) -> PageLanguage:
        return self._pages.language(*wishes(request))


def subscribe_routes(parts: WebParts, intake: Intake, pages: Pages) -> APIRouter:
    """Return the doors of the sign-up page."""
    router = APIRouter(tags=["sign-up"])
    desk = SignUpDesk(parts, intake, pages)
    for path, show, take in (("/subscribe", desk.show, desk.take), ("/s/{token}", desk.ask, desk.confirm)):
        router.add_api_route(path, show, methods=["GET"], response_class=Response, summary=show.__doc__)
        router.add_api_route(path, show, methods=["HEAD"], include_in_schema=False)
        router.add_api_route(path, take, methods=["POST"], response_class=Response, summary=take.__doc__)
    return router


def _network(request: Request) -> str:
    """Return the network a request comes from: an IPv4 address, or the /56 an IPv6 household has."""
    try:
        address = ip_address(request.client.host if request.client else "")
    except ValueError:
        return "unknown"
    return str(address) if address.version == 4 else str(ip_network((address, 56), strict=False))  # noqa: PLR2004 - IPv4
