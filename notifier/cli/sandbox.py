"""`notifier sandbox`: the stand-in for SendGrid and Twilio on this machine, and what it received."""

import asyncio
import gc
import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import orjson
import typer

from notifier import config
from notifier.cli.frame import JsonFlag, print_json, refuse, say
from notifier.sandbox.accounts import Accounts
from notifier.sandbox.server import Sandbox, serving

READ_TIMEOUT_S = 10.0
_OBJECTS_BETWEEN_COLLECTIONS = 100_000


def sandbox(
    *,
    host: Annotated[str | None, typer.Option(help="The address to listen on; several with commas.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The port; 0 for any free one.")] = None,
    smtp_port: Annotated[int | None, typer.Option(help="Also take mail by SMTP on this port; 0 for no SMTP.")] = None,
    webhook_url: Annotated[str, typer.Option(help="Where Notifier's web listens.")] = "http://127.0.0.1:8025",
    as_json: JsonFlag = False,
) -> None:
    """Stand in for SendGrid and Twilio until interrupted; with --json, print what a running sandbox received."""
    settings = config.load(Path.cwd(), os.environ)
    chosen = replace(
        settings.sandbox,
        host=settings.sandbox.host if host is None else host,
        port=settings.sandbox.port if port is None else port,
        smtp_port=settings.sandbox.smtp_port if smtp_port is None else smtp_port,
    )
    if as_json:
        print_json(received(f"http://{chosen.hosts[0]}:{chosen.port}"))
        return
    accounts = Accounts(
        sendgrid_api_key=settings.sendgrid.api_key,
        twilio_account_sid=settings.twilio.account_sid,
        twilio_auth_token=settings.twilio.auth_token,
        signing_key=chosen.signing_key,
        twilio_api_key_sid=settings.twilio.api_key_sid,
        twilio_api_key_secret=settings.twilio.api_key_secret,
        twilio_shared_key=settings.twilio.shared_key,
    )
    try:
        asyncio.run(_serve(Sandbox(chosen, accounts, webhook_url=webhook_url)))
    except KeyboardInterrupt:
        say("The sandbox has stopped; what it received is forgotten.")


def received(url: str) -> object:
    """Return what a running sandbox received, newest first."""
    try:
        with build_opener(ProxyHandler({})).open(
            f"{url}/sandbox/messages?limit=10000", timeout=READ_TIMEOUT_S
        ) as answer:
            found: object = orjson.loads(answer.read())
    except (URLError, OSError, ValueError):
        refuse(f"No sandbox answers at {url}. Start one with `notifier sandbox`, or name its --host and --port.")
    return found


async def _serve(opened: Sandbox) -> None:
    # Every request makes thousands of objects that stay; looking for garbage among them would take half the time.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    async with serving(opened):
        say(f"The sandbox stands in for SendGrid and Twilio at {opened.url}/ (press Ctrl-C to stop).")
        if opened.smtp_port:
            say(f"It takes mail by SMTP on port {opened.smtp_port}.")
        await asyncio.Event().wait()
