"""Whatever goes wrong on the way, an adapter never says more than it knows."""

import pytest

from notifier.providers.base import Ambiguous, Permanent, ProviderError, Temporary
from tests.sandbox.letters import EMAIL, SMS, Scene, emails, texts

TROUBLE = {"throttle_rate": 0.1, "error_rate": 0.1, "cut_rate": 0.1, "lose_rate": 0.15, "refuse_rate": 0.1}


@pytest.mark.parametrize("seed", range(3))
async def test_a_text_message_said_to_be_taken_was_and_one_said_not_to_be_was_not(stage: Scene, seed: int) -> None:
    stage.behave(**TROUBLE, seed=seed)
    receipts = await stage.twilio.send(SMS, texts(*[f"+614800000{n:02d}" for n in range(60)]))
    taken = stage.sandbox.store.references()["sms"]
    for place, receipt in enumerate(receipts):
        if receipt.error is None:
            assert taken[f"reference-{place}"] == 1
        elif isinstance(receipt.error, Temporary | Permanent):
            assert f"reference-{place}" not in taken
    assert {type(receipt.error) for receipt in receipts} >= {Ambiguous, Temporary, Permanent, type(None)}


@pytest.mark.parametrize("seed", range(3))
async def test_a_request_said_to_be_taken_was_and_one_said_not_to_be_was_not(stage: Scene, seed: int) -> None:
    stage.behave(**TROUBLE, seed=seed)
    kinds: set[type] = set()
    for number in range(40):
        before = stage.sandbox.store.counts.email
        try:
            await stage.sendgrid.send(EMAIL, emails(f"p{number}@families.example", f"q{number}@families.example"))
            outcome: ProviderError | None = None
        except ProviderError as error:
            outcome = error
        kinds.add(type(outcome))
        taken = stage.sandbox.store.counts.email - before
        assert taken == 2 if outcome is None else taken in ((0, 2) if isinstance(outcome, Ambiguous) else (0,))
    assert kinds >= {Ambiguous, Temporary, type(None)}
