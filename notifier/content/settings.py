"""The settings of the texts: how old an officer's check may be, and what a text message costs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class ContentSettings:
    """`[content]`: what coverage and previews reckon with.

    `contacts_max_age_days` is how long an officer's check of a contact holds. `sms_price_per_part` maps a country (ISO
    3166-1 alpha-2) to the price of one part of a text message in `sms_currency`; without it only parts are shown.
    """

    contacts_max_age_days: int = 90
    sms_price_per_part: Mapping[str, Decimal] = field(default_factory=dict)
    sms_currency: str = ""
