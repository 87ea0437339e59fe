"""The verification page: a real message is shown in the reader's words, anything else gets advice."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from notifier.accounts.models import User
from notifier.campaigns.models import Campaign
from notifier.campaigns.withdrawal import withdraw
from notifier.delivery.models import Variant
from notifier.kit.db import Database
from notifier.kit.errors import Conflict, NotFound
from notifier.kit.tokens import Keyring
from tests.web.house import NOW, client, parts

OFFICER = User(email="officer@example.org", name="Officer", role="officer", created_at=NOW)


def a_message(session: Session, code: str, readers: str = "parents", *regions: str, advisory: str = "say-no") -> int:
    row = Campaign(
        code=code,
        advisory=advisory,
        readers=readers,
        topic="online-blackmail",
        audience="all",
        channels="email",
        schedule={},
        options={},
        accepted=[],
        urgent=False,
        status="sending",
        created_by="officer@example.org",
        created_at=NOW,
        approved_at=NOW,
    )
    session.add(row)
    session.flush()
    for region in regions or ("GR",):
        session.add(
            Variant(
                campaign_id=row.id,
                channel="email",
                readers=readers,
                language="en",
                region=region,
                content={},
                digest="d",
                created_at=NOW,
            )
        )
    session.flush()
    return row.id


@pytest.fixture
def door(database: Database, keyring: Keyring) -> Iterator[TestClient]:
    with database.transaction() as session:
        a_message(session, "ABCD1234", "parents", "GR", "DE")
        a_message(session, "Y0VNG123", "young-people")
        a_message(session, "V1CT0R1A", "parents", "AU-VIC", advisory="online-blackmail")
    with client(parts(database, keyring)) as opened:
        yield opened


def test_the_official_text_is_shown_in_the_readers_language(door: TestClient) -> None:
    greek = door.get("/v/ABCD1234", headers={"accept-language": "xx, el;q=0.9, en;q=0.1"})
    assert greek.status_code == 200
    assert '<article class="letter" lang="el" dir="ltr">' in greek.text
    assert '<article class="letter" lang="de"' in door.get("/v/ABCD1234?lang=de").text


def test_arabic_runs_from_right_to_left(door: TestClient) -> None:
    assert '<article class="letter" lang="ar" dir="rtl">' in door.get("/v/V1CT0R1A?lang=ar").text


def test_the_language_brings_its_regions_numbers_and_the_reader_can_choose(door: TestClient) -> None:
    assert '<option value="DE" selected>' in door.get("/v/ABCD1234?lang=de").text
    assert '<option value="GR" selected>' in door.get("/v/ABCD1234?lang=de&region=GR").text


@pytest.mark.parametrize("code", ["abcd1234", " ABCD-1234 ", "abcdi234", "ABCDL234"])
def test_a_code_is_known_however_it_is_typed(door: TestClient, code: str) -> None:
    english = {"accept-language": "en"}
    assert "Yes, this message is real" in door.get("/v", params={"code": code}, headers=english).text


@pytest.mark.parametrize("code", ["ZZZZ9999", "x", "'; DROP TABLE campaigns; --", "%00", "a" * 3000, "<script>"])
def test_an_unknown_code_says_what_to_do(door: TestClient, code: str) -> None:
    answer = door.get("/v", params={"code": code})
    assert answer.status_code == 404
    assert "Do not open its links" in answer.text
    assert "<script>" not in answer.text


def test_a_message_that_has_not_gone_out_is_unknown(door: TestClient, database: Database) -> None:
    with database.transaction() as session:
        draft = session.get(Campaign, a_message(session, "DRAFT111"))
        assert draft is not None
        draft.approved_at = None
    assert door.get("/v/DRAFT111").status_code == 404


def test_a_withdrawn_message_says_so_and_leads_to_the_corrected_one(door: TestClient, database: Database) -> None:
    with database.transaction() as session:
        withdraw(session, 1, by=OFFICER, note="The number was wrong.", replaced_by="V1CT0R1A", now=NOW)
        withdraw(session, 2, by=OFFICER, note="Sent by mistake.", replaced_by=None, now=NOW)
    corrected, withdrawn = door.get("/v/ABCD1234?lang=en").text, door.get("/v/Y0VNG123?lang=en").text
    assert "The number was wrong." in corrected
    assert "/v/V1CT0R1A" in corrected
    assert "This message was withdrawn" in withdrawn
    assert "letter" not in withdrawn


def test_a_withdrawal_is_done_once_and_names_a_real_message(door: TestClient, database: Database) -> None:
    assert door.get("/v").status_code == 200
    with database.transaction() as session:
        with pytest.raises(NotFound, match="NOPE"):
            withdraw(session, 1, by=OFFICER, note="n", replaced_by="NOPE", now=NOW)
        withdraw(session, 1, by=OFFICER, note="n", replaced_by=None, now=NOW)
        with pytest.raises(Conflict, match="was withdrawn"):
            withdraw(session, 1, by=OFFICER, note="n", replaced_by=None, now=NOW)


def test_young_peoples_page_has_a_way_out(door: TestClient) -> None:
    assert 'id="leave"' in door.get("/v/Y0VNG123").text
    assert 'id="leave"' not in door.get("/v/ABCD1234").text
    assert door.get("/static/leave.js").status_code == 200
