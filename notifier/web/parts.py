"""What the doors are built from: the composition root fills it in."""

from collections.abc import Mapping
from dataclasses import dataclass

from notifier.content.languages import Languages
from notifier.content.library import Library
from notifier.content.render import RenderContext, Renderer
from notifier.kit.clock import Clock
from notifier.kit.db import Database
from notifier.kit.tokens import Keyring
from notifier.providers.base import Provider
from notifier.regions.atlas import Atlas
from notifier.web.settings import WebSettings


@dataclass(frozen=True, slots=True)
class WebParts:
    """Everything a door may use.

    `address_secret` is what suppressed addresses are hashed with; `context` is what every text is rendered with: who
    speaks, from which address, whether real people read it. Its code and date are filled in for each page. `frame` is
    the hash of what stands around every text, as approvals know it.
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
    context: RenderContext
    frame: str = ""

    @property
    def sender_name(self) -> str:
        """The police team as families know it."""
        return self.context.sender_name

    def link(self, path: str) -> str:
        """Return the public address of a page of ours."""
        return f"{self.settings.public_url.rstrip('/')}{path}"
