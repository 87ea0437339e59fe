"""Link scanners fetch every link of every message and page by GET and HEAD, again and again: nothing may change."""

import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import urlsplit

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import MetaData, func, select

from notifier.audiences.models import Address
from notifier.kit.db import Base, Database
from notifier.kit.tokens import Keyring, Purpose
from notifier.tracking import signups
from notifier.vocabulary import Channel
from tests.tracking.ledger import SECRET, a_delivery, an_address
from tests.web.house import NOW, client, parts
from tests.web.test_verification import a_message

SAME_SITE = re.compile(r'(?:href|action|src)="([^"]*)"')


@pytest.fixture
def links(database: Database, keyring: Keyring) -> list[str]:
    """Every kind of link we ever send to anybody."""
    with database.transaction() as session:
        address = an_address(session, "parent@example.org", NOW)
        a_delivery(session, address, campaign_id=7)
        a_message(session, "ABCD1234")
        a_message(session, "Y0VNG123", "young-people")
        wish = {
            "place": {"code": "GR", "name": "Greece", "region": "GR", "country": "GR"},
            "language": "el",
            "declined": [],
            "wording": "w",
        }
        pending = signups.ask_to_confirm(session, SECRET, Channel.EMAIL, "new@example.org", wish, now=NOW)
    return [
        f"/u/{keyring.seal(Purpose.UNSUBSCRIBE, address, 7)}",
        f"/p/{keyring.seal(Purpose.PREFERENCES, address, 7)}",
        f"/s/{keyring.seal(Purpose.CONFIRM, pending.sign_up_id)}",
        "/v/ABCD1234",
        "/v/Y0VNG123",
        "/v",
        "/subscribe",
    ]


@pytest.fixture
def door(database: Database, keyring: Keyring) -> Iterator[TestClient]:
    with client(parts(database, keyring)) as opened:
        yield opened


def everything(database: Database) -> dict[str, object]:
    """The content of every table, to the last value."""
    metadata: MetaData = Base.metadata
    with database.reading() as session:
        return {table.name: sorted(map(repr, session.execute(select(table)).all())) for table in metadata.sorted_tables}


def test_fetching_every_link_of_every_page_changes_nothing(
    door: TestClient, database: Database, links: list[str]
) -> None:
    before = everything(database)
    seen: set[str] = set()
    waiting = list(links)
    while waiting and len(seen) < 150:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for _ in range(3):
            door.head(path)
            page = door.get(path, headers={"accept-language": "ar"})
        for link in SAME_SITE.findall(page.text):
            target = urlsplit(unescape(link))
            if not target.scheme and not target.netloc and not link.startswith("#"):
                waiting.append(f"{target.path or path.partition('?')[0]}{'?' + target.query if target.query else ''}")
    assert len(seen) > len(links) + 20
    assert everything(database) == before
    with database.reading() as session:
        assert session.scalars(select(func.count(Address.id))).one() == 1


def test_no_page_asks_anybody_else_for_anything(door: TestClient, links: list[str]) -> None:
    for path in links:
        page = door.get(path).text
        loaded = re.findall(r'<(?:script|link|img|iframe|form)[^>]*(?:src|href|action)="(https?:[^"]*)"', page)
        assert loaded == []
        assert "style=" not in page
        assert "onclick" not in page
