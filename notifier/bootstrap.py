"""The composition root: from settings to a database, providers, a library of texts, a web app, a worker.

The only place that names concrete providers. Importing it also makes every table known to the metadata.
"""

from functools import cached_property
from pathlib import Path

from notifier.accounts import models as _accounts
from notifier.audiences import models as _audiences
from notifier.campaigns import models as _campaigns
from notifier.config import Settings
from notifier.delivery import models as _delivery
from notifier.kit.db import Database
from notifier.kit.errors import Invalid
from notifier.kit.tokens import KEY_BYTES, Keyring
from notifier.tracking import models as _tracking

TABLES = (_accounts, _audiences, _campaigns, _delivery, _tracking)


class House:
    """One installation, opened room by room as a command needs it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @cached_property
    def database(self) -> Database:
        """The ledger."""
        return Database(self.settings.database_url)

    @cached_property
    def keyring(self) -> Keyring:
        """The token keys. Raises Invalid if they are missing or unreadable."""
        pairs = [pair for pair in self.settings.keys.tokens.split(",") if pair]
        return Keyring({pair.partition(":")[0]: _secret("keys.tokens", pair.partition(":")[2]) for pair in pairs})

    @cached_property
    def address_secret(self) -> bytes:
        """The secret under which suppressed addresses are hashed."""
        return _secret("keys.addresses", self.settings.keys.addresses)

    @property
    def audiences_folder(self) -> Path:
        """Where the audience files are."""
        return Path(self.settings.folders.audiences)

    def close(self) -> None:
        """Close what was opened."""
        if "database" in self.__dict__:
            self.database.close()


def _secret(place: str, text: str) -> bytes:
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        secret = b""
    if len(secret) != KEY_BYTES:
        variable = "NOTIFIER_" + place.replace(".", "_").upper()
        raise Invalid(
            f"The setting {place} ({variable}) is not {KEY_BYTES} bytes in hex; run `notifier init` to make one"
        )
    return secret
