"""The sandbox itself: one HTTP server on loopback that answers as SendGrid and Twilio, and a page for people.

It records what it takes and posts signed webhooks back. It never talks to anything but the addresses it was given.
"""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import asdict
from typing import Any

import orjson
from aiohttp import web

from notifier.kit.errors import Conflict, Invalid
from notifier.sandbox import page
from notifier.sandbox.accounts import Accounts, SandboxSettings
from notifier.sandbox.behaviour import Answer, Behaviour, Dice
from notifier.sandbox.postman import Postman, Reply
from notifier.sandbox.sendgrid_api import SendGridDialect
from notifier.sandbox.smtp_sink import EXTENSIONS, SmtpSink
from notifier.sandbox.store import Store
from notifier.sandbox.twilio_api import TwilioDialect

READ_BUFFER_BYTES = 1 << 20
MAX_LISTED = 10_000
DEFAULT_LISTED = 100
OWN_NUMBER = "+61480000000"

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Sandbox:
    """One running sandbox. `webhook_url` is where Notifier's web listens; empty means that nobody is told anything."""

    def __init__(
        self,
        settings: SandboxSettings,
        accounts: Accounts,
        *,
        webhook_url: str = "",
        behaviour: Behaviour | None = None,
    ) -> None:
        self._settings = settings
        self._accounts = accounts
        self._webhook_url = webhook_url.rstrip("/")
        self.url = ""
        self.smtp_port = 0
        extensions = EXTENSIONS if settings.smtp_pipelining else ()
        self._sink = SmtpSink(Store(0), extensions)
        self.behave(behaviour or Behaviour())
        self._start_over()

    def behave(self, behaviour: Behaviour) -> None:
        """Change how requests, messages and webhooks are treated from now on."""
        self.dice = self._sink.dice = Dice(behaviour)

    def _start_over(self) -> None:
        base = self._webhook_url
        self.store = self._sink.store = Store(self._settings.keep_messages)
        self._sendgrid = SendGridDialect(self.store, self._accounts, f"{base}/webhooks/sendgrid/events" if base else "")
        self._twilio = TwilioDialect(self.store, self._accounts, f"{base}/webhooks/twilio/inbound" if base else "")
        self._routes: dict[tuple[str, str], Handler] = {
            ("POST", "/v3/mail/send"): self._mail_send,
            ("POST", "/v3/recipients/erasejob"): self._erase_job,
            ("POST", f"{self._twilio.root}.json"): self._create_sms,
            ("GET", f"{self._twilio.root}.json"): self._list_sms,
            ("GET", "/"): self._page,
            ("GET", "/sandbox/messages"): self._messages,
            ("GET", "/sandbox/counts"): self._counts,
            ("GET", "/sandbox/references"): self._references,
            ("GET", "/sandbox/behaviour"): self._behaviour,
            ("POST", "/sandbox/behaviour"): self._behave,
            ("POST", "/sandbox/inbound"): self._inbound,
            ("POST", "/sandbox/reset"): self._reset,
        }

    async def start(self) -> None:
        """Begin to listen. Raises Conflict if the port is taken, Invalid if there is no key to sign webhooks with."""
        if self._webhook_url:
            self._accounts.sign_events("0", b"")
        self._postman = Postman(self.store.counts)
        self._runner = web.ServerRunner(web.Server(self._answer, access_log=None, read_bufsize=READ_BUFFER_BYTES))
        await self._runner.setup()
        try:
            for one in self._settings.hosts:
                await web.TCPSite(self._runner, one, self._settings.port).start()
            if self._settings.smtp_port:
                self.smtp_port = await self._sink.start(self._settings.hosts[0], max(self._settings.smtp_port, 0))
        except OSError as taken:
            await self._runner.cleanup()
            raise Conflict(
                f"The sandbox cannot listen on {self._settings.host}:{self._settings.port}: {taken.strerror or taken}. "
                "Stop what listens there, or choose another with --port."
            ) from taken
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        await self._postman.start()

    async def stop(self) -> None:
        """Stop listening and posting."""
        await self._postman.stop()
        await self._sink.stop()
        await self._runner.cleanup()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        handler = self._routes.get((request.method, request.path))
        if handler is not None:
            return await handler(request)
        if request.path.startswith(f"{self._twilio.root}/"):
            return await self._one_sms(request)
        if request.path.startswith("/sandbox/email/"):
            return self._one_email(request)
        if request.path.startswith("/2010-04-01/"):
            return await self._finish(request, self._twilio.judge({}) or Reply(404, b""))
        return _json({"error": f"The sandbox has nothing at {request.method} {request.path}."}, 404)

    # ── the dialects ────────────────────────────────────────────────────────────────────────────────────────────

    async def _mail_send(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.content.read()
        answer = self.dice.answer()
        if answer in {Answer.THROTTLE, Answer.FAIL, Answer.CUT}:
            return await self._finish(request, self._sendgrid.refused(answer, self.dice), answer)
        refusal, document = self._sendgrid.judge(request.headers, body)
        if refusal is not None:
            return await self._finish(request, refusal)
        reply, letters = self._sendgrid.take(document, body, self.dice)
        self._postman.take(letters, self.dice)
        return await self._finish(request, reply, answer)

    async def _erase_job(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.content.read()
        answer = self.dice.answer()
        if answer in {Answer.THROTTLE, Answer.FAIL, Answer.CUT}:
            return await self._finish(request, self._sendgrid.refused(answer, self.dice), answer)
        return await self._finish(request, self._sendgrid.erase(request.headers, body), answer)

    async def _create_sms(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.content.read()
        refusal = self._twilio.judge(request.headers)
        if refusal is not None:
            return await self._finish(request, refusal)
        answer = self.dice.answer()
        if answer in {Answer.THROTTLE, Answer.FAIL, Answer.CUT}:
            return await self._finish(request, self._twilio.refused(answer, self.dice), answer)
        reply, letters = self._twilio.create(body, self.dice)
        self._postman.take(letters, self.dice)
        return await self._finish(request, reply, answer)

    async def _list_sms(self, request: web.BaseRequest) -> web.StreamResponse:
        reply = self._twilio.judge(request.headers) or self._twilio.listing(request.query_string)
        return await self._finish(request, reply)

    async def _one_sms(self, request: web.BaseRequest) -> web.StreamResponse:
        sid = request.path.rpartition("/")[2].removesuffix(".json")
        reply = self._twilio.judge(request.headers)
        if reply is None and request.method == "POST":
            reply = self._twilio.redact(sid, await request.content.read())
        return await self._finish(request, reply or self._twilio.fetch(sid))

    async def _finish(self, request: web.BaseRequest, reply: Reply, answer: Answer = Answer.TAKE) -> web.StreamResponse:
        """Answer as the dice say: after the latency, much too late, or not at all."""
        behaviour = self.dice.behaviour
        self.store.counts.requests += 1
        self.store.counts.refused += reply.status >= 400  # noqa: PLR2004 - where refusals begin
        if behaviour.latency_s:
            await asyncio.sleep(behaviour.latency_s)
        if answer is Answer.HANG:
            await asyncio.sleep(behaviour.hang_s)
        if answer in {Answer.HANG, Answer.LOSE, Answer.CUT} and request.transport is not None:
            request.transport.abort()
        return web.Response(
            body=reply.body, status=reply.status, content_type=reply.content_type, headers=reply.headers
        )

    # ── for people and tests ────────────────────────────────────────────────────────────────────────────────────

    async def _page(self, _request: web.BaseRequest) -> web.StreamResponse:
        shown = page.render(self.store.messages(limit=DEFAULT_LISTED), asdict(self.store.counts))
        return web.Response(text=shown, content_type="text/html", headers=page.HEADERS)

    async def _messages(self, request: web.BaseRequest) -> web.StreamResponse:
        limit = request.query.get("limit", "")
        size = min(int(limit), MAX_LISTED) if limit.isdecimal() else DEFAULT_LISTED
        found = self.store.messages(limit=size, to=request.query.get("to", ""))
        return _json([{key: value for key, value in message.items() if key != "html"} for message in found])

    def _one_email(self, request: web.BaseRequest) -> web.StreamResponse:
        message_id, _, place = request.path.rpartition("/")[2].rpartition(".")
        found = self.store.email(message_id, int(place)) if place.isdecimal() else None
        return _json(found) if found else _json({"error": "There is no such email."}, 404)

    async def _counts(self, _request: web.BaseRequest) -> web.StreamResponse:
        return _json(asdict(self.store.counts))

    async def _references(self, _request: web.BaseRequest) -> web.StreamResponse:
        return _json(self.store.references())

    async def _behaviour(self, _request: web.BaseRequest) -> web.StreamResponse:
        return _json(asdict(self.dice.behaviour))

    async def _behave(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            self.behave(self.dice.behaviour.changed(await _document(request)))
        except Invalid as wrong:
            return _json({"error": str(wrong)}, 400)
        return _json(asdict(self.dice.behaviour))

    async def _inbound(self, request: web.BaseRequest) -> web.StreamResponse:
        """Let somebody write an SMS to us: {"from": …, "body": …} and, if it matters which number, "to"."""
        try:
            said = await _document(request)
        except Invalid as wrong:
            return _json({"error": str(wrong)}, 400)
        sender, body = str(said.get("from", "")), str(said.get("body", ""))
        to = str(said.get("to", "")) or self._last_sender(sender)
        letter = self._twilio.inbound(sender, body, to, self.dice)
        status, kind, text = await self._postman.post(letter) if self._webhook_url else (0, "", "")
        self._twilio.answered(sender, to, kind, text)
        return _json({"from": sender, "to": to, "webhook_status": status})

    def _last_sender(self, number: str) -> str:
        written = self.store.sms_by_number.get(number)
        return written[-1].sender if written else OWN_NUMBER

    async def _reset(self, _request: web.BaseRequest) -> web.StreamResponse:
        """Forget everything and behave well again. Letters that are waiting are still delivered."""
        self.behave(Behaviour())
        self._start_over()
        self._postman.counts = self.store.counts
        return _json(asdict(self.store.counts))


@contextlib.asynccontextmanager
async def serving(sandbox: Sandbox) -> AsyncIterator[Sandbox]:
    """Run a sandbox in this loop."""
    await sandbox.start()
    try:
        yield sandbox
    finally:
        await sandbox.stop()


@contextlib.contextmanager
def running(sandbox: Sandbox) -> Iterator[Sandbox]:
    """Run a sandbox in a thread of its own."""
    started: threading.Event = threading.Event()
    failures: list[BaseException] = []
    loop = asyncio.new_event_loop()
    done = asyncio.Event()

    async def live() -> None:
        try:
            async with serving(sandbox):
                started.set()
                await done.wait()
        except BaseException as failure:  # noqa: BLE001 - raised again by the thread that asked
            failures.append(failure)
        finally:
            started.set()

    thread = threading.Thread(target=lambda: _run(loop, live()), name="sandbox", daemon=True)
    thread.start()
    started.wait()
    try:
        if failures:
            raise failures[0]
        yield sandbox
    finally:
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(done.set)
        thread.join()


def _run(loop: asyncio.AbstractEventLoop, work: Any) -> None:  # noqa: ANN401 - a coroutine
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(work)


def _json(document: object, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(document), status=status, content_type="application/json")


async def _document(request: web.BaseRequest) -> dict[str, Any]:
    try:
        document = orjson.loads(await request.content.read())
    except orjson.JSONDecodeError as wrong:
        raise Invalid("Post one JSON object.") from wrong
    if not isinstance(document, dict):
        raise Invalid("Post one JSON object.")
    return document
