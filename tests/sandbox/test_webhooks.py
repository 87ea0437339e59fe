"""What the sandbox tells back is signed as the real services sign, and read by our own adapters."""

import orjson
import pytest

from notifier.sandbox.accounts import Accounts
from notifier.vocabulary import EventKind
from tests.sandbox.letters import ACCOUNTS, EMAIL, SMS, Scene, emails, scene, texts


async def email_events(stage: Scene, count: int) -> list[tuple[str, EventKind]]:
    """The references and kinds of so many posts of SendGrid, verified and parsed, in the order they came."""
    found = []
    for request in await stage.listener.wait(count):
        assert "/webhooks/sendgrid/events" in request.url
        stage.sendgrid.verify(request)
        found += [(event.reference or "", event.kind) for event in stage.sendgrid.parse(request)]
    return found


async def sms_events(stage: Scene, count: int) -> list[tuple[str, EventKind]]:
    """The same for Twilio."""
    found = []
    for request in await stage.listener.wait(count):
        stage.twilio.verify(request)
        found += [(event.reference or "", event.kind) for event in stage.twilio.parse(request)]
    return found


async def test_an_email_is_processed_and_then_delivered(stage: Scene) -> None:
    await stage.sendgrid.send(EMAIL, emails("a@families.example", "b@families.example"))
    events = await email_events(stage, 2)
    assert sorted(events) == sorted(
        (reference, kind)
        for reference in ("reference-0", "reference-1")
        for kind in (EventKind.ACCEPTED, EventKind.DELIVERED)
    )
    assert {message["status"] for message in stage.sent()} == {"delivered"}


@pytest.mark.parametrize(
    ("local", "kinds"),
    [
        ("bounce", [EventKind.ACCEPTED, EventKind.HARD_BOUNCED]),
        ("block+7", [EventKind.ACCEPTED, EventKind.SOFT_BOUNCED]),
        ("defer", [EventKind.ACCEPTED, EventKind.DEFERRED, EventKind.DELIVERED]),
        ("drop", [EventKind.DROPPED]),
        ("complain", [EventKind.ACCEPTED, EventKind.DELIVERED, EventKind.COMPLAINED]),
        ("unsubscribe", [EventKind.ACCEPTED, EventKind.DELIVERED, EventKind.UNSUBSCRIBED]),
    ],
)
async def test_a_special_address_asks_for_its_outcome(stage: Scene, local: str, kinds: list[EventKind]) -> None:
    await stage.sendgrid.send(EMAIL, emails(f"{local}@families.example"))
    assert [kind for _, kind in await email_events(stage, len(kinds))] == kinds


async def test_a_special_address_at_a_domain_of_somebodys_is_like_any_other(stage: Scene) -> None:
    await stage.sendgrid.send(EMAIL, emails("bounce@families.police.vic.gov.au"))
    assert [kind for _, kind in await email_events(stage, 2)] == [EventKind.ACCEPTED, EventKind.DELIVERED]


async def test_a_thousand_recipients_are_told_of_in_batches(stage: Scene) -> None:
    await stage.sendgrid.send(EMAIL, emails(*[f"p{n}@families.example" for n in range(1000)]))
    events = await email_events(stage, 4)
    assert len(events) == len(set(events)) == 2000


async def test_webhooks_can_come_twice(stage: Scene) -> None:
    stage.behave(duplicate_rate=1)
    await stage.sendgrid.send(EMAIL, emails("a@families.example"))
    events = [stage.sendgrid.parse(request)[0].event_id for request in await stage.listener.wait(4)]
    assert len(set(events)) == 2


async def test_webhooks_can_come_out_of_order(stage: Scene) -> None:
    stage.behave(reorder=1, seed=3)
    await stage.twilio.send(SMS, texts(*[f"+6148000000{n}" for n in range(9)]))
    events = await sms_events(stage, 18)
    firsts: dict[str, EventKind] = {}
    for reference, kind in events:
        firsts.setdefault(reference, kind)
    assert EventKind.DELIVERED in firsts.values()


async def test_webhooks_can_come_late(stage: Scene) -> None:
    stage.behave(webhook_delay_s=0.2)
    await stage.sendgrid.send(EMAIL, emails("a@families.example"))
    assert stage.sandbox.store.counts.webhooks_pending == 2
    await stage.listener.wait(2)


async def test_a_webhook_that_is_not_taken_comes_again(stage: Scene) -> None:
    stage.listener.answers = [500, 503, 200]
    await stage.sendgrid.send(EMAIL, emails("drop@families.example"))
    requests = await stage.listener.wait(3)
    assert len({stage.sendgrid.parse(request)[0].event_id for request in requests}) == 1


async def test_a_text_message_is_sent_and_then_delivered(stage: Scene) -> None:
    await stage.twilio.send(SMS, texts("+61480000001"))
    events = await sms_events(stage, 2)
    assert events == [("reference-0", EventKind.ACCEPTED), ("reference-0", EventKind.DELIVERED)]


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        ("+15005550033", EventKind.SOFT_BOUNCED),
        ("+15005550035", EventKind.HARD_BOUNCED),
        ("+15005550036", EventKind.HARD_BOUNCED),
        ("+15005550037", EventKind.FAILED),
    ],
)
async def test_a_failing_number_is_taken_and_undelivered_later(stage: Scene, number: str, kind: EventKind) -> None:
    (receipt,) = await stage.twilio.send(SMS, texts(number))
    assert receipt.error is None
    assert (await sms_events(stage, 2))[1] == ("reference-0", kind)


async def test_a_shared_key_signs_with_the_newer_scheme() -> None:
    keyed = Accounts(
        ACCOUNTS.sendgrid_api_key,
        ACCOUNTS.twilio_account_sid,
        ACCOUNTS.twilio_auth_token,
        ACCOUNTS.signing_key,
        twilio_shared_key="shared secret",
    )
    async with scene(keyed) as stage:
        await stage.twilio.send(SMS, texts("+61480000001"))
        assert len(await sms_events(stage, 2)) == 2
        assert "HMAC_SHA256" in stage.listener.requests[0].header("X-Twilio-Webhooks-Signature-Settings")


async def test_somebody_can_write_to_us(stage: Scene) -> None:
    answer = await stage.post("/sandbox/inbound", {"from": "+61480000001", "body": "Is this real?"})
    assert answer["webhook_status"] == 200
    (request,) = stage.listener.requests
    stage.twilio.verify(request)
    (event,) = stage.twilio.parse(request)
    assert (event.kind, event.text, event.destination) == (EventKind.REPLIED, "Is this real?", "+61480000001")


async def test_after_stop_nothing_is_taken_for_the_number_until_start(stage: Scene) -> None:
    await stage.twilio.send(SMS, texts("+61480000001"))
    await stage.post("/sandbox/inbound", {"from": "+61480000001", "body": " Stop. "})
    (refused,) = await stage.twilio.send(SMS, texts("+61480000001"))
    assert refused.error is not None
    assert refused.error.code == "opt_out"
    await stage.post("/sandbox/inbound", {"from": "+61480000001", "body": "start"})
    (taken,) = await stage.twilio.send(SMS, texts("+61480000001"))
    assert taken.error is None


async def test_with_advanced_opt_out_twilio_says_what_it_understood(stage: Scene) -> None:
    stage.behave(advanced_opt_out=1)
    await stage.post("/sandbox/inbound", {"from": "+61480000001", "body": "STOP"})
    (event,) = stage.twilio.parse(stage.listener.requests[0])
    assert (event.kind, event.code) == (EventKind.OPTED_OUT, "STOP")


async def test_an_answer_in_twiml_is_sent_to_the_writer(stage: Scene) -> None:
    stage.listener.body = "<Response><Message>Ask at the school &amp; call us.</Message></Response>"
    await stage.post("/sandbox/inbound", {"from": "+61480000001", "body": "HELP"})
    (reply,) = [sms for sms in stage.sandbox.store.sms if sms.direction == "outbound-reply"]
    assert (reply.to, reply.body) == ("+61480000001", "Ask at the school & call us.")


async def test_an_answer_in_plain_text_is_sent_as_it_stands_which_is_a_trap(stage: Scene) -> None:
    stage.listener.body, stage.listener.content_type = "OK", "text/plain"
    await stage.post("/sandbox/inbound", {"from": "+61480000001", "body": "HELP"})
    assert [sms.body for sms in stage.sandbox.store.sms if sms.direction == "outbound-reply"] == ["OK"]


async def test_a_batch_ends_as_sendgrids_do_with_a_line_break_that_is_signed(stage: Scene) -> None:
    await stage.sendgrid.send(EMAIL, emails("drop@families.example"))
    (request,) = await stage.listener.wait(1)
    assert request.body.endswith(b"\r\n")
    assert orjson.loads(request.body)[0]["notifier_delivery"] == "reference-0"
