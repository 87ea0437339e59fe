"""Users: who may act, and how an unknown one is refused."""

from datetime import datetime

import pytest

from notifier.accounts import users
from notifier.accounts.audit import trail
from notifier.accounts.models import UserRole
from notifier.kit.db import Database
from notifier.kit.errors import Conflict, Invalid, NotFound


def test_a_user_is_found_by_address_in_any_case(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        users.add(session, email="Ada@Police.example", name="Ada", role=UserRole.OFFICER, now=now)
    with database.reading() as session:
        assert users.find(session, "ADA@police.EXAMPLE").name == "Ada"
        assert [entry.action for entry in trail(session, "user ada@police.example")] == ["user.added"]


def test_the_same_address_cannot_be_added_twice(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        users.add(session, email="ada@police.example", name="Ada", role=UserRole.OFFICER, now=now)
        with pytest.raises(Conflict, match=r"already a user ada@police\.example"):
            users.add(session, email="ada@police.example", name="Eve", role=UserRole.APPROVER, now=now)


def test_an_unknown_user_is_refused_with_the_way_out(database: Database) -> None:
    with database.reading() as session, pytest.raises(NotFound, match="notifier users add"):
        users.find(session, "nobody@police.example")


def test_an_address_that_is_none_is_refused(database: Database, now: datetime) -> None:
    with database.transaction() as session, pytest.raises(Invalid, match="not an email address"):
        users.add(session, email="ada", name="Ada", role=UserRole.OFFICER, now=now)


def test_a_role_that_is_not_enough_is_named(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        officer = users.add(session, email="ada@police.example", name="Ada", role=UserRole.OFFICER, now=now)
        with pytest.raises(Conflict, match="approving takes an approver"):
            users.require(officer, users.MAY_APPROVE, "approving")
