"""How often one address, network or link may do something in a while: a counter per window, shared by every process.

A window is known by the unix time it begins at. Meant for what costs money or annoys people (a confirmation message, a
guess at a code); one-click unsubscribe never asks here. A scope is stored as a keyed hash, and old windows are pruned.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from notifier.kit.errors import Conflict
from notifier.tracking.models import Allowance

_KEPT = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `times` in every window of `seconds`."""

    name: str
    times: int
    seconds: int


class TooOften(Conflict):
    """The allowance of this window is used up."""


def use(session: Session, secret: bytes, limit: Limit, who: str, *, now: datetime) -> None:
    """Count one use of an allowance. Raises TooOften if there is none left in this window."""
    scope = hmac.digest(secret, f"allowance\0{limit.name}\0{who}".encode(), "sha256")[:16]
    moment = int(now.timestamp())
    counted = insert(Allowance).values(scope=scope, window=moment - moment % limit.seconds, used=1)
    used = session.scalar(
        counted.on_conflict_do_update(
            index_elements=[Allowance.scope, Allowance.window], set_={"used": Allowance.used + 1}
        ).returning(Allowance.used)
    )
    if used is not None and used > limit.times:
        raise TooOften(f"This was done {limit.times} times already; please try again later")


def prune(session: Session, *, now: datetime) -> int:
    """Forget the windows that are long over; return how many rows that were."""
    oldest = int((now - _KEPT).timestamp())
    return session.connection().execute(delete(Allowance).where(Allowance.window < oldest)).rowcount
