"""Made-up accounts and keys: what the sandbox knows its callers by, and what it signs its webhooks with."""

import base64
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from notifier.kit.errors import Invalid


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """`[sandbox]`: the stand-in for both providers.

    `host` is where it listens; several addresses are separated by commas, and mail is taken at the first.
    `signing_key` is the secret it signs SendGrid's webhooks with, made by `notifier init`. `smtp_port` 0 means that it
    takes no mail by SMTP, -1 any free port; `smtp_pipelining` false makes every command wait for its answer.
    `keep_messages` is how many emails stay readable; of older ones only address and reference are kept.
    """

    host: str = "127.0.0.1"
    port: int = 8026
    smtp_port: int = 0
    smtp_pipelining: bool = True
    signing_key: str = ""
    keep_messages: int = 50_000

    @property
    def hosts(self) -> list[str]:
        """Every address it listens at."""
        return [host.strip() for host in self.host.split(",")]


@dataclass(frozen=True)
class Accounts:
    """The credentials of both dialects, and the webhook keys."""

    sendgrid_api_key: str
    twilio_account_sid: str
    twilio_auth_token: str
    signing_key: str
    twilio_api_key_sid: str = ""
    twilio_api_key_secret: str = ""
    twilio_shared_key: str = ""

    @cached_property
    def bearer(self) -> str:
        """The Authorization header SendGrid expects."""
        return f"Bearer {self.sendgrid_api_key}"

    @cached_property
    def basic(self) -> frozenset[str]:
        """The Authorization headers Twilio accepts: the account's token, or an API key."""
        pairs = [
            (self.twilio_account_sid, self.twilio_auth_token),
            (self.twilio_api_key_sid, self.twilio_api_key_secret),
        ]
        return frozenset(
            "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode() for name, secret in pairs if name
        )

    @cached_property
    def _private_key(self) -> ec.EllipticCurvePrivateKey:
        try:
            key = load_der_private_key(base64.b64decode(self.signing_key), password=None)
        except ValueError as wrong:
            raise Invalid("The setting sandbox.signing_key is missing or unreadable; run `notifier init`") from wrong
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise Invalid("The setting sandbox.signing_key is not an elliptic curve key; run `notifier init`")
        return key

    def sign_events(self, timestamp: str, body: bytes) -> str:
        """Return SendGrid's signature: ECDSA with SHA-256 over timestamp and raw body."""
        return base64.b64encode(self._private_key.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()

    def sign_form(self, url: str, fields: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Return Twilio's signature headers over the address and the fields in the order of their names."""
        text = url + "".join(name + value for name, value in sorted(fields))
        if self.twilio_shared_key:
            return {
                "X-Twilio-Signature": _hmac(self.twilio_shared_key, text, "sha256"),
                "X-Twilio-Webhooks-Signature-Settings": "key=webhooks_sharedkey_sandbox,algorithm=HMAC_SHA256",
            }
        return {"X-Twilio-Signature": _hmac(self.twilio_auth_token, text, "sha1")}


def generate_signing_key() -> tuple[str, str]:
    """Return a new key pair for SendGrid's webhooks: private for the sandbox, public for the adapter, both base64."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(private).decode(), base64.b64encode(public).decode()


def _hmac(secret: str, text: str, algorithm: str) -> str:
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), algorithm)).decode()
