"""What a judged file would change in its list, asked of whole sets of rows.

`Terms` are the conditions that both the question (here) and the carrying out (`applying`) are made of, so that what was
shown is what is done. Only `importer` and `applying` use this.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select
from sqlalchemy.orm import Session, aliased

from notifier.audiences.models import (
    Address,
    Import,
    ImportMode,
    ImportRow,
    ListChoice,
    Subscription,
    SubscriptionStatus,
    Suppression,
)
from notifier.audiences.permission import Term
from notifier.audiences.settling import drop_erased, taken
from notifier.audiences.verdicts import Verdict

_PLAIN = ("reference", "given_name", "family_name", "year_levels", "language")
_Email, _Mobile = aliased(Address), aliased(Address)


@dataclass(frozen=True, slots=True)
class Difference:
    """What an import would do, or did.

    `rows` = taken + refused + duplicates, where a taken row is added, changed or unchanged. `rewritten` rows were
    accepted with a change. `left_alone` rows hold an address that may not be written to: an upload does not undo that.
    `fields` counts the changed people field by field.
    """

    people_before: int = 0
    rows: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    refused: int = 0
    duplicates: int = 0
    rewritten: int = 0
    left_alone: int = 0
    fields: Mapping[str, int] = field(default_factory=dict)

    def as_counts(self) -> dict[str, Any]:
        """Return the numbers, for storage or for a program to read."""
        return asdict(self)

    @classmethod
    def from_counts(cls, counts: Mapping[str, Any]) -> Self:
        """Return the difference that was stored."""
        return cls(**counts)

    @property
    def changes_nothing(self) -> bool:
        """Whether the list already is what the file says."""
        return not (self.added or self.changed or self.removed)


class Terms:
    """The conditions of one import. In merge mode an empty cell says nothing; in replace mode it empties the field."""

    def __init__(self, started: Import, default_role: str) -> None:
        self.import_id, self.list_id, self.mode = started.id, started.list_id, ImportMode(started.mode)
        row, there = ImportRow, Subscription
        self.is_new: ColumnElement[bool] = or_(there.id.is_(None), there.status == SubscriptionStatus.REMOVED.value)
        self.values: dict[str, Term] = {
            **{name: self._value(getattr(row, name), getattr(there, name)) for name in _PLAIN},
            "role": func.coalesce(self._value(row.role, there.role), default_role),
        }
        self.first_values: dict[str, Term] = {
            **{name: getattr(row, name) for name in _PLAIN},
            "role": func.coalesce(row.role, default_role),
        }
        self.email_key = self._value(row.email_key, _Email.key)
        self.mobile_key = self._value(row.mobile_key, _Mobile.key)
        self.differences: dict[str, ColumnElement[bool]] = {
            **{name: getattr(there, name).is_distinct_from(value) for name, value in self.values.items()},
            "email": _Email.key.is_distinct_from(self.email_key),
            "mobile": _Mobile.key.is_distinct_from(self.mobile_key),
        }
        self.is_changed: ColumnElement[bool] = and_(~self.is_new, or_(*self.differences.values()))

    def _value(self, given: Term, before: Term) -> Term:
        return given if self.mode is ImportMode.REPLACE else func.coalesce(given, before)

    def matched(self, *columns: Term) -> Select[Any]:
        """Select from the rows that will be carried out, each with the person it stands for, if there is one."""
        return (
            select(*columns)
            .select_from(ImportRow)
            .outerjoin(
                Subscription, and_(Subscription.list_id == self.list_id, Subscription.row_key == ImportRow.row_key)
            )
            .outerjoin(_Email, _Email.id == Subscription.email_address_id)
            .outerjoin(_Mobile, _Mobile.id == Subscription.sms_address_id)
            .where(*taken(self.import_id))
        )

    def newcomers(self, *columns: Term) -> Select[Any]:
        """Select from the rows of people this list has never seen."""
        return (
            self.everybody(*columns)
            .outerjoin(
                Subscription, and_(Subscription.list_id == self.list_id, Subscription.row_key == ImportRow.row_key)
            )
            .where(Subscription.id.is_(None))
        )

    def everybody(self, *columns: Term) -> Select[Any]:
        """Select from the rows that will be carried out; of a list nobody was ever on, they are all newcomers."""
        return select(*columns).select_from(ImportRow).where(*taken(self.import_id))

    @property
    def absent(self) -> ColumnElement[bool]:
        """What makes a person one who is on the list and not in the file: set against set, which needs no index."""
        person = aliased(Subscription)
        here = select(person.row_key).where(
            person.list_id == self.list_id, person.status == SubscriptionStatus.ACTIVE.value
        )
        gone = here.except_(select(ImportRow.row_key).where(*taken(self.import_id)))
        return and_(*self.on_list, Subscription.row_key.in_(gone))

    @property
    def on_list(self) -> tuple[ColumnElement[bool], ...]:
        """What makes a person one who is on the list."""
        return Subscription.list_id == self.list_id, Subscription.status == SubscriptionStatus.ACTIVE.value


def work_out(session: Session, started: Import, default_role: str) -> Difference:
    """Count what an import would do."""
    verdicts = _verdicts(session, started.id)
    left_alone = _left_alone(session, started)
    drop_erased(session, started.id)
    terms = Terms(started, default_role)
    counted = _counted(session, terms) if has_people(session, started.list_id) else _newcomers(session, terms)
    gone = _people(session, terms.absent) if terms.mode is ImportMode.REPLACE else 0
    return Difference(
        people_before=_people(session, *terms.on_list),
        rows=sum(verdicts.values()),
        added=counted.added,
        changed=counted.changed,
        removed=gone,
        unchanged=counted.unchanged,
        refused=verdicts.get(Verdict.REFUSED.value, 0),
        duplicates=verdicts.get(Verdict.DUPLICATE.value, 0),
        rewritten=verdicts.get(Verdict.CHANGED.value, 0),
        left_alone=left_alone,
        fields=counted.fields,
    )


def has_people(session: Session, list_id: int) -> bool:
    """Whether anybody is on a list, or ever was. Without anybody most questions need not be asked."""
    return session.scalar(select(Subscription.id).where(Subscription.list_id == list_id).limit(1)) is not None


@dataclass(frozen=True, slots=True)
class _Counted:
    """What becomes of the rows that are taken."""

    added: int
    changed: int = 0
    unchanged: int = 0
    fields: Mapping[str, int] = field(default_factory=dict)


def _newcomers(session: Session, terms: Terms) -> _Counted:
    return _Counted(added=session.scalar(terms.everybody(func.count())) or 0)


def _counted(session: Session, terms: Terms) -> _Counted:
    row = session.execute(
        terms.matched(
            func.count().label("taken"),
            _how_many(terms.is_new).label("added"),
            _how_many(terms.is_changed).label("changed"),
            *(_how_many(and_(~terms.is_new, differs)).label(name) for name, differs in terms.differences.items()),
        )
    ).one()
    fields = {name: getattr(row, name) for name in terms.differences if getattr(row, name)}
    return _Counted(row.added, row.changed, row.taken - row.added - row.changed, fields)


def _how_many(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _people(session: Session, *conditions: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(Subscription).where(*conditions)) or 0


def _verdicts(session: Session, import_id: int) -> dict[str, int]:
    rows = session.execute(
        select(ImportRow.verdict, func.count()).where(ImportRow.import_id == import_id).group_by(ImportRow.verdict)
    )
    return dict(rows.all())


def _left_alone(session: Session, started: Import) -> int:
    """Count rows with an address that is suppressed, or whose owner left this list. Who they are is not said."""
    suppressed = select(Suppression.address_key)
    left = (
        select(Address.key)
        .join(ListChoice, ListChoice.address_id == Address.id)
        .where(ListChoice.list_id == started.list_id, ~ListChoice.wanted)
    )
    away = suppressed.union(left)
    return (
        session.scalar(
            select(func.count())
            .select_from(ImportRow)
            .where(*taken(started.id), or_(ImportRow.email_key.in_(away), ImportRow.mobile_key.in_(away)))
        )
        or 0
    )
