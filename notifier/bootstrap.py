"""The composition root: from settings to a database, providers, a library of texts, a web app, an engine.

The only place that names concrete providers. Importing it also makes every table known to the metadata.
"""

import gc
import ipaddress
import sys
from collections.abc import Callable
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit

from notifier.accounts import models as _accounts
from notifier.audiences import models as _audiences
from notifier.audiences.segments import audience_names, load_audience
from notifier.campaigns import models as _campaigns
from notifier.campaigns.approval import Papers, frame_digest
from notifier.campaigns.coverage import Proof
from notifier.config import Settings
from notifier.content.checks import Checker
from notifier.content.languages import Languages
from notifier.content.library import Library
from notifier.content.render import RenderContext, Renderer
from notifier.content.terms import Terms
from notifier.delivery import models as _delivery
from notifier.delivery.numbers import read_numbers
from notifier.delivery.sender import Post
from notifier.delivery.variants import Press
from notifier.kit.clock import Clock, utc_now
from notifier.kit.db import Database
from notifier.kit.errors import Invalid
from notifier.kit.tokens import KEY_BYTES, Keyring
from notifier.providers.base import ErasedBy, Provider
from notifier.regions.atlas import Atlas
from notifier.tracking import models as _tracking
from notifier.vocabulary import Channel
from notifier.web.parts import WebParts
from notifier.worker.engine import Engine

# How long one thread may keep the interpreter while others want it. Planning, rendering and addressing share it with
# the doors, and with the ledger's thread, which asks for it after every statement: with Python's own five milliseconds
# a click beside two busy threads took three times as long, and with one a batch half as long again (decision 0081).
_SWITCH_S = 0.0002

TABLES = (_accounts, _audiences, _campaigns, _delivery, _tracking)


# The providers by name. Their packages are big, and most commands send nothing: each is loaded when it is opened.
CARRIERS = {"sendgrid": "SendGrid", "twilio": "Twilio", "smtp": "Smtp", "outbox": "Outbox"}

# What can be asked to erase a person, and by what; a test holds it to the providers. SMTP has nothing: a relay keeps no
# messages of ours.
ERASING = {
    "sendgrid": ErasedBy.EMAIL_ADDRESS,
    "twilio": ErasedBy.MOBILE_NUMBER,
    "outbox": ErasedBy.ANY_ADDRESS,
}


def carrier(name: str) -> Callable[..., Provider]:
    """Return the class of a provider."""
    found: Callable[..., Provider] = getattr(import_module(f"notifier.providers.{name}"), CARRIERS[name])
    return found


class House:
    """One installation, opened room by room as a command needs it."""

    def __init__(self, settings: Settings, *, clock: Clock = utc_now) -> None:
        self.settings = settings
        self.clock = clock
        self._opened: dict[str, Provider] = {}

    # ── ledger and keys ──────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def database(self) -> Database:
        """The ledger."""
        return Database(self.settings.database_url, lost_after_s=self.settings.database.lost_after_s)

    @cached_property
    def keyring(self) -> Keyring:
        """The token keys. Raises Invalid if they are missing or unreadable."""
        pairs = [pair.partition(":") for pair in self.settings.keys.tokens.split(",") if pair]
        return Keyring({version: _secret("keys.tokens", key) for version, _, key in pairs})

    @cached_property
    def address_secret(self) -> bytes:
        """The secret under which suppressed addresses are hashed."""
        return _secret("keys.addresses", self.settings.keys.addresses)

    # ── words and numbers, as they are on disk ───────────────────────────────────────────────────────────────────

    @property
    def templates_folder(self) -> Path:
        """Where the advisories and the layouts are."""
        return Path(self.settings.folders.templates)

    @property
    def audiences_folder(self) -> Path:
        """Where the audience files are."""
        return Path(self.settings.folders.audiences)

    def audience_names(self) -> list[str]:
        """Return the names of every audience there is a file for."""
        return audience_names(self.audiences_folder)

    @cached_property
    def languages(self) -> Languages:
        """The languages this installation knows."""
        return Languages.load(Path(self.settings.folders.config) / "languages.toml")

    @property
    def atlas(self) -> Atlas:
        """The facts about regions."""
        return self._reader().papers.atlas

    @property
    def library(self) -> Library:
        """The advisories."""
        return self._reader().papers.library

    @property
    def renderer(self) -> Renderer:
        """What turns an advisory into a message."""
        return self._reader().renderer

    @property
    def papers(self) -> Papers:
        """What campaigns are made from."""
        return self._reader().papers

    @cached_property
    def _reader(self) -> Callable[[], Press]:
        return Reader(self)

    @property
    def proof(self) -> Proof:
        """What a campaign is looked at with before anybody approves it."""
        press = self._reader()
        terms = Terms.load(Path(self.settings.folders.config) / "terms.toml")
        checker = Checker(self.languages, press.papers.atlas, terms, press.renderer.furniture)
        return Proof(press.papers, press.renderer, checker, press.context, self.settings.content)

    def read_press(self) -> Press:
        """Read words and numbers from disk."""
        regions = Path(self.settings.folders.config) / "regions"
        atlas = Atlas.load(regions, max_age_days=self.settings.content.contacts_max_age_days)
        library = Library.load(self.templates_folder / "advisories", self.languages)
        sender = self.settings.sender
        frame = frame_digest(self._frame_files(), (sender.name, sender.email, sender.reply_to, sender.sms))
        papers = Papers(library, atlas, self.audiences_folder, self.settings.live, frame)
        context = RenderContext(
            code="",
            public_url=self.settings.web.public_url,
            sender_name=sender.name,
            sender_email=sender.email,
            reply_to=sender.reply_to,
            sms_sender=read_numbers(sender.sms)[0].value,
            today=self.clock().date(),
            live=self.settings.live,
        )
        return Press(papers, Renderer(library, atlas, self.templates_folder / "layouts"), context)

    def _frame_files(self) -> list[Path]:
        layouts = (self.templates_folder / "layouts").glob("*.*")
        catalogues = (self.templates_folder / "locale").rglob("*.po")
        return [*layouts, *catalogues, Path(self.settings.folders.config) / "languages.toml"]

    # ── providers ────────────────────────────────────────────────────────────────────────────────────────────────

    def provider(self, name: str, channel: Channel) -> Provider:
        """Return a provider by name, opened once. Raises Invalid for an unknown one, or a real one when not live."""
        key = f"{name} {channel}" if name == "outbox" else name
        if key not in self._opened:
            self._opened[key] = self._open_provider(name, channel)
        return self._opened[key]

    def _open_provider(self, name: str, channel: Channel) -> Provider:
        settings = self.settings
        match name, channel:
            case "sendgrid", Channel.EMAIL:
                self._check_live("sendgrid.base_url", settings.sendgrid.base_url)
                return carrier(name)(settings.sendgrid)
            case "twilio", Channel.SMS:
                self._check_live("twilio.base_url", settings.twilio.base_url)
                return carrier(name)(settings.twilio, public_url=settings.web.public_url)
            case "smtp", Channel.EMAIL:
                self._check_live("smtp.host", f"smtp://{settings.smtp.host}")
                return carrier(name)(settings.smtp)
            case "outbox", _:
                return carrier(name)(settings.outbox, channel)
        raise Invalid(
            f"The setting providers.{channel} names {name!r}; email goes by sendgrid, smtp or outbox, sms by twilio "
            "or outbox"
        )

    def _check_live(self, place: str, url: str) -> None:
        """Let nothing leave this machine unless the settings say that real people are meant."""
        if not self.settings.live and not is_loopback(urlsplit(url).hostname or ""):
            variable = "NOTIFIER_" + place.replace(".", "_").upper()
            raise Invalid(
                f"The setting {place} ({variable}) points to {urlsplit(url).hostname}, but `live` is not true. Set "
                "NOTIFIER_LIVE=true to write to real people, or run `notifier init` to use the sandbox."
            )

    @cached_property
    def providers(self) -> dict[Channel, list[Provider]]:
        """The providers of each channel, in order of preference."""
        chosen = {Channel.EMAIL: self.settings.providers.email, Channel.SMS: self.settings.providers.sms}
        return {
            channel: [self.provider(name.strip(), channel) for name in names.split(",") if name.strip()]
            for channel, names in chosen.items()
        }

    async def close_providers(self) -> None:
        """Give back the providers' connections."""
        for provider in self._opened.values():
            await provider.close()
        self._opened.clear()

    # ── the parts that run ───────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def engine(self) -> Engine:
        """What worker and scheduler work with."""
        settings = self.settings
        return Engine(
            database=self.database,
            providers=self.providers,
            press=self._reader,
            audience=partial(load_audience, self.audiences_folder),
            post=Post(self.keyring, settings.web.public_url.rstrip("/"), read_numbers(settings.sender.sms)),
            clock=self.clock,
            address_secret=self.address_secret,
            worker=settings.worker,
            ticks=settings.ticks,
            planning=settings.planning,
            doubt=settings.doubt,
            quiet=settings.quiet_hours,
            guards=settings.guards,
            retry=settings.retry,
            circuit=settings.circuit,
            live=settings.live,
            retention=settings.retention,
        )

    @cached_property
    def web_parts(self) -> WebParts:
        """What the web app is made from."""
        return WebParts(
            database=self.database,
            keyring=self.keyring,
            address_secret=self.address_secret,
            providers={provider.name: provider for several in self.providers.values() for provider in several},
            clock=self.clock,
            settings=self.settings.web,
            library=self.library,
            atlas=self.atlas,
            renderer=self.renderer,
            languages=self.languages,
            context=self._reader().context,
            frame=self.papers.frame,
        )

    def settle(self) -> None:
        """Make ready to run for long: read what every part needs, and keep the interpreter's housekeeping short.

        The garbage collector looks through every object it knows from time to time, and stops all threads meanwhile: a
        sixth of a second for the texts and modules, which stay anyway. From here on it looks at what comes later only.
        """
        sys.setswitchinterval(_SWITCH_S)
        self.engine.press()
        gc.collect()
        gc.freeze()

    def close(self) -> None:
        """Close what was opened."""
        if "database" in self.__dict__:
            self.database.close()


class Reader:
    """Words and numbers as they are on disk now.

    They are read again when a file has changed, so that what a long-running process plans is what the officer has just
    approved.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self._press: Press | None = None
        self._seen: tuple[int, int] = (0, 0)

    def __call__(self) -> Press:
        """Return the press, reading it again if anything under templates or config has changed."""
        seen = self._state_of_files()
        if self._press is None or seen != self._seen:
            self._press, self._seen = self._house.read_press(), seen
        return self._press

    def _state_of_files(self) -> tuple[int, int]:
        folders = (self._house.templates_folder, Path(self._house.settings.folders.config))
        stamps = [path.stat().st_mtime_ns for folder in folders for path in folder.rglob("*.*")]
        return (len(stamps), max(stamps, default=0))


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


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
