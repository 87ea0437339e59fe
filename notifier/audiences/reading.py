"""Open a file a school handed over and give its rows, one at a time: CSV, a spreadsheet, or a OneRoster bundle.

Whatever is not a table is refused here in a sentence. Which kind a file is shows in its first bytes, not in its name.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import orjson

from notifier.audiences import families, oneroster
from notifier.audiences.archives import open_archive
from notifier.audiences.columns import Column, check_mapping, has_all, is_usable, recognise
from notifier.audiences.plain_text import Progress, csv_rows, encoding_of
from notifier.audiences.workbooks import refuse_far_cells, sheets_of
from notifier.kit.errors import Invalid

MAX_COLUMNS = 150
DEFAULT_MAX_UNPACKED_MB = 300
_HEADER_WITHIN = 10
_BLOCK = 1 << 20
_ZIP, _OLD_OFFICE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_STRANGERS = {
    b"%PDF": "a PDF document",
    b"{\\rtf": "a text document (RTF)",
    b"<!DOCTYPE": "a web page",
    b"<html": "a web page",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"\x1f\x8b": "a gzip archive; unpack it first",
    b"Rar!": "an archive; unpack it first",
    b"7z\xbc\xaf": "an archive; unpack it first",
}
Rows = Iterator[tuple[int, Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file opened: which column is which, and the rows below the header with their numbers in the file.

    `size` is about how many characters there are to read, for a progress bar; None if nobody can say. Where a row is
    about several `people`, each is given as a row of their own (`families`). `unread` are the headers nobody knows.
    """

    header: tuple[str, ...]
    places: Mapping[Column, int]
    rows: Rows
    size: int | None
    progress: Progress
    people: int = 1
    unread: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Header:
    """The header row of a table, and what it says: where the columns of one person stand, or of several."""

    cells: tuple[str, ...]
    places: Mapping[Column, int]
    people: tuple[Mapping[Column, int], ...]

    def sheet(self, rows: Rows, size: int | None, progress: Progress) -> Sheet:
        """Return the table below this header."""
        if not self.people:
            return Sheet(self.cells, self.places, rows, size, progress, unread=self._unread(self.places))
        apart = families.one_by_one(rows, self.people)
        places, unread = recognise(families.HEADER), self._unread(*self.people)
        return Sheet(families.HEADER, places, apart, size, progress, people=len(self.people), unread=unread)

    def _unread(self, *read: Mapping[Column, int]) -> tuple[str, ...]:
        places = {place for some in read for place in some.values()}
        return tuple(text.strip() for place, text in enumerate(self.cells) if place not in places and text.strip())


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What was said about the headers of this file, what other files have taught, and the headers of our own tables."""

    said: Mapping[str, str]
    remembered: Mapping[str, str]
    own: Collection[str]

    @property
    def known(self) -> dict[str, str]:
        """All that is known about headers; what was said about this file counts more."""
        return {**self.remembered, **self.said}


def file_digest(path: Path, mapping: Mapping[str, str] | None = None, school: str | None = None) -> str:
    """Return the SHA-256, in hex, of a file and of how it is to be read."""
    _require_file(path)
    digest = sha256(orjson.dumps([mapping or {}, school], option=orjson.OPT_SORT_KEYS))
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as wrong:
        raise Invalid(f"{path} cannot be read: {wrong.strerror}") from wrong
    return digest.hexdigest()


@contextmanager
def open_sheet(
    path: Path,
    mapping: Mapping[str, str] | None = None,
    *,
    school: str | None = None,
    max_unpacked_mb: int = DEFAULT_MAX_UNPACKED_MB,
    own: Collection[str] = (),
    remembered: Mapping[str, str] | None = None,
) -> Iterator[Sheet]:
    """Open a contact list file. Raises Invalid, naming the file, if it is not one.

    What `mapping` names must be there; what is `remembered` from other files counts where it is. `own` are the headers
    of a table we write ourselves: one that has them all is taken as well, whatever else it says.
    """
    _require_file(path)
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except OSError as wrong:
        raise Invalid(f"{path} cannot be read: {wrong.strerror}") from wrong
    _refuse_strangers(path, head)
    wanted = _Wanted(mapping or {}, remembered or {}, own)
    if head.startswith(_OLD_OFFICE):
        yield _workbook(path, wanted)
    elif head.startswith(_ZIP):
        with open_archive(path, max_bytes=max_unpacked_mb << 20) as archive:
            if oneroster.is_bundle(archive):
                places = recognise(oneroster.HEADER)
                rows = oneroster.guardians(path, archive, school)
                yield Sheet(oneroster.HEADER, places, rows, None, Progress())
            else:
                refuse_far_cells(path, archive)
                yield _workbook(path, wanted)
    else:
        progress = Progress()
        with path.open(encoding=encoding_of(path, head), errors="replace", newline="") as text:
            rows = csv_rows(path.name, text, progress)
            yield _header(path, rows, wanted).sheet(rows, path.stat().st_size, progress)


def _require_file(path: Path) -> None:
    """Refuse what can be read once at most: a list is read several times."""
    if path.exists() and not path.is_file():
        raise Invalid(f"{path} is a folder, a pipe or a device; save the list as a file first")


def _refuse_strangers(path: Path, head: bytes) -> None:
    if not head.strip():
        raise _empty(path)
    for start, what in _STRANGERS.items():
        if head.lstrip().lower().startswith(start.lower()):
            raise Invalid(f"{path.name} is {what}, not a table; export the list as CSV or XLSX")


def _empty(path: Path) -> Invalid:
    return Invalid(f"{path.name} is empty; save the sheet with its header row and try again")


def _workbook(path: Path, wanted: _Wanted) -> Sheet:
    """Take the first sheet with a header we can use."""
    refused: Invalid | None = None
    for rows in sheets_of(path):
        try:
            header = _header(path, rows, wanted)
        except Invalid as wrong:
            refused = refused or wrong
            continue
        return header.sheet(rows, None, Progress())
    raise refused or _empty(path)


def _header(path: Path, rows: Rows, wanted: _Wanted) -> _Header:
    """Find the header among the first rows; a title or an empty row may stand above it."""
    first: Sequence[str] = ()
    for seen, (_, cells) in enumerate(rows, start=1):
        if len(cells) > MAX_COLUMNS:
            raise Invalid(f"{path.name} has {len(cells)} columns; a contact list has at most {MAX_COLUMNS}")
        people, places = families.people_of(cells, wanted.known), recognise(cells, wanted.known)
        if people or is_usable(places) or has_all(cells, wanted.own):
            check_mapping(wanted.said, cells)
            return _Header(tuple(cells), places, people)
        first = first or [cell.strip() for cell in cells if cell.strip()]
        if seen == _HEADER_WITHIN:
            break
    if not first:
        raise _empty(path)
    raise Invalid(
        f"{path.name} has no column for an email address or a mobile number; its first row says: "
        f"{', '.join(first)[:200]}. Name the columns in the first row, or say which is which with "
        "--column 'THEIR HEADER=email'"
    )
