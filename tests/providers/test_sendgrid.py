"""The SendGrid adapter against the sandbox, over HTTP."""

import asyncio
import logging

import pytest

from notifier.providers.base import AccountTrouble, Ambiguous, Permanent, ProviderError, Temporary
from notifier.providers.sendgrid import SendGrid, payload, refusal
from notifier.providers.settings import SendGridSettings
from notifier.vocabulary import Envelope
from tests.sandbox.letters import ACCOUNTS, EMAIL, SMS, Scene, emails, scene


async def test_everybody_of_one_request_gets_a_message_of_their_own(stage: Scene) -> None:
    receipts = await stage.sendgrid.send(EMAIL, emails("one@families.example", "two@families.example"))
    second, first = stage.sent()
    assert (first["to"], second["to"]) == ("two@families.example", "one@families.example")
    assert second["text"] == "Hello Mina,\n\nplease read this.\n"
    assert second["reference"] == "reference-0"
    assert [receipt.error for receipt in receipts] == [None, None]
    assert receipts[0].message_id == receipts[1].message_id == str(second["id"]).partition(".")[0]
    assert stage.sandbox.store.counts.requests == 1


async def test_the_one_click_headers_are_each_recipients_own(stage: Scene) -> None:
    await stage.sendgrid.send(EMAIL, emails("one@families.example"))
    headers = stage.sandbox.store.messages(limit=1)[0]["headers"]
    assert headers == {
        "Auto-Submitted": "auto-generated",
        "Precedence": "bulk",
        "List-Unsubscribe": "<https://n.police.example/u/0>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def test_a_request_holds_plain_text_first_and_no_tracking() -> None:
    document = payload(EMAIL, emails("one@families.example"))
    assert [part["type"] for part in document["content"]] == ["text/plain", "text/html"]
    assert not any(setting["enable"] for setting in document["tracking_settings"].values())
    assert "categories" not in document


async def test_a_one_click_address_that_would_be_encoded_stops_everything(stage: Scene) -> None:
    long = Envelope("r", "one@families.example", {}, "https://notifier.communications.police.example/u/" + "x" * 40)
    with pytest.raises(AccountTrouble, match="shorter public address"):
        await stage.sendgrid.send(EMAIL, [long])
    assert stage.sent() == []


async def test_a_refused_address_refuses_the_request(stage: Scene) -> None:
    with pytest.raises(Permanent) as refused:
        await stage.sendgrid.send(EMAIL, emails("one@families.example", "refuse@families.example"))
    assert refused.value.code == "400"
    assert "personalizations.1.to.0.email" in refused.value.detail
    assert "families.example" not in refused.value.detail


async def test_an_address_is_erased_by_a_job_of_sendgrids_own(stage: Scene) -> None:
    await stage.sendgrid.erase("one@families.example")
    assert stage.sandbox.store.erased == {"one@families.example"}
    with pytest.raises(Permanent):
        await stage.sendgrid.erase("no address")
    stage.behave(error_rate=1)
    with pytest.raises(Temporary):
        await stage.sendgrid.erase("two@families.example")


async def test_a_wrong_key_is_trouble_for_everybody(stage: Scene) -> None:
    wrong = SendGrid(SendGridSettings(api_key="SG.wrong", base_url=stage.sandbox.url))
    with pytest.raises(AccountTrouble):
        await wrong.send(EMAIL, emails("one@families.example"))
    await wrong.close()


async def test_too_many_requests_are_temporary_and_say_when(stage: Scene) -> None:
    stage.behave(throttle_rate=1, retry_after_s=30)
    with pytest.raises(Temporary) as refused:
        await stage.sendgrid.send(EMAIL, emails("one@families.example"))
    assert refused.value.retry_after_s == pytest.approx(30, abs=2)


async def test_a_fault_of_theirs_is_temporary(stage: Scene) -> None:
    stage.behave(error_rate=1)
    with pytest.raises(Temporary):
        await stage.sendgrid.send(EMAIL, emails("one@families.example"))


async def test_an_answer_lost_on_the_way_is_ambiguous(stage: Scene) -> None:
    stage.behave(lose_rate=1)
    with pytest.raises(Ambiguous):
        await stage.sendgrid.send(EMAIL, emails("one@families.example"))
    assert len(stage.sent()) == 1


async def test_no_answer_in_time_is_ambiguous() -> None:
    async with scene(timeout_s=0.2) as stage:
        stage.behave(hang_rate=1, hang_s=1)
        with pytest.raises(Ambiguous):
            await stage.sendgrid.send(EMAIL, emails("one@families.example"))
        assert len(stage.sent()) == 1


async def test_a_service_that_is_not_there_is_temporary() -> None:
    async with scene() as stage:
        address = stage.sandbox.url
    gone = SendGrid(SendGridSettings(api_key=ACCOUNTS.sendgrid_api_key, base_url=address))
    with pytest.raises(Temporary):
        await gone.send(EMAIL, emails("one@families.example"))
    await gone.close()


async def test_a_text_message_is_not_sent_by_email(stage: Scene) -> None:
    with pytest.raises(Permanent):
        await stage.sendgrid.send(SMS, emails("one@families.example"))


async def test_nothing_of_a_message_reaches_a_log(stage: Scene, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await stage.sendgrid.send(EMAIL, emails("one@families.example"))
    assert "one@families.example" not in caplog.text
    assert ACCOUNTS.sendgrid_api_key not in caplog.text


async def test_a_stand_in_on_this_machine_is_found_whatever_proxy_is_set(
    stage: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    settings = SendGridSettings(ACCOUNTS.sendgrid_api_key, base_url=stage.sandbox.url)
    behind = SendGrid(settings)
    receipts = await behind.send(EMAIL, emails("one@families.example"))
    await behind.close()
    assert receipts[0].error is None


async def test_requests_go_side_by_side(stage: Scene) -> None:
    stage.behave(latency_s=0.2)
    start = asyncio.get_running_loop().time()
    await asyncio.gather(*[stage.sendgrid.send(EMAIL, emails(f"p{n}@families.example")) for n in range(6)])
    assert asyncio.get_running_loop().time() - start < 0.9


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((400, Permanent), (401, AccountTrouble), (403, AccountTrouble), (404, Permanent), (413, Permanent)),
        *((429, Temporary), (500, Temporary), (503, Temporary)),
    ],
)
def test_each_refusing_status_has_one_meaning(status: int, kind: type[ProviderError]) -> None:
    assert type(refusal(status, {}, b"<html>", now=0)) is kind


def test_the_wait_is_read_from_either_header() -> None:
    assert refusal(429, {"X-RateLimit-Reset": "160"}, b"", now=100).retry_after_s == 60
    assert refusal(429, {"Retry-After": "7"}, b"", now=100).retry_after_s == 7
    assert refusal(429, {"Retry-After": "soon"}, b"", now=100).retry_after_s is None
