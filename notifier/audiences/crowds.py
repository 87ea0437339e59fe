"""Whether one address may stand on many rows of a file, and one person on two: told in little memory as rows pass by.

A count for each of some two million places, where the addresses of a place are counted together, and a hash of eight
bytes for each person: they may say too much, never too little. Only where they say so are the rows asked, which takes
a sort of them all.
"""

from array import array
from collections.abc import Iterable

from notifier.audiences.judging import JudgedRow, PlainRow

_PLACES = 1 << 21
# People are compared with those of their own part of all hashes, so that few of them are looked at together.
_PARTS = 1 << 8
_PERSON, _EMAIL, _MOBILE = (JudgedRow._fields.index(name) for name in ("row_key", "email", "mobile"))


class Crowds:
    """The addresses and the people of the rows of one file, seen once."""

    def __init__(self) -> None:
        self._counts = array("I", bytes(_PLACES * array("I").itemsize))
        self._people = [array("q") for _ in range(_PARTS)]

    def watch(self, rows: Iterable[PlainRow]) -> None:
        """Count the addresses of some rows, and note their people; a row that was refused has none."""
        counts, people = self._counts, self._people
        for row in rows:
            if person := row[_PERSON]:
                number = hash(person)
                people[number % _PARTS].append(number)
            if email := row[_EMAIL]:
                counts[hash(email) % _PLACES] += 1
            if mobile := row[_MOBILE]:
                counts[hash(mobile) % _PLACES] += 1

    def may_exceed(self, limit: int) -> bool:
        """Whether an address may stand on more rows than `limit`."""
        return max(self._counts) > limit

    def may_repeat(self) -> bool:
        """Whether a person may stand on two rows."""
        return any(len(set(part)) < len(part) for part in self._people)
