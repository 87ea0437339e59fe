"""Normalise and judge one email address or one phone number.

Two ways lead to each verdict: a short one for the forms nearly every row has, and the maintained library for all the
rest. The short way only ever says yes, and only what the library would have said (held by a property test); it asks the
library's own patterns, so a new release of the numbering plans changes both at once.
"""

import re
from collections.abc import Callable
from functools import cache, lru_cache

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import PhoneMetadata, PhoneNumberType

from notifier.audiences.verdicts import Reason
from notifier.vocabulary import Channel

MAX_EMAIL = 254
_MAX_LOCAL = 64

# Letters, digits and single separators before the @; labels of ordinary letters after it. Labels with hyphens in the
# third and fourth place (xn--) and the special names of the library are left to the library.
_COMMON_LOCAL = re.compile(r"[a-z0-9][a-z0-9_]*(?:[.+-][a-z0-9_]+)*", re.ASCII).fullmatch
_COMMON_DOMAIN = re.compile(
    r"(?:(?![a-z0-9]{2}--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+"
    r"(?!(?:arpa|invalid|local|localhost|onion|test)\Z)[a-z]{2,24}",
    re.ASCII,
)
_PLACEHOLDERS = frozenset(
    ["-", "--", "---", ".", "?", "n/a", "na", "n.a.", "n.a", "none", "null", "nil", "unknown", "tba", "tbc", "xxx", "x",
     "0", "keine", "kein", "aucun", "aucune", "ninguno", "nessuno", "κανένα", "no", "no email", "no mobile", "no phone",
     "no@email", "none@none.com", "noemail@noemail.com"]
)  # fmt: skip
_PUNCTUATION = str.maketrans("", "", " -().\u00a0\u2010\u2011\u2013/")
_DATE = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?|\d{1,2}[- ][A-Za-zéûä]{3,4}[- ]\d{2,4}"
)
_SCIENTIFIC = re.compile(r"\d+(?:[.,]\d+)?[eE]\+?\d+")
_SEVERAL = re.compile(r"[;,|\n]|\s(?:/|or|and|ou|oder|et|und|o|e|y|ή|και)\s|/")
_MOBILES = frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE})

Judged = tuple[str | None, Reason | None]


def judge_email(text: str) -> Judged:
    """Return (normalised address, None), or (None, why it cannot be one).

    The whole address is lower-cased: no mailbox in use tells apart Maria@ and maria@, and a parent must not get both
    (docs/decisions/0031). A domain in another script is turned into IDNA 2008.
    """
    lowered = text.strip().lower()
    local, _, domain = lowered.partition("@")
    if len(local) <= _MAX_LOCAL and len(lowered) <= MAX_EMAIL and _is_common(domain) and _COMMON_LOCAL(local):
        return lowered, None
    return judge_email_at_length(lowered)


# A file has few domains: each is looked at once.
@lru_cache(maxsize=10_000)
def _is_common(domain: str) -> bool:
    return _COMMON_DOMAIN.fullmatch(domain) is not None


def judge_email_at_length(text: str) -> Judged:
    """Judge an email address by the library alone; `text` is stripped and lower-cased."""
    try:
        read = validate_email(text, check_deliverability=False, strict=True)
    except EmailNotValidError as wrong:
        return None, _why_no_email(text, str(wrong))
    if read.ascii_email is None:
        return None, Reason.NEEDS_SMTPUTF8
    return (read.ascii_email.lower(), None) if len(read.ascii_email) <= MAX_EMAIL else (None, Reason.NOT_AN_EMAIL)


def _why_no_email(text: str, complaint: str) -> Reason:
    if text in _PLACEHOLDERS:
        return Reason.PLACEHOLDER
    if text.startswith("="):
        return Reason.FORMULA
    if text.count("@") > 1:
        return Reason.TWO_ADDRESSES
    if "@" not in text and re.fullmatch(r"\+?\d{6,15}", text.translate(_PUNCTUATION)):
        return Reason.PHONE_IN_EMAIL
    return Reason.DOMAIN_CANNOT_RECEIVE if "special-use" in complaint or "period" in complaint else Reason.NOT_AN_EMAIL


@cache
def phone_judge(country: str) -> Callable[[str], Judged]:
    """Return the judge of mobile numbers as written in `country` (ISO 3166-1 alpha-2)."""
    plan = PhoneMetadata.metadata_for_region(country)
    if plan is None:
        return lambda text: judge_phone_at_length(text, country)
    as_dialled = _mobile_pattern(plan)
    code = f"+{plan.country_code}"

    def judge(text: str) -> Judged:
        digits = text.replace(" ", "")
        found = as_dialled(digits) or as_dialled(digits.translate(_PUNCTUATION))
        return judge_phone_at_length(text, country) if found is None else (code + found[1], None)

    return judge


def _mobile_pattern(plan: PhoneMetadata) -> Callable[[str], re.Match[str] | None]:
    """Return a matcher of digits as dialled at home or from abroad; its group is the national number, a mobile only."""
    if plan.mobile is None or plan.mobile.national_number_pattern is None or plan.same_mobile_and_fixed_line_pattern:
        return lambda _digits: None
    others = [
        kind.national_number_pattern
        for kind in (
            plan.premium_rate, plan.toll_free, plan.shared_cost, plan.voip, plan.personal_number, plan.pager, plan.uan,
            plan.voicemail,
        )
        if kind is not None and kind.national_number_pattern is not None
    ]  # fmt: skip
    unless = f"(?!(?:{'|'.join(others)})\\Z)" if others else ""
    before = rf"(?:\+{plan.country_code}|{plan.national_prefix or ''})"
    return re.compile(rf"{before}({unless}(?:{plan.mobile.national_number_pattern}))\Z", re.ASCII).match


def judge_phone_at_length(text: str, country: str) -> Judged:
    """Judge a mobile number by the library alone. "00" is read as "+" too, even where another prefix is dialled."""
    text = text.strip()
    if (why := _no_phone_at_all(text)) is not None:
        return None, why
    value, why = _judge_phone(text, country)
    if value is None and text.startswith("00"):
        international, _ = _judge_phone(f"+{text[2:]}", country)
        return (international, None) if international is not None else (None, why)
    return value, why


def _judge_phone(text: str, country: str) -> Judged:
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException as wrong:
        if _SEVERAL.search(text):
            return None, Reason.TWO_ADDRESSES
        too_long = wrong.error_type == phonenumbers.NumberParseException.TOO_LONG
        return None, Reason.TOO_LONG if too_long else Reason.NOT_A_PHONE_NUMBER
    if number.extension is not None:
        return None, Reason.NOT_A_MOBILE
    if not phonenumbers.is_valid_number(number):
        return None, _why_no_phone(text, number)
    if phonenumbers.number_type(number) not in _MOBILES:
        return None, Reason.NOT_A_MOBILE
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), None


def _no_phone_at_all(text: str) -> Reason | None:
    lowered = text.lower()
    if lowered in _PLACEHOLDERS or (text and not text.strip("0 ")):
        return Reason.PLACEHOLDER
    if text.startswith(("=", "#")):
        return Reason.FORMULA
    if "@" in text:
        return Reason.EMAIL_IN_PHONE
    if _DATE.fullmatch(text):
        return Reason.DATE_IN_PHONE
    if _SCIENTIFIC.fullmatch(text):
        return Reason.SCIENTIFIC_NUMBER
    return None


def _why_no_phone(text: str, number: phonenumbers.PhoneNumber) -> Reason:
    if _SEVERAL.search(text):
        return Reason.TWO_ADDRESSES
    region = phonenumbers.region_code_for_country_code(number.country_code or 0)
    plan = PhoneMetadata.metadata_for_region(region)
    if plan is not None and plan.mobile is not None and plan.mobile.possible_length:
        digits = len(phonenumbers.national_significant_number(number))
        if digits < min(plan.mobile.possible_length):
            return Reason.TOO_SHORT
        if digits > max(plan.mobile.possible_length):
            return Reason.TOO_LONG
    return Reason.NOT_A_PHONE_NUMBER


def normalise(channel: Channel, text: str, *, country: str = "ZZ") -> Judged:
    """Judge an address of either channel: what the command line and the pages are given."""
    return judge_email(text) if channel is Channel.EMAIL else phone_judge(country)(text)
