"""The sandbox over HTTP: what it refuses, what it shows, and how it misbehaves."""

import socket
from io import BytesIO
from urllib.parse import urlencode

import pytest
from aiohttp import ClientSession, encode_basic_auth

from notifier.kit.errors import Conflict, Invalid
from notifier.sandbox.accounts import Accounts, SandboxSettings, generate_signing_key
from notifier.sandbox.behaviour import Behaviour
from notifier.sandbox.server import Sandbox, running, serving
from tests.sandbox.letters import ACCOUNTS, EMAIL, SMS, Scene, emails, texts

MESSAGES = f"/2010-04-01/Accounts/{ACCOUNTS.twilio_account_sid}/Messages"
LOGIN = {"Authorization": encode_basic_auth(ACCOUNTS.twilio_account_sid, ACCOUNTS.twilio_auth_token)}
FORM = {"To": "+61480000001", "From": "+61480000000", "Body": "Hello"}


async def ask(stage: Scene, method: str, path: str, **how: object) -> tuple[int, dict[str, object]]:
    """One request; its status and JSON."""
    async with ClientSession() as session, session.request(method, stage.sandbox.url + path, **how) as answer:  # type: ignore[arg-type]
        return answer.status, await answer.json(content_type=None) if await answer.read() else {}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"To": ""}, 21604),
        ({"To": "0480000001"}, 21211),
        ({"To": "+15005550009"}, 21614),
        ({"From": ""}, 21603),
        ({"From": "a very long sender"}, 21212),
        ({"From": "12"}, 21212),
        ({"Body": ""}, 21602),
        ({"Body": "x" * 1601}, 21617),
        ({"StatusCallback": "not an address"}, 21609),
        ({"StatusCallback": "https://under_score.example/x"}, 21609),
        ({"ValidityPeriod": "0"}, 21624),
        ({"ValidityPeriod": "36001"}, 21624),
        ({"ValidityPeriod": "soon"}, 21624),
    ],
)
async def test_a_message_that_breaks_a_rule_is_refused_with_its_code(
    stage: Scene, changes: dict[str, str], code: int
) -> None:
    status, answer = await ask(stage, "POST", f"{MESSAGES}.json", data=FORM | changes, headers=LOGIN)
    assert (status, answer["code"], answer["status"]) == (400, code, 400)
    assert str(answer["more_info"]).endswith(str(code))


async def test_an_alphanumeric_sender_is_taken(stage: Scene) -> None:
    status, answer = await ask(stage, "POST", f"{MESSAGES}.json", data=FORM | {"From": "VicPolice"}, headers=LOGIN)
    assert (status, answer["status"], answer["num_segments"]) == (201, "queued", "1")


async def test_twilio_takes_nothing_without_the_accounts_credentials(stage: Scene) -> None:
    for headers in ({}, {"Authorization": encode_basic_auth("AC1", "x")}):
        status, answer = await ask(stage, "POST", f"{MESSAGES}.json", data=FORM, headers=headers)
        assert (status, answer["code"]) == (401, 20003)


async def test_another_account_is_nobodys(stage: Scene) -> None:
    status, _ = await ask(stage, "POST", "/2010-04-01/Accounts/AC0/Messages.json", data=FORM, headers=LOGIN)
    assert status == 401


async def test_messages_are_found_again_by_number_and_time(stage: Scene) -> None:
    await stage.twilio.send(SMS, texts("+61480000001", "+61480000002", "+61480000001"))
    query = urlencode({"To": "+61480000001", "DateSent>": "2026-01-01T00:00:00Z"})
    _, answer = await ask(stage, "GET", f"{MESSAGES}.json?{query}", headers=LOGIN)
    assert isinstance(answer["messages"], list)
    assert [message["to"] for message in answer["messages"]] == ["+61480000001"] * 2
    query = urlencode({"To": "+61480000001", "DateSent<": "2026-01-01T00:00:00Z"})
    _, answer = await ask(stage, "GET", f"{MESSAGES}.json?{query}", headers=LOGIN)
    assert answer["messages"] == []


async def test_a_long_list_of_messages_comes_in_pages(stage: Scene) -> None:
    await stage.twilio.send(SMS, texts(*[f"+6148000000{n}" for n in range(5)]))
    found: list[str] = []
    path = f"{MESSAGES}.json?PageSize=2"
    while path:
        _, answer = await ask(stage, "GET", path, headers=LOGIN)
        found += [message["to"] for message in answer["messages"]]  # type: ignore[attr-defined]
        path = str(answer["next_page_uri"] or "")
    assert found == [f"+6148000000{n}" for n in reversed(range(5))]


async def test_one_message_can_be_fetched_and_its_text_taken_out(stage: Scene) -> None:
    (receipt,) = await stage.twilio.send(SMS, texts("+61480000001"))
    path = f"{MESSAGES}/{receipt.message_id}.json"
    assert (await ask(stage, "GET", path, headers=LOGIN))[1]["body"] == "Hello Mina, please read this."
    await ask(stage, "POST", path, data={"Body": ""}, headers=LOGIN)
    assert (await ask(stage, "GET", path, headers=LOGIN))[1]["body"] == ""
    assert (await ask(stage, "GET", f"{MESSAGES}/SM0.json", headers=LOGIN))[0] == 404


async def test_sendgrid_takes_nothing_that_is_not_json(stage: Scene) -> None:
    key = {"Authorization": ACCOUNTS.bearer}
    kind = {"Content-Type": "application/json"}
    assert (await ask(stage, "POST", "/v3/mail/send", data=b"{", headers=key | kind))[0] == 400
    assert (await ask(stage, "POST", "/v3/mail/send", data=b"{}", headers=key))[0] == 415
    assert (await ask(stage, "POST", "/v3/mail/send", data=b"{}", headers=kind))[0] == 401


async def test_a_request_over_the_size_limit_is_refused_in_html_as_the_real_one_is(stage: Scene) -> None:
    headers = {"Authorization": ACCOUNTS.bearer, "Content-Type": "application/json"}
    async with ClientSession() as session:
        body = BytesIO(b" " * 30_000_001)
        async with session.post(f"{stage.sandbox.url}/v3/mail/send", data=body, headers=headers) as answer:
            assert (answer.status, answer.content_type) == (413, "text/html")


async def test_the_listing_shows_both_channels_and_can_be_narrowed(stage: Scene) -> None:
    await stage.sendgrid.send(EMAIL, emails("a@families.example", "b@families.example"))
    await stage.twilio.send(SMS, texts("+61480000001"))
    listed = await stage.get("/sandbox/messages")
    assert {message["channel"] for message in listed} == {"email", "sms"}
    assert "html" not in listed[-1]
    assert [message["to"] for message in await stage.get("/sandbox/messages?to=b@families.example")] == [
        "b@families.example"
    ]
    assert len(await stage.get("/sandbox/messages?limit=1")) == 1
    one = await stage.get(f"/sandbox/email/{listed[-1]['id']}")
    assert one["html"].startswith("<p>Hello Mina")


async def test_every_accepted_reference_is_listed_with_its_count(stage: Scene) -> None:
    for _ in range(2):
        await stage.sendgrid.send(EMAIL, emails("a@families.example"))
    await stage.twilio.send(SMS, texts("+61480000001", "+61480000002"))
    assert await stage.get("/sandbox/references") == {
        "email": {"reference-0": 2},
        "sms": {"reference-0": 1, "reference-1": 1},
    }


async def test_counts_and_reset(stage: Scene) -> None:
    stage.behave(bounce_rate=1)
    await stage.sendgrid.send(EMAIL, emails("a@families.example", "b@families.example"))
    await stage.listener.wait(2)
    counts = await stage.get("/sandbox/counts")
    assert (counts["email"], counts["sms"], counts["requests"]) == (2, 0, 1)
    await stage.post("/sandbox/reset", {})
    assert (await stage.get("/sandbox/counts"))["email"] == 0
    assert (await stage.get("/sandbox/behaviour"))["bounce_rate"] == 0


async def test_behaviour_is_set_by_name_and_an_unknown_one_refused(stage: Scene) -> None:
    assert (await stage.post("/sandbox/behaviour", {"bounce_rate": 0.5, "seed": 7}))["bounce_rate"] == 0.5
    assert "colour" in (await stage.post("/sandbox/behaviour", {"colour": 1}))["error"]
    assert "error" in await stage.post("/sandbox/behaviour", {"bounce_rate": "often"})
    assert "error" in await stage.post("/sandbox/behaviour", [])
    assert (await stage.get("/sandbox/behaviour"))["bounce_rate"] == 0.5


async def test_nothing_else_is_there(stage: Scene) -> None:
    assert (await ask(stage, "GET", "/v3/templates"))[0] == 404
    assert (await ask(stage, "GET", "/sandbox/email/x.0"))[0] == 404


async def test_the_page_shows_a_message_in_a_box_and_runs_nothing(stage: Scene) -> None:
    await stage.sendgrid.send(EMAIL, emails("a@families.example", name="<script>alert(1)</script>"))
    async with ClientSession() as session, session.get(stage.sandbox.url) as answer:
        page = await answer.text()
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "<iframe sandbox" in page
    assert "<script" not in page


async def test_only_the_newest_emails_stay_readable_but_every_reference_is_kept() -> None:
    sandbox = Sandbox(SandboxSettings(port=0, keep_messages=2), ACCOUNTS)
    async with serving(sandbox):
        async with ClientSession(headers={"Authorization": ACCOUNTS.bearer}) as session:
            for place in range(4):
                async with session.post(f"{sandbox.url}/v3/mail/send", json=document(place)) as answer:
                    assert answer.status == 202
        texts_kept = [message["text"] for message in sandbox.store.messages(limit=9)]
        assert texts_kept == ["Hello Mina", "Hello Mina", "", ""]
        assert len(sandbox.store.references()["email"]) == 4


def document(place: int) -> dict[str, object]:
    """A request for one recipient."""
    return {
        "personalizations": [
            {
                "to": [{"email": f"p{place}@families.example"}],
                "substitutions": {"%%name%%": "Mina"},
                "custom_args": {"notifier_delivery": f"reference-{place}"},
            }
        ],
        "from": {"email": "advisories@police.example"},
        "subject": "Hello",
        "content": [{"type": "text/plain", "value": "Hello %%name%%"}],
    }


def test_a_port_in_use_is_refused_in_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Conflict, match=f"127.0.0.1:{port}"), running(Sandbox(SandboxSettings(port=port), ACCOUNTS)):
            pass


def test_a_sandbox_can_run_in_a_thread_of_its_own() -> None:
    with running(Sandbox(SandboxSettings(port=0), ACCOUNTS)) as sandbox:
        assert sandbox.url.startswith("http://127.0.0.1:")


def test_dice_fall_the_same_way_again() -> None:
    throws = [
        [Sandbox(SandboxSettings(), ACCOUNTS, behaviour=Behaviour(bounce_rate=0.5, seed=7)).dice.sms_outcome()]
        for _ in range(3)
    ]
    assert throws[0] == throws[1] == throws[2]


def test_a_missing_signing_key_is_refused_before_anything_is_signed() -> None:
    with pytest.raises(Invalid, match="notifier init"):
        type(ACCOUNTS)("", "", "", "").sign_events("0", b"")
    private, public = generate_signing_key()
    assert private != public


async def test_a_sandbox_that_shall_post_webhooks_needs_a_key_from_the_start() -> None:
    keyless = Accounts("key", "AC1", "token", "")
    with pytest.raises(Invalid, match="notifier init"):
        await Sandbox(SandboxSettings(port=0), keyless, webhook_url="http://127.0.0.1:1").start()
