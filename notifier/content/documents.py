"""One document: the words of one advisory for one kind of readers, on one channel, in one language.

A document is a file that translators and officers read and write: TOML between two lines `+++`, then the text. This
page reads it, says where it is wrong, and knows how far its review has come; it decides nothing about who gets it.
"""

import tomllib
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from notifier.kit.errors import Invalid
from notifier.kit.toml_lines import line_of
from notifier.vocabulary import Channel, Readers

FENCE = "+++"
FILE_NAMES = {Channel.EMAIL: "email.md", Channel.SMS: "sms.txt"}


class ReviewState(StrEnum):
    """How far a document is from families: what its file says, held against what it and its source say today.

    `draft` and `translated` wait for a second person; `stale` was looked at, but the text or its source changed since.
    Only `reviewed` and `approved` may go to people.
    """

    DRAFT = "draft"
    TRANSLATED = "translated"
    STALE = "stale"
    REVIEWED = "reviewed"
    APPROVED = "approved"

    @property
    def sendable(self) -> bool:
        """Whether a document in this state may go to people."""
        return self in {ReviewState.REVIEWED, ReviewState.APPROVED}


@dataclass(frozen=True, slots=True)
class _Front:
    __pydantic_config__ = ConfigDict(extra="forbid")

    language: str
    status: Literal["draft", "translated", "reviewed", "approved"]
    source: str = ""
    source_hash: str = ""
    translator: str = ""
    author: str = ""
    subject: str = ""
    preheader: str = ""
    reviewer: str = ""
    reviewed_on: date | str = ""
    reviewed_hash: str = ""


_FRONT = TypeAdapter(_Front)


@dataclass(frozen=True, slots=True)
class Document:
    """A text and what is recorded about it. `body_line` is the line of the file on which the body starts.

    `source` is the language it was translated from, or "" if it is the source. `fingerprint` is a hash of the words
    alone; `digest` is a hash of the whole file.
    """

    channel: Channel
    readers: Readers
    language: str
    status: str
    body: str
    path: Path
    body_line: int
    subject: str = ""
    preheader: str = ""
    source: str = ""
    source_hash: str = ""
    translator: str = ""
    author: str = ""
    reviewer: str = ""
    reviewed_on: date | None = None
    reviewed_hash: str = ""
    fingerprint: str = field(default="")
    digest: str = field(default="")

    @property
    def written_by(self) -> str:
        """Who wrote or translated it."""
        return self.translator or self.author

    def review_hash(self, source: "Document | None") -> str:
        """Return the hash a review is bound to: the words of the text and of what it was made from."""
        return _hash(self.fingerprint, source.fingerprint if source else "")

    def state(self, source: "Document | None") -> ReviewState:
        """Say how far the review is, given the document it was made from (None for a source document)."""
        if self.source and self.source_hash and (source is None or source.fingerprint != self.source_hash):
            return ReviewState.STALE
        state = ReviewState(self.status)
        if state.sendable and self.reviewed_hash != self.review_hash(source):
            return ReviewState.STALE
        return state


def read_document(path: Path, readers: Readers, channel: Channel) -> Document:
    """Read one document. Raises Invalid with file and line."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as wrong:
        raise Invalid(f"{path} cannot be read: {wrong.strerror}") from wrong
    except UnicodeDecodeError as wrong:
        raise Invalid(f"{path}: is not UTF-8 text; save it as UTF-8") from wrong
    front_text, body, body_line = split_front(path, text)
    front = _read_front(path, front_text)
    if front.language != path.parent.name:
        raise Invalid(
            f"{path}:{1 + line_of(front_text, 'language')}: the language is {front.language!r}, "
            f"but the folder is called {path.parent.name!r}"
        )
    return Document(
        channel=channel,
        readers=readers,
        language=front.language,
        status=front.status,
        body=body,
        path=path,
        body_line=body_line,
        subject=front.subject,
        preheader=front.preheader,
        source=front.source,
        source_hash=front.source_hash,
        translator=front.translator,
        author=front.author,
        reviewer=front.reviewer,
        reviewed_on=front.reviewed_on if isinstance(front.reviewed_on, date) else None,
        reviewed_hash=front.reviewed_hash,
        fingerprint=_hash(front.subject, front.preheader, body),
        digest=sha256(text.encode()).hexdigest(),
    )


def split_front(path: Path, text: str) -> tuple[str, str, int]:
    """Return the front matter, the body, and the line of the file on which the body starts."""
    lines = text.splitlines()
    if not lines or lines[0].strip() != FENCE:
        raise Invalid(f"{path}:1: a document starts with a line {FENCE}, then its front matter, then {FENCE} again")
    end = next((number for number, line in enumerate(lines[1:], start=1) if line.strip() == FENCE), None)
    if end is None:
        raise Invalid(f"{path}:1: the front matter has no end; close it with a line {FENCE}")
    start = end + 1
    while start < len(lines) and not lines[start].strip():
        start += 1
    body = "\n".join(line.rstrip() for line in lines[start:]).rstrip()
    if not body:
        raise Invalid(f"{path}:{end + 1}: there is no text after the front matter")
    return "\n".join(lines[1:end]), body, start + 1


def _read_front(path: Path, text: str) -> _Front:
    try:
        return _FRONT.validate_python(tomllib.loads(text))
    except tomllib.TOMLDecodeError as wrong:
        raise Invalid(f"{path}: the front matter is not TOML: {wrong} (counted from the line after {FENCE})") from wrong
    except ValidationError as wrong:
        first = wrong.errors()[0]
        place = str(first["loc"][0])
        raise Invalid(f"{path}:{1 + line_of(text, place)}: {place}: {first['msg'].lower()}") from wrong


def _hash(*texts: str) -> str:
    return sha256("\0".join(texts).encode()).hexdigest()
