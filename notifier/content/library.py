"""The library: every advisory and its documents, and which of them a reader gets.

Whole documents only: a reader gets one text in one language, never a mixture. Nothing is rendered and nothing is
written here, and a document that nobody has reviewed is found like any other: whether it may go is asked before
approval.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from pydantic import ConfigDict, TypeAdapter, ValidationError

from notifier.content.documents import FILE_NAMES, Document, ReviewState, read_document
from notifier.content.languages import Choice, Languages
from notifier.kit.errors import Invalid, NotFound
from notifier.kit.toml_lines import line_of
from notifier.regions.facts import Region
from notifier.vocabulary import Channel, Readers

Key = tuple[Readers, Channel, str]


@dataclass(frozen=True, slots=True)
class Limits:
    """How many parts a text message of an advisory may cost."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    sms_parts_gsm7: int = 2
    sms_parts_ucs2: int = 3


@dataclass(frozen=True, slots=True)
class _ReadersTable:
    __pydantic_config__ = ConfigDict(extra="forbid")

    summary: str


@dataclass(frozen=True, slots=True)
class _AdvisoryTable:
    __pydantic_config__ = ConfigDict(extra="forbid")

    title: str
    topic: str
    source_language: str
    source_document: str
    regions: list[str]
    channels: list[Channel]
    readers: dict[Readers, _ReadersTable]
    limits: Limits = field(default_factory=Limits)
    facts: dict[str, Any] = field(default_factory=dict)


_FORM = TypeAdapter(_AdvisoryTable)


@dataclass(frozen=True, slots=True)
class Advisory:
    """What the police want to say, for each kind of readers, in every language there is.

    `regions` are region codes or groups ("EU"); `readers` maps each kind of readers to a sentence for officers; `facts`
    are the figures used in the texts, with their sources.
    """

    name: str
    title: str
    topic: str
    source_language: str
    source_document: str
    regions: tuple[str, ...]
    channels: tuple[Channel, ...]
    readers: Mapping[Readers, str]
    limits: Limits
    facts: Mapping[str, Any]
    documents: Mapping[Key, Document]
    path: Path
    own_digest: str

    def languages(self, readers: Readers, channel: Channel) -> tuple[str, ...]:
        """Return the languages there is a document in, the source first."""
        found = sorted(key[2] for key in self.documents if key[:2] == (readers, channel))
        return tuple(sorted(found, key=lambda tag: tag != self.source_language))

    def document(self, readers: Readers, channel: Channel, language: str) -> Document:
        """Return one document. Raises NotFound."""
        try:
            return self.documents[readers, channel, language]
        except KeyError:
            there = ", ".join(self.languages(readers, channel)) or "none"
            raise NotFound(
                f"The advisory {self.name!r} has no {channel} text for {readers} in {language!r}; there is: {there}"
            ) from None

    def source_of(self, document: Document) -> Document | None:
        """Return the document a translation was made from, or None for a source document."""
        if not document.source:
            return None
        return self.documents.get((document.readers, document.channel, document.source))

    def state(self, document: Document) -> ReviewState:
        """Say how far a document's review has come."""
        return document.state(self.source_of(document))

    def digest(self, readers: Readers) -> str:
        """Return the SHA-256 over `advisory.toml` and every document for these readers; an approval is bound to it."""
        total = sha256(self.own_digest.encode())
        for key in sorted(key for key in self.documents if key[0] == readers):
            total.update("\0".join((*key, self.documents[key].digest)).encode())
        return total.hexdigest()


class Library:
    """Every advisory, by name."""

    def __init__(self, advisories: Mapping[str, Advisory], languages: Languages, *, folder: Path = Path()) -> None:
        self.folder = folder
        self.languages = languages
        self._advisories = dict(sorted(advisories.items()))

    @classmethod
    def load(cls, folder: Path, languages: Languages) -> Self:
        """Read a folder of advisories. Raises Invalid with file and line for the first that is wrong."""
        if not folder.is_dir():
            raise Invalid(f"There is no folder {folder} with advisories; see [folders] templates in the settings")
        names = sorted(path.parent.name for path in folder.glob("*/advisory.toml"))
        return cls({name: read_advisory(folder / name, languages) for name in names}, languages, folder=folder)

    def advisories(self) -> tuple[Advisory, ...]:
        """Return every advisory, by name."""
        return tuple(self._advisories.values())

    def advisory(self, name: str) -> Advisory:
        """Return an advisory. Raises NotFound."""
        try:
            return self._advisories[name]
        except KeyError:
            raise NotFound(
                f"There is no advisory {name!r}; there is: {', '.join(self._advisories) or 'none'}"
            ) from None

    def choose(
        self, advisory: Advisory, readers: Readers, channel: Channel, wanted: str | None, region: Region
    ) -> Choice | None:
        """Return the language in which a reader gets an advisory, and the way there; None if there is no text at all.

        Only the region's official languages stand in for a wish: a community's language is no fallback for another's.
        """
        return self.languages.lookup(wanted, advisory.languages(readers, channel), region.official_languages)

    def second(self, advisory: Advisory, readers: Readers, wanted: str, first: str) -> str | None:
        """Return the language that stands below the first one in a bilingual email, or None if there is no other.

        A reader of Australian English does not get English twice.
        """
        there = advisory.languages(readers, Channel.EMAIL)
        found = next((tag for tag in self.languages.way(wanted) if tag in there), None) if wanted else None
        return None if found is None or found.partition("-")[0] == first.partition("-")[0] else found


def read_advisory(folder: Path, languages: Languages) -> Advisory:
    """Read one advisory with all its documents. Raises Invalid with file and line."""
    path = folder / "advisory.toml"
    table, digest = _read_table(path)
    documents: dict[Key, Document] = {}
    for file, readers, channel in document_files(folder):
        if readers not in table.readers:
            raise Invalid(f"{file}: {path} has no [readers.{readers}]; add it with a summary for officers")
        document = read_document(file, readers, channel)
        if not languages.knows(document.language):
            raise Invalid(f"{file}:2: the language {document.language!r} is not in config/languages.toml; add it there")
        documents[readers, channel, document.language] = document
    return Advisory(
        name=folder.name,
        title=table.title,
        topic=table.topic,
        source_language=table.source_language,
        source_document=table.source_document,
        regions=tuple(table.regions),
        channels=tuple(table.channels),
        readers={readers: given.summary for readers, given in table.readers.items()},
        limits=table.limits,
        facts=table.facts,
        documents=documents,
        path=path,
        own_digest=digest,
    )


def document_files(folder: Path) -> list[tuple[Path, Readers, Channel]]:
    """Return the document files of an advisory's folder. Raises Invalid for a folder of readers nobody knows."""
    found = []
    for channel, name in FILE_NAMES.items():
        for file in folder.glob(f"*/*/{name}"):
            readers = file.parent.parent.name
            if readers not in list(Readers):
                raise Invalid(f"{file}: {readers!r} is no kind of readers; there are {', '.join(Readers)}")
            found.append((file, Readers(readers), channel))
    return sorted(found)


def _read_table(path: Path) -> tuple[_AdvisoryTable, str]:
    try:
        content = path.read_bytes()
        text = content.decode()
        return _FORM.validate_python(tomllib.loads(text)), sha256(content).hexdigest()
    except OSError as wrong:
        raise Invalid(f"{path} cannot be read: {wrong.strerror}") from wrong
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise Invalid(f"{path} is not a TOML file: {wrong}") from wrong
    except ValidationError as wrong:
        first = wrong.errors()[0]
        place = [str(part) for part in first["loc"] if part != "[key]"]
        raise Invalid(f"{path}:{line_of(text, *place)}: {'.'.join(place)}: {first['msg'].lower()}") from wrong
