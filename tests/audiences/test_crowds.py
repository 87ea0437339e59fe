"""Counting addresses in little memory: too much is allowed, too little never."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from notifier.audiences.crowds import Crowds
from notifier.audiences.judging import JudgedRow

ADDRESSES = st.sampled_from(["", "a@example.org", "b@example.org", "c@example.org", "+61491570006"])


def row(email: str, mobile: str, person: str = "k") -> JudgedRow:
    return JudgedRow(1, 2, "accepted", person, "", "", "", "", "", "", email, "", "", mobile, "", "", "")


@given(st.lists(st.lists(st.tuples(ADDRESSES, ADDRESSES), max_size=30), max_size=3), st.integers(1, 20))
def test_an_address_on_more_rows_than_the_limit_is_never_overlooked(
    slices: list[list[tuple[str, str]]], limit: int
) -> None:
    crowds = Crowds()
    for some in slices:
        crowds.watch([row(email, mobile) for email, mobile in some])
    counts = Counter(address for some in slices for pair in some for address in pair if address)
    assert crowds.may_exceed(limit) or max(counts.values(), default=0) <= limit


def test_a_file_of_many_different_people_is_no_crowd() -> None:
    crowds = Crowds()
    crowds.watch([row(f"p{number}@example.org", f"+61{number}") for number in range(10_000)])
    assert not crowds.may_exceed(20)


@given(st.lists(st.sampled_from(["", "k1", "k2", "k3", "k4"]), max_size=6))
def test_a_person_on_two_rows_is_never_overlooked(people: list[str]) -> None:
    crowds = Crowds()
    for person in people:
        crowds.watch([row("", "", person)])
    taken = [person for person in people if person]
    assert crowds.may_repeat() == (len(set(taken)) < len(taken))
