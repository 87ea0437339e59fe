"""What the doors are built from: the composition root fills it in."""

from collections.abc import Mapping
from dataclasses import dataclass

from notifier.kit.clock import Clock
from notifier.kit.db import Database
from notifier.kit.tokens import Keyring
from notifier.providers.base import Provider
from notifier.web.settings import WebSettings


@dataclass(frozen=True, slots=True)
class WebParts:
    """Everything a door may use.

    `address_secret` is what suppressed addresses are hashed with; `sender_name` is the police team as families know it.
    """

    database: Database
    keyring: Keyring
    address_secret: bytes
    providers: Mapping[str, Provider]
    clock: Clock
    settings: WebSettings
    sender_name: str = "Police communications team"
    library: object = None
    atlas: object = None
    renderer: object = None
    languages: object = None
