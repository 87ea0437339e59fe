"""What an officer may choose for a campaign beyond its schedule; kept, hashed and approved with the campaign."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from notifier.content.languages import canonical
from notifier.kit.errors import Invalid

# Beyond any campaign there will be; a mistyped number is refused here and not by a clock or a column.
MOST_RECIPIENTS = 1_000_000_000
LONGEST_WAIT_S = 30 * 86_400


@dataclass(frozen=True, slots=True)
class Options:
    """The choices, each with what holds if nothing is chosen.

    `canary_first`: so many go first (0: everybody at once); the rest follows when `canary_wait_s` seconds have passed
    with good results or, with `canary_yes`, when a person says so. `max_per_minute`: the most messages of this campaign
    that leave in a minute (0: no limit of its own). `override_quiet_hours`: for urgent campaigns. `sms_after_bounce_s`:
    under `email_then_sms`, how long after its email a hard bounce still leads to an SMS. `second_language` stands below
    the reader's own in every email (BCP 47; "" for none).
    """

    canary_first: int = 0
    canary_wait_s: float = 1_800.0
    canary_yes: bool = False
    max_per_minute: int = 0
    override_quiet_hours: bool = False
    sms_after_bounce_s: float = 86_400.0
    second_language: str = ""

    def check(self, *, urgent: bool) -> None:
        """Raise Invalid if the choices cannot be."""
        if not (0 <= self.canary_first <= MOST_RECIPIENTS and 0 <= self.max_per_minute <= MOST_RECIPIENTS):
            raise Invalid(f"A number of recipients or messages lies between 0 and {MOST_RECIPIENTS}")
        if not (0 <= self.canary_wait_s <= LONGEST_WAIT_S and 0 <= self.sms_after_bounce_s <= LONGEST_WAIT_S):
            raise Invalid(f"A campaign waits for at most {LONGEST_WAIT_S // 86_400} days after its first messages")
        if self.canary_yes and not self.canary_first:
            raise Invalid("A yes after the first recipients was asked for, but not how many go first (--canary N)")
        if self.second_language and canonical(self.second_language) is None:
            raise Invalid(f"{self.second_language!r} is not a language tag; write for example en-AU")
        if self.override_quiet_hours and not urgent:
            raise Invalid("Only an urgent campaign may be sent in quiet hours; add --urgent if it is one")

    def chosen(self) -> dict[str, Any]:
        """Return what differs from the defaults, as the campaign keeps it."""
        default = Options()
        return {name: value for name, value in asdict(self).items() if value != getattr(default, name)}

    def in_words(self) -> list[str]:
        """Return the choices as an approver should read them."""
        then = "a person has to say yes" if self.canary_yes else f"{self.canary_wait_s / 60:g} minutes of good results"
        said = (
            (self.canary_first, f"the first {self.canary_first} go ahead, the rest after {then}"),
            (self.max_per_minute, f"at most {self.max_per_minute} messages leave in a minute"),
            (self.override_quiet_hours, "quiet hours are overridden"),
            (self.second_language, f"every email has {self.second_language} below the reader's own language"),
        )
        return [sentence for chosen, sentence in said if chosen]


def read(options: Mapping[str, Any]) -> Options:
    """Read the choices a campaign keeps."""
    known = {field.name for field in fields(Options)}
    return Options(**{name: value for name, value in options.items() if name in known})
