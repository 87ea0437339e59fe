"""What the doors are built from: the composition root fills it in."""

from collections.abc import Mapping
from dataclasses import dataclass

from notifier.content.languages import Languages
from notifier.content.library import Library
from notifier.content.render import Renderer
from notifier.kit.clock import Clock
from notifier.kit.db import Database
from notifier.kit.tokens import Keyring
from notifier.providers.base import Provider
from notifier.regions.atlas import Atlas
from notifier.web.settings import WebSettings


@dataclass(frozen=True, slots=True)
class WebParts:
    """Everything a door may use.

    `address_secret` is what suppressed addresses are hashed with; `sender_name` is the police team as families know
    it, and `live` whether real people read these pages.
    """

    database: Database
    keyring: Keyring
    address_secret: bytes
    providers: Mapping[str, Provider]
    clock: Clock
    settings: WebSettings
    library: Library
    atlas: Atlas
    renderer: Renderer
    languages: Languages
    sender_name: str = "Police communications team"
    live: bool = False
