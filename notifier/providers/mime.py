r"""A mail as bytes: encoded once for all readers of a variant, personal values inserted into the encoded bytes.

Bodies are quoted-printable (RFC 2045): it is the one encoding in which a value can be inserted later, it is safe with
every server, no line is longer than 78 characters, and no line begins with a dot, so nothing needs dot-stuffing. Every
value stands on a line of its own between two soft line breaks, which readers never see.
"""

import re
from base64 import b64encode
from binascii import b2a_qp
from collections.abc import Mapping
from email.utils import formataddr
from functools import lru_cache
from hashlib import sha256

from notifier.providers.base import BULK_HEADERS, ONE_CLICK, unsubscribe_header
from notifier.providers.personal import Blanks, split
from notifier.vocabulary import EmailMessage, Envelope

_SOFT_BREAK = b"=\r\n"
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")
_NEWLINES = re.compile(r"\r\n?")
_VALUE_LENGTH = 70
_LINE_LENGTH = 76
_WORD_BYTES = 45  # an encoded word may be 75 characters long, and base64 makes four of three


class EmailTemplate:
    """A message ready to be made into a mail for many recipients."""

    def __init__(self, message: EmailMessage) -> None:
        self._domain = message.sender.rpartition("@")[2]
        self._subject = Blanks(message.subject, message.markers)
        self._fixed_subject = header_line("Subject", message.subject) if self._subject.is_fixed else None
        self._pieces: list[bytes] = []
        self._slots: list[tuple[int, str]] = []
        self._compile(message)

    def message_id(self, reference: str) -> str:
        """Return the Message-ID under which a delivery goes out: a report about it brings it back."""
        return f"<{reference}@{self._domain}>"

    def fill(self, envelope: Envelope, date: str) -> bytes:
        """Return the whole mail for one recipient, lines ending in CRLF. `date` is the Date header's value."""
        values = envelope.values
        pieces = self._pieces.copy()
        pieces[0] = self._own_headers(envelope, date).encode()
        for place, name in self._slots:
            pieces[place] = encoded_value(values[name])
        return b"".join(pieces)

    def _own_headers(self, envelope: Envelope, date: str) -> str:
        subject = self._fixed_subject or header_line("Subject", self._subject.fill(envelope.values))
        own = (
            f"Date: {date}\r\nMessage-ID: <{envelope.reference}@{self._domain}>\r\n"
            f"To: {_CONTROLS.sub('', envelope.destination)}\r\n{subject}"
        )
        if envelope.unsubscribe_url:
            own += f"List-Unsubscribe: {unsubscribe_header(envelope.unsubscribe_url)}\r\n"
            own += f"List-Unsubscribe-Post: {ONE_CLICK}\r\n"
        return own

    def _compile(self, message: EmailMessage) -> None:
        # "=_" cannot occur in quoted-printable text, so the boundary cannot occur in a part.
        boundary = f"=_{sha256(f'{message.text}{message.html}'.encode()).hexdigest()[:24]}"
        head = _shared_headers(message) + f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n\r\n'
        self._pieces += [b"", head.encode()]
        for kind, text in (("plain", message.text), ("html", message.html)):
            self._pieces.append(
                f"--{boundary}\r\nContent-Type: text/{kind}; charset=utf-8\r\n"
                "Content-Transfer-Encoding: quoted-printable\r\n\r\n".encode()
            )
            self._add_body(text, message.markers)
        self._pieces.append(f"--{boundary}--\r\n".encode())
        self._join_fixed()

    def _add_body(self, text: str, markers: tuple[str, ...]) -> None:
        for number, piece in enumerate(split(text, markers)):
            if number % 2:
                self._slots.append((len(self._pieces) + 1, piece))
                self._pieces += [_SOFT_BREAK, b"", _SOFT_BREAK]
            else:
                self._pieces.append(quoted_printable(piece))
        self._pieces.append(b"\r\n")

    def _join_fixed(self) -> None:
        """Join what is the same for everybody, so that few pieces are left to be put together for each recipient."""
        names = dict(self._slots)
        pieces, slots = [b"", b""], []
        for place, piece in enumerate(self._pieces[1:], start=1):
            if place in names:
                slots.append((len(pieces), names[place]))
                pieces += [b"", b""]
            else:
                pieces[-1] += piece
        self._pieces, self._slots = pieces, slots


def _shared_headers(message: EmailMessage) -> str:
    named: Mapping[str, str] = {
        "Content-Language": message.language,
        **({"Reply-To": message.reply_to} if message.reply_to else {}),
        **BULK_HEADERS,
        **message.headers,
    }
    lines = [f"From: {formataddr((_CONTROLS.sub(' ', message.sender_name), message.sender))}\r\n"]
    lines += [header_line(name, value) for name, value in named.items()]
    return "".join([*lines, "MIME-Version: 1.0\r\n"])


def quoted_printable(text: str) -> bytes:
    """Encode text (RFC 2045), lines ending in CRLF, no line beginning with a dot or the word From."""
    encoded = b2a_qp(_NEWLINES.sub("\n", text).encode("utf-8", "replace"), istext=True)
    lines = encoded.split(b"\n")
    return b"\r\n".join([_safe_start(line) for line in lines])


def _safe_start(line: bytes) -> bytes:
    if line.startswith(b"."):
        return b"=2E" + line[1:]
    return b"=46" + line[1:] if line.startswith(b"From ") else line


@lru_cache(maxsize=4096)
def encoded_value(value: str) -> bytes:
    """Encode one personal value for a line of its own. Most are short and plain, and stay as they are."""
    is_plain = value.isascii() and value.isprintable() and len(value) <= _VALUE_LENGTH
    if is_plain and "=" not in value and not value.startswith((".", "From ")):
        return value.encode()
    return quoted_printable(value)


@lru_cache(maxsize=4096)
def header_line(name: str, value: str) -> str:
    """Return a header field, folded, with encoded words (RFC 2047) where the value is not ASCII."""
    text = _CONTROLS.sub(" ", value).strip()
    if text.isascii() and not text.startswith("=?"):
        return f"{name}: {_folded(text, _LINE_LENGTH - len(name))}\r\n"
    return f"{name}: {_encoded_words(text)}\r\n"


def _folded(text: str, room: int) -> str:
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + len(word) >= room:
            lines.append(line)
            line, room = "", _LINE_LENGTH
        line = f"{line} {word}" if line else word
    return "\r\n ".join([*lines, line])


def _encoded_words(text: str) -> str:
    """Split by characters, because a word must hold whole ones."""
    words: list[bytes] = [b""]
    for character in text:
        encoded = character.encode("utf-8", "replace")
        if len(words[-1]) + len(encoded) > _WORD_BYTES:
            words.append(b"")
        words[-1] += encoded
    return "\r\n ".join([f"=?utf-8?b?{b64encode(word).decode()}?=" for word in words])
