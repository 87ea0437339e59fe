"""The Twilio adapter against the sandbox, over HTTP."""

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from notifier.providers.base import AccountTrouble, Ambiguous, Permanent, ProviderError, Temporary
from notifier.providers.settings import TwilioSettings
from notifier.providers.twilio import REFUSALS, Twilio, refusal
from notifier.sandbox.behaviour import Behaviour, Dice
from notifier.vocabulary import Envelope, EventKind
from tests.sandbox.letters import ACCOUNTS, EMAIL, NAME_SMS, SMS, Scene, scene, texts

ONE = "+61480000001"


async def test_everybody_gets_a_message_and_a_receipt_of_their_own(stage: Scene) -> None:
    receipts = await stage.twilio.send(SMS, texts("+61480000001", "+61480000002", "+61480000003"))
    sent = {sms.sid: sms for sms in stage.sandbox.store.sms}
    assert [sent[receipt.message_id or ""].to for receipt in receipts] == [
        "+61480000001",
        "+61480000002",
        "+61480000003",
    ]
    assert {sms.body for sms in sent.values()} == {"Hello Mina, please read this."}
    assert sent[receipts[1].message_id or ""].reference == "reference-1"


async def test_a_text_arrives_letter_by_letter_whatever_a_form_makes_of_it(stage: Scene) -> None:
    text = f"50 % & more = ünder/100+1? Hi{NAME_SMS}, 伟 #1;\nhttps://n.example/p?a=b&c=%20"
    message = replace(SMS, text=text)
    await stage.twilio.send(message, texts("+61491570001", name=" Zoë & =+%20 فاطمة"))
    assert stage.sandbox.store.sms[0].body == text.replace(NAME_SMS, " Zoë & =+%20 فاطمة")
    assert stage.sandbox.store.sms[0].to == "+61491570001"


async def test_the_callback_carries_the_reference_and_asks_for_retries(stage: Scene) -> None:
    await stage.twilio.send(SMS, texts(ONE))
    callback = stage.sandbox.store.sms[0].callback
    assert callback == f"{stage.listener.url}/webhooks/twilio/status?ref=reference-0#rc=5&rp=all"


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("+15005550001", "invalid_number"),
        ("+15005550002", "21612"),
        ("+15005550003", "21408"),
        ("+15005550004", "opt_out"),
        ("+15005550009", "not_a_mobile"),
        ("12", "invalid_number"),
    ],
)
async def test_a_refused_number_fails_alone(stage: Scene, number: str, code: str) -> None:
    refused, taken = await stage.twilio.send(SMS, texts(number, ONE))
    assert isinstance(refused.error, Permanent)
    assert refused.error.code == code
    assert taken.error is None


async def test_every_word_to_and_from_a_number_is_redacted_and_nobody_elses(stage: Scene) -> None:
    await stage.twilio.send(SMS, texts(ONE, "+61480000002", ONE))
    stage.sandbox._twilio.inbound(ONE, "Who are you?", SMS.sender, Dice(Behaviour()))
    stage.sandbox._twilio.answered(ONE, SMS.sender, "text/plain", "We are the police.")
    for _ in range(2):  # asking twice does no harm
        await stage.twilio.erase(ONE)
        texts_kept = [(sms.to, sms.body != "") for sms in stage.sandbox.store.sms]
        assert texts_kept == [(ONE, False), ("+61480000002", True), (ONE, False), (SMS.sender, False), (ONE, False)]


async def test_wrong_credentials_are_trouble_for_everybody(stage: Scene) -> None:
    settings = TwilioSettings(ACCOUNTS.twilio_account_sid, "wrong", base_url=stage.sandbox.url, concurrency=1)
    wrong = Twilio(settings, public_url=stage.listener.url)
    with pytest.raises(AccountTrouble):
        await wrong.send(SMS, texts(*[f"+6148000000{n}" for n in range(9)]))
    await wrong.close()
    assert stage.sandbox.store.counts.requests == 1


async def test_an_api_key_opens_the_account_too(stage: Scene) -> None:
    settings = TwilioSettings(
        ACCOUNTS.twilio_account_sid,
        "",
        ACCOUNTS.twilio_account_sid,
        ACCOUNTS.twilio_auth_token,
        base_url=stage.sandbox.url,
    )
    keyed = Twilio(settings, public_url=stage.listener.url)
    (receipt,) = await keyed.send(SMS, texts(ONE))
    await keyed.close()
    assert receipt.error is None


async def test_too_many_requests_are_temporary_and_say_when(stage: Scene) -> None:
    stage.behave(throttle_rate=1, retry_after_s=3)
    (receipt,) = await stage.twilio.send(SMS, texts(ONE))
    assert isinstance(receipt.error, Temporary)
    assert receipt.error.retry_after_s == 3


async def test_a_fault_of_theirs_is_temporary(stage: Scene) -> None:
    stage.behave(error_rate=1)
    (receipt,) = await stage.twilio.send(SMS, texts(ONE))
    assert isinstance(receipt.error, Temporary)


async def test_an_answer_lost_on_the_way_is_ambiguous(stage: Scene) -> None:
    stage.behave(lose_rate=1)
    (receipt,) = await stage.twilio.send(SMS, texts(ONE))
    assert isinstance(receipt.error, Ambiguous)
    assert len(stage.sandbox.store.sms) == 1


async def test_no_answer_in_time_is_ambiguous() -> None:
    async with scene(timeout_s=0.2) as stage:
        stage.behave(hang_rate=1, hang_s=1)
        (receipt,) = await stage.twilio.send(SMS, texts(ONE))
        assert isinstance(receipt.error, Ambiguous)


async def test_a_service_that_is_not_there_is_temporary() -> None:
    async with scene() as stage:
        address = stage.sandbox.url
    gone = Twilio(TwilioSettings(ACCOUNTS.twilio_account_sid, "x", base_url=address), public_url="http://127.0.0.1")
    (receipt,) = await gone.send(SMS, texts(ONE))
    await gone.close()
    assert isinstance(receipt.error, Temporary)


async def test_an_email_is_not_sent_as_a_text_message(stage: Scene) -> None:
    with pytest.raises(Permanent):
        await stage.twilio.send(EMAIL, texts(ONE))


async def test_a_missing_value_stops_everything_before_anything_left(stage: Scene) -> None:
    with pytest.raises(KeyError):
        await stage.twilio.send(SMS, [*texts(ONE), Envelope("r", "+61480000002", {})])
    assert stage.sandbox.store.sms == []


async def test_no_more_requests_are_under_way_than_allowed(stage: Scene) -> None:
    stage.behave(latency_s=0.1)
    settings = TwilioSettings(
        ACCOUNTS.twilio_account_sid, ACCOUNTS.twilio_auth_token, base_url=stage.sandbox.url, concurrency=2
    )
    narrow = Twilio(settings, public_url=stage.listener.url)
    start = asyncio.get_running_loop().time()
    await narrow.send(SMS, texts(*[f"+6148000000{n}" for n in range(6)]))
    await narrow.close()
    assert asyncio.get_running_loop().time() - start >= 0.3


async def test_nothing_of_a_message_reaches_a_log(stage: Scene, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await stage.twilio.send(SMS, texts(ONE))
    assert ONE not in caplog.text
    assert ACCOUNTS.twilio_account_sid not in caplog.text


@pytest.mark.parametrize(("code", "kind"), REFUSALS.items())
def test_each_error_code_has_one_meaning(code: int, kind: type[ProviderError]) -> None:
    assert type(refusal(400, code, {})) is kind


@pytest.mark.parametrize(
    ("status", "kind"), [(400, Permanent), (401, AccountTrouble), (429, Temporary), (500, Temporary), (503, Temporary)]
)
def test_an_unknown_code_is_judged_by_its_status(status: int, kind: type[ProviderError]) -> None:
    assert type(refusal(status, 99999, {})) is kind
    assert type(refusal(status, None, {})) is kind


async def test_a_message_whose_answer_was_lost_is_found_again_by_number_and_text(stage: Scene) -> None:
    before = datetime.now(UTC)
    stage.behave(lose_rate=1)
    await stage.twilio.send(SMS, texts(ONE))
    stage.behave()
    await stage.twilio.send(SMS, texts("+61480000002"))
    (event,) = await stage.twilio.find(ONE, after=before)
    assert (event.destination, event.text) == (ONE, "Hello Mina, please read this.")
    assert event.message_id == stage.sandbox.store.sms[0].sid
    assert event.kind in {EventKind.ACCEPTED, EventKind.DELIVERED}
    assert await stage.twilio.find(ONE, after=before + timedelta(hours=1)) == []


async def test_asking_for_a_record_can_fail_like_any_call(stage: Scene) -> None:
    wrong = Twilio(TwilioSettings(ACCOUNTS.twilio_account_sid, "wrong", base_url=stage.sandbox.url), public_url="x")
    with pytest.raises(AccountTrouble):
        await wrong.find(ONE, after=datetime.now(UTC))
    await wrong.close()


async def test_everything_taken_in_a_period_can_be_read_again(stage: Scene) -> None:
    before = datetime.now(UTC) - timedelta(seconds=5)
    await stage.twilio.send(SMS, texts("+61480000001", "+61480000002", "+61480000003"))
    pages = [page async for page in stage.twilio.read_record(since=before, until=datetime.now(UTC))]
    assert sorted(event.destination or "" for page in pages for event in page) == [
        "+61480000001",
        "+61480000002",
        "+61480000003",
    ]
    later = before + timedelta(hours=1)
    assert [event async for page in stage.twilio.read_record(since=later, until=later) for event in page] == []
