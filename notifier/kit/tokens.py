"""Short tokens for links and for provider references, and keyed hashes of addresses.

A token is one AES block: two numbers and six zero bytes, enciphered with a key of its own for each purpose ("encode,
then encipher", Bellare and Rogaway 2000). Whoever changes a bit gets a block whose zero bytes are not zero, except with
a chance of 2**-48 a try; whoever holds a token of one purpose can do nothing with it for another. Twenty-three
characters, because the List-Unsubscribe header has room for 67 characters of address (docs/decisions/0003).
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from hashlib import blake2b
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from notifier.kit.errors import Invalid

KEY_BYTES = 32
_SUBJECT_BYTES = 6
_CONTEXT_BYTES = 4
_ZEROS = bytes(6)
_BLOCK_BYTES = 16
_BODY_CHARACTERS = 22
_WIDE_BYTES = 18
_WIDE_CHARACTERS = 24
_PADDING = "=="
_ADDRESS_KEY_BYTES = 16


class Purpose(StrEnum):
    """What a token is good for; each purpose has its own key."""

    DELIVERY = "delivery"
    UNSUBSCRIBE = "unsubscribe"
    PREFERENCES = "preferences"
    CONFIRM = "confirm"


class Opened(NamedTuple):
    """What a token said: the number of the thing it is about, and where it came from."""

    subject: int
    context: int


class Keyring:
    """The secret keys, by a one-character version. The newest signs; every one still opens."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        for version, key in keys.items():
            if len(version) != 1 or len(key) != KEY_BYTES:
                raise Invalid(
                    f"Token keys are {KEY_BYTES} bytes under a name of one character; see [keys] in the settings"
                )
        if not keys:
            raise Invalid("There is no token key; run `notifier init`, or set NOTIFIER_KEYS_TOKENS")
        self._current = max(keys)
        self._keys = dict(keys)

    def seal(self, purpose: Purpose, subject: int, context: int = 0) -> str:
        """Return the token for one thing."""
        return self.seal_many(purpose, [subject], context)[0]

    def seal_many(self, purpose: Purpose, subjects: Iterable[int], context: int = 0) -> list[str]:
        """Return the tokens for many things of one context, in one pass of the cipher."""
        tail = context.to_bytes(_CONTEXT_BYTES) + _ZEROS
        plain = b"".join([subject.to_bytes(_SUBJECT_BYTES) + tail for subject in subjects])
        sealed = self._cipher(self._current, purpose).encryptor().update(plain)
        # Widened to eighteen bytes each, which is twenty-four characters, all blocks are encoded in one go.
        wide = bytearray(len(sealed) // _BLOCK_BYTES * _WIDE_BYTES)
        for place in range(_BLOCK_BYTES):
            wide[place::_WIDE_BYTES] = sealed[place::_BLOCK_BYTES]
        text, version = urlsafe_b64encode(wide).decode(), self._current
        return [version + text[start : start + _BODY_CHARACTERS] for start in range(0, len(text), _WIDE_CHARACTERS)]

    def open(self, purpose: Purpose, token: str) -> Opened | None:
        """Return what a token says, or None if it was not made here for this purpose."""
        return self.open_many(purpose, [token])[0]

    def open_many(self, purpose: Purpose, tokens: Sequence[str]) -> list[Opened | None]:
        """Return what each token says, or None where it was not made here, in one pass of the cipher per key."""
        sealed: dict[str, list[tuple[int, bytes]]] = {}
        for place, token in enumerate(tokens):
            block = self._block(token)
            if block is not None:
                sealed.setdefault(token[0], []).append((place, block))
        opened: list[Opened | None] = [None] * len(tokens)
        for version, blocks in sealed.items():
            plain = self._cipher(version, purpose).decryptor().update(b"".join([block for _, block in blocks]))
            for start, (place, _) in zip(range(0, len(plain), _BLOCK_BYTES), blocks, strict=True):
                opened[place] = _read(plain[start : start + _BLOCK_BYTES])
        return opened

    def _block(self, token: str) -> bytes | None:
        version, body = token[:1], token[1:]
        if version not in self._keys or len(body) != _BODY_CHARACTERS or not body.isascii():
            return None
        try:
            sealed = urlsafe_b64decode(body + _PADDING)
        except ValueError:
            return None
        # The last character has spare bits; only one spelling of a token is good.
        return sealed if urlsafe_b64encode(sealed)[:_BODY_CHARACTERS].decode() == body else None

    def _cipher(self, version: str, purpose: Purpose) -> Cipher[modes.ECB]:
        key = hmac.digest(self._keys[version], b"notifier token " + purpose.encode(), "sha256")
        return Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305 - a single block each, which is what ECB is


def _read(plain: bytes) -> Opened | None:
    if not hmac.compare_digest(plain[_SUBJECT_BYTES + _CONTEXT_BYTES :], _ZEROS):
        return None
    return Opened(
        int.from_bytes(plain[:_SUBJECT_BYTES]),
        int.from_bytes(plain[_SUBJECT_BYTES : _SUBJECT_BYTES + _CONTEXT_BYTES]),
    )


def address_keys(secret: bytes, channel: str) -> Callable[[str], bytes]:
    """Return the function that gives the keyed hash of a normalised address of one channel, quick for many.

    Sixteen bytes of keyed BLAKE2b (RFC 7693) over channel and value: without the secret nobody can test a guess. The
    key is taken in once, since that is most of the work for so short a text. `secret` has at most 64 bytes.
    """
    keyed = blake2b(f"{channel}\0".encode(), key=secret, digest_size=_ADDRESS_KEY_BYTES)

    def key(value: str) -> bytes:
        one = keyed.copy()
        one.update(value.encode())
        return one.digest()

    return key


def address_key(secret: bytes, channel: str, value: str) -> bytes:
    """Return the keyed hash under which an address is suppressed, even after the address itself was erased."""
    return address_keys(secret, channel)(value)
