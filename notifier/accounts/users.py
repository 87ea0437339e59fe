"""People who may act, and what their role lets them do."""

from datetime import datetime

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.accounts.audit import record
from notifier.accounts.models import User, UserRole
from notifier.kit.errors import Conflict, Invalid, NotFound

# Who may do what: docs/commands.md says it in a table, and a test holds every command to it (docs/decisions/0071).
# An approver may draft too, but nobody approves what they submitted themselves.
MAY_DRAFT = frozenset({UserRole.OFFICER, UserRole.APPROVER, UserRole.ADMINISTRATOR})
MAY_APPROVE = frozenset({UserRole.APPROVER})
# Addresses, names, what people wrote; suppressing and erasing. The police team, never a school.
MAY_SEE_PEOPLE = MAY_DRAFT
# A school keeps the lists that were entrusted to it, and sees what became of their people (audiences.keepers).
MAY_KEEP_LISTS = MAY_DRAFT | {UserRole.SCHOOL}
MAY_ADD_USERS = frozenset({UserRole.ADMINISTRATOR})

# The actor in the audit trail where a command names nobody: whoever is trusted with the machine and its database.
COMMAND_LINE = "command line"


def add(session: Session, *, email: str, name: str, role: UserRole, now: datetime, actor: str = COMMAND_LINE) -> User:
    """Add a user. Raises Invalid for an address that is none, Conflict if it is taken."""
    normal = _normal(email)
    if session.scalar(select(User.id).where(User.email == normal)):
        raise Conflict(f"There is already a user {normal}; `notifier users list` shows everybody")
    user = User(email=normal, name=name.strip() or normal, role=role, created_at=now)
    session.add(user)
    record(session, actor=actor, action="user.added", subject=f"user {normal}", at=now, detail={"role": role})
    return user


def find(session: Session, email: str) -> User:
    """Return a user who may act. Raises NotFound for an unknown or disabled one."""
    user = session.scalar(select(User).where(User.email == email.strip().lower(), User.disabled_at.is_(None)))
    if user is None:
        raise NotFound(
            f"There is no user {email}; add one with `notifier users add {email} --name NAME --role officer`"
        )
    return user


def acting(session: Session, email: str, roles: frozenset[UserRole], doing: str) -> User:
    """Return the user who does something. Raises NotFound for an unknown one, Conflict if their role is not enough."""
    user = find(session, email)
    require(user, roles, doing)
    return user


def everybody(session: Session) -> list[User]:
    """Return all users by address."""
    return list(session.scalars(select(User).order_by(User.email)))


def require(user: User, roles: frozenset[UserRole], doing: str) -> None:
    """Raise Conflict unless the user's role is one of those."""
    if UserRole(user.role) not in roles:
        allowed = " or ".join(sorted(roles))
        raise Conflict(f"{user.email} is {user.role}; {doing} takes an {allowed} (`notifier users list` names them)")


def _normal(email: str) -> str:
    try:
        return validate_email(email.strip(), check_deliverability=False, test_environment=True).normalized.lower()
    except EmailNotValidError as wrong:
        raise Invalid(f"{email!r} is not an email address: {wrong}") from wrong
