# ruff: noqa: E501 - a line of the table holds some languages
"""From what a school writes about a language ("Arabic", "arabe", "العربية", "AR", "zh_CN") to its BCP 47 tag.

The names come from the Unicode CLDR through Babel. Which languages have a text is not known here: that is the content
room's matter.
"""

import re
from functools import cache, lru_cache

from babel import Locale, UnknownLocaleError

from notifier.audiences.columns import plain

_TAG = re.compile(r"[a-z]{2,3}(?:[-_][a-z]{4})?(?:[-_](?:[a-z]{2}|\d{3}))?", re.IGNORECASE)
_NAMED_IN = ("en", "fr", "de", "es", "it", "el")
# What schools write besides the names in the CLDR: languages by their own names, and words for several at once.
_OWN_WORDS: dict[str, str] = {
    plain(word): tag
    for tag, words in {
        "aii": "assyrian, assyrian neo-aramaic", "am": "አማርኛ", "ar": "العربية, عربي", "bg": "български", "bn": "বাংলা",
        "cld": "chaldean", "cs": "čeština", "da": "dansk", "fa": "farsi, فارسی", "fi": "suomi", "fil": "tagalog, filipino, "
        "pilipino", "ga": "gaelic, gaeilge", "gu": "ગુજરાતી", "haz": "hazaragi, هزارگی", "he": "עברית", "hi": "हिन्दी, हिंदी",
        "hr": "hrvatski", "hu": "magyar", "hy": "հայերեն", "id": "bahasa indonesia", "ja": "日本語", "ka": "ქართული",
        "kar": "karen", "km": "ខ្មែរ", "ko": "한국어", "ku": "kurdî, kurmanji", "lo": "ລາວ", "lt": "lietuvių",
        "lv": "latviešu", "mk": "македонски", "ml": "മലയാളം", "ms": "bahasa melayu", "mt": "malti", "my": "burmese, မြန်မာ",
        "ne": "नेपाली", "nl": "nederlands, flemish, vlaams", "no": "norsk", "pa": "punjabi, ਪੰਜਾਬੀ", "pl": "polski",
        "prs": "dari, دری", "ps": "پښتو", "pt": "português", "ro": "română", "ru": "русский", "si": "sinhalese, සිංහල",
        "sk": "slovenčina", "sl": "slovenščina", "so": "soomaali", "sq": "shqip", "sr": "српски, srpski", "sv": "svenska",
        "sw": "kiswahili", "ta": "தமிழ்", "te": "తెలుగు", "th": "ไทย", "ti": "ትግርኛ", "tr": "türkçe",
        "uk": "українська", "ur": "اردو", "vi": "tiếng việt", "yue": "cantonese, 粵語, 廣東話", "zh-Hans": "mandarin, "
        "simplified chinese, 中文, 简体中文, 普通话", "zh-Hant": "traditional chinese, 繁體中文",
    }.items()
    for word in words.split(",")
}  # fmt: skip


@lru_cache(maxsize=4_096)
def tag_of(text: str) -> str | None:
    """Return the BCP 47 tag for a language's tag or name, or None if nobody calls a language that."""
    text = text.strip()
    name = plain(text)
    if not name:
        return None
    if _TAG.fullmatch(text) and (tag := _as_tag(text)) is not None:
        return tag
    return _OWN_WORDS.get(name) or _names().get(name)


def _as_tag(text: str) -> str | None:
    primary = re.split(r"[-_]", text)[0].lower()
    if primary not in _names().values():
        return None
    try:
        locale = Locale.parse(text.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return primary
    return "-".join(filter(None, (locale.language, locale.script, locale.territory)))


@cache
def _names() -> dict[str, str]:
    found: dict[str, str] = {}
    for locale in _NAMED_IN:
        for code, name in Locale(locale).languages.items():
            found.setdefault(plain(str(name)), str(code).replace("_", "-"))
    return found
