"""Settings: `config/notifier.toml`, then the secrets of the data folder, then the environment; read once, passed down.

Each room declares its own small frozen dataclass of settings; this page only knows which section of the file fills
which. Every setting can be overridden by an environment variable named after its place: `[sendgrid] base_url` is
`NOTIFIER_SENDGRID_BASE_URL`. No room can import this module.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from notifier.audiences.importer import ImportSettings
from notifier.content.settings import ContentSettings
from notifier.delivery.answers import RetrySettings
from notifier.delivery.doubt import DoubtSettings
from notifier.delivery.guards import GuardSettings
from notifier.delivery.planner import PlanSettings
from notifier.delivery.quiet import QuietSettings
from notifier.kit.errors import Invalid
from notifier.kit.lifelines import LOST_AFTER_S
from notifier.providers.settings import OutboxSettings, SendGridSettings, SmtpSettings, TwilioSettings
from notifier.sandbox.accounts import SandboxSettings
from notifier.tracking.retention import RetentionSettings
from notifier.web.settings import WebSettings
from notifier.worker.circuit import CircuitSettings
from notifier.worker.engine import TickSettings, WorkerSettings

PREFIX = "NOTIFIER_"
SECRETS_FILE = "secrets.toml"

_WHERE = "config/notifier.toml shows every one"
# Variables with our prefix that are no settings, as name=value: where the data is, our own tests, and what Kubernetes
# tells every process about services whose names begin like ours.
_OTHERS = re.compile(
    r"NOTIFIER_(HOME=|TEST_|(\w+_)?(SERVICE_HOST=|SERVICE_PORT(_\w+)?=\d+$|PORT(_\d+_(TCP|UDP|SCTP))?=(tcp|udp|sctp)://"
    r"|PORT_\d+_(TCP|UDP|SCTP)_(PROTO|PORT|ADDR)=))"
)


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """`[database]`: where the ledger is. `url` empty means the SQLite file in the data folder.

    `lost_after_s`: after so long without a sign of life a connection to PostgreSQL is given up, by both sides.
    """

    url: str = ""
    lost_after_s: float = LOST_AFTER_S


@dataclass(frozen=True, slots=True)
class KeysSettings:
    """`[keys]`: secrets of this installation, made by `notifier init`.

    `tokens` holds `version:hex` pairs separated by commas (32 bytes each); `addresses` is the hex secret under which
    suppressed addresses are hashed, and must never change.
    """

    tokens: str = ""
    addresses: str = ""


@dataclass(frozen=True, slots=True)
class SenderSettings:
    """`[sender]`: who speaks. `name` is the police team as families know it."""

    name: str = "Police Advisories"
    email: str = "advisories@police.example"
    reply_to: str = ""
    sms: str = "+61480000000"


@dataclass(frozen=True, slots=True)
class FolderSettings:
    """`[folders]`: where the words, the audiences and the regions are kept, relative to the working folder."""

    templates: str = "templates"
    audiences: str = "audiences"
    config: str = "config"


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """`[providers]`: who carries a channel, in order of preference, separated by commas.

    `email` may name sendgrid, smtp and outbox, `sms` twilio and outbox. The second is used while the first is failing.
    """

    email: str = "sendgrid"
    sms: str = "twilio"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything, one frozen object per room. `live` is the only door to real providers."""

    home: Path = Path("var")
    live: bool = False
    database: DatabaseSettings = field(default_factory=DatabaseSettings)
    keys: KeysSettings = field(default_factory=KeysSettings)
    sender: SenderSettings = field(default_factory=SenderSettings)
    folders: FolderSettings = field(default_factory=FolderSettings)
    content: ContentSettings = field(default_factory=ContentSettings)
    providers: ProviderSettings = field(default_factory=ProviderSettings)
    sendgrid: SendGridSettings = field(default_factory=SendGridSettings)
    twilio: TwilioSettings = field(default_factory=TwilioSettings)
    smtp: SmtpSettings = field(default_factory=SmtpSettings)
    outbox: OutboxSettings = field(default_factory=OutboxSettings)
    lists: ImportSettings = field(default_factory=ImportSettings)
    planning: PlanSettings = field(default_factory=PlanSettings)
    worker: WorkerSettings = field(default_factory=WorkerSettings)
    doubt: DoubtSettings = field(default_factory=DoubtSettings)
    quiet_hours: QuietSettings = field(default_factory=QuietSettings)
    guards: GuardSettings = field(default_factory=GuardSettings)
    retry: RetrySettings = field(default_factory=RetrySettings)
    circuit: CircuitSettings = field(default_factory=CircuitSettings)
    ticks: TickSettings = field(default_factory=TickSettings)
    web: WebSettings = field(default_factory=WebSettings)
    retention: RetentionSettings = field(default_factory=RetentionSettings)
    sandbox: SandboxSettings = field(default_factory=SandboxSettings)

    @property
    def database_url(self) -> str:
        """The address of the database: as set, or the SQLite file in the data folder."""
        return self.database.url or f"sqlite:///{self.home / 'notifier.sqlite3'}"


def load(folder: Path, environment: Mapping[str, str]) -> Settings:
    """Read the settings of the installation in `folder`.

    Raises Invalid, naming the file or variable, for a setting that is unknown or cannot be used.
    """
    home = Path(environment.get(f"{PREFIX}HOME", str(folder / "var")))
    given: dict[str, tuple[str, Any]] = {}
    for path in (folder / "config" / "notifier.toml", home / SECRETS_FILE):
        given.update(_read_file(path))
    given.update(_read_environment(environment))
    return _build(home, given)


def places() -> dict[str, Any]:
    """Return every setting by its place (`section.key`) with its type: what files, variables and docs are held to."""
    return {
        f"{section.name}.{setting.name}": get_type_hints(kind)[setting.name]
        for section in fields(Settings)
        if isinstance(kind := get_type_hints(Settings)[section.name], type) and hasattr(kind, "__dataclass_fields__")
        for setting in fields(kind)
    } | {"live": bool}


def _read_file(path: Path) -> dict[str, tuple[str, Any]]:
    if not path.exists():
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise Invalid(f"{path} is not a TOML file: {wrong}") from wrong
    known = places()
    found: dict[str, tuple[str, Any]] = {}
    for section, values in content.items():
        pairs = values.items() if isinstance(values, dict) else [("", values)]
        for key, value in pairs:
            place = f"{section}.{key}" if key else section
            if place not in known:
                raise Invalid(f"{path}: there is no setting {place!r}{_nearest(place, known)}; {_WHERE}")
            found[place] = (f"{path}, {place}", value)
    return found


def _read_environment(environment: Mapping[str, str]) -> dict[str, tuple[str, Any]]:
    """Read the variables. A name nobody knows is a slip of the finger, and its value would be missed in silence."""
    names = {PREFIX + place.replace(".", "_").upper(): place for place in places()}
    for name, value in sorted(environment.items()):
        if name.startswith(PREFIX) and name not in names and not _OTHERS.match(f"{name}={value}"):
            raise Invalid(f"There is no setting {name}{_nearest(name, names)}; {_WHERE}")
    return {names[name]: (name, value) for name, value in environment.items() if name in names and value != ""}


def _nearest(name: str, known: Iterable[str]) -> str:
    """Return a question about the name that was meant, where there is one like it."""
    # What all of them have in common says nothing.
    bare = {one.removeprefix(PREFIX): one for one in known}
    near = get_close_matches(name.removeprefix(PREFIX), bare, n=1)
    return f" (do you mean {bare[near[0]]}?)" if near else ""


def _build(home: Path, given: dict[str, tuple[str, Any]]) -> Settings:
    kinds = places()
    sections: dict[str, dict[str, Any]] = {}
    live = False
    for place, (origin, value) in given.items():
        try:
            read = TypeAdapter(kinds[place]).validate_python(value)
        except ValidationError as wrong:
            raise Invalid(f"The setting {origin} cannot be used: {wrong.errors()[0]['msg']}") from wrong
        if place == "live":
            live = read
            continue
        section, key = place.split(".", 1)
        sections.setdefault(section, {})[key] = read
    hints = get_type_hints(Settings)
    settings = Settings(home=home, live=live, **{name: hints[name](**values) for name, values in sections.items()})
    _check_doubt(settings)
    return settings


def _check_doubt(settings: Settings) -> None:
    """Refuse a doubt that would be settled while the call it is about may still be under way.

    A worker that has lost its lease can begin a call just before the lease is over, and be at it for as long as the
    provider's timeout lets it. Judged before that, a message on its way would be sent a second time.
    """
    lease_s, twilio = settings.worker.lease_s, settings.twilio
    rounds = -(-twilio.group_size // max(1, twilio.concurrency))
    checks = (
        ("events_wait_s", settings.doubt.events_wait_s, lease_s + settings.sendgrid.timeout_s, "sendgrid.timeout_s"),
        (
            "record_wait_s",
            settings.doubt.record_wait_s,
            lease_s + twilio.timeout_s * rounds,
            "twilio.timeout_s for each round of a group (twilio.group_size / twilio.concurrency)",
        ),
    )
    for name, waits_s, longest_s, call in checks:
        if waits_s <= longest_s:
            raise Invalid(
                f"The setting doubt.{name} is {waits_s:g} s, but a call can be under way for {longest_s:g} s "
                f"(worker.lease_s and {call}). Make it longer than that, or people could be written to twice."
            )
