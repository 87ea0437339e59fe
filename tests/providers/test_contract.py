"""The same cases for every provider that posts to us."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.kit.errors import Invalid
from notifier.providers.base import BadSignature, Provider, WebhookRequest
from notifier.providers.twilio_events import Webhook
from notifier.vocabulary import EventKind
from tests.providers.cases import CASES, LONG_AGO, NOW, URL, Case


@pytest.fixture(params=CASES, ids=[case.name for case in CASES])
def case(request: pytest.FixtureRequest) -> Case:
    """Each provider in turn."""
    found: Case = request.param
    return found


@pytest.fixture
def provider(case: Case) -> Iterator[Provider]:
    """The provider of the case."""
    made = case.make()
    yield made
    asyncio.run(made.close())


def test_a_good_signature_passes(case: Case, provider: Provider) -> None:
    provider.verify(case.request(case.words[0][0]))


def test_a_changed_body_does_not_pass(case: Case, provider: Provider) -> None:
    signed = case.request(case.words[0][0])
    with pytest.raises(BadSignature):
        provider.verify(replace(signed, body=signed.body.replace(b"1", b"2", 1)))


def test_a_request_without_a_signature_does_not_pass(case: Case, provider: Provider) -> None:
    signed = case.request(case.words[0][0])
    with pytest.raises(BadSignature):
        provider.verify(replace(signed, headers={}))


@pytest.mark.parametrize("nonsense", ["", "!!!", "QUJD", "é", "\x00"])
def test_a_nonsense_signature_does_not_pass(case: Case, provider: Provider, nonsense: str) -> None:
    signed = case.request(case.words[0][0])
    headers = {key: nonsense if key.lower().endswith("-signature") else value for key, value in signed.headers.items()}
    with pytest.raises(BadSignature):
        provider.verify(replace(signed, headers=headers))


def test_every_word_of_theirs_has_one_of_ours(case: Case, provider: Provider) -> None:
    for fields, kind, code in case.words:
        (event,) = provider.parse(case.request(fields))
        assert (event.kind, event.code) == (kind, code), fields


def test_an_event_brings_our_reference_back(case: Case, provider: Provider) -> None:
    (event,) = provider.parse(case.request(case.words[0][0]))
    assert event.reference == "reference-0"
    assert event.provider == provider.name


def test_the_same_post_has_the_same_event_id_again(case: Case, provider: Provider) -> None:
    first, second = (provider.parse(case.request(case.words[0][0]))[0].event_id for _ in range(2))
    assert first == second


def test_different_words_of_twilio_about_one_message_are_different_events() -> None:
    case, provider = CASES[1], CASES[1].make()
    ids = {provider.parse(case.request(fields))[0].event_id for fields, _, _ in case.words[:4]}
    assert len(ids) == 4


@given(body=st.binary(max_size=400))
def test_no_body_whatever_crashes(body: bytes) -> None:
    for case in CASES[:2]:
        provider = case.make()
        request = WebhookRequest(URL, {}, body, NOW)
        with pytest.raises(BadSignature):
            provider.verify(request)
        try:
            events = provider.parse(request)
        except Invalid:
            continue
        assert all(len(event.event_id) <= 180 for event in events)


_JSON: Any = st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=5)
_EVENTS: Any = st.lists(
    st.dictionaries(
        st.sampled_from(["event", "timestamp", "sg_event_id", "sg_message_id", "email", "reason", "type", "status"])
        | st.text(max_size=5),
        _JSON | st.sampled_from(["bounce", "dropped", "delivered", "account_status_change", "\ud800", "\x00"]),
    )
    | _JSON,
    max_size=4,
)


@given(events=_EVENTS)
def test_no_list_of_events_crashes_and_every_element_is_kept(events: list[Any]) -> None:
    request = WebhookRequest(URL, {}, json.dumps(events).encode(), NOW)
    provider = CASES[0].make()
    found = provider.parse(request)
    assert len(found) == len(events)
    for event in found:
        for text in (event.code, event.detail, event.destination, event.reference, event.message_id):
            assert text is None or "\x00" not in text.encode().decode()


@given(fields=st.dictionaries(st.sampled_from(["Body", "MessageStatus", "ErrorCode", "OptOutType", "From"]), st.text()))
def test_no_form_crashes(fields: dict[str, str]) -> None:
    try:
        body = urlencode({"MessageSid": "SM1"} | fields).encode()
    except UnicodeEncodeError:
        return
    (event,) = CASES[1].make().parse(WebhookRequest(URL, {}, body, NOW))
    assert event.kind in EventKind


def test_an_old_post_of_sendgrid_does_not_pass() -> None:
    case = CASES[0]
    with pytest.raises(BadSignature):
        case.make().verify(case.request(case.words[0][0], LONG_AGO))


def test_one_bad_element_does_not_cost_the_others() -> None:
    body = b'[{"event":"delivered","sg_event_id":"a"}, 7, null, {"event":{"x":[]}}, {"event":"open","email":"\\ud800"}]'
    events = CASES[0].make().parse(WebhookRequest(URL, {}, body, NOW))
    kinds = [EventKind.DELIVERED, EventKind.UNKNOWN, EventKind.UNKNOWN, EventKind.UNKNOWN, EventKind.OPENED]
    assert [event.kind for event in events] == kinds


def test_a_late_bounce_without_message_id_still_has_its_reference() -> None:
    body = b'[{"event":"bounce","type":"bounce","notifier_delivery":"r","timestamp":1700000000000}]'
    (event,) = CASES[0].make().parse(WebhookRequest(URL, {}, body, NOW))
    assert (event.reference, event.message_id, event.occurred_at.year) == ("r", None, 2023)


def test_the_published_example_of_twilios_signature_is_good() -> None:
    body = b"CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212"
    headers = {"X-Twilio-Signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8="}
    Webhook("12345", "").verify(WebhookRequest("https://mycompany.com/myapp.php?foo=1&bar=2", headers, body, NOW))


def test_a_shared_key_signature_needs_the_shared_key() -> None:
    with pytest.raises(BadSignature):
        Webhook("12345", "").verify(CASES[2].request({"MessageStatus": "sent"}))
