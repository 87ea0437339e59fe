"""Which provider of a channel to use now: the first whose circuit is closed.

A circuit opens after so many calls in a row that failed for reasons of the provider, rests, then lets one call through
to see; if that succeeds it closes by itself. Using the second provider can never send twice, because only what the
first one has refused in so many words is ever queued again; what it may have taken is `unknown` and waits for proof.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from notifier.providers.base import AccountTrouble, Ambiguous, Provider, ProviderError, Receipt, Temporary


@dataclass(frozen=True, slots=True)
class CircuitSettings:
    """`[circuit]`: when a provider counts as failing.

    `failures`: calls in a row that open the circuit. `rest_s`: seconds before one call is let through again.
    """

    failures: int = 5
    rest_s: float = 30.0


class Switch:
    """The providers of one channel in order of preference, with a circuit each."""

    def __init__(self, providers: Sequence[Provider], settings: CircuitSettings) -> None:
        self._providers = providers
        self._settings = settings
        self._failures = dict.fromkeys((provider.name for provider in providers), 0)
        self._closed_again: dict[str, datetime] = {}

    def choose(self, now: datetime) -> Provider:
        """Return the first provider that may be called; if all are failing, the one that rests the shortest."""
        for provider in self._providers:
            if now >= self._closed_again.get(provider.name, now):
                return provider
        return min(self._providers, key=lambda provider: self._closed_again[provider.name])

    def note(self, provider: Provider, answer: Sequence[Receipt] | ProviderError, now: datetime) -> None:
        """Learn from one call."""
        if not _is_the_providers_fault(answer):
            self._failures[provider.name] = 0
            self._closed_again.pop(provider.name, None)
            return
        self._failures[provider.name] += 1
        if self._failures[provider.name] >= self._settings.failures:
            self._closed_again[provider.name] = now + timedelta(seconds=self._settings.rest_s)


def _is_the_providers_fault(answer: Sequence[Receipt] | ProviderError) -> bool:
    if isinstance(answer, ProviderError):
        return isinstance(answer, Temporary | Ambiguous | AccountTrouble)
    return bool(answer) and all(isinstance(receipt.error, Temporary | Ambiguous) for receipt in answer)
