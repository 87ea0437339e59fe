"""A real browser walks the pages in English, Arabic and Greek, wide and at 320 pixels, with axe on every page.

Needs Chromium (`NOTIFIER_TEST_CHROMIUM`, or `chromium` on the path) and axe-core, which `make test` fetches; skipped,
saying so, without.
"""

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright

from notifier.kit.db import Database
from notifier.kit.tokens import Keyring, Purpose
from notifier.web.app import create_app
from notifier.web.settings import WebSettings
from tests.tracking.ledger import an_address
from tests.web.house import NOW, parts
from tests.web.test_preferences import a_list, a_subscription
from tests.web.test_verification import a_message

ROOT = Path(__file__).parents[2]
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WIDTHS = [1100, 320]
# A browser on a machine with other work takes its time; what hangs is found by then, too.
PATIENCE_MS = 180_000
LANGUAGES = [("en", "ltr"), ("ar", "rtl"), ("el", "ltr")]


@pytest.fixture(scope="module")
def chromium() -> str:
    """The path of the browser."""
    found = os.environ.get("NOTIFIER_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        pytest.skip("no Chromium on this machine (apt-get install chromium, or NOTIFIER_TEST_CHROMIUM)")
    return found


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core, as `make test` has fetched it."""
    script = ROOT / ".venv" / "axe" / "package" / "axe.min.js"
    if not script.exists():
        pytest.skip("axe-core is not here; `make test` fetches it from the npm registry")
    return script.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def links(sqlite_url: str, keyring: Keyring) -> Iterator[dict[str, str]]:
    """The addresses of a running house's pages, by name."""
    database = Database(sqlite_url)
    with database.transaction() as session:
        email, mobile = an_address(session, "maria@example.org", NOW), an_address(session, "+61491570006", NOW)
        a_subscription(session, a_list(session, "Northcote High School"), email, mobile)
        a_message(session, "ABCD1234", "parents", "GR", "DE")
        a_message(session, "Y0VNG123", "young-people")
        a_message(session, "V1CT0R1A", "parents", "AU-VIC", advisory="online-blackmail")
    # The port is kept from here on: given back and asked for again, it could be somebody else's by then.
    listening = socket.create_server(("127.0.0.1", 0))
    base = f"http://127.0.0.1:{listening.getsockname()[1]}"
    app = create_app(parts(database, keyring, WebSettings(public_url=base)))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    yield {
        "preferences": f"{base}/p/{keyring.seal(Purpose.PREFERENCES, email, 7)}",
        "one-click": f"{base}/u/{keyring.seal(Purpose.UNSUBSCRIBE, email, 7)}",
        "message": f"{base}/v/V1CT0R1A",
        "message in Greece": f"{base}/v/ABCD1234",
        "young people's message": f"{base}/v/Y0VNG123",
        "unknown message": f"{base}/v?code=ZZZZ9999",
        "sign-up": f"{base}/subscribe",
        "nowhere": f"{base}/nowhere",
    }
    server.should_exit = True
    thread.join()
    listening.close()
    database.close()


@pytest.fixture
def page(browser: Browser, width: int, language: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": width, "height": 800}, locale=language, bypass_csp=True)
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


def press(page: Page, button: str) -> None:
    """Press a form's button and wait for the page that answers: a click alone returns before the form has gone out."""
    with page.expect_navigation():
        page.locator(button).click()


def looks_right(page: Page, axe: str) -> None:
    """Nothing runs over the side, axe finds nothing, and nothing came from elsewhere."""
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.evaluate(axe)
    found: dict[str, Any] = page.evaluate(f"axe.run(document, {{runOnly: {RULES}}})")
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found["violations"]] == []


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(("language", "direction"), LANGUAGES)
def test_every_page_looks_right(page: Page, axe: str, links: dict[str, str], language: str, direction: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for name, link in links.items():
        page.goto(link)
        looks_right(page, axe)
        shown = page.locator("html").get_attribute("dir")
        assert shown == direction or name in {"message in Greece", "message", "young people's message"}
    home = links["nowhere"].removesuffix("/nowhere")
    assert [url for url in asked if not url.startswith((home, "data:"))] == []
    assert language


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", [tag for tag, _ in LANGUAGES])
def test_choices_are_made_without_a_script_and_confirmed_on_the_page(
    browser: Browser, axe: str, links: dict[str, str], width: int, language: str
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 800}, locale=language, java_script_enabled=False)
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(links["preferences"])
    page.locator("#language").select_option("el")
    page.locator("#pause").select_option("7")
    press(page, "form:has(#language) button")
    assert page.locator("[role=status] li").count() == 2
    page.goto(f"{links['preferences']}?lang={language}")
    press(page, "form[action$='/stop'] button")
    assert page.locator("form[action$='/resume']").count() == 1
    context.close()
    looking = browser.new_context(viewport={"width": width, "height": 800}, locale=language, bypass_csp=True)
    looking.set_default_timeout(PATIENCE_MS)
    again = looking.new_page()
    again.goto(links["preferences"])
    looks_right(again, axe)
    looking.close()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("language", [tag for tag, _ in LANGUAGES])
def test_a_family_signs_up(page: Page, axe: str, links: dict[str, str], language: str) -> None:
    page.goto(links["sign-up"])
    press(page, "button.primary")
    looks_right(page, axe)
    assert page.locator(".error").count() == 3
    page.locator("#region").select_option("AU-VIC")
    page.locator("#mobile").fill("0491 570 006")
    page.locator("[name=agree]").check()
    press(page, "button.primary")
    looks_right(page, axe)
    page.locator("#code").fill("000000")
    press(page, "button.primary")
    looks_right(page, axe)
    assert language


@pytest.mark.parametrize("width", [320])
@pytest.mark.parametrize("language", ["en"])
def test_the_way_out_takes_the_place_of_the_page(page: Page, links: dict[str, str], language: str) -> None:
    page.goto(links["sign-up"])
    page.goto(links["young people's message"])
    page.route("https://www.wikipedia.org/**", lambda route: route.fulfill(body="<p>elsewhere</p>"))
    page.locator("#leave").click()
    page.wait_for_url("https://www.wikipedia.org/**")
    page.go_back()
    assert page.url == links["sign-up"]
    assert language
