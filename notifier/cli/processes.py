"""`notifier run | serve | schedule | work`: the same parts, together or apart.

`run` is web, scheduler and worker in one process, which is all a single machine needs. On many machines `serve`,
`schedule` and `work` run as often as wanted against one PostgreSQL.
"""

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Annotated

import typer
import uvicorn
import uvloop

from notifier import migrations
from notifier.bootstrap import House
from notifier.cli.frame import refuse, say
from notifier.cli.opening import house
from notifier.kit.errors import Conflict
from notifier.web.app import create_app
from notifier.web.pages import read_ahead
from notifier.worker.loop import Worker
from notifier.worker.schedule import scheduler

HostOption = Annotated[str | None, typer.Option(help="Address to listen on; the setting web.host if left out.")]
PortOption = Annotated[int | None, typer.Option(help="Port to listen on; the setting web.port if left out.")]


def run(host: HostOption = None, port: PortOption = None) -> None:
    """Run web, scheduler and worker in one process."""
    with house() as opened:
        _check(opened)
        uvloop.run(_run(opened, web=_socket(opened, host, port), ticking=True, working=True))


def serve(host: HostOption = None, port: PortOption = None) -> None:
    """Run the web part: recipients' pages, webhooks, health, metrics."""
    with house() as opened:
        _check(opened)
        uvloop.run(_run(opened, web=_socket(opened, host, port), ticking=False, working=False))


def schedule() -> None:
    """Run the scheduler: due waves, dead workers, provider events. Several may run at once."""
    with house() as opened:
        _check(opened)
        os.nice(_GIVING_WAY)
        uvloop.run(_run(opened, web=None, ticking=True, working=False))


def work() -> None:
    """Run a worker that sends. Several may run at once; SIGTERM lets it finish what is in flight."""
    with house() as opened:
        _check(opened)
        os.nice(_GIVING_WAY)
        uvloop.run(_run(opened, web=None, ticking=False, working=True))


# On a machine they share, scheduler and worker let the doors go first: behind the doors somebody waits for the answer.
# The niceness of POSIX; at 10 the system gives them a tenth of the doors' share, and all that the doors leave.
_GIVING_WAY = 10


async def _run(opened: House, *, web: socket.socket | None, ticking: bool, working: bool) -> None:
    if web is not None:
        read_ahead(opened.web_parts.renderer.furniture)
    opened.settle()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for wanted in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(wanted, stop.set)
    try:
        with ExitStack() as open_parts:
            if ticking:
                open_parts.enter_context(scheduler(opened.engine))
            async with asyncio.TaskGroup() as tasks:
                if web is not None:
                    tasks.create_task(_serve(opened, web, stop))
                if working:
                    tasks.create_task(Worker(opened.engine).run(stop))
                say("Running. Stop with Ctrl-C.")
                await stop.wait()
    finally:
        await opened.close_providers()


async def _serve(opened: House, listening: socket.socket, stop: asyncio.Event) -> None:
    settings = uvicorn.Config(create_app(opened.web_parts), log_level="warning", access_log=False, server_header=False)
    server = _QuietServer(settings)
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    await stop.wait()
    server.should_exit = True
    await serving


class _QuietServer(uvicorn.Server):
    """A uvicorn server that leaves signals to the process, which has other parts to stop as well."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _socket(opened: House, host: str | None, port: int | None) -> socket.socket:
    web = opened.settings.web
    place = (host or web.host, web.port if port is None else port)
    try:
        return listen(place)
    except OSError as wrong:
        refuse(
            f"Cannot listen on {place[0]}:{place[1]}: {wrong.strerror}. Another program may be using it; choose "
            "another with --port, or stop the other one."
        )


def listen(place: tuple[str, int]) -> socket.socket:
    """Open the port the web answers on."""
    listening = socket.create_server(place)
    # asyncio sets this on the sockets it opens itself, and connections inherit it. Without it the body of every answer
    # waits 40 ms until the other side says that the head has arrived (Nagle's algorithm and delayed acknowledgements).
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _check(opened: House) -> None:
    """Refuse to start on a database that is missing, older or newer than this program."""
    pending = migrations.pending(opened.database)
    if pending:
        raise Conflict(
            f"The database lacks {len(pending)} migration(s); run `notifier init`, which brings it up to date"
        )
