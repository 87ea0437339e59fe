"""Review as an act: who looked at a text, when, and at which words exactly.

Stamping says "this translation was made from the source as it is now"; reviewing says "a second person has read it".
Both are bound to hashes, so that an edit of either text undoes them. These verbs write front matter and never a body.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import tomlkit

from notifier.content.documents import FENCE, Document, ReviewState, split_front
from notifier.content.library import Advisory
from notifier.kit.errors import Conflict, NotFound
from notifier.kit.files import replace_text
from notifier.vocabulary import Channel, Readers

_REVIEW = ("reviewer", "reviewed_on", "reviewed_hash")


@dataclass(frozen=True, slots=True)
class Reviewer:
    """The person who reviews, by address and by name: neither may be the writer's."""

    email: str
    name: str


def stamp(advisory: Advisory, *, readers: Readers | None = None, language: str | None = None) -> list[Path]:
    """Bind translations to their sources as they are now, and return the files that were changed.

    A review of a translation whose source has changed ends with it. Raises NotFound if nothing matches.
    """
    chosen = [
        document
        for document in advisory.documents.values()
        if document.source and readers in {None, document.readers} and language in {None, document.language}
    ]
    if not chosen:
        raise NotFound(f"The advisory {advisory.name!r} has no such translation to stamp")
    return [document.path for document in chosen if _stamp_one(advisory, document)]


def review(
    advisory: Advisory, readers: Readers, language: str, channels: tuple[Channel, ...], *, by: Reviewer, on: date
) -> list[Path]:
    """Record that a second person has read the texts for some readers in a language, and return the files.

    Raises NotFound if there are none, Conflict for the writer or for a translation that is stale.
    """
    documents = [
        advisory.documents[key] for channel in channels if (key := (readers, channel, language)) in advisory.documents
    ]
    if not documents:
        raise NotFound(f"The advisory {advisory.name!r} has no text for {readers} in {language!r}")
    for document in documents:
        _may_review(advisory, document, by)
    for document in documents:
        source = advisory.source_of(document)
        values = {
            "status": ReviewState.REVIEWED.value,
            "reviewer": by.email,
            "reviewed_on": on.isoformat(),
            "reviewed_hash": document.review_hash(source),
        }
        _write_front(document.path, values, drop=())
    return [document.path for document in documents]


def _may_review(advisory: Advisory, document: Document, by: Reviewer) -> None:
    writer = document.written_by.casefold()
    if by.email.casefold() in writer or writer == by.name.casefold():
        raise Conflict(f"{by.email} wrote {document.path}; a second person has to review it")
    if not document.source:
        return
    source = advisory.source_of(document)
    if source is None or document.source_hash != source.fingerprint:
        raise Conflict(
            f"{document.path} does not belong to its source as it is now; bring it up to date, then "
            f"`notifier advisories stamp {advisory.name} --language {document.language}`"
        )


def _stamp_one(advisory: Advisory, document: Document) -> bool:
    source = advisory.source_of(document)
    if source is None:
        raise NotFound(f"{document.path}: its source, the text in {document.source!r}, is not there")
    if document.source_hash == source.fingerprint:
        return False
    undone = document.source_hash != "" and ReviewState(document.status).sendable
    values = {"source_hash": source.fingerprint, **({"status": ReviewState.TRANSLATED.value} if undone else {})}
    _write_front(document.path, values, drop=_REVIEW if undone else ())
    return True


def _write_front(path: Path, values: Mapping[str, str], *, drop: tuple[str, ...]) -> None:
    text = path.read_text(encoding="utf-8")
    front_text, _, _ = split_front(path, text)
    front = tomlkit.parse(front_text)
    for key in drop:
        front.pop(key, None)
    for key, value in values.items():
        front[key] = value
    after = text.splitlines(keepends=True)[len(front_text.splitlines()) + 1 :]
    replace_text(path, f"{FENCE}\n{tomlkit.dumps(front).rstrip()}\n{''.join(after)}")
