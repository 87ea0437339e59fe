"""Open a file a school handed over and give its rows, one at a time, in bounded memory.

Whatever is not a table is refused here in a sentence. Nothing here knows what a parent is.
"""

import codecs
import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from io import TextIOBase
from itertools import chain
from pathlib import Path

from notifier.audiences.columns import Column, check_mapping, is_usable, recognise
from notifier.kit.errors import Invalid

MAX_LINE = 64 * 1024
MAX_COLUMNS = 150
_HEADER_WITHIN = 10
_SEPARATORS = ",;\t|"
_BLOCK = 1 << 20
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


@dataclass(frozen=True, slots=True)
class Sheet:
    """A file opened: which column is which, and the rows below the header with their numbers in the file."""

    header: tuple[str, ...]
    places: Mapping[Column, int]
    rows: Iterator[tuple[int, Sequence[str]]]
    size: int
    done: "Progress"


@dataclass(slots=True)
class Progress:
    """How many bytes of the file have been read."""

    bytes_read: int = 0


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def open_sheet(path: Path, mapping: Mapping[str, str] | None = None) -> Iterator[Sheet]:
    """Open a contact list file. Raises Invalid, naming the file, if it is not one."""
    try:
        head = _head(path)
    except OSError as wrong:
        raise Invalid(f"{path} cannot be read: {wrong.strerror}") from wrong
    _refuse_strangers(path, head)
    encoding = _encoding(path, head)
    progress = Progress()
    with path.open(encoding=encoding, errors="replace", newline="") as file:
        rows = _csv_rows(path, file, progress)
        yield _sheet(path, rows, mapping, path.stat().st_size, progress)


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(4096)


def _refuse_strangers(path: Path, head: bytes) -> None:
    if not head.strip():
        raise Invalid(f"{path.name} is empty; save the sheet with its header row and try again")
    for start, what in _STRANGERS.items():
        if head.lstrip().lower().startswith(start.lower()):
            raise Invalid(f"{path.name} is {what}, not a table; export the list as CSV or XLSX")


def _encoding(path: Path, head: bytes) -> str:
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head[1::2].count(0) > len(head) // 4:
        return "utf-16-le"
    if 0 in head:
        raise Invalid(f"{path.name} holds bytes no text has; export the list as CSV or XLSX")
    return "utf-8-sig" if _is_utf8(path) else "cp1252"


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _csv_rows(path: Path, file: TextIOBase, progress: Progress) -> Iterator[tuple[int, Sequence[str]]]:
    lines = _lines(path, file, progress)
    first = next(lines, "")
    separator = ""
    if first.lower().startswith("sep=") and len(first.strip()) == len("sep=,"):
        separator, first = first.strip()[-1], next(lines, "")
    reader = csv.reader(chain([first], lines), delimiter=separator or _separator(first))
    try:
        yield from enumerate(reader, start=2 if separator else 1)
    except csv.Error as wrong:
        raise Invalid(f"{path.name}, line {reader.line_num}: {wrong}; is a quotation mark left open?") from wrong


def _lines(path: Path, file: TextIOBase, progress: Progress) -> Iterator[str]:
    while line := file.readline(MAX_LINE):
        if len(line) == MAX_LINE:
            raise Invalid(f"{path.name} has a line of more than {MAX_LINE} characters; this is not a contact list")
        progress.bytes_read += len(line)
        yield line


def _separator(line: str) -> str:
    return max(_SEPARATORS, key=line.count)


def _sheet(
    path: Path,
    rows: Iterator[tuple[int, Sequence[str]]],
    mapping: Mapping[str, str] | None,
    size: int,
    progress: Progress,
) -> Sheet:
    """Find the header among the first rows; a title or an empty row may stand above it."""
    seen: list[tuple[int, Sequence[str]]] = []
    for number, cells in rows:
        if len(cells) > MAX_COLUMNS:
            raise Invalid(f"{path.name} has {len(cells)} columns; a contact list has at most {MAX_COLUMNS}")
        seen.append((number, cells))
        if is_usable(recognise(cells, mapping)):
            if mapping:
                check_mapping(mapping, cells)
            return Sheet(tuple(cells), recognise(cells, mapping), rows, size, progress)
        if len(seen) == _HEADER_WITHIN:
            break
    first = next((cells for _, cells in seen if any(cell.strip() for cell in cells)), ())
    raise Invalid(
        f"{path.name} has no column for an email address or a mobile number; its first row says: "
        f"{', '.join(cell for cell in first if cell.strip())[:200] or 'nothing'}. Name the columns in the first row, "
        "or say which is which with --column 'THEIR HEADER=email'"
    )
