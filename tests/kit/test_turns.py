"""Turns: people first, the others in the order they came, and nobody waits for ever."""

from threading import Thread

from notifier.kit.turns import Rank, Turns


def waiting(turns: Turns) -> int:
    return sum(len(queue) for queue in turns._waiting)


def in_line(turns: Turns, came: list[str], name: str, rank: Rank) -> Thread:
    """Start somebody who waits for the turn; return once they stand in line."""

    def wait() -> None:
        assert turns.take(rank, 60.0)
        came.append(name)
        turns.hand_on()

    before = waiting(turns)
    thread = Thread(target=wait)
    thread.start()
    while waiting(turns) == before:
        pass
    return thread


def test_people_go_first_and_the_others_in_the_order_they_came() -> None:
    turns, came = Turns(), list[str]()
    assert turns.take(Rank.ORDINARY, 1.0)
    line = [("events", Rank.ORDINARY), ("plan", Rank.ORDINARY), ("click", Rank.PERSON), ("stop", Rank.PERSON)]
    threads = [in_line(turns, came, name, rank) for name, rank in line]
    turns.hand_on()
    for thread in threads:
        thread.join()
    assert came == ["click", "stop", "events", "plan"]


def test_it_is_known_for_a_while_that_a_person_has_come() -> None:
    turns = Turns()
    assert turns.take(Rank.ORDINARY, 1.0)
    assert not turns.person_came_within(60.0)
    assert not turns.take(Rank.PERSON, 0.01)
    assert turns.person_came_within(60.0)
    assert not turns.person_came_within(-1.0)


def test_whoever_waits_too_long_leaves_the_line() -> None:
    turns = Turns()
    assert turns.take(Rank.PERSON, 1.0)
    assert not turns.take(Rank.ORDINARY, 0.01)
    turns.hand_on()
    assert turns.take(Rank.ORDINARY, 0.01)
