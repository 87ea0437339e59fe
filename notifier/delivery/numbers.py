"""The numbers text messages go from, each with a speed of its own; a recipient always sees the same one."""

from dataclasses import dataclass

from notifier.kit.errors import Invalid


@dataclass(frozen=True, slots=True)
class Number:
    """One sender: a phone number or a name, and how many parts a second it may send (0: as many as the provider)."""

    value: str
    parts_per_second: float = 0.0


def read_numbers(text: str) -> tuple[Number, ...]:
    """Read `+61480000000@10, +61480000001@1`: senders separated by commas, each with its speed if it has one.

    Raises Invalid if there is none, or a speed is no number.
    """
    found = tuple(_read_one(part.strip()) for part in text.split(",") if part.strip())
    if not found:
        raise Invalid("The setting sender.sms (NOTIFIER_SENDER_SMS) names no sender; write for example +61480000000")
    return found


def number_of(numbers: tuple[Number, ...], address_id: int) -> str:
    """Return the sender an address hears from in every campaign: a known number is trusted, and STOP reaches it."""
    return numbers[address_id % len(numbers)].value


def _read_one(text: str) -> Number:
    value, _, speed = text.partition("@")
    try:
        parts_per_second = float(speed or 0)
    except ValueError:
        parts_per_second = -1.0
    if not value or parts_per_second < 0:
        raise Invalid(f"{text!r} in sender.sms is no sender with its speed; write for example +61480000000@10")
    return Number(value, parts_per_second)
