"""The floor of webhooks: a bare server that verifies, parses and inserts in bulk, and decides nothing.

The same signatures are checked and the same rows are written into the same inbox, with nothing left to apply.
Posts that arrive together share a transaction here, too, and nobody is answered before it is committed.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import count
from typing import NamedTuple
from urllib.parse import parse_qs

import orjson
from aiohttp import web

from notifier.bench.ground import house
from notifier.bootstrap import House
from notifier.kit.db import Database, insert_rows
from notifier.providers.base import WebhookRequest
from notifier.tracking.models import ProviderEvent

_COLUMNS = (*("provider", "event_id", "kind", "delivery_id", "occurred_at", "received_at", "code", "detail", "raw"),)
Row = tuple[object, ...]


class _Waiting(NamedTuple):
    rows: list[Row]
    answer: "asyncio.Future[None]"


def serve(environment: Mapping[str, str], port: int) -> None:
    """Serve on a loopback port until the process is ended."""
    with house(environment) as opened:
        asyncio.run(_serve(opened, port))


async def _serve(opened: House, port: int) -> None:
    door = _Door(opened)
    runner = web.ServerRunner(web.Server(door.take))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await door.write()


class _Door:
    def __init__(self, opened: House) -> None:
        self._database: Database = opened.database
        self._providers = {one.name: one for several in opened.providers.values() for one in several}
        self._public = opened.settings.web.public_url.rstrip("/")
        self._waiting: asyncio.Queue[_Waiting] = asyncio.Queue()

    async def take(self, arrived: web.BaseRequest) -> web.Response:
        """Verify, parse, and answer when the rows are committed."""
        name = arrived.path.split("/")[2] if arrived.method == "POST" else ""
        if name not in _READ:
            return web.Response(status=404)
        body = await arrived.read()
        now = datetime.now(UTC)
        asked = WebhookRequest(f"{self._public}{arrived.path_qs}", arrived.headers, body, now)
        self._providers[name].verify(asked)
        rows = list(_READ[name](body, arrived.query.get("ref", ""), now.isoformat(" ")))
        waiting = _Waiting(rows, asyncio.get_running_loop().create_future())
        self._waiting.put_nowait(waiting)
        await waiting.answer
        return web.Response(status=204)

    async def write(self) -> None:
        """Write what waits, in one transaction each time."""
        while True:
            together = [await self._waiting.get()]
            while not self._waiting.empty():
                together.append(self._waiting.get_nowait())
            await asyncio.to_thread(self._insert, [row for one in together for row in one.rows])
            for one in together:
                one.answer.set_result(None)

    def _insert(self, rows: list[Row]) -> None:
        with self._database.transaction() as session:
            insert_rows(session, ProviderEvent, _COLUMNS, rows)


def _sendgrid(body: bytes, _reference: str, now: str) -> Iterable[Row]:
    for event in orjson.loads(body):
        # As long as the product's row, and as many entries in its indexes; the reference stays sealed.
        yield (
            *("sendgrid", f"floor-{event['sg_event_id']}", event["event"], next(_NUMBERS), now, now),
            *(event.get("status"), event.get("response"), orjson.dumps(event).decode()),
        )


def _twilio(body: bytes, _reference: str, now: str) -> Iterable[Row]:
    fields = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    identity = f"floor-{fields['MessageSid']}-{fields['MessageStatus']}"
    yield (
        *("twilio", identity, fields["MessageStatus"], next(_NUMBERS), now, now),
        *(None, None, orjson.dumps(fields).decode()),
    )


# Stand for the deliveries the events are about.
_NUMBERS = count(1)
_READ: Mapping[str, Callable[[bytes, str, str], Iterable[Row]]] = {"sendgrid": _sendgrid, "twilio": _twilio}
