"""Spreadsheets (XLSX, ODS, XLS): their rows as text, through python-calamine.

A spreadsheet keeps numbers and dates where people typed text; here each becomes the text a CSV export would hold.
Nothing here knows what a parent is.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path

from python_calamine import CalamineError, CalamineSheet, CalamineWorkbook, PasswordError, load_workbook

from notifier.kit.errors import Invalid

Cell = int | float | str | bool | time | date | datetime | timedelta


def sheets_of(path: Path) -> Iterator[Iterator[tuple[int, Sequence[str]]]]:
    """Give the rows of each visible sheet in turn, numbered as the spreadsheet numbers them. Raises Invalid."""
    book = _open(path)
    for name in book.sheet_names:
        try:
            sheet = book.get_sheet_by_name(name)
        except CalamineError as wrong:
            raise Invalid(f"{path.name}, sheet {name!r} cannot be read: {wrong}; save it as CSV") from wrong
        yield _rows(sheet)


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
