"""Short tokens for links and for provider references, and keyed hashes of addresses.

A token is one AES block: two numbers and six zero bytes, enciphered with a key of its own for each purpose ("encode,
then encipher", Bellare and Rogaway 2000). Whoever changes a bit gets a block whose zero bytes are not zero, except with
a chance of 2**-48 a try; whoever holds a token of one purpose can do nothing with it for another. Twenty-three
characters, because the List-Unsubscribe header has room for 67 characters of address (docs/decisions/0003).
"""

import hmac
import sys
from array import array
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from hashlib import blake2b
from struct import Struct
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from notifier.kit.errors import Invalid

KEY_BYTES = 32
_SUBJECT_BYTES = 6
_CONTEXT_BYTES = 4
_ZEROS = bytes(6)
_BLOCK_BYTES = 16
_BODY_CHARACTERS = 22
# A block is two words; the first holds the subject and the upper half of the context.
_WORD_BITS = 64
_CONTEXT_BITS_ABOVE = 16
_WIDE_BYTES = 18
_WIDE_CHARACTERS = 24
_TOKEN_CHARACTERS = 1 + _BODY_CHARACTERS
_WIDENING = "AA"
# Two numbers and the zeros; the first number has six bytes, which are read as two and four.
_BLOCK = Struct(">HII6s")
_ADDRESS_KEY_BYTES = 16
_PROOF_BYTES = 4


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
            if len(version) != 1 or not version.isascii() or len(key) != KEY_BYTES:
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
        """Return the tokens for many things of one context, in one pass of the cipher.

        Raises OverflowError for a number that has no room in a token.
        """
        sealed = self._cipher(self._current, purpose).encryptor().update(_blocks(subjects, context))
        # Widened to eighteen bytes each, which is twenty-four characters, all blocks are encoded in one go.
        wide = bytearray(len(sealed) // _BLOCK_BYTES * _WIDE_BYTES)
        for place in range(_BLOCK_BYTES):
            wide[place::_WIDE_BYTES] = sealed[place::_BLOCK_BYTES]
        # The last of the twenty-four characters gives its place to the version of the token that follows.
        text = bytearray(urlsafe_b64encode(wide))
        text[_WIDE_CHARACTERS - 1 :: _WIDE_CHARACTERS] = self._current.encode() * (len(text) // _WIDE_CHARACTERS)
        together, length = self._current + text.decode(), _TOKEN_CHARACTERS
        return [together[start : start + length] for start in range(0, len(text), _WIDE_CHARACTERS)]

    def open(self, purpose: Purpose, token: str) -> Opened | None:
        """Return what a token says, or None if it was not made here for this purpose."""
        return self.open_many(purpose, [token])[0]

    def open_many(self, purpose: Purpose, tokens: Sequence[str]) -> list[Opened | None]:
        """Return what each token says, or None where it was not made here, in one pass of the cipher per key."""
        opened: list[Opened | None] = [None] * len(tokens)
        for version in self._keys:
            places = [
                place for place, token in enumerate(tokens) if token[:1] == version and len(token) == _TOKEN_CHARACTERS
            ]
            for place, found in zip(places, self._open_all(version, purpose, [tokens[p] for p in places]), strict=True):
                opened[place] = found
        return opened

    def subjects(self, purpose: Purpose, tokens: Sequence[str]) -> list[int | None]:
        """Return the subject of each token, or None where it was not made here."""
        sealed = _decoded(tokens) if _alike(tokens, self._current) else None
        if sealed is not None:
            plain = self._cipher(self._current, purpose).decryptor().update(sealed)
            if _all_made_here(plain):
                return list(_subjects(plain))
        return [None if found is None else found[0] for found in self.open_many(purpose, tokens)]

    def _open_all(self, version: str, purpose: Purpose, tokens: Sequence[str]) -> list[Opened | None]:
        """Open tokens of one key and the right length; all are decoded in one go as long as each is well-formed."""
        sealed = _decoded(tokens)
        if sealed is None:
            if len(tokens) == 1:
                return [None]
            middle = len(tokens) // 2
            return [
                *self._open_all(version, purpose, tokens[:middle]),
                *self._open_all(version, purpose, tokens[middle:]),
            ]
        plain = self._cipher(version, purpose).decryptor().update(sealed)
        return [
            Opened((high << 32) | low, context) if hmac.compare_digest(zeros, _ZEROS) else None
            for high, low, context, zeros in _BLOCK.iter_unpack(plain)
        ]

    def _cipher(self, version: str, purpose: Purpose) -> Cipher[modes.ECB]:
        key = hmac.digest(self._keys[version], b"notifier token " + purpose.encode(), "sha256")
        return Cipher(algorithms.AES(key), modes.ECB())  # noqa: S305 - a single block each, which is what ECB is


def _blocks(subjects: Iterable[int], context: int) -> bytes:
    """Return one block for each subject: its number, the context, and zeros; as two words of eight bytes each."""
    upper, lower = divmod(int.from_bytes(context.to_bytes(_CONTEXT_BYTES) + _ZEROS), 1 << _WORD_BITS)
    firsts = array("Q", [(subject << _CONTEXT_BITS_ABOVE) + upper for subject in subjects])
    words = array("Q", [lower]) * (2 * len(firsts))
    words[::2] = firsts
    if sys.byteorder == "little":
        words.byteswap()
    return words.tobytes()


def _alike(tokens: Sequence[str], version: str) -> bool:
    """Whether all tokens may be of one key, as nearly all that come together are."""
    return all(token[:1] == version and len(token) == _TOKEN_CHARACTERS for token in tokens)


def _all_made_here(plain: bytes) -> bool:
    """Whether every block ends in its zeros."""
    zeros = [plain[place::_BLOCK_BYTES] for place in range(_BLOCK_BYTES - len(_ZEROS), _BLOCK_BYTES)]
    return hmac.compare_digest(b"".join(zeros), bytes(len(plain) // _BLOCK_BYTES * len(_ZEROS)))


def _subjects(plain: bytes) -> Iterator[int]:
    """Give the subject of each block, from the first of its two words."""
    words = array("Q", plain)
    if sys.byteorder == "little":
        words.byteswap()
    return (word >> _CONTEXT_BITS_ABOVE for word in words[::2])


def _decoded(tokens: Sequence[str]) -> bytes | None:
    """Return the blocks of tokens, or None if any of them is not spelled as it was made."""
    # Each body is widened to twenty-four characters, which are eighteen bytes of which the last two say nothing.
    text = "".join([token[1:] + _WIDENING for token in tokens])
    try:
        wide = urlsafe_b64decode(text)
        # The last character has spare bits; only one spelling of a token is good.
        if urlsafe_b64encode(wide).decode() != text or any(wide[_BLOCK_BYTES::_WIDE_BYTES]):
            return None
    except ValueError:
        return None
    sealed = bytearray(len(tokens) * _BLOCK_BYTES)
    for place in range(_BLOCK_BYTES):
        sealed[place::_BLOCK_BYTES] = wide[place::_WIDE_BYTES]
    return bytes(sealed)


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


def key_proof(secret: bytes, key: bytes) -> bytes:
    """Return four bytes that say of an address key which secret it was made with.

    A key alone looks like any other sixteen bytes: made with another secret it would never be found again, in silence.
    """
    return blake2b(key, key=secret, digest_size=_PROOF_BYTES, person=b"address key").digest()
