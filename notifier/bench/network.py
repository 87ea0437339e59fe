"""Network namespaces: processes behind a cable each, which can be pulled out and plugged in again.

A bridge on this machine with one end of every cable, the other end in a namespace of its own, and addresses of the
range that is set aside for measuring networks (RFC 2544), so that nothing of it leads anywhere else. `localhost` within
a namespace is the bridge: Notifier speaks to a stand-in on this machine only, and there it is one cable away. Needs
Linux, root and `ip` of iproute2; all it makes is taken away again.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import randbelow, token_hex

from notifier.kit.errors import Conflict

# Where `ip netns exec` looks for what stands in for files of /etc.
_ETC = Path("/etc/netns")
_SECONDS = 20.0


def why_not() -> str | None:
    """Return why no namespaces can be made here, None if they can."""
    if sys.platform != "linux":
        return "network namespaces need Linux"
    if os.geteuid() != 0:
        return "network namespaces need root"
    if _tool() is None:
        return "network namespaces need the command `ip` (Debian's package iproute2)"
    try:
        with cabled(1) as network:
            network.run(0, "true")
    except (Conflict, OSError) as wrong:
        return f"network namespaces cannot be made here: {wrong}"
    return None


class Network:
    """A bridge and the namespaces behind it, numbered from 0. `address` is the bridge's."""

    def __init__(self, amount: int) -> None:
        name = token_hex(3)
        third = f"198.{18 + randbelow(2)}.{randbelow(256)}"
        self.address = f"{third}.1"
        self.subnet = f"{third}.0/24"
        self._bridge = f"nb{name}"
        self._spaces = [f"notifier-{name}-{number}" for number in range(amount)]
        self._cables = [f"nc{name}{number}" for number in range(amount)]
        self._addresses = [f"{third}.{number + 2}" for number in range(amount)]

    def lay(self) -> None:
        """Make the bridge, the namespaces and the cables."""
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("address", "add", f"{self.address}/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")
        for space, cable, address in zip(self._spaces, self._cables, self._addresses, strict=True):
            _ip("netns", "add", space)
            folder = _ETC / space
            folder.mkdir(parents=True)
            (folder / "hosts").write_text(f"{self.address} localhost\n", encoding="ascii")
            _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", space)
            _ip("link", "set", cable, "master", self._bridge, "up")
            _ip("-n", space, "address", "add", f"{address}/24", "dev", "eth0")
            for link in ("lo", "eth0"):
                _ip("-n", space, "link", "set", link, "up")

    def clear(self) -> None:
        """Take everything away again, as much of it as there is."""
        for cable in self._cables:
            _try("link", "delete", cable)
        for space in self._spaces:
            _try("netns", "delete", space)
            shutil.rmtree(_ETC / space, ignore_errors=True)
        _try("link", "delete", self._bridge)
        with suppress(OSError):
            _ETC.rmdir()

    def within(self, number: int) -> tuple[str, ...]:
        """Return the words that run a command in a namespace; the process they start becomes the command."""
        return (_tool() or "ip", "netns", "exec", self._spaces[number])

    def run(self, number: int, *command: str) -> None:
        """Run a command in a namespace until it ends. Raises Conflict."""
        _call((*self.within(number), *command))

    def pull(self, number: int) -> None:
        """Pull a cable out: nothing goes through any more, and nobody is told."""
        _ip("link", "set", self._cables[number], "down")

    def plug(self, number: int) -> None:
        """Plug a cable in again."""
        _ip("link", "set", self._cables[number], "up")


@contextmanager
def cabled(amount: int) -> Iterator[Network]:
    """Lay a network of so many namespaces, and take it away again whatever happens. Raises Conflict."""
    network = Network(amount)
    try:
        network.lay()
        yield network
    finally:
        network.clear()


def _tool() -> str | None:
    return shutil.which("ip") or shutil.which("ip", path="/usr/sbin:/sbin")


def _ip(*words: str) -> None:
    _call((_tool() or "ip", *words))


def _try(*words: str) -> None:
    with suppress(Conflict):
        _ip(*words)


def _call(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)  # noqa: S603 - words of our own
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip() or f"it ended with {done.returncode}"
        raise Conflict(f"`{' '.join(command)}` failed: {said}")
