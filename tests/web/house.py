"""A web app for tests: a provider that signs with a word, and a client that speaks to the app without a network."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import orjson
from fastapi.testclient import TestClient

from notifier.content.languages import Languages
from notifier.content.library import Library
from notifier.content.render import RenderContext, Renderer
from notifier.kit.db import Database
from notifier.kit.errors import Invalid
from notifier.kit.tokens import Keyring
from notifier.providers.base import BadSignature, Event, Receipt, SettledBy, WebhookRequest
from notifier.regions.atlas import Atlas
from notifier.vocabulary import Channel, Envelope, EventKind, Message
from notifier.web.app import WebParts, create_app
from notifier.web.settings import WebSettings

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
SECRET = b"s" * 32
PUBLIC = WebSettings(public_url="https://notify.example")
SIGNED = {"x-signature": "genuine"}


class SigningProvider:
    """A provider whose posts are a JSON list of {id, kind, reference}, genuine if a header says so."""

    group_size = 1000
    settled_by = SettledBy.EVENTS

    def __init__(self, name: str, channel: Channel) -> None:
        self.name = name
        self.channel = channel
        self.seen: list[WebhookRequest] = []
        self.sent: list[tuple[Message, Envelope]] = []

    async def send(self, message: Message, envelopes: Sequence[Envelope]) -> list[Receipt]:
        """Take everything, and keep it."""
        self.sent.extend((message, envelope) for envelope in envelopes)
        return [Receipt("m") for _ in envelopes]

    def verify(self, request: WebhookRequest) -> None:
        """Believe one word."""
        self.seen.append(request)
        if request.headers.get("x-signature") != "genuine":
            raise BadSignature("not ours")

    def parse(self, request: WebhookRequest) -> list[Event]:
        """Read the list."""
        try:
            items = orjson.loads(request.body)
        except orjson.JSONDecodeError as wrong:
            raise Invalid("no list") from wrong
        return [self._event(item, request) for item in items]

    async def close(self) -> None:
        """Nothing is open."""

    def _event(self, item: dict[str, str], request: WebhookRequest) -> Event:
        return Event(
            provider=self.name,
            event_id=item["id"],
            kind=EventKind(item["kind"]),
            occurred_at=request.received_at,
            reference=item.get("reference"),
            destination=item.get("from"),
            text=item.get("text"),
            code=item.get("code"),
            raw=dict(item),
        )


@cache
def words() -> tuple[Languages, Library, Atlas]:
    """The languages, the advisories and the regions of this repository, read once."""
    languages = Languages.load(ROOT / "config" / "languages.toml")
    library = Library.load(ROOT / "templates" / "advisories", languages)
    return languages, library, Atlas.load(ROOT / "config" / "regions")


def parts(database: Database, keyring: Keyring, settings: WebSettings = PUBLIC) -> WebParts:
    """What the app is built from in a test: the real words and numbers, two made-up providers."""
    languages, library, atlas = words()
    return WebParts(
        database=database,
        keyring=keyring,
        address_secret=SECRET,
        providers={
            "sendgrid": SigningProvider("sendgrid", Channel.EMAIL),
            "twilio": SigningProvider("twilio", Channel.SMS),
        },
        clock=lambda: NOW,
        settings=settings,
        library=library,
        atlas=atlas,
        renderer=Renderer(library, atlas, ROOT / "templates" / "layouts"),
        languages=languages,
        context=RenderContext(
            code="",
            public_url=settings.public_url,
            sender_name="Victoria Police",
            sender_email="advisories@police.example",
            reply_to="",
            sms_sender="+61480000000",
            today=NOW.date(),
            live=False,
        ),
    )


def client(of: WebParts) -> TestClient:
    """A client of a running app; use it in a `with`."""
    return TestClient(create_app(of), raise_server_exceptions=False, follow_redirects=False)
