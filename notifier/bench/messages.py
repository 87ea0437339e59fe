"""`notifier bench sms` and `notifier bench smtp`: messages that each need an answer of their own.

The floor of SMS is Twilio's asynchronous SDK with nothing around it; of SMTP, a client that pipelines and does nothing
else, and, where the server offers no PIPELINING, aiosmtplib over as many connections as we use. No floor writes a row.
"""

import asyncio
from collections.abc import Mapping

import uvloop
from aiohttp import ClientSession, TCPConnector
from aiosmtplib import SMTP
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client

from notifier.bench.apart import apart
from notifier.bench.email import check_all_accepted, hand_over, planned
from notifier.bench.figures import Figure, Meter, Spent
from notifier.bench.ground import Kind, Workshop, house
from notifier.bench.people import destination
from notifier.vocabulary import Channel

MAIL_BYTES = 13_000
SMS_TEXT = "x" * 150
_MAIL = (b"Subject: a message\r\n\r\n" + (b"x" * 76 + b"\r\n") * (MAIL_BYTES // 78)).ljust(MAIL_BYTES, b"y") + b"\r\n"
_READY = b"354"
_ENOUGH = 4_000


def sms(shop: Workshop, kinds: list[Kind], recipients: int) -> list[Figure]:
    """Measure the SMS path on each kind of database."""
    figures = []
    for kind in kinds:
        with planned(shop, kind, recipients, Channel.SMS, NOTIFIER_PROVIDERS_SMS="twilio") as found:
            _, environment, to_send, _ = found
            shop.say(f"{kind}: handing over …")
            sent = apart(hand_over, environment)
            check_all_accepted(environment, to_send)
            floor = apart(bare_sdk, environment, to_send)
        figures.append(Figure("sms: hand over", str(kind), to_send, sent, floor, note="floor: the bare async SDK"))
    return figures


def smtp(shop: Workshop, kinds: list[Kind], recipients: int) -> list[Figure]:
    """Measure the SMTP path on each kind of database, with a server that offers PIPELINING and one that does not."""
    return [
        figure for kind in kinds for pipelining in (True, False) for figure in _smtp(shop, kind, recipients, pipelining)
    ]


def _smtp(shop: Workshop, kind: Kind, recipients: int, pipelining: bool) -> list[Figure]:  # noqa: FBT001 - what is measured
    settings = {
        "NOTIFIER_PROVIDERS_EMAIL": "smtp",
        "NOTIFIER_SANDBOX_SMTP_PIPELINING": str(pipelining).lower(),
    }
    with planned(shop, kind, recipients, Channel.EMAIL, **settings) as found:
        _, environment, to_send, _ = found
        shop.say(f"{kind}: handing over by SMTP …")
        sent = apart(hand_over, environment)
        check_all_accepted(environment, to_send)
        shop.say(f"{kind}: the floors …")
        pooled = apart(bare_aiosmtplib, environment, to_send)
        if not pipelining:
            return [Figure("smtp: conversation", str(kind), to_send, sent, pooled, note="floor: pooled aiosmtplib")]
        bare = apart(bare_pipelining, environment, to_send)
    return [
        Figure("smtp: pipelining", str(kind), to_send, sent, bare, note="floor: a bare pipelining client"),
        Figure("smtp: pipelining", str(kind), to_send, sent, pooled, note="floor: pooled aiosmtplib"),
    ]


def bare_sdk(environment: Mapping[str, str], amount: int) -> Spent:
    """Send so many text messages with Twilio's asynchronous client alone."""
    return uvloop.run(_bare_sdk(environment, amount))


async def _bare_sdk(environment: Mapping[str, str], amount: int) -> Spent:
    with house(environment) as opened:
        settings, sender = opened.settings.twilio, opened.settings.sender.sms
    http = AsyncTwilioHttpClient(pool_connections=False)
    http.session = ClientSession(connector=TCPConnector(limit=settings.concurrency))
    client = Client(settings.account_sid, settings.auth_token, http_client=http)
    client.api.base_url = settings.base_url
    numbers = iter(range(amount))

    async def work() -> None:
        for number in numbers:
            await client.messages.create_async(
                to=destination(Channel.SMS, number),
                from_=sender,
                body=SMS_TEXT,
                status_callback="http://127.0.0.1:8025/webhooks/twilio/status?ref=0123456789abcdefghijklm",
                validity_period=36_000,
            )

    with Meter() as meter:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(settings.concurrency):
                tasks.create_task(work())
    await http.session.close()
    return meter.spent


def bare_aiosmtplib(environment: Mapping[str, str], amount: int) -> Spent:
    """Send so many mails with aiosmtplib alone, over connections that stay open.

    It is slow and always as slow, so a few thousand are timed and the rest is added in proportion.
    """
    timed = min(amount, _ENOUGH)
    spent = uvloop.run(_bare_aiosmtplib(environment, timed))
    return Spent(spent.wall_s * amount / timed, spent.cpu_s * amount / timed, spent.rss_mb)


async def _bare_aiosmtplib(environment: Mapping[str, str], amount: int) -> Spent:
    with house(environment) as opened:
        settings = opened.settings.smtp
    numbers = iter(range(amount))

    async def work() -> None:
        async with SMTP(hostname=settings.host, port=settings.port, start_tls=False) as client:
            for number in numbers:
                await client.sendmail("advisories@police.example", [destination(Channel.EMAIL, number)], _MAIL)

    with Meter() as meter:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(settings.connections):
                tasks.create_task(work())
    return meter.spent


def bare_pipelining(environment: Mapping[str, str], amount: int) -> Spent:
    """Send so many mails with a client that pipelines and does nothing else."""
    return uvloop.run(_bare_pipelining(environment, amount))


async def _bare_pipelining(environment: Mapping[str, str], amount: int) -> Spent:
    with house(environment) as opened:
        settings = opened.settings.smtp
    numbers = iter(range(amount))

    async def work() -> None:
        reader, writer = await asyncio.open_connection(settings.host, settings.port)
        writer.write(b"EHLO bench.invalid\r\n")
        while not (await reader.readline()).startswith(b"250 "):
            pass
        ending = b""
        for number in numbers:
            to = destination(Channel.EMAIL, number).encode()
            writer.write(ending + b"MAIL FROM:<advisories@police.example>\r\nRCPT TO:<" + to + b">\r\nDATA\r\n")
            while not (await reader.readline()).startswith(_READY):
                pass
            ending = _MAIL + b".\r\n"
        writer.write(ending + b"QUIT\r\n")
        await reader.read()
        writer.close()

    with Meter() as meter:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(settings.connections):
                tasks.create_task(work())
    return meter.spent
