"""The sandbox takes mail by SMTP as well, and misbehaves there too."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from notifier.providers.base import Ambiguous, Permanent, Receipt, Temporary
from notifier.providers.settings import Security, SmtpSettings
from notifier.providers.smtp import Smtp
from notifier.sandbox.accounts import SandboxSettings
from notifier.sandbox.behaviour import Behaviour
from notifier.sandbox.server import Sandbox, serving
from tests.sandbox.letters import ACCOUNTS, EMAIL, emails

ADDRESSES = [f"p{n}@families.example" for n in range(30)]


@asynccontextmanager
async def relay(behaviour: Behaviour | None = None, *, pipelining: bool = True) -> AsyncIterator[tuple[Sandbox, Smtp]]:
    """A sandbox that takes mail, and the adapter talking to it."""
    settings = SandboxSettings(port=0, smtp_port=-1, smtp_pipelining=pipelining)
    async with serving(Sandbox(settings, ACCOUNTS, behaviour=behaviour)) as sandbox:
        smtp = Smtp(SmtpSettings(port=sandbox.smtp_port, security=Security.NONE, connections=2, hello_name="x.example"))
        try:
            yield sandbox, smtp
        finally:
            await smtp.close()


def errors(receipts: list[Receipt]) -> set[type]:
    """What kinds of errors there were."""
    return {type(receipt.error) for receipt in receipts if receipt.error}


@pytest.mark.parametrize("pipelining", [True, False])
async def test_mail_is_taken_counted_and_shown(*, pipelining: bool) -> None:
    async with relay(pipelining=pipelining) as (sandbox, smtp):
        receipts = await smtp.send(EMAIL, emails(*ADDRESSES))
        assert errors(receipts) == set()
        assert sandbox.store.references()["email"] == {f"reference-{n}": 1 for n in range(30)}
        (shown,) = sandbox.store.messages(limit=5, to="p7@families.example")
    assert (shown["reference"], shown["subject"]) == ("reference-7", EMAIL.subject)
    assert "Hello" in shown["text"]
    assert sandbox.store.counts.email == 30


@pytest.mark.parametrize("pipelining", [True, False])
async def test_special_addresses_are_refused_or_put_off(*, pipelining: bool) -> None:
    async with relay(pipelining=pipelining) as (sandbox, smtp):
        refused, later, taken = await smtp.send(
            EMAIL, emails("refuse@families.example", "defer+1@families.example", "p@families.example")
        )
    assert isinstance(refused.error, Permanent)
    assert refused.error.code == "invalid_address"
    assert isinstance(later.error, Temporary)
    assert taken.error is None
    assert sandbox.store.counts.email == 1


@pytest.mark.parametrize("pipelining", [True, False])
async def test_lost_connections_never_lose_count_of_what_was_taken(*, pipelining: bool) -> None:
    behaviour = Behaviour(lose_rate=0.1, cut_rate=0.1, throttle_rate=0.1, seed=5)
    async with relay(behaviour, pipelining=pipelining) as (sandbox, smtp):
        receipts = await smtp.send(EMAIL, emails(*ADDRESSES))
        taken = set(sandbox.store.references()["email"])
    for place, receipt in enumerate(receipts):
        if receipt.error is None:
            assert f"reference-{place}" in taken
        elif not isinstance(receipt.error, Ambiguous):
            assert f"reference-{place}" not in taken
    assert errors(receipts) <= {Ambiguous, Temporary}
    assert Ambiguous in errors(receipts)
