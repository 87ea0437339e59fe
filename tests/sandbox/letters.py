"""Made-up accounts, messages and envelopes, and a listener for webhooks: what tests of providers and sandbox share."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import ClientSession, web

from notifier.providers.base import WebhookRequest
from notifier.providers.sendgrid import SendGrid
from notifier.providers.settings import SendGridSettings, TwilioSettings
from notifier.providers.twilio import Twilio
from notifier.sandbox.accounts import Accounts, SandboxSettings, generate_signing_key
from notifier.sandbox.behaviour import Behaviour
from notifier.sandbox.server import Sandbox, serving
from notifier.vocabulary import EmailMessage, Envelope, Part, PersonalField, SmsMessage, marker

SIGNING_KEY, VERIFICATION_KEY = generate_signing_key()
ACCOUNTS = Accounts(
    sendgrid_api_key="SG.made.up",
    twilio_account_sid=f"AC{'0' * 32}",
    twilio_auth_token="0123456789abcdef0123456789abcdef",
    signing_key=SIGNING_KEY,
)

NAME_TEXT = marker(PersonalField.GIVEN_NAME, Part.TEXT)
NAME_HTML = marker(PersonalField.GIVEN_NAME, Part.HTML)
NAME_SMS = marker(PersonalField.GIVEN_NAME, Part.SMS)

EMAIL = EmailMessage(
    sender="advisories@police.example",
    sender_name="Police communications team",
    subject="Online blackmail: how to support your child",
    text=f"Hello {NAME_TEXT},\n\nplease read this.\n",
    html=f"<p>Hello {NAME_HTML},</p><p>please read this.</p>",
    language="en",
    markers=(NAME_TEXT, NAME_HTML),
)
SMS = SmsMessage(sender="+61480000000", text=f"Hello {NAME_SMS}, please read this.", language="en", markers=(NAME_SMS,))


def emails(*destinations: str, name: str = "Mina") -> list[Envelope]:
    """Envelopes for these addresses, referenced r0, r1, …."""
    return [
        Envelope(f"reference-{place}", to, {NAME_TEXT: name, NAME_HTML: name}, f"https://n.police.example/u/{place}")
        for place, to in enumerate(destinations)
    ]


def texts(*numbers: str, name: str = "Mina") -> list[Envelope]:
    """Envelopes for these numbers."""
    return [Envelope(f"reference-{place}", to, {NAME_SMS: name}) for place, to in enumerate(numbers)]


@dataclass
class Listener:
    """What arrived at our webhook addresses. `answers` are the statuses to give, the last one for ever."""

    url: str = ""
    requests: list[WebhookRequest] = field(default_factory=list)
    answers: list[int] = field(default_factory=lambda: [200])
    body: str = ""
    content_type: str = "text/xml"

    async def _take(self, request: web.BaseRequest) -> web.Response:
        body = await request.content.read()
        url = f"{self.url}{request.path_qs}"
        self.requests.append(WebhookRequest(url, dict(request.headers), body, datetime.now(UTC)))
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.Response(status=status, text=self.body, content_type=self.content_type)

    async def wait(self, count: int) -> list[WebhookRequest]:
        """Wait until so many requests have come."""
        async with asyncio.timeout(10):
            while len(self.requests) < count:  # noqa: ASYNC110 - a test's patience needs no event
                await asyncio.sleep(0.005)
        return self.requests


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[Listener]:
    """Listen for webhooks on any free port."""
    listener = Listener()
    runner = web.ServerRunner(web.Server(listener._take))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    listener.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield listener
    finally:
        await runner.cleanup()


@dataclass
class Scene:
    """A running sandbox, the adapters that talk to it, and the listener it talks to."""

    sandbox: Sandbox
    listener: Listener
    sendgrid: SendGrid
    twilio: Twilio

    def behave(self, **changes: float) -> None:
        """Tell the sandbox how to behave."""
        self.sandbox.behave(Behaviour(**changes))  # type: ignore[arg-type]

    async def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Ask the sandbox."""
        async with ClientSession() as session, session.get(self.sandbox.url + path) as answer:
            return await answer.json()

    async def post(self, path: str, document: object) -> Any:  # noqa: ANN401 - JSON
        """Tell the sandbox."""
        async with ClientSession() as session, session.post(self.sandbox.url + path, json=document) as answer:
            return await answer.json()

    def sent(self) -> Sequence[dict[str, object]]:
        """What the sandbox took, oldest first."""
        return self.sandbox.store.messages(limit=1000)[::-1]


@contextlib.asynccontextmanager
async def scene(accounts: Accounts = ACCOUNTS, *, timeout_s: float = 5.0) -> AsyncIterator[Scene]:
    """Set up everything on free ports, and close it again."""
    async with listening() as listener:
        made = Sandbox(SandboxSettings(port=0, smtp_port=-1), accounts, webhook_url=listener.url)
        async with serving(made) as sandbox:
            sendgrid = SendGrid(
                SendGridSettings(
                    api_key=accounts.sendgrid_api_key,
                    verification_key=VERIFICATION_KEY,
                    base_url=sandbox.url,
                    timeout_s=timeout_s,
                )
            )
            twilio = Twilio(
                TwilioSettings(
                    account_sid=accounts.twilio_account_sid,
                    auth_token=accounts.twilio_auth_token,
                    shared_key=accounts.twilio_shared_key,
                    base_url=sandbox.url,
                    timeout_s=timeout_s,
                ),
                public_url=listener.url,
            )
            try:
                yield Scene(sandbox, listener, sendgrid, twilio)
            finally:
                await sendgrid.close()
                await twilio.close()
