"""The one seam to the outside world: what every provider can do, and how it says no.

    ProviderError
    ├── Temporary   not now; try again later
    ├── Permanent   never, for what was asked (one recipient, or a request that is itself wrong)
    ├── AccountTrouble   never, for anybody: the credentials or the account are refused
    └── Ambiguous   the request left, and no answer came: it may have been sent

The exception's type is the policy; its docstring says why.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol, runtime_checkable

from notifier.kit.errors import NotifierError
from notifier.vocabulary import Channel, Envelope, EventKind, Message

# Every message of a campaign says that a machine sent it (RFC 3834), so that absence notices stay quiet.
BULK_HEADERS = {"Auto-Submitted": "auto-generated", "Precedence": "bulk"}

# SendGrid was seen to encode a longer List-Unsubscribe value, which hides the button in Gmail and Outlook; and a line
# that never needs folding is good with every other mailbox too.
UNSUBSCRIBE_HEADER_BYTES = 77
ONE_CLICK = "List-Unsubscribe=One-Click"

# The codes of a Permanent that say something about the address itself, in every adapter the same words: the person has
# opted out at the provider, or the address can never take a message.
OPTED_OUT = "opt_out"
INVALID_ADDRESS = "invalid_address"
INVALID_NUMBER = "invalid_number"
NOT_A_MOBILE = "not_a_mobile"
NO_SUCH_ADDRESS = frozenset({INVALID_ADDRESS, INVALID_NUMBER, NOT_A_MOBILE})

# The name under which a provider carries our delivery reference and gives it back. Prefixed, because SendGrid lets its
# own event fields win over a custom argument of the same name.
REFERENCE_ARGUMENT = "notifier_delivery"


class ProviderError(NotifierError):
    """A provider's no. `code` is its own word for the reason."""

    def __init__(self, detail: str, *, code: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.retry_after_s = retry_after_s


class Temporary(ProviderError):
    """The provider did not take it and said so: too many requests, a fault of its own. Asking again is safe."""


class Permanent(ProviderError):
    """Asking again cannot help: the address is no address, or the request breaks a rule."""


class AccountTrouble(ProviderError):
    """Nothing of ours will be taken until a person acts: bad credentials, a suspended account, a refused sender."""


class Ambiguous(ProviderError):
    """The request left and the answer did not come. It may have been sent, so it must not simply be sent again."""


class BadSignature(NotifierError):
    """A webhook that is not proven to come from the provider. The message never says what was wrong with it."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The provider's answer for one recipient: taken (with its id), or the error that says why not."""

    message_id: str | None = None
    error: ProviderError | None = None


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """What arrived at a webhook address. `url` is the public address, built from the settings, not from Host."""

    url: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime

    def header(self, name: str) -> str:
        """Return one header whatever its case, or nothing."""
        lowered = name.lower()
        return next((value for key, value in self.headers.items() if key.lower() == lowered), "")


class Event(NamedTuple):
    """What a provider tells later about one message, in our words. `raw` keeps its own.

    A tuple, because they come by the hundred thousand and are made four times as fast as a frozen dataclass.
    """

    provider: str
    event_id: str
    kind: EventKind
    occurred_at: datetime
    reference: str | None = None
    destination: str | None = None
    message_id: str | None = None
    code: str | None = None
    detail: str | None = None
    text: str | None = None
    raw: Mapping[str, Any] = {}


class SettledBy(StrEnum):
    """How it is found out whether a provider took what it gave no answer for."""

    EVENTS = "events"  # a request is taken whole or not at all, and every message taken is told of
    RECORD = "record"  # the provider can be asked what it took (`KeepsRecord`)
    PERSON = "person"  # nobody can tell but a person who asks or decides


class Provider(Protocol):
    """A supplier that takes messages of one channel.

    `group_size` is how many recipients go under one intent: 1,000 where one request takes them all or none, few where
    every message is a call of its own. `settled_by` says how a call that went unanswered is settled.
    """

    name: str
    channel: Channel
    group_size: int
    settled_by: SettledBy

    async def send(self, message: Message, envelopes: Sequence[Envelope]) -> list[Receipt]:
        """Hand one message over for many recipients and return one receipt for each, in order.

        Raises ProviderError if the whole request was refused, failed or went unanswered; the kinds above say what that
        means for every recipient in it.
        """

    def verify(self, request: WebhookRequest) -> None:
        """Raise BadSignature unless the provider made this request, recently."""

    def parse(self, request: WebhookRequest) -> list[Event]:
        """Read the events out of a verified request. Unknown words become UNKNOWN; raises Invalid if it is no event."""

    async def close(self) -> None:
        """Give back the connections of the running event loop."""


@runtime_checkable
class KeepsRecord(Protocol):
    """A provider that can be asked what it took."""

    async def find(self, destination: str, *, after: datetime) -> list[Event]:
        """Return what is on record for a destination since a moment, each with its text. Raises ProviderError."""

    async def close(self) -> None:
        """Give back the connections of the running event loop."""


@runtime_checkable
class ListsRecord(Protocol):
    """A provider that can list everything it took."""

    def read_record(self, *, since: datetime, until: datetime) -> AsyncIterator[list[Event]]:
        """Return everything taken in a period, page by page, each with its text. Raises ProviderError."""

    async def close(self) -> None:
        """Give back the connections of the running event loop."""


class ErasedBy(StrEnum):
    """What a provider erases by: all it knows of an email address, of a mobile number, or of either."""

    EMAIL_ADDRESS = "email_address"
    MOBILE_NUMBER = "mobile_number"
    ANY_ADDRESS = "any_address"

    def takes(self, value: str) -> bool:
        """Whether it can be asked about this address."""
        return self is ErasedBy.ANY_ADDRESS or (self is ErasedBy.EMAIL_ADDRESS) is ("@" in value)


@runtime_checkable
class Erases(Protocol):
    """A provider that can be asked to forget a person. Asking twice does no harm."""

    name: str
    erased_by: ErasedBy

    async def erase(self, subject: str) -> None:
        """Ask for one address to be erased; return once the provider has taken it. Raises ProviderError."""


def unsubscribe_header(url: str) -> str:
    """Return the List-Unsubscribe value of RFC 8058 for a one-click address.

    Raises AccountTrouble if it is too long: no message of this installation would show its button.
    """
    value = f"<{url}>"
    if len(value) > UNSUBSCRIBE_HEADER_BYTES or not value.isascii():
        raise AccountTrouble(
            f"The one-click address is {len(value)} bytes long; at most {UNSUBSCRIBE_HEADER_BYTES} are safe in "
            "List-Unsubscribe. Choose a shorter public address (NOTIFIER_WEB_PUBLIC_URL).",
            code="unsubscribe_address_too_long",
        )
    return value
