"""A quick look at the personalizations of a request: surely fine, or worth looking at one by one.

A thousand recipients are judged in columns, because a benchmark must not measure the sandbox. Whatever is unusual here
is not refused: it is left to `sendgrid_rules`, which also says what is wrong.
"""

import re
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any

from notifier.sandbox.behaviour import REFUSED_EMAIL

_MAX_ROWS = 1000
_MAX_VALUES_EACH = 10
_MAX_BYTES_EACH = 10_000
_BYTES_PER_CHARACTER = 4
_USUAL_KEYS = {"to", "custom_args", "substitutions", "headers"}
_USUAL_HEADERS = {"List-Unsubscribe", "List-Unsubscribe-Post"}
_USUAL_MAILBOX = {("email",)}
_DOMAIN = re.compile(r"[^\s@<>,;.]+(\.[^\s@<>,;.]+)+")
_NEVER = frozenset(" \t\r\v\f<>,;")

Column = list[dict[str, Any]]


def are_surely_fine(rows: list[Any]) -> bool:
    """Return whether nothing at all can be wrong with these personalizations."""
    if len(rows) > _MAX_ROWS or set(map(type, rows)) != {dict}:
        return False
    shapes = set(map(tuple, rows))
    keys = set(chain.from_iterable(shapes))
    if len(shapes) > 1 or "to" not in keys or not keys <= _USUAL_KEYS:
        return False
    return all(_CHECKS[key]([row[key] for row in rows]) for key in keys)


def _recipients(column: list[Any]) -> bool:
    if set(map(type, column)) != {list} or set(map(len, column)) != {1}:
        return False
    mailboxes = [mailboxes[0] for mailboxes in column]
    if set(map(type, mailboxes)) != {dict} or set(map(tuple, mailboxes)) != _USUAL_MAILBOX:
        return False
    addresses = [mailbox["email"] for mailbox in mailboxes]
    if set(map(type, addresses)) != {str}:
        return False
    text = "\n".join(addresses).lower()
    if REFUSED_EMAIL in text or not text.isascii() or _NEVER.intersection(text):
        return False
    addresses = text.split("\n")
    if len(set(addresses)) < len(column) or len(addresses) > len(column):
        return False
    names, signs, domains = zip(*[address.partition("@") for address in addresses], strict=True)
    return all(names) and all(signs) and all(map(_DOMAIN.fullmatch, set(domains)))


def _texts(column: list[Any]) -> bool:
    return set(map(type, column)) == {dict} and _are_short_texts(column)


def _arguments(column: list[Any]) -> bool:
    return _texts(column) and all(column) and "" not in _values(column)


def _headers(column: list[Any]) -> bool:
    return _texts(column) and set(chain.from_iterable(column)) <= _USUAL_HEADERS


def _are_short_texts(column: Column) -> bool:
    """Return whether every value is a text, and no row can come near the limits."""
    values = list(_values(column))
    names = set(chain.from_iterable(column))
    if not values:
        return True
    if set(map(type, values)) != {str} or len(names) > _MAX_VALUES_EACH:
        return False
    longest = max(map(len, values)) + max(map(len, names))
    return longest * len(names) * _BYTES_PER_CHARACTER <= _MAX_BYTES_EACH


def _values(column: Column) -> Iterable[Any]:
    return chain.from_iterable(map(dict.values, column))


_CHECKS: dict[str, Callable[[list[Any]], bool]] = {
    "to": _recipients,
    "custom_args": _arguments,
    "substitutions": _texts,
    "headers": _headers,
}
