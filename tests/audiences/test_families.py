"""Two parents in one row: found by their headers, taken as two people, told apart in the verdicts."""

import pytest
from sqlalchemy import func, select

from notifier.audiences import downloads, lists
from notifier.audiences.columns import Column, plain
from notifier.audiences.families import people_of, whose
from notifier.audiences.models import Address, Subscription
from tests.audiences.conftest import School

HEADER = (
    "Student ID,First name,Surname,Year level,Parent 1 First Name,Parent 1 Surname,Parent 1 Email,Parent 1 Mobile,"
    "Parent 2 First Name,Parent 2 Surname,Parent 2 Email,Parent 2 Mobile"
)
SALMA = "S1,Salma,Haddad,7,Layla,Haddad,layla@example.org,0491570156,Omar,Haddad,omar@example.org,0491570157"
JACK = "S2,Jack,Smith,8,Mary,Smith,mary@example.org,,,,,"


@pytest.mark.parametrize(
    ("header", "meant"),
    [
        ("Parent 1 Email", (1, Column.EMAIL)),
        ("Parent/Guardian 2 - Mobile phone", (2, Column.MOBILE)),
        ("parent2_first_name", (2, Column.GIVEN_NAME)),
        ("Contact 3 E-mail address", (3, Column.EMAIL)),
        ("Secondary contact email", (2, Column.EMAIL)),
        ("Mother's Mobile", (1, Column.MOBILE)),
        ("Email of father", (2, Column.EMAIL)),
        ("Guardian 2", (2, Column.NAME)),
        ("Elternteil 2 E-Mail", (2, Column.EMAIL)),
        ("Responsable légal 1 - Courriel", (1, Column.EMAIL)),
        ("Nom de famille du responsable 2", (2, Column.FAMILY_NAME)),
        ("Correo electrónico de la madre", (1, Column.EMAIL)),
        ("Cellulare del padre", (2, Column.MOBILE)),
        ("Email γονέα 2", (2, Column.EMAIL)),
        ("Primary email", None),
        ("Email 2", None),
        ("Parent email", None),
        ("Parent 1 fax", None),
        ("", None),
    ],
)
def test_a_header_says_which_parent_it_speaks_of(header: str, meant: tuple[int, Column] | None) -> None:
    assert whose(plain(header)) == meant


def test_a_row_is_about_several_people_only_if_two_of_them_can_be_reached() -> None:
    assert people_of(["Parent 1 email", "Parent 2 name", "Email"]) == ()
    assert people_of(["Email", "Parent 1 email", "Year level", "Parent 2 mobile"]) == (
        {Column.YEAR_LEVELS: 2, Column.EMAIL: 1},
        {Column.YEAR_LEVELS: 2, Column.MOBILE: 3},
    )


def test_what_was_said_about_a_header_counts() -> None:
    header = ["Parent 1 email", "Parent 2 email", "Haus"]
    assert people_of(header, {"Parent 2 email": "-"}) == ()
    first, second = people_of(header, {"Haus": "reference"})
    assert first[Column.REFERENCE] == second[Column.REFERENCE] == 2


def test_two_parents_in_one_row_are_two_people_and_the_child_is_none(school: School) -> None:
    shown = school.upload(f"{HEADER}\n{SALMA}\n{JACK}\n")
    assert (shown.added, shown.refused, shown.duplicates) == (3, 0, 0)
    with school.database.reading() as session:
        people = session.execute(
            select(Subscription.given_name, Subscription.year_levels, Address.value)
            .join(Address, Address.id == Subscription.email_address_id)
            .order_by(Subscription.given_name)
        )
        assert [tuple(row) for row in people] == [
            ("Layla", "7", "layla@example.org"),
            ("Mary", "8", "mary@example.org"),
            ("Omar", "7", "omar@example.org"),
        ]
        assert session.scalar(select(func.count()).where(Address.channel == "sms")) == 2
    assert school.look(f"{HEADER}\n{SALMA}\n{JACK}\n", mode="replace")[1].changes_nothing


def test_a_verdict_names_the_row_of_the_file_for_either_parent(school: School) -> None:
    wrong = SALMA.replace("omar@example.org,0491570157", "n/a,n/a")
    _, shown = school.look(f"{HEADER}\n{JACK}\n{wrong}\nS3,Child,Only,9,,,,,,,,\n")
    assert (shown.added, shown.refused) == (2, 2)
    with school.database.reading() as session:
        lines = downloads.verdicts(session, downloads.last_import(session, lists.find_list(session, "northcote-high")))
        refused = [(line.row, line.column, line.reason) for line in lines if line.verdict == "refused"]
    assert refused == [(3, "email", "placeholder"), (3, "mobile", "placeholder"), (4, "email", "no_address")]


def test_one_address_for_both_parents_is_two_people_and_one_address(school: School) -> None:
    both = SALMA.replace("omar@example.org,0491570157", "layla@example.org,0491570156")
    assert school.upload(f"{HEADER}\n{both}\n").added == 2
    with school.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Address)) == 2
