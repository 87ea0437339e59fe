"""CSV as we write it: one way, safe to open in a spreadsheet.

A cell that a spreadsheet would run as a formula (OWASP, "CSV injection") gets an apostrophe in front, which
spreadsheets hide; so does a cell that begins with one already, so that it can be told apart.
"""

import csv
from collections.abc import Iterable, Sequence
from typing import TextIO

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "'", "＝", "＋", "－", "＠")  # noqa: RUF001 - full-width signs count too


def safe_cell(value: object) -> str:
    """Return a value as the text of a cell that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.lstrip(" \u00a0").startswith(_DANGEROUS) else text


def cell_given(text: str) -> str:
    """Return what `safe_cell` was given: the text without the apostrophe it may have put in front."""
    return text.removeprefix("'")


def write_csv(file: TextIO, header: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write a table and return how many rows it has below its header."""
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow([safe_cell(cell) for cell in header])
    count = 0
    for row in rows:
        writer.writerow([safe_cell(cell) for cell in row])
        count += 1
    return count
