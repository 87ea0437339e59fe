"""`[sendgrid]`, `[twilio]`, `[smtp]` and `[outbox]`: what each provider is told by the settings file.

Apart from the providers themselves, so that reading the settings does not load their packages.
"""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class SendGridSettings:
    """`[sendgrid]`: the account.

    `api_key` and `verification_key` are secrets or come with the account: the second is the public key the event
    webhook is signed with (base64, as SendGrid's page shows it). `base_url` is `https://api.eu.sendgrid.com` for an
    account of the European region. `recipients_per_request` is at most 1,000. `replay_window_s` is how old a signed
    webhook may be.
    """

    api_key: str = ""
    verification_key: str = ""
    base_url: str = "https://api.sendgrid.com"
    timeout_s: float = 30.0
    concurrency: int = 8
    recipients_per_request: int = 1000
    replay_window_s: float = 600.0


@dataclass(frozen=True, slots=True)
class TwilioSettings:
    """`[twilio]`: the account.

    `auth_token` signs the webhooks and, without an API key, opens the account; `shared_key` is the secret of the newer
    signature, where it is switched on. `concurrency` is how many requests may be under way at once; `group_size` how
    many messages are handed over under one intent.
    """

    account_sid: str = ""
    auth_token: str = ""
    api_key_sid: str = ""
    api_key_secret: str = ""
    shared_key: str = ""
    base_url: str = "https://api.twilio.com"
    timeout_s: float = 20.0
    connect_timeout_s: float = 5.0
    concurrency: int = 50
    group_size: int = 100


class Security(StrEnum):
    """How the connection is protected: not at all, from the first byte, or from STARTTLS on."""

    NONE = "none"
    TLS = "tls"
    STARTTLS = "starttls"


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """`[smtp]`: the relay.

    `return_path` is where reports about undelivered mail go; `{reference}` in it is replaced by the delivery's
    reference (`bounces+{reference}@police.example`), empty means the sender. `ca_file` holds the certificates of an
    authority of one's own that signed the relay's; empty means the authorities this machine trusts. `hello_name` is
    how we introduce ourselves; empty means this machine's name. A connection is closed after
    `messages_per_connection`.
    """

    host: str = "127.0.0.1"
    port: int = 25
    security: Security = Security.STARTTLS
    username: str = ""
    password: str = ""
    ca_file: str = ""
    hello_name: str = ""
    return_path: str = ""
    connections: int = 4
    messages_per_connection: int = 1000
    group_size: int = 100
    timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class OutboxSettings:
    """`[outbox]`: the folder the files go to, relative to the working folder."""

    folder: str = "var/outbox"
