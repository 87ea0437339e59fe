"""A running sandbox for each test, and every adapter on both event loops.

`notifier work` runs on uvloop, whose transports are no classes of asyncio's; tests and a few commands run on asyncio's
own loop.
"""

import asyncio
from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop

from tests.sandbox.letters import Scene, scene


@pytest.fixture
async def stage() -> AsyncIterator[Scene]:
    """A sandbox, both adapters and a listener for webhooks."""
    async with scene() as opened:
        yield opened


def pytest_asyncio_loop_factories(
    config: pytest.Config,  # noqa: ARG001 - the hook's own form
    item: pytest.Item,  # noqa: ARG001 - as above
) -> Mapping[str, Callable[[], AbstractEventLoop]]:
    """Run every test of an adapter on both loops."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
