"""Spreadsheets (XLSX, ODS, XLS): their rows as text, through python-calamine.

A spreadsheet keeps numbers and dates where people typed text; here each becomes the text a CSV export would hold.
Nothing here knows what a parent is.
"""

import re
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    PasswordError,
    SheetVisibleEnum,
    load_workbook,
)

from notifier.kit.errors import Invalid

# The reader makes room for every cell between the first and the last: with one in the far corner that is 17 thousand
# million, and the process would end where it stands.
_MAX_CELLS = 20_000_000
_BLOCK = 1 << 20
_SHEET = re.compile(r"worksheets/[^/]+\.xml")
_CELL = re.compile(rb'<(?:\w+:)?c\b[^>]*?\br="([A-Z]{1,3})([0-9]{1,7})"[^>]*(?<!/)>')

Cell = int | float | str | bool | time | date | datetime | timedelta


def sheets_of(path: Path) -> Iterator[Iterator[tuple[int, Sequence[str]]]]:
    """Give the rows of each visible sheet in turn, numbered as the spreadsheet numbers them. Raises Invalid."""
    book = _open(path)
    for name in [one.name for one in book.sheets_metadata if one.visible is SheetVisibleEnum.Visible]:
        try:
            sheet = book.get_sheet_by_name(name)
        except CalamineError as wrong:
            raise Invalid(f"{path.name}, sheet {name!r} cannot be read: {wrong}; save it as CSV") from wrong
        yield _rows(sheet)


def refuse_far_cells(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse a workbook in which a single cell lies so far off that reading the sheet would take all memory."""
    for member in archive.namelist():
        if _SHEET.search(member):
            column, row = _extent(archive, member)
            if column * row > _MAX_CELLS:
                raise Invalid(
                    f"{path.name} has a cell far outside of any list (row {row}, column {column}); delete what stands "
                    "there, or save the list as CSV"
                )


def _extent(archive: zipfile.ZipFile, member: str) -> tuple[int, int]:
    """Return the last column and the last row of a sheet that hold anything."""
    columns, row, cut = {b"A"}, 1, b""
    with archive.open(member) as file:
        while block := file.read(_BLOCK):
            text = cut + block
            cells = _CELL.findall(text)
            columns.update({letters for letters, _ in cells})
            row = max(row, *(int(digits) for _, digits in cells)) if cells else row
            cut = text[text.rfind(b"<") :]
    return max(map(_number_of, columns)), row


def _number_of(column: bytes) -> int:
    number = 0
    for letter in column:
        number = number * 26 + letter - ord("A") + 1
    return number


def _open(path: Path) -> CalamineWorkbook:
    try:
        return load_workbook(path)
    except PasswordError as wrong:
        raise Invalid(f"{path.name} is protected by a password; save it without one") from wrong
    except (CalamineError, OSError) as wrong:
        raise Invalid(f"{path.name} cannot be read as a spreadsheet: {wrong}; save it as CSV or XLSX") from wrong


def _rows(sheet: CalamineSheet) -> Iterator[tuple[int, Sequence[str]]]:
    if sheet.height:
        first = sheet.start[0] if sheet.start else 0
        for number, cells in enumerate(sheet.iter_rows(), start=first + 1):
            yield number, [text_of(cell) for cell in cells]


def text_of(cell: Cell) -> str:
    """Return a cell as text: 491570006.0 is "491570006", a date is written as ISO 8601 does."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime) and cell.time() == time():
        return cell.date().isoformat()
    return cell.isoformat() if isinstance(cell, date | time) else str(cell)
