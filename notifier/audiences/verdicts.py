"""What the importer says about a row, in words a school administrator can act on: a reason, and a remedy for each.

Nothing here judges anything; the reasons are the vocabulary of `addresses` and `judging`.
"""

from enum import StrEnum
from typing import NamedTuple


class Verdict(StrEnum):
    """How a row ended."""

    ACCEPTED = "accepted"
    CHANGED = "changed"
    DUPLICATE = "duplicate"
    REFUSED = "refused"


class Reason(StrEnum):
    """Why a value was refused, left out or written another way."""

    NORMALISED = "normalised"
    NOT_AN_EMAIL = "not_an_email"
    TWO_ADDRESSES = "two_addresses"
    PLACEHOLDER = "placeholder"
    DOMAIN_CANNOT_RECEIVE = "domain_cannot_receive"
    NEEDS_SMTPUTF8 = "needs_smtputf8"
    NOT_A_PHONE_NUMBER = "not_a_phone_number"
    NOT_A_MOBILE = "not_a_mobile"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    DATE_IN_PHONE = "date_in_phone"
    SCIENTIFIC_NUMBER = "scientific_number"
    FORMULA = "formula"
    EMAIL_IN_PHONE = "email_in_phone"
    PHONE_IN_EMAIL = "phone_in_email"
    UNKNOWN_LANGUAGE = "unknown_language"
    UNKNOWN_ROLE = "unknown_role"
    STUDENT_ON_LIST = "student_on_list"
    NO_ADDRESS = "no_address"
    SHARED_BY_MANY = "shared_by_many"
    SAME_PERSON_TWICE = "same_person_twice"
    TEXT_TOO_LONG = "text_too_long"
    NO_NAME_TEXT = "no_name_text"


REMEDIES: dict[Reason, str] = {
    Reason.NORMALISED: "Nothing to do: this is how it will be written to.",
    Reason.NOT_AN_EMAIL: "Write one email address, such as maria@example.org.",
    Reason.TWO_ADDRESSES: "Keep one address in the cell; put the other person on a row of their own.",
    Reason.PLACEHOLDER: "Leave the cell empty if there is no value.",
    Reason.DOMAIN_CANNOT_RECEIVE: "Check the part after the @: no mail can be delivered there.",
    Reason.NEEDS_SMTPUTF8: "Ask for an address whose part before the @ uses the letters a to z; many mail systems "
    "cannot deliver to this one.",
    Reason.NOT_A_PHONE_NUMBER: "Write one mobile number as it is dialled at home, or with + and the country code.",
    Reason.NOT_A_MOBILE: "This is a landline or a special number; a text message needs a mobile number.",
    Reason.TOO_SHORT: "Digits are missing; check the number.",
    Reason.TOO_LONG: "There are too many digits; keep one number in the cell.",
    Reason.DATE_IN_PHONE: "The spreadsheet has turned the number into a date; format the column as text and type it "
    "again.",
    Reason.SCIENTIFIC_NUMBER: "The spreadsheet has shortened the number (4.9E+08); format the column as text and type "
    "it again.",
    Reason.FORMULA: "Replace the formula by its value (copy, then paste as values).",
    Reason.EMAIL_IN_PHONE: "An email address stands in the mobile column; move it.",
    Reason.PHONE_IN_EMAIL: "A phone number stands in the email column; move it.",
    Reason.UNKNOWN_LANGUAGE: "Write the language's name or its tag (Arabic, ar); until then the list's language is "
    "used.",
    Reason.UNKNOWN_ROLE: "Write parent, carer, staff or student; until then the person counts as the list's readers.",
    Reason.STUDENT_ON_LIST: "Students belong on a list of their own, created with --students.",
    Reason.NO_ADDRESS: "Give the person an email address or a mobile number.",
    Reason.SHARED_BY_MANY: "One address stands on very many rows: if it is the school's own, replace it by the "
    "parents' addresses.",
    Reason.SAME_PERSON_TWICE: "Nothing to do: the person is taken once.",
    Reason.TEXT_TOO_LONG: "Shorten the text; something else may have slipped into this column.",
    Reason.NO_NAME_TEXT: "A name holds letters, not a web address; check the column.",
}


class Finding(NamedTuple):
    """One thing to say about one cell: the column in our words, the value as given, the reason."""

    column: str
    value: str
    reason: Reason
