"""Options: what may be chosen together, kept as little as possible, and said to the approver."""

import pytest

from notifier.campaigns import options
from notifier.campaigns.options import Options
from notifier.kit.errors import Invalid


def test_only_what_was_chosen_is_kept_and_read_again() -> None:
    chosen = Options(canary_first=100, canary_yes=True)
    assert chosen.chosen() == {"canary_first": 100, "canary_yes": True}
    assert options.read(chosen.chosen()) == chosen
    assert options.read({"of a later version": 1}) == Options()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (Options(canary_first=-1), "lies between 0"),
        (Options(canary_yes=True), "how many go first"),
        (Options(override_quiet_hours=True), "urgent"),
    ],
)
def test_what_cannot_be_is_refused(wrong: Options, words: str) -> None:
    with pytest.raises(Invalid, match=words):
        wrong.check(urgent=False)


def test_an_urgent_campaign_may_override_quiet_hours() -> None:
    Options(override_quiet_hours=True).check(urgent=True)


def test_the_approver_reads_every_choice() -> None:
    chosen = Options(canary_first=50, canary_wait_s=600, max_per_minute=30, override_quiet_hours=True)
    assert chosen.in_words() == [
        "the first 50 go ahead, the rest after 10 minutes of good results",
        "at most 30 messages leave in a minute",
        "quiet hours are overridden",
    ]


def test_a_second_language_is_a_language_tag_and_is_said_to_the_approver() -> None:
    chosen = Options(second_language="en-AU")
    chosen.check(urgent=False)
    assert chosen.in_words() == ["every email has en-AU below the reader's own language"]
    with pytest.raises(Invalid, match="not a language tag"):
        Options(second_language="English, please").check(urgent=False)
