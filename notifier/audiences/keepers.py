"""Which contact lists are whose: a school's user sees and changes the lists entrusted to them, and no other.

The police team keeps every list. Nothing here asks what else a role may do: `accounts.users` does.
"""

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from notifier.accounts.audit import record
from notifier.accounts.models import User, UserRole
from notifier.audiences.lists import find_list
from notifier.audiences.models import ContactList, ListKeeper
from notifier.kit.db import insert_or_skip
from notifier.kit.errors import Conflict, NotFound


def entrust(session: Session, code: str, to: User, *, by: User, now: datetime) -> bool:
    """Let a school's user keep a list; return whether that is new. Raises NotFound, or Conflict for another role."""
    found = find_list(session, code)
    if to.role != UserRole.SCHOOL:
        raise Conflict(f"{to.email} is {to.role} and keeps every list; lists are entrusted to users of schools")
    row = {"list_id": found.id, "user_id": to.id, "since": now}
    made = session.execute(insert_or_skip(session, ListKeeper).values(row).returning(ListKeeper.list_id)).first()
    if made is not None:
        record(
            session, actor=by.email, action="list.entrusted", subject=f"list {code}", at=now, detail={"to": to.email}
        )
    return made is not None


def take_back(session: Session, code: str, keeper: User, *, by: User, now: datetime) -> None:
    """Let a user no longer keep a list. Raises NotFound if they do not."""
    found = find_list(session, code)
    gone = delete(ListKeeper).where(ListKeeper.list_id == found.id, ListKeeper.user_id == keeper.id)
    if session.execute(gone.returning(ListKeeper.list_id)).first() is None:
        raise NotFound(f"{keeper.email} does not keep the list {code}; `notifier users list` shows who keeps which")
    detail = {"from": keeper.email}
    record(session, actor=by.email, action="list.taken_back", subject=f"list {code}", at=now, detail=detail)


def kept_by(session: Session, user: User) -> list[str] | None:
    """Return the codes of the lists a user keeps, in order; None for the police team, who keep them all."""
    if user.role != UserRole.SCHOOL:
        return None
    mine = select(ContactList.code).join(ListKeeper, ListKeeper.list_id == ContactList.id)
    return list(session.scalars(mine.where(ListKeeper.user_id == user.id).order_by(ContactList.code)))


def require_keeper(session: Session, user: User, code: str) -> ContactList:
    """Return the list of that code if the user keeps it.

    Raises NotFound both for a list there is not and for another school's, so that nobody learns who has lists here.
    """
    kept = kept_by(session, user)
    if kept is not None and code not in kept:
        yours = ", ".join(kept) or "none yet; an officer entrusts one with `notifier lists entrust`"
        raise NotFound(f"There is no contact list {code!r} that {user.email} keeps; theirs: {yours}")
    return find_list(session, code)
