"""The verification page: a real message is shown in the reader's words, anything else gets advice."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from shutil import copytree

import pytest
from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from notifier.accounts.models import User
from notifier.campaigns.models import Campaign
from notifier.campaigns.withdrawal import withdraw
from notifier.content.library import Library
from notifier.content.pinned import official_page
from notifier.content.render import Renderer
from notifier.delivery.models import Variant
from notifier.delivery.retention import prune_content
from notifier.delivery.variants import PAGE
from notifier.kit.db import Database
from notifier.kit.errors import Conflict, NotFound
from notifier.kit.tokens import Keyring
from notifier.vocabulary import Readers
from notifier.web.app import WebParts
from tests.web.house import NOW, ROOT, client, parts

OFFICER = User(email="officer@example.org", name="Officer", role="officer", created_at=NOW)


def some_words() -> WebParts:
    """The words and numbers of this repository; nothing is asked of the database."""
    return parts(Database("sqlite://"), Keyring({"a": b"k" * 32}))


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
    papers = some_words()
    source = papers.library.advisory(advisory)
    for region in regions or ("GR",):
        page = official_page(
            papers.renderer, source, Readers(readers), source.source_language, region, papers.context, frame=""
        )
        session.add(
            Variant(
                campaign_id=row.id,
                channel="email",
                readers=readers,
                language=source.source_language,
                region=region,
                content={PAGE: asdict(page)} if page else {},
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


def _with_other_words(of: WebParts, folder: Path, words: str) -> WebParts:
    """The same house after somebody has changed a Greek file of an advisory."""
    advisories = copytree(ROOT / "templates" / "advisories", folder / "advisories")
    file = advisories / "say-no" / "parents" / "el" / "email.md"
    file.write_text(f"{file.read_text(encoding='utf-8')}\n{words}\n", encoding="utf-8")
    library = Library.load(advisories, of.languages)
    renderer = Renderer(library, of.atlas, ROOT / "templates" / "layouts")
    return replace(of, library=library, renderer=renderer)


def test_the_page_shows_what_was_approved_after_the_files_have_changed(
    door: TestClient, database: Database, keyring: Keyring, tmp_path: Path
) -> None:
    approved = door.get("/v/ABCD1234?lang=en&region=GR").text
    letter = approved[approved.index("<article") : approved.index("</article>")]
    changed = _with_other_words(parts(database, keyring), tmp_path, "Other words.")
    with client(changed) as later:
        assert letter in later.get("/v/ABCD1234?lang=en&region=GR").text
        greek = later.get("/v/ABCD1234?lang=el").text
    assert 'hreflang="el"' in approved
    assert "hreflang" not in greek
    assert "Other words." not in greek
    assert '<article class="letter" lang="en"' in greek


def test_the_page_outlives_its_advisory(door: TestClient, database: Database, keyring: Keyring) -> None:
    now = parts(database, keyring)
    emptied = Library({}, now.languages)
    with client(replace(now, library=emptied)) as later:
        assert '<article class="letter" lang="en"' in later.get("/v/ABCD1234").text
    assert '<article class="letter" lang="el"' in door.get("/v/ABCD1234?lang=el").text


def test_when_the_clock_of_contents_has_run_out_the_page_says_that_the_message_was_real(
    door: TestClient, database: Database
) -> None:
    with database.transaction() as session:
        campaign = session.get_one(Campaign, 1)
        campaign.finished_at = NOW
        session.flush()
        assert prune_content(session, before=NOW + timedelta(days=1), now=NOW) == 1
    page = door.get("/v/ABCD1234?lang=en")
    assert page.status_code == 200
    assert "Yes, this message is real" in page.text
    assert "<article" not in page.text
