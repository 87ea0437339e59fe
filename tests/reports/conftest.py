"""The same small world the engine's tests live in."""

from tests.delivery.conftest import world

__all__ = ["world"]
