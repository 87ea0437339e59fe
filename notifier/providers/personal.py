"""Putting personal values into a rendered text: split once at the markers, joined once per recipient.

A value that happens to look like a marker is left alone, because values are never searched.
"""

import re
from collections.abc import Callable, Mapping, Sequence


def _as_it_is(text: str) -> str:
    return text


class Blanks:
    """A text with markers, ready to be filled in for many recipients.

    `spelled` is how text and values are written where they go; it must write a whole as it writes its parts.
    """

    def __init__(self, text: str, markers: Sequence[str], spelled: Callable[[str], str] = _as_it_is) -> None:
        self._pieces = split(text, markers)
        self._pieces[::2] = map(spelled, self._pieces[::2])
        self._spelled = spelled
        self.is_fixed = len(self._pieces) == 1

    def fill(self, values: Mapping[str, str]) -> str:
        """Return the text for one recipient. A marker without a value is a KeyError: it must never reach a reader."""
        if self.is_fixed:
            return self._pieces[0]
        filled = self._pieces.copy()
        spelled = self._spelled
        filled[1::2] = [spelled(values[name]) for name in self._pieces[1::2]]
        return "".join(filled)


def split(text: str, markers: Sequence[str]) -> list[str]:
    """Return literal text and markers in turn, beginning and ending with literal text (which may be empty)."""
    if not markers:
        return [text]
    return re.split(f"({'|'.join(re.escape(mark) for mark in markers)})", text)
