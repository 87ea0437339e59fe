"""What is wrong when the database cannot be used: said in words, with what can be done about it.

Nothing here opens a connection.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from notifier.kit.errors import NotifierError


class DatabaseUnavailable(NotifierError):
    """The database named in the settings cannot be reached, or not be used as it is."""


@contextmanager
def reachable(engine: Engine) -> Iterator[None]:
    """Raise DatabaseUnavailable where the place is wrong and not the statement."""
    try:
        yield
    except DBAPIError as wrong:
        said = str(wrong.orig).strip().partition("\n")[0]
        trouble = next((trouble for sign, trouble in _TROUBLES if sign.search(said)), None)
        if wrong.connection_invalidated:
            trouble = trouble or _UNREACHABLE
        if trouble is None:
            raise
        url = engine.url.render_as_string(hide_password=True)
        raise DatabaseUnavailable(f"The database {url} {trouble.format(said=said)}") from wrong


_UNREACHABLE = "cannot be reached: {said}. Check NOTIFIER_DATABASE_URL, or run `notifier init`."

# What the two databases say when the place is wrong and not the statement, and what can be done about it.
_TROUBLES = (
    (re.compile("connect|open database"), _UNREACHABLE),
    (
        re.compile(r"no such (table|column)|(relation|column) .* does not exist"),
        "does not fit this program: {said}. Run `notifier init`, which makes it or brings it up to date.",
    ),
    (
        re.compile("readonly database|read-only transaction"),
        "cannot be written to: {said}. Give the user who runs Notifier the right to write it.",
    ),
    (
        re.compile("database is locked"),
        "is in use by another program, which did not let go of it in time. Try again when that one has ended.",
    ),
    (
        re.compile("not a database|malformed"),
        "cannot be read: {said}. Bring it back from its backup, or name another with NOTIFIER_DATABASE_URL.",
    ),
    (re.compile("is full|No space left"), "has no room left: {said}. Make room on its disk and try again."),
)
