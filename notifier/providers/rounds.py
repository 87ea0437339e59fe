"""One call of `send` where every message is taken by itself: who is waiting, what came back, and when to stop."""

from collections import deque

from notifier.providers.base import AccountTrouble, ProviderError, Receipt, Temporary


class Round:
    """Numbers 0 to `size` - 1, each settled once with a receipt."""

    def __init__(self, size: int) -> None:
        self._waiting = deque(range(size))
        self._receipts: list[Receipt | None] = [None] * size
        self._stopped: ProviderError | None = None

    @property
    def has_waiting(self) -> bool:
        """Whether somebody is still to be written to."""
        return bool(self._waiting) and self._stopped is None

    def next(self) -> int | None:
        """Return the next to be written to, or None when that is all."""
        return self._waiting.popleft() if self.has_waiting else None

    def put_back(self, number: int) -> None:
        """Return a number whose message never left."""
        self._waiting.appendleft(number)

    def settle(self, number: int, receipt: Receipt) -> None:
        """Keep the answer for one. Trouble with the account stops the round: nobody else would be taken."""
        self._receipts[number] = receipt
        if isinstance(receipt.error, AccountTrouble):
            self._stopped = receipt.error

    def stop(self, reason: ProviderError) -> None:
        """Write to nobody else, for this reason."""
        self._stopped = self._stopped or reason

    def receipts(self) -> list[Receipt]:
        """Return a receipt for everybody; raise instead if the account was refused or nothing was even tried."""
        reason = self._stopped or Temporary("It was not sent: the connection was lost", code="not_sent")
        if self._stopped and all(one is None or isinstance(one.error, AccountTrouble) for one in self._receipts):
            raise reason
        return [one or Receipt(error=reason) for one in self._receipts]
