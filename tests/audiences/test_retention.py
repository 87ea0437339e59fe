"""The rows of an old upload go in small steps, and never take a list with them."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from notifier.audiences import downloads, lists
from notifier.audiences.models import Import, ImportRow, Subscription
from notifier.audiences.retention import prune_uploads
from notifier.kit.errors import NotFound
from tests.audiences.conftest import School

FILE = "Email,First name\na@example.org,A\nb@example.org,B\nc@example.org,C\n"


def steps(school: School, days: int) -> list[int]:
    """Forget in steps of two rows, with whatever began more than `days` before the tests' moment."""
    with school.database.transaction() as session:
        before = school.now - timedelta(days=days)
        return [prune_uploads(session, before=before, limit=2) for _ in range(3)]


def test_an_upload_that_is_carried_out_loses_its_rows_and_leaves_the_list(school: School) -> None:
    school.upload(FILE)
    assert steps(school, 1) == [0, 0, 0]
    assert steps(school, -1) == [2, 1, 0]
    with school.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Subscription)) == 3
        assert session.scalars(select(Import.status)).all() == ["applied"]


def test_an_upload_that_waited_too_long_can_no_longer_be_carried_out(school: School) -> None:
    school.upload(FILE)
    waiting, _ = school.look("Email,First name\na@example.org,A\n", mode="replace")
    assert steps(school, -1) == [1, 0, 0]
    with pytest.raises(NotFound, match="import the file again"):
        school.carry_out(waiting, confirmed=2)


def test_verdicts_that_are_gone_say_so(school: School) -> None:
    school.upload(FILE)
    steps(school, -1)
    with school.database.reading() as session, pytest.raises(NotFound, match="no longer kept"):
        downloads.last_import(session, lists.find_list(session, "northcote-high"))


def test_an_upload_without_rows_has_none_to_forget(school: School) -> None:
    with school.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(ImportRow)) == 0
    assert steps(school, -1) == [0, 0, 0]
