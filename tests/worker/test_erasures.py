"""Providers are asked to erase who was forgotten here, until they have taken it."""

from dataclasses import replace
from datetime import timedelta

from sqlalchemy import select

from notifier.delivery import erasures
from notifier.delivery.models import Delivery
from notifier.providers.base import ErasedBy, ProviderError, Temporary
from notifier.vocabulary import Channel
from notifier.worker.erasures import ask
from tests.delivery.conftest import FakeProvider, World
from tests.factories import Person


class Forgetful(FakeProvider):
    """A provider that erases by address, when it is well."""

    erased_by = ErasedBy.EMAIL_ADDRESS

    def __init__(self, name: str) -> None:
        super().__init__(Channel.EMAIL, name=name)
        self.asked: list[str] = []
        self.trouble: ProviderError | None = None

    async def erase(self, subject: str) -> None:
        """Note it, or be unwell."""
        self.asked.append(subject)
        if self.trouble:
            raise self.trouble


def test_what_fails_is_kept_and_asked_again_until_it_is_taken(world: World) -> None:
    provider = Forgetful("mailer")
    engine = replace(world.engine, providers={Channel.EMAIL: [provider]})
    with world.database.transaction() as session:
        (number,) = erasures.note(
            session,
            [(1, "a@example.org"), (2, "+61480000001")],
            erasing={"mailer": ErasedBy.EMAIL_ADDRESS, "other": ErasedBy.EMAIL_ADDRESS},
            in_use={"mailer"},
            now=engine.clock(),
        )
    provider.trouble = Temporary("it is down")
    assert ask(engine) == 0
    assert ask(engine) == 0, "it is not due again yet"
    with world.database.reading() as session:
        (row,) = erasures.rows(session)
        assert (row.tries, row.last_error, row.subject) == (1, "it is down", "a@example.org")
    provider.trouble = None
    world.clock.forward(minutes=10)
    assert ask(engine) == 1
    world.clock.forward(days=3)
    assert ask(engine) == 0
    assert provider.asked == ["a@example.org"] * 2
    with world.database.reading() as session:
        assert erasures.rows(session) == []
        (row,) = erasures.rows(session, [number])
        assert row.subject is None
        assert row.done_at == world.clock() - timedelta(days=3)


def test_a_provider_no_longer_used_is_never_forgotten(world: World) -> None:
    with world.database.transaction() as session:
        erasures.note(
            session,
            [(1, "a@example.org")],
            erasing={"gone": ErasedBy.EMAIL_ADDRESS},
            in_use={"gone"},
            now=world.clock(),
        )
    assert ask(world.engine) == 0
    with world.database.reading() as session:
        assert "ask it yourself" in (erasures.rows(session)[0].last_error or "")


def test_a_provider_is_asked_about_the_addresses_it_can_know(world: World) -> None:
    world.people(Person(email="a@example.org"), Person(email="b@example.org"))
    world.campaign()
    world.plan()
    world.work()
    with world.database.transaction() as session:
        delivery = session.scalars(select(Delivery).where(Delivery.destination == "a@example.org")).one()
        addresses = [(delivery.address_id, "a@example.org"), (None, "+61480000001")]
        erasing = {
            "fake": ErasedBy.ANY_ADDRESS,
            "never": ErasedBy.EMAIL_ADDRESS,
            "texts": ErasedBy.MOBILE_NUMBER,
            "letters": ErasedBy.EMAIL_ADDRESS,
        }
        ids = erasures.note(session, addresses, erasing=erasing, in_use={"texts", "letters"}, now=world.clock())
        assert [(row.provider, row.subject) for row in erasures.rows(session, ids)] == [
            ("fake", "a@example.org"),
            ("fake", "+61480000001"),
            ("texts", "+61480000001"),
            ("letters", "a@example.org"),
        ]
