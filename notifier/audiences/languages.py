"""From what a school writes about a language ("Arabic", "arabe", "العربية", "AR", "zh_CN") to its BCP 47 tag.

The names come from the Unicode CLDR through Babel. Which languages have a text is not known here: that is the content
room's matter.
"""

import re
from functools import cache

from babel import Locale, UnknownLocaleError

from notifier.audiences.columns import plain

_TAG = re.compile(r"[a-z]{2,3}(?:[-_][a-z]{4})?(?:[-_](?:[a-z]{2}|\d{3}))?", re.IGNORECASE)
_NAMED_IN = ("en", "fr", "de", "es", "it", "el")
_OWN_WORDS = {
    "mandarin": "zh-Hans", "cantonese": "yue", "simplified chinese": "zh-Hans", "traditional chinese": "zh-Hant",
    "farsi": "fa", "dari": "prs", "tagalog": "fil", "filipino": "fil", "pilipino": "fil", "assyrian": "aii",
    "chaldean": "cld", "hazaragi": "haz", "sinhalese": "si", "punjabi": "pa", "karen": "kar", "burmese": "my",
    "gaelic": "ga",
}  # fmt: skip


@cache
def tag_of(text: str) -> str | None:
    """Return the BCP 47 tag for a language's tag or name, or None if nobody calls a language that."""
    text = text.strip()
    name = plain(text)
    if name in _OWN_WORDS:
        return _OWN_WORDS[name]
    if name in (known := _names()):
        return known[name]
    return _as_tag(text) if _TAG.fullmatch(text) else None


def _as_tag(text: str) -> str | None:
    try:
        locale = Locale.parse(text.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        primary = re.split(r"[-_]", text)[0].lower()
        return primary if primary in Locale("en").languages else None
    return "-".join(filter(None, (locale.language, locale.script, locale.territory)))


@cache
def _names() -> dict[str, str]:
    found: dict[str, str] = {}
    for locale in _NAMED_IN:
        for code, name in Locale(locale).languages.items():
            found.setdefault(plain(name), code.replace("_", "-"))
    for code in map(str, Locale("en").languages):
        try:
            own = None if "_" in code else Locale.parse(code).get_display_name()
        except (UnknownLocaleError, ValueError):
            continue
        if own:
            found.setdefault(plain(own), code)
    return found
