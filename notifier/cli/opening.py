"""Opening the installation for a command, and who may look into it.

Whoever can run a command on this machine is trusted with the database; `--as` says which user acts, so that the right
people decide and the trail can tell. What is personal is shown to a named user only, and that it was is noted in the
audit trail before anything is shown: who, when, what, never the data itself (docs/decisions/0071).
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from notifier import config
from notifier.accounts import audit, users
from notifier.accounts.models import User, UserRole
from notifier.audiences import keepers
from notifier.bootstrap import House
from notifier.kit.errors import Conflict


@contextmanager
def house() -> Iterator[House]:
    """Open the installation of the working folder, and close it again."""
    opened = House(config.load(Path.cwd(), os.environ))
    try:
        yield opened
    finally:
        opened.close()


def look(
    opened: House,
    email: str,
    *,
    action: str,
    subject: str,
    doing: str,
    roles: frozenset[UserRole] = users.MAY_SEE_PEOPLE,
    detail: Mapping[str, Any] | None = None,
) -> User:
    """Let a user see what is personal, and note that they did. Raises NotFound or Conflict if they may not."""
    with opened.database.transaction() as session:
        by = users.acting(session, email, roles, doing)
        audit.record(session, actor=by.email, action=action, subject=subject, at=opened.clock(), detail=detail)
    return by


def own_school(opened: House, email: str | None, code: str | None) -> str | None:
    """Return the code of the list somebody asks about: a school's user asks about one of their own.

    Left out, it is their only one; for the police team, and for nobody named, it stays as asked. Raises NotFound for
    another school's list, Conflict for a user who keeps none, or several and names none.
    """
    if email is None:
        return code
    with opened.database.reading() as session:
        user = users.find(session, email)
        kept = keepers.kept_by(session, user)
        if kept is None:
            return code
        if code is not None:
            return keepers.require_keeper(session, user, code).code
    if len(kept) != 1:
        which = f"name one of theirs with --school: {', '.join(kept)}" if kept else "an officer entrusts one to them"
        raise Conflict(f"{user.email} keeps {len(kept)} lists and sees one school at a time; {which}")
    return kept[0]
