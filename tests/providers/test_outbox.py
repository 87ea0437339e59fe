"""The outbox writes what others would send."""

import email
from datetime import UTC, datetime
from pathlib import Path

import pytest

from notifier.kit.errors import Invalid
from notifier.providers.base import BadSignature, Permanent, WebhookRequest
from notifier.providers.outbox import Outbox
from notifier.providers.settings import OutboxSettings
from notifier.vocabulary import Channel, Envelope
from tests.sandbox.letters import EMAIL, SMS, emails, texts


async def test_an_email_becomes_a_file_that_a_mail_program_opens(tmp_path: Path) -> None:
    outbox = Outbox(OutboxSettings(str(tmp_path / "new")), Channel.EMAIL)
    (receipt,) = await outbox.send(EMAIL, emails("p@families.example"))
    parsed = email.message_from_bytes((tmp_path / "new" / "reference-0.eml").read_bytes())
    assert parsed["To"] == "p@families.example"
    assert receipt.message_id == "reference-0.eml"


async def test_a_text_message_becomes_a_file_that_an_editor_opens(tmp_path: Path) -> None:
    outbox = Outbox(OutboxSettings(str(tmp_path)), Channel.SMS)
    await outbox.send(SMS, texts("+61480000001", "+61480000002"))
    assert (tmp_path / "reference-1.txt").read_text() == (
        "From: +61480000000\nTo: +61480000002\n\nHello Mina, please read this.\n"
    )


async def test_the_files_to_an_address_are_erased_and_nothing_else(tmp_path: Path) -> None:
    sms = Outbox(OutboxSettings(str(tmp_path / "outbox")), Channel.SMS)
    email = Outbox(OutboxSettings(str(tmp_path / "outbox")), Channel.EMAIL)
    _, second = await sms.send(SMS, texts("+61480000001", "+61480000011"))
    _, fourth = await email.send(EMAIL, emails("one@families.example", "two@families.example"))
    for value in ("+61480000001", "one@families.example", "nobody@families.example"):
        await sms.erase(value)
    assert {file.name for file in (tmp_path / "outbox").iterdir()} == {second.message_id, fourth.message_id}


async def test_a_reference_never_leads_out_of_the_folder(tmp_path: Path) -> None:
    outbox = Outbox(OutboxSettings(str(tmp_path / "inner")), Channel.SMS)
    values = texts("+61480000001")[0].values
    await outbox.send(SMS, [Envelope("../../outer", "+61480000001", values)])
    assert (tmp_path / "inner" / "______outer.txt").read_text()


@pytest.mark.parametrize(("channel", "message"), [(Channel.EMAIL, SMS), (Channel.SMS, EMAIL)])
async def test_an_outbox_takes_its_own_channel_only(tmp_path: Path, channel: Channel, message: object) -> None:
    with pytest.raises(Permanent):
        await Outbox(OutboxSettings(str(tmp_path)), channel).send(message, [])  # type: ignore[arg-type]


async def test_an_outbox_has_no_webhooks(tmp_path: Path) -> None:
    outbox = Outbox(OutboxSettings(str(tmp_path)), Channel.EMAIL)
    request = WebhookRequest("", {}, b"", datetime(2026, 11, 23, tzinfo=UTC))
    with pytest.raises(BadSignature):
        outbox.verify(request)
    with pytest.raises(Invalid):
        outbox.parse(request)
    await outbox.close()
