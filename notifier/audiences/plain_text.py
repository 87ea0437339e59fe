"""CSV as schools really have it: any usual encoding and separator, in bounded memory.

Nothing here knows what a parent is.
"""

import codecs
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import TextIOBase
from itertools import chain, islice
from pathlib import Path

from notifier.kit.errors import Invalid

MAX_LINE = 64 * 1024
_LONGEST_LINE_BYTES = 4 * MAX_LINE
_SEPARATORS = ",;\t|"
_BLOCK = 1 << 20
# The separator shows in one of the first lines, or in none.
_TELLING_LINES = 10


@dataclass(slots=True)
class Progress:
    """How far a file has been read, in characters."""

    read: int = 0


def encoding_of(path: Path, head: bytes) -> str:
    """Return the encoding of a text file: its mark, UTF-8 if all of it is, else Windows-1252. Raises Invalid."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if 0 in head:
        if head[1::2].count(0) > len(head) // 4:
            return "utf-16-le"
        if head[::2].count(0) > len(head) // 4:
            return "utf-16-be"
        raise Invalid(f"{path.name} holds bytes no text has; export the list as CSV or XLSX")
    return "utf-8-sig" if _is_utf8(path) else "cp1252"


def _is_utf8(path: Path) -> bool:
    """Whether a whole file is UTF-8. A line beyond every bound is refused here, not after gigabytes of it."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 0
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                decoder.decode(block)
                end = max(block.rfind(b"\n"), block.rfind(b"\r"))
                line = len(block) - end - 1 if end >= 0 else line + len(block)
                if line > _LONGEST_LINE_BYTES:
                    raise _line_too_long(path.name)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def csv_rows(name: str, file: TextIOBase, progress: Progress) -> Iterator[tuple[int, Sequence[str]]]:
    """Give the rows of a CSV file, numbered as a spreadsheet would number them. Raises Invalid."""
    lines = _lines(name, file, progress)
    head = list(islice(lines, _TELLING_LINES))
    first = head[0].strip().lower() if head else ""
    said = first.startswith("sep=") and len(first) == len("sep=,")
    separator = head.pop(0).strip()[-1] if said else _separator(head)
    reader = csv.reader(chain(head, lines), delimiter=separator)
    try:
        yield from enumerate(reader, start=2 if said else 1)
    except csv.Error as wrong:
        raise Invalid(f"{name}, line {reader.line_num}: {wrong}; is a quotation mark left open?") from wrong


def _separator(head: Sequence[str]) -> str:
    """Return the separator of the first line that has any: a title above the header has none."""
    telling = next((line for line in head if any(sign in line for sign in _SEPARATORS)), "")
    return max(_SEPARATORS, key=telling.count)


def _lines(name: str, file: TextIOBase, progress: Progress) -> Iterator[str]:
    while line := file.readline(MAX_LINE):
        if len(line) == MAX_LINE:
            raise _line_too_long(name)
        if "\0" in line:
            raise Invalid(f"{name} holds bytes no text has; export the list as CSV or XLSX")
        progress.read += len(line)
        yield line


def _line_too_long(name: str) -> Invalid:
    return Invalid(
        f"{name} has a line of more than {MAX_LINE} characters; this is not a contact list. Export it anew, with one "
        "person on a line"
    )
