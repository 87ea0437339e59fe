"""A sandbox and a running Notifier as processes of their own, on free loopback ports, for demo and benchmarks."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

import orjson

from notifier import config
from notifier.bootstrap import House
from notifier.kit.errors import Conflict

_LOOPBACK = "127.0.0.1"
_PATIENCE_S = 90.0
WITH_WEB = {"run", "serve"}


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One process of Notifier."""

    name: str
    process: "subprocess.Popen[bytes]"


class Neighbours:
    """An installation in a folder of its own, and the processes it needs.

    `write_secrets` makes its secrets; `parts` are the processes started beside the sandbox, each as often as it is
    named; `sandbox_options` are further words for the sandbox's command line.
    """

    def __init__(
        self,
        home: Path,
        environment: Mapping[str, str],
        *,
        write_secrets: Callable[..., object],
        parts: Sequence[str] = ("run",),
        database: str = "",
        sandbox_options: Sequence[str] = (),
    ) -> None:
        sandbox_port, web_port, self.smtp_port = _free_ports(3)
        self.sandbox_url = f"http://{_LOOPBACK}:{sandbox_port}"
        self.web_url = f"http://{_LOOPBACK}:{web_port}"
        self.home = home
        self._ports = (sandbox_port, web_port)
        self._write_secrets = write_secrets
        self._wanted = parts
        self._sandbox_options = sandbox_options
        self.environment = {
            **environment,
            "NOTIFIER_HOME": str(home),
            "NOTIFIER_LIVE": "false",
            "NOTIFIER_DATABASE_URL": database or f"sqlite:///{home / 'notifier.sqlite3'}",
            "NOTIFIER_WEB_PUBLIC_URL": self.web_url,
            "NOTIFIER_SENDGRID_BASE_URL": self.sandbox_url,
            "NOTIFIER_TWILIO_BASE_URL": self.sandbox_url,
            "NOTIFIER_SMTP_HOST": _LOOPBACK,
            "NOTIFIER_SMTP_PORT": str(self.smtp_port),
            "NOTIFIER_SMTP_SECURITY": "none",
            # Made-up families on this machine may be written to at night.
            "NOTIFIER_QUIET_HOURS_SMS_FROM": "00:00",
            "NOTIFIER_QUIET_HOURS_SMS_UNTIL": "00:00",
        }
        self._sandbox: subprocess.Popen[bytes] | None = None
        self.parts: list[Part] = []

    def __enter__(self) -> Self:
        self._write_secrets(self.home, sandbox=self.sandbox_url)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in self._processes():
            process.terminate()
        for process in self._processes():
            _end(process)

    def house(self) -> closing[House]:
        """Open the installation in this process too."""
        return closing(House(config.load(Path.cwd(), self.environment)))

    def start(self) -> None:
        """Start the sandbox and Notifier and wait until both answer."""
        self.start_sandbox()
        self.start_parts()

    def start_sandbox(self) -> None:
        """Start the sandbox and wait until it answers."""
        port = str(self._ports[0])
        where = ("--port", port, "--smtp-port", str(self.smtp_port), "--webhook-url", self.web_url)
        self._sandbox = self._run("sandbox", *where, *self._sandbox_options)
        self._wait_for(f"{self.sandbox_url}/sandbox/counts")

    def start_parts(self) -> None:
        """Start Notifier's processes and wait until the web answers, if there is one."""
        for name in self._wanted:
            self.spawn(name)
        if WITH_WEB & set(self._wanted):
            self._wait_for(f"{self.web_url}/healthz")

    def spawn(self, name: str, *, within: Sequence[str] = (), settings: Mapping[str, str] | None = None) -> Part:
        """Start one more process of Notifier, with other settings or `within` a command that becomes it."""
        words = ["--port", str(self._ports[1])] if name in WITH_WEB else []
        part = Part(name, self._run(name, *words, within=within, settings=settings or {}))
        self.parts.append(part)
        return part

    def kill(self, part: Part) -> None:
        """End a process at once, without a word (SIGKILL)."""
        part.process.kill()
        part.process.wait()
        self.parts.remove(part)

    def wait(self) -> None:
        """Wait until the person at the screen presses Ctrl-C."""
        try:
            while all(process.poll() is None for process in self._processes()):
                time.sleep(0.5)
        except KeyboardInterrupt:
            return

    def behave(self, behaviour: Mapping[str, float]) -> None:
        """Tell the sandbox how to misbehave."""
        _call(Request(f"{self.sandbox_url}/sandbox/behaviour", data=orjson.dumps(behaviour), method="POST"))  # noqa: S310 - loopback

    def references(self) -> dict[str, dict[str, int]]:
        """Return how often the sandbox received each delivery reference, by channel."""
        found: dict[str, dict[str, int]] = orjson.loads(_call(Request(f"{self.sandbox_url}/sandbox/references")))  # noqa: S310
        return found

    def messages(self, to: str) -> list[dict[str, Any]]:
        """Return what the sandbox received for an address, newest first."""
        query = urlencode({"to": to, "limit": 10})
        found: list[dict[str, Any]] = orjson.loads(_call(Request(f"{self.sandbox_url}/sandbox/messages?{query}")))  # noqa: S310
        return found

    def click_unsubscribe(self, address: str) -> None:
        """Do what a mail program does when its unsubscribe button is pressed (RFC 8058)."""
        header = self.messages(address)[0]["headers"]["List-Unsubscribe"]
        _call(Request(header.strip("<>"), data=b"List-Unsubscribe=One-Click", method="POST"))  # noqa: S310

    def write_sms(self, number: str, text: str) -> None:
        """Let a person answer by SMS."""
        body = orjson.dumps({"from": number, "body": text})
        _call(Request(f"{self.sandbox_url}/sandbox/inbound", data=body, method="POST"))  # noqa: S310

    def _processes(self) -> list["subprocess.Popen[bytes]"]:
        return [*([self._sandbox] if self._sandbox else []), *(part.process for part in self.parts)]

    def _run(
        self, *arguments: str, within: Sequence[str] = (), settings: Mapping[str, str] = MappingProxyType({})
    ) -> "subprocess.Popen[bytes]":
        command = [*within, sys.executable, "-m", "notifier", *arguments]
        with (self.home / f"{arguments[0]}.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603 - our own program, with words of our own
                command, env={**self.environment, **settings}, stdout=log, stderr=log
            )

    def _wait_for(self, url: str) -> None:
        deadline = time.monotonic() + _PATIENCE_S
        while time.monotonic() < deadline:
            if any(process.poll() is not None for process in self._processes()):
                break
            try:
                _call(Request(url))  # noqa: S310
            except (URLError, OSError):
                time.sleep(0.05)
            else:
                return
        raise Conflict(f"Nothing answers at {url}; {self.home}/*.log says why")


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _call(request: Request) -> bytes:
    # Every address here is on loopback; a proxy that is set for the outside world would not find it.
    with build_opener(ProxyHandler({})).open(request, timeout=_PATIENCE_S) as answer:
        body: bytes = answer.read()
        return body


def _free_ports(amount: int) -> list[int]:
    sockets = [socket.create_server((_LOOPBACK, 0)) for _ in range(amount)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports
