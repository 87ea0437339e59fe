"""Schemathesis on everything the OpenAPI document names, and hostile bodies to every public door.

The cases are Schemathesis's; they are sent through our own client, because the app only answers while it runs.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok

from notifier.kit.db import Database
from notifier.kit.tokens import Keyring
from tests.web.house import client, parts
from tests.web.test_scanners import everything

DOORS = (
    "/webhooks/sendgrid/events",
    "/webhooks/sendgrid/inbound",
    "/webhooks/twilio/status",
    "/webhooks/twilio/inbound",
    "/u/{token}",
    "/p/{token}",
    "/p/{token}/stop",
    "/p/{token}/forget",
    "/s/{token}",
    "/subscribe",
)
TYPES = ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json", "text/xml", "")
PATIENT = settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@pytest.fixture
def ledger(sqlite_url: str) -> Iterator[Database]:
    """An empty database; what a hostile request may do does not depend on its kind."""
    opened = Database(sqlite_url)
    yield opened
    opened.close()


@pytest.fixture
def door(ledger: Database, keyring: Keyring) -> Iterator[TestClient]:
    with client(parts(ledger, keyring)) as opened:
        yield opened


def test_no_operation_of_the_document_ends_in_a_fault_or_changes_anything(door: TestClient, ledger: Database) -> None:
    document = door.get("/api/v1/openapi.json").json()
    before = everything(ledger)
    found = schemathesis.openapi.from_dict(document).get_all_operations()
    operations = [one.ok() for one in found if isinstance(one, Ok)]
    assert len(operations) > 15
    for operation in operations:

        @PATIENT
        @given(case=operation.as_strategy())
        def answers(case: Any) -> None:  # noqa: ANN401 - Schemathesis's own
            body = case.body if isinstance(case.body, bytes | str | dict | list) else None
            answer = door.request(
                case.method,
                case.formatted_path,
                params=case.query or None,
                headers={name: value for name, value in (case.headers or {}).items() if value.isascii()},
                **({"content": body} if isinstance(body, bytes | str) else {"json": body}),
            )
            assert answer.status_code < 500, (case.method, case.formatted_path)

        answers()
    # A failed guess at a confirmation is counted against its network, and that is all.
    after = everything(ledger)
    assert {name: rows for name, rows in after.items() if name != "allowances"} == {
        name: rows for name, rows in before.items() if name != "allowances"
    }


@PATIENT
@given(
    path=st.sampled_from(DOORS),
    token=st.text(max_size=40),
    kind=st.sampled_from(TYPES),
    body=st.one_of(
        st.binary(max_size=2000),
        st.text(max_size=500).map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.sampled_from([b"[" * 50_000, b"{" * 50_000, b'[{"event": ' * 9_000, b"--x\r\n" * 10_000, b"\0" * 60_000]),
    ),
)
def test_a_hostile_body_is_refused_and_leaves_nothing(
    door: TestClient, ledger: Database, path: str, token: str, kind: str, body: bytes
) -> None:
    before = everything(ledger)
    address = path.replace("{token}", "".join(one for one in token if one.isalnum() and one.isascii()) or "x")
    answer = door.post(address, content=body, headers={"content-type": kind} if kind else {})
    assert 400 <= answer.status_code < 500 or address == "/subscribe"
    assert answer.status_code < 500
    assert "Traceback" not in answer.text
    after = everything(ledger)
    assert {name: rows for name, rows in after.items() if name != "allowances"} == {
        name: rows for name, rows in before.items() if name != "allowances"
    }


@pytest.mark.parametrize("path", [path.replace("{token}", "x") for path in DOORS])
def test_a_huge_body_is_not_read_to_its_end(door: TestClient, path: str) -> None:
    answer = door.post(path, content=b"x" * 5_000_000)
    assert answer.status_code in {404, 413}
    assert len(answer.content) < 10_000
