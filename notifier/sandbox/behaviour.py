"""How the sandbox shall misbehave: by rates for everybody, and by special recipients as the real services have them."""

from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from random import Random
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from notifier.kit.errors import Invalid

T = TypeVar("T")


class Outcome(StrEnum):
    """What becomes of one accepted message."""

    DELIVERED = "delivered"
    BOUNCED = "bounced"
    BLOCKED = "blocked"
    DEFERRED = "deferred"
    DROPPED = "dropped"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    SILENT = "silent"


class Answer(StrEnum):
    """What becomes of a request."""

    TAKE = "take"
    THROTTLE = "throttle"
    FAIL = "fail"
    REFUSE = "refuse"
    CUT = "cut"
    LOSE = "lose"
    HANG = "hang"


# The part of an email address before "@" (or "+") that asks for an outcome, at any domain nobody can own.
SPECIAL_EMAIL = {
    "bounce": Outcome.BOUNCED,
    "block": Outcome.BLOCKED,
    "defer": Outcome.DEFERRED,
    "drop": Outcome.DROPPED,
    "complain": Outcome.COMPLAINED,
    "unsubscribe": Outcome.UNSUBSCRIBED,
    "silent": Outcome.SILENT,
}
REFUSED_EMAIL = "refuse"
_RESERVED_ENDINGS = (".example", ".test", ".invalid", "@example.com", "@example.net", "@example.org")

# Twilio's own magic numbers, refused when the message is created.
MAGIC_NUMBERS = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}

# Ours, in the same range: accepted, and undelivered later with the error code.
FAILING_NUMBERS = {
    "+15005550033": 30003,
    "+15005550034": 30004,
    "+15005550035": 30005,
    "+15005550036": 30006,
    "+15005550037": 30007,
    "+15005550038": 30008,
}
SILENT_NUMBER = "+15005550040"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What the sandbox does to requests, messages and webhooks. Rates are shares of 1; everything is off by default.

    Requests: `latency_s` before every answer; `throttle_rate` (429 with `retry_after_s`), `error_rate` (500) and
    `cut_rate` (connection dropped) before anything is taken; `lose_rate` (connection dropped) and `hang_rate` (no
    answer for `hang_s`) after everything was taken.
    Messages: `refuse_rate` (an SMS refused as no number), `bounce_rate`, `block_rate`, `defer_rate`, `drop_rate`,
    `complaint_rate`, `silent_rate` (no webhook at all).
    Webhooks: `webhook_delay_s` at most, `duplicate_rate`, `reorder` (1 shuffles all).
    `advanced_opt_out` 1 makes Twilio say OptOutType. `seed` makes the dice fall the same way again.
    """

    latency_s: float = 0.0
    throttle_rate: float = 0.0
    retry_after_s: float = 1.0
    error_rate: float = 0.0
    cut_rate: float = 0.0
    lose_rate: float = 0.0
    hang_rate: float = 0.0
    hang_s: float = 60.0
    refuse_rate: float = 0.0
    bounce_rate: float = 0.0
    block_rate: float = 0.0
    defer_rate: float = 0.0
    drop_rate: float = 0.0
    complaint_rate: float = 0.0
    silent_rate: float = 0.0
    webhook_delay_s: float = 0.0
    duplicate_rate: float = 0.0
    reorder: float = 0.0
    advanced_opt_out: float = 0.0
    seed: int = 0

    def changed(self, changes: dict[str, Any]) -> "Behaviour":
        """Return this behaviour with some of it changed. Raises Invalid for a word or value it does not know."""
        known = [field.name for field in fields(self)]
        unknown = sorted(set(changes) - set(known))
        if unknown:
            raise Invalid(f"The sandbox has no behaviour {', '.join(unknown)}; it knows {', '.join(known)}.")
        try:
            return TypeAdapter(Behaviour).validate_python(asdict(self) | changes)
        except ValidationError as wrong:
            raise Invalid(f"That behaviour cannot be used: {wrong.errors()[0]['msg']}.") from wrong


class Dice:
    """The chances of one behaviour, thrown in the order of arrival."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self._random = Random(behaviour.seed)  # noqa: S311 - it decides about pretence, not about secrets
        self._answers = _shares(
            (Answer.THROTTLE, behaviour.throttle_rate),
            (Answer.FAIL, behaviour.error_rate),
            (Answer.CUT, behaviour.cut_rate),
            (Answer.LOSE, behaviour.lose_rate),
            (Answer.HANG, behaviour.hang_rate),
        )
        self._outcomes = _shares(
            (Outcome.BOUNCED, behaviour.bounce_rate),
            (Outcome.BLOCKED, behaviour.block_rate),
            (Outcome.DEFERRED, behaviour.defer_rate),
            (Outcome.DROPPED, behaviour.drop_rate),
            (Outcome.COMPLAINED, behaviour.complaint_rate),
            (Outcome.SILENT, behaviour.silent_rate),
        )

    def answer(self) -> Answer:
        """Decide about one request."""
        return self._throw(self._answers) or Answer.TAKE

    def email_outcomes(self, destinations: list[str]) -> dict[int, Outcome]:
        """Decide about the messages of one request; whoever is not named is simply delivered to."""
        found = {
            place: outcome
            for place, address in enumerate(destinations)
            if (outcome := SPECIAL_EMAIL.get(special(address)))
        }
        if self._outcomes:
            for place in range(len(destinations)):
                thrown = self._throw(self._outcomes)
                if thrown and place not in found:
                    found[place] = thrown
        return found

    def sms_outcome(self) -> Outcome:
        """Decide about one text message."""
        return self._throw(self._outcomes) or Outcome.DELIVERED

    def happens(self, rate: float) -> bool:
        """Throw for one chance."""
        return rate > 0 and self._random.random() < rate

    def webhook_delay_s(self) -> float:
        """Return how long one webhook is held back."""
        return self._random.random() * self.behaviour.webhook_delay_s

    def shuffle(self, things: list[Any]) -> None:
        """Put things out of order, where the behaviour says so."""
        if self.happens(self.behaviour.reorder):
            self._random.shuffle(things)

    def _throw(self, shares: list[tuple[float, T]]) -> T | None:
        if not shares:
            return None
        thrown = self._random.random()
        return next((thing for limit, thing in shares if thrown < limit), None)


def special(address: str) -> str:
    """Return the part of a reserved address that may ask for an outcome, or nothing."""
    if not address.endswith(_RESERVED_ENDINGS):
        return ""
    return address.partition("@")[0].partition("+")[0]


def _shares(*rates: tuple[T, float]) -> list[tuple[float, T]]:
    shares, limit = [], 0.0
    for thing, rate in rates:
        if rate > 0:
            limit += rate
            shares.append((limit, thing))
    return shares
