"""A running sandbox for each test."""

from collections.abc import AsyncIterator

import pytest

from tests.sandbox.letters import Scene, scene


@pytest.fixture
async def stage() -> AsyncIterator[Scene]:
    """A sandbox, both adapters and a listener for webhooks."""
    async with scene() as opened:
        yield opened
