"""What a person typed into a form of ours: read within limits, never trusted, never a reason to fall over."""

from collections.abc import Mapping
from datetime import time
from urllib.parse import parse_qs

from fastapi import Request

from notifier.kit.errors import Invalid
from notifier.web.security import read_body

_MOST_FIELDS = 500


class Form:
    """The fields of a posted form. Every value is text without characters a database cannot store."""

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        self._fields = fields

    def one(self, name: str, *, longest: int = 254) -> str:
        """Return the value of a field, or "" if it is missing or longer than it can be."""
        value = self._fields.get(name, [""])[-1].strip()
        return value if len(value) <= longest else ""

    def every(self, name: str) -> frozenset[str]:
        """Return all values of a field, such as the boxes that are ticked."""
        return frozenset(self._fields.get(name, ()))

    def ticked(self, name: str) -> bool:
        """Whether a box is ticked."""
        return bool(self._fields.get(name))

    def clock(self, name: str) -> time | None:
        """Return a time of day, or None if there is none."""
        try:
            return time.fromisoformat(self.one(name)).replace(tzinfo=None, second=0, microsecond=0)
        except ValueError:
            return None


async def read_form(request: Request, limit: int) -> Form:
    """Read a form. Raises BodyTooLarge, or Invalid if it is not one."""
    body = await read_body(request, limit)
    try:
        text = body.decode("utf-8", "replace").replace("\0", "")
        return Form(parse_qs(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="replace"))
    except ValueError as wrong:
        raise Invalid("This form has too many fields.") from wrong
