"""Wishes to be written to, from the moment somebody types an address until its owner confirms it or time runs out.

An email is confirmed by a button behind a sealed link, a mobile number by a code of six digits. What is not confirmed
is forgotten; what is confirmed becomes the audiences room's.
"""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from notifier.audiences.signing_up import Place, SigningUp, sign_up
from notifier.kit.errors import Conflict
from notifier.kit.tokens import address_key
from notifier.tracking.models import SignUp
from notifier.vocabulary import Channel

_EMAIL_VALID = timedelta(hours=48)
_CODE_VALID = timedelta(minutes=30)
# A button pressed twice, or a page loaded again, is answered as the first time; later the link is used up.
_SAME_PRESS = timedelta(minutes=10)
_MOST_TRIES = 5
_CODE_DIGITS = 6


class NotConfirmed(Conflict):
    """The link is too old, was used, or the code is not the one that was sent."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A wish that was written down: its id, and for a mobile number the code to send."""

    sign_up_id: int
    code: str | None


def ask_to_confirm(
    session: Session, secret: bytes, channel: Channel, value: str, wishes: Mapping[str, Any], *, now: datetime
) -> Pending:
    """Write a wish down, to be confirmed by the owner of the address."""
    key = address_key(secret, channel, value)
    code = f"{secrets.randbelow(10**_CODE_DIGITS):0{_CODE_DIGITS}}" if channel is Channel.SMS else None
    pending = SignUp(
        channel=channel,
        destination=value,
        address_key=key,
        secret=None if code is None else _sealed(secret, key, code),
        wishes=dict(wishes),
        tries=0,
        asked_at=now,
        expires_at=now + (_EMAIL_VALID if code is None else _CODE_VALID),
    )
    session.add(pending)
    session.flush()
    return Pending(pending.id, code)


def still_open(session: Session, sign_up_id: int, *, now: datetime) -> SignUp | None:
    """Return a wish that waits for its confirmation, or None."""
    found = session.get(SignUp, sign_up_id, populate_existing=True)
    return found if found is not None and found.confirmed_at is None and found.expires_at > now else None


def confirm(session: Session, secret: bytes, sign_up_id: int, code: str, *, now: datetime) -> bool:
    """Confirm a wish; return whether it was confirmed. A wrong code uses up one of five tries.

    A button pressed twice is confirmed twice, which changes nothing more. Raises NotConfirmed where there is nothing to
    confirm (any more).
    """
    if _is_confirmed(session, secret, sign_up_id, code, now=now):
        return True
    wish = still_open(session, sign_up_id, now=now)
    if wish is None or wish.tries >= _MOST_TRIES or wish.destination is None:
        raise NotConfirmed("There is nothing to confirm here any more; please sign up again")
    wish.tries += 1
    if wish.secret is not None and not hmac.compare_digest(wish.secret, _sealed(secret, wish.address_key, code)):
        session.flush()
        return False
    sign_up(session, _signing_up(wish, wish.destination), secret=secret, now=now)
    wish.confirmed_at, wish.destination = now, None
    session.flush()
    return True


def _is_confirmed(session: Session, secret: bytes, sign_up_id: int, code: str, *, now: datetime) -> bool:
    """Whether this very proof has confirmed the wish a moment ago."""
    found = session.get(SignUp, sign_up_id, populate_existing=True)
    if found is None or found.confirmed_at is None or found.confirmed_at + _SAME_PRESS < now:
        return False
    return found.secret is None or hmac.compare_digest(found.secret, _sealed(secret, found.address_key, code))


def prune(session: Session, *, now: datetime) -> int:
    """Forget the wishes that were not confirmed in time, and those that were; return how many."""
    gone = delete(SignUp).where(SignUp.expires_at < now)
    return session.connection().execute(gone).rowcount


def _sealed(secret: bytes, key: bytes, code: str) -> bytes:
    return hmac.digest(secret, key + code.encode(), "sha256")


def _signing_up(wish: SignUp, value: str) -> SigningUp:
    place = Place(**wish.wishes["place"])
    return SigningUp(
        channel=Channel(wish.channel),
        value=value,
        place=place,
        language=wish.wishes["language"],
        declined=frozenset(wish.wishes["declined"]),
        wording=wish.wishes["wording"],
    )
