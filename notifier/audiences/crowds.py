"""Whether one address may stand on many rows of a file: told in little memory while the rows pass by.

A count for each of some two million places, where the addresses of a place are counted together: it may say too much,
never too little. Only where it says much are the rows asked, which takes a sort of them all.
"""

from array import array
from collections.abc import Iterable

from notifier.audiences.judging import JudgedRow, PlainRow

_PLACES = 1 << 21
_EMAIL, _MOBILE = JudgedRow._fields.index("email"), JudgedRow._fields.index("mobile")


class Crowds:
    """The addresses of the rows of one file, seen once."""

    def __init__(self) -> None:
        self._counts = array("I", bytes(_PLACES * array("I").itemsize))
        self._most = 0

    def watch(self, rows: Iterable[PlainRow]) -> None:
        """Count the addresses of some rows."""
        counts, last, most = self._counts, _PLACES - 1, self._most
        for row in rows:
            for address in (row[_EMAIL], row[_MOBILE]):
                if address:
                    place = hash(address) & last
                    counts[place] = number = counts[place] + 1
                    most = max(most, number)
        self._most = most

    def may_exceed(self, limit: int) -> bool:
        """Whether an address may stand on more rows than `limit`."""
        return self._most > limit
