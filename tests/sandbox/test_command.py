"""`notifier sandbox`, as typed."""

import asyncio
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from notifier.cli.sandbox import received, sandbox
from notifier.kit.errors import Conflict
from notifier.providers.sendgrid import SendGrid
from notifier.providers.settings import SendGridSettings
from notifier.sandbox.accounts import SandboxSettings
from notifier.sandbox.server import Sandbox, running
from tests.sandbox.letters import ACCOUNTS, EMAIL, emails


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The command, typed in a folder without settings."""
    monkeypatch.chdir(tmp_path)
    return sandbox


def _send(url: str) -> None:
    async def send() -> None:
        sendgrid = SendGrid(SendGridSettings(ACCOUNTS.sendgrid_api_key, base_url=url))
        await sendgrid.send(EMAIL, emails("a@families.example"))
        await sendgrid.close()

    thread = threading.Thread(target=lambda: asyncio.run(send()))
    thread.start()
    thread.join()


def test_what_a_running_sandbox_received_is_printed_as_json(
    here: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    with running(Sandbox(SandboxSettings(port=0), ACCOUNTS)) as opened:
        _send(opened.url)
        here(port=int(opened.url.rpartition(":")[2]), webhook_url="", as_json=True)
    (message,) = json.loads(capsys.readouterr().out)
    assert (message["to"], message["reference"], message["channel"]) == ("a@families.example", "reference-0", "email")


def test_a_sandbox_that_does_not_run_is_one_sentence_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        received("http://127.0.0.1:9")
    assert left.value.code == 1
    assert "No sandbox answers" in " ".join(capsys.readouterr().err.split())


def test_a_port_in_use_is_a_refusal_that_names_it(here: Callable[..., None]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Conflict, match=str(port)):
            here(port=port, webhook_url="", as_json=False)
