"""What SendGrid's mail/send refuses, as errors in its own form. Every issue of a request is named, as it does.

The rules are those of the published reference; the sentences are ours, the fields are theirs.
"""

import re
from collections.abc import Callable
from typing import Any

from notifier.sandbox.behaviour import REFUSED_EMAIL, special
from notifier.sandbox.sendgrid_columns import are_surely_fine

Error = dict[str, str | None]

MAX_PERSONALIZATIONS = 1000
MAX_RECIPIENTS = 1000
MAX_SUBSTITUTIONS_EACH = 150
MAX_SUBSTITUTIONS = 10_000
MAX_BYTES_EACH = 10_000
MAX_CATEGORIES = 10
MAX_CATEGORY_LENGTH = 255
MAX_ERRORS = 50

RESERVED_HEADERS = {
    "x-sg-id",
    "x-sg-eid",
    "received",
    "dkim-signature",
    "content-type",
    "content-transfer-encoding",
    "to",
    "from",
    "subject",
    "reply-to",
    "cc",
    "bcc",
}
_PERSONALIZATION_KEYS = {
    *("from", "to", "cc", "bcc", "subject", "headers", "substitutions"),
    *("dynamic_template_data", "custom_args", "send_at"),
}
_TOP_KEYS = {
    *("personalizations", "from", "reply_to", "reply_to_list", "subject", "content", "attachments", "template_id"),
    *("headers", "categories", "custom_args", "send_at", "batch_id", "asm", "ip_pool_name", "mail_settings"),
    *("tracking_settings", "sections"),
}
_ADDRESS = re.compile(r"[^\s@<>,;]+@[^\s@<>,;.]+(\.[^\s@<>,;.]+)+")


def errors_of(document: object) -> list[Error]:
    """Return everything that is wrong with a request; nothing if it would be taken."""
    if not isinstance(document, dict):
        return [error("Bad Request", None)]
    found = [error("Invalid parameter.", key) for key in document.keys() - _TOP_KEYS]
    _sender(document, found)
    _subject(document, found)
    _content(document, found)
    _categories(document, found)
    _headers(document.get("headers", {}), "headers", found)
    if "custom_args" in document:
        _custom_args(document["custom_args"], "custom_args", found)
    if "reply_to" in document and not _is_mailbox(document["reply_to"]):
        found.append(error("The reply_to parameter must be an object with a valid email address.", "reply_to"))
    if "reply_to" in document and "reply_to_list" in document:
        found.append(error("Use either reply_to or reply_to_list, not both.", "reply_to_list"))
    _personalizations(document, found)
    return found[:MAX_ERRORS]


def error(message: str, field: str | None) -> Error:
    """Return one error in SendGrid's form."""
    return {"message": message, "field": field, "help": None}


def _sender(document: dict[str, Any], found: list[Error]) -> None:
    sender = document.get("from")
    if not isinstance(sender, dict) or not _is_mailbox(sender):
        found.append(error("The from object must be provided with a valid email address.", "from.email"))
    elif not sender["email"].isascii():
        found.append(error("The from email does not support Unicode characters.", "from.email"))


def _subject(document: dict[str, Any], found: list[Error]) -> None:
    subject = document.get("subject")
    if isinstance(subject, str) and subject:
        return
    rows = document.get("personalizations")
    everyone = isinstance(rows, list) and all(isinstance(row, dict) and row.get("subject") for row in rows)
    if not everyone or "subject" in document:
        found.append(error("The subject must be a string of at least one character.", "subject"))


def _content(document: dict[str, Any], found: list[Error]) -> None:
    content = document.get("content")
    if not isinstance(content, list) or not content:
        found.append(error("The content must hold at least one part, unless a template is used.", "content"))
        return
    for place, part in enumerate(content):
        kind = part.get("type") if isinstance(part, dict) else None
        if not isinstance(kind, str) or "/" not in kind:
            found.append(error("The content type must be a string such as text/plain.", f"content.{place}.type"))
            continue
        if not isinstance(part.get("value"), str) or not part["value"]:
            found.append(
                error("The content value must be a string of at least one character.", f"content.{place}.value")
            )
    kinds = [part.get("type") for part in content if isinstance(part, dict)]
    known = [kind for kind in kinds if kind in {"text/plain", "text/html"}]
    if known != sorted(known, reverse=True) or kinds[: len(known)] != known:
        found.append(error("If present, text/plain must come first, then text/html, then other types.", "content"))
    if len(set(kinds)) < len(kinds):
        found.append(error("Each content type may occur once.", "content"))


def _categories(document: dict[str, Any], found: list[Error]) -> None:
    categories = document.get("categories", [])
    if not isinstance(categories, list) or not all(isinstance(one, str) for one in categories):
        found.append(error("The categories must be an array of strings.", "categories"))
        return
    if len(categories) > MAX_CATEGORIES:
        found.append(error(f"At most {MAX_CATEGORIES} categories are allowed.", "categories"))
    if len(set(categories)) < len(categories):
        found.append(error("The categories must be unique.", "categories"))
    if any(len(one) > MAX_CATEGORY_LENGTH or not one.isascii() for one in categories):
        found.append(error("A category is at most 255 ASCII characters.", "categories"))


def _personalizations(document: dict[str, Any], found: list[Error]) -> None:
    rows = document.get("personalizations")
    if not isinstance(rows, list) or not rows:
        found.append(error("You must have at least one personalization.", "personalizations"))
        return
    if not are_surely_fine(rows):
        look_at_each(rows, found)


def look_at_each(rows: list[Any], found: list[Error]) -> None:
    """Look at the personalizations one by one, and add what is wrong with them."""
    if len(rows) > MAX_PERSONALIZATIONS:
        sentence = f"The personalization block is limited to 1000 personalizations. You have provided {len(rows)}."
        found.append(error(sentence, "personalizations"))
        return
    addresses: list[str] = []
    substitutions = 0
    for place, row in enumerate(rows):
        if not isinstance(row, dict):
            found.append(error("A personalization must be an object.", f"personalizations.{place}"))
            continue
        if "to" not in row:
            sentence = "The to parameter is required for all personalization objects."
            found.append(error(sentence, f"personalizations.{place}.to"))
        _row(row, place, addresses, found)
        wanted = row.get("substitutions")
        substitutions += len(wanted) if isinstance(wanted, dict) else 0
    _recipients(addresses, found)
    if substitutions > MAX_SUBSTITUTIONS:
        found.append(error("You are limited to 10,000 substitutions.", "personalizations"))


def _row(row: dict[str, Any], place: int, addresses: list[str], found: list[Error]) -> None:
    for key, value in row.items():
        if key in {"to", "cc", "bcc"}:
            _mailboxes(value, f"personalizations.{place}.{key}", addresses, found)
        elif key in _CHECKS:
            _CHECKS[key](value, f"personalizations.{place}.{key}", found)
        elif key not in _PERSONALIZATION_KEYS:
            found.append(error("Invalid parameter.", f"personalizations.{place}.{key}"))


def _recipients(addresses: list[str], found: list[Error]) -> None:
    if len(addresses) > MAX_RECIPIENTS:
        found.append(error("There is a limit of 1000 total recipients per request.", "personalizations"))
    if len({address.lower() for address in addresses}) < len(addresses):
        sentence = "Each unique email address in the personalizations array should only be included once."
        found.append(error(sentence, "personalizations"))


def _mailboxes(value: object, path: str, addresses: list[str], found: list[Error]) -> None:
    if not isinstance(value, list) or not value:
        found.append(error("The array must hold at least one email object with a valid email address.", path))
        return
    for place, mailbox in enumerate(value):
        email = mailbox.get("email") if isinstance(mailbox, dict) else None
        if not isinstance(email, str) or not _ADDRESS.fullmatch(email) or special(email) == REFUSED_EMAIL:
            found.append(error("Does not contain a valid address.", f"{path}.{place}.email"))
            continue
        addresses.append(email)


def _headers(value: object, path: str, found: list[Error]) -> None:
    if not isinstance(value, dict):
        found.append(error("The headers must be an object.", path))
        return
    for name, text in value.items():
        if not isinstance(text, str):
            found.append(error("All values of the headers object must be strings.", f"{path}.{name}"))
        if name.lower() in RESERVED_HEADERS:
            found.append(error("The header is one of the reserved keys.", f"{path}.{name}"))
        if not name.isascii() or not name or " " in name:
            found.append(error("Header keys are ASCII characters without spaces.", path))


def _substitutions(value: object, path: str, found: list[Error]) -> None:
    if not isinstance(value, dict) or not all(type(text) is str for text in value.values()):
        found.append(error("The substitutions must be an object whose values are all strings.", path))
        return
    if len(value) > MAX_SUBSTITUTIONS_EACH:
        found.append(error("Substitutions are limited to 150 items per personalization block.", path))
    if _is_too_large(value):
        found.append(error("Substitutions are limited to 10,000 bytes per personalization block.", path))


def _custom_args(value: object, path: str, found: list[Error]) -> None:
    if not isinstance(value, dict) or not all(type(text) is str for text in value.values()):
        found.append(error("All values of the custom arguments object must be strings.", path))
        return
    if not value or not all(value.values()):
        found.append(error("custom_args cannot be empty.", path))
    if _is_too_large(value):
        found.append(error("The custom arguments may not exceed 10,000 bytes per personalization.", path))


def _send_at(value: object, path: str, found: list[Error]) -> None:
    if type(value) is not int:
        found.append(error("The send_at parameter is expecting a UNIX timestamp as an integer.", path))


def _personal_subject(value: object, path: str, found: list[Error]) -> None:
    if not isinstance(value, str) or not value:
        found.append(error("The subject must be a string of at least one character.", path))


_CHECKS: dict[str, Callable[[object, str, list[Error]], None]] = {
    "headers": _headers,
    "substitutions": _substitutions,
    "custom_args": _custom_args,
    "send_at": _send_at,
    "subject": _personal_subject,
}


def _is_too_large(value: dict[str, str]) -> bool:
    characters = sum(map(len, value)) + sum(map(len, value.values()))
    if characters * 4 <= MAX_BYTES_EACH:  # no character has more than four bytes
        return False
    return sum(len(name.encode()) + len(text.encode()) for name, text in value.items()) > MAX_BYTES_EACH


def _is_mailbox(value: object) -> bool:
    email = value.get("email") if isinstance(value, dict) else None
    return isinstance(email, str) and _ADDRESS.fullmatch(email) is not None
