"""The words every room shares: channels, reasons, and the values that travel between rooms.

Nothing here knows a database, a file or a provider. A status that only one room decides about lives in that room.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class Channel(StrEnum):
    """How a message reaches a recipient."""

    EMAIL = "email"
    SMS = "sms"

    @property
    def word(self) -> str:
        """How a sentence names it."""
        return "SMS" if self is Channel.SMS else "email"


class ChannelPolicy(StrEnum):
    """Which channels a campaign uses."""

    EMAIL = "email"
    SMS = "sms"
    BOTH = "both"
    EMAIL_THEN_SMS = "email_then_sms"

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The channels a campaign under this policy may write to, in the order they are planned."""
        return {
            ChannelPolicy.EMAIL: (Channel.EMAIL,),
            ChannelPolicy.SMS: (Channel.SMS,),
            ChannelPolicy.BOTH: (Channel.EMAIL, Channel.SMS),
            ChannelPolicy.EMAIL_THEN_SMS: (Channel.EMAIL, Channel.SMS),
        }[self]


class Readers(StrEnum):
    """For whom a text is written: each advisory has one folder of documents per kind of readers."""

    PARENTS = "parents"
    YOUNG_PEOPLE = "young-people"
    SCHOOL_STAFF = "school-staff"


class Role(StrEnum):
    """What a recipient is to the school that put them on its list."""

    PARENT = "parent"
    CARER = "carer"
    STAFF = "staff"
    STUDENT = "student"


class SuppressionReason(StrEnum):
    """Why an address may not be written to on its channel. A suppression beats every subscription."""

    HARD_BOUNCE = "hard_bounce"
    COMPLAINT = "complaint"
    OPT_OUT = "opt_out"
    MANUAL = "manual"
    ERASED = "erased"


class HoldBackReason(StrEnum):
    """Why a planned delivery was not sent. Each is counted and shown; the first three mirror a suppression."""

    HARD_BOUNCE = "hard_bounce"
    COMPLAINT = "complaint"
    OPT_OUT = "opt_out"
    MANUAL = "manual"
    ERASED = "erased"
    NOT_SUBSCRIBED = "not_subscribed"
    TOPIC_DECLINED = "topic_declined"
    PAUSED_BY_RECIPIENT = "paused_by_recipient"
    REACHED_BY_EMAIL = "reached_by_email"
    NO_CONTENT = "no_content"
    EXPIRED = "expired"


class EventKind(StrEnum):
    """What a provider can tell us later about a message. Unknown is a value, never a crash."""

    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    DELIVERED = "delivered"
    HARD_BOUNCED = "hard_bounced"
    SOFT_BOUNCED = "soft_bounced"
    FAILED = "failed"
    DROPPED = "dropped"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    RESUBSCRIBED = "resubscribed"
    OPTED_OUT = "opted_out"
    OPENED = "opened"
    CLICKED = "clicked"
    REPLIED = "replied"
    ACCOUNT_TROUBLE = "account_trouble"
    UNKNOWN = "unknown"


class PersonalField(StrEnum):
    """The personal values a text may hold; everything else is the same for all readers of a variant."""

    GIVEN_NAME = "given_name"
    SCHOOLS = "schools"
    TOKEN = "token"  # noqa: S105 - the name of a field, not a secret


class Part(StrEnum):
    """The part of a message a personal value lands in; each part has its own way of escaping."""

    SUBJECT = "subject"
    TEXT = "text"
    HTML = "html"
    SMS = "sms"


def marker(name: PersonalField, part: Part) -> str:
    """Return the mark that stands for a personal value in a rendered text until the message leaves.

    One mark per part, because SendGrid puts one substitution's value unchanged into every part of a message.
    """
    return f"%%{name}.{part}%%"


@dataclass(frozen=True, slots=True)
class EmailMessage:
    """One rendered email, the same for every reader of a variant but for the markers."""

    sender: str
    sender_name: str
    subject: str
    text: str
    html: str
    language: str
    reply_to: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    markers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SmsMessage:
    """One rendered text message, the same for every reader of a variant but for the markers.

    `validity_s` is how long the network may try to deliver it, in seconds.
    """

    sender: str
    text: str
    language: str
    validity_s: int = 36_000
    markers: tuple[str, ...] = ()


Message = EmailMessage | SmsMessage


class Envelope(NamedTuple):
    """What one recipient of a message has of their own.

    `reference` is our opaque delivery id, the only thing about a person's delivery a provider keeps. `values` maps each
    marker of the message to the text that replaces it, already escaped for its part. `unsubscribe_url` is the
    one-click address of RFC 8058 (email only). `sender` is the number an SMS goes from where that is not the message's.
    """

    reference: str
    destination: str
    values: Mapping[str, str]
    unsubscribe_url: str | None = None
    sender: str | None = None
