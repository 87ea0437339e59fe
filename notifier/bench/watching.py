"""What other processes of a benchmark spend: their CPU time and their peak memory, read from /proc.

Where there is no /proc (anywhere but Linux) both are 0.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from notifier.bench.figures import KIB_IN_MB, PEAK_LINE, Spent

_PROC = Path("/proc")
_USER, _SYSTEM = 11, 12  # places in /proc/PID/stat, counted behind the name of the program


@contextmanager
def watched(processes: Sequence[int]) -> Iterator[list[Spent]]:
    """Give a list in which, at the end, stands what the processes spent in between."""
    found: list[Spent] = []
    cpu, wall = cpu_s(processes), time.perf_counter()
    yield found
    took = time.perf_counter() - wall
    found.append(Spent(took, cpu_s(processes) - cpu, peak_mb_of(processes)))


def cpu_s(processes: Sequence[int]) -> float:
    """Return the seconds of CPU some processes have used until now."""
    return sum(_cpu_s(process) for process in processes)


def peak_mb_of(processes: Sequence[int]) -> float:
    """Return the peak memory of the largest of some processes in MiB."""
    return max((_peak_mb(process) for process in processes), default=0.0)


def _cpu_s(process: int) -> float:
    path = _PROC / str(process) / "stat"
    if not path.exists():
        return 0.0
    fields = path.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return (int(fields[_USER]) + int(fields[_SYSTEM])) / os.sysconf("SC_CLK_TCK")


def _peak_mb(process: int) -> float:
    path = _PROC / str(process) / "status"
    lines = path.read_text(encoding="ascii", errors="replace").splitlines() if path.exists() else []
    return next((int(line.split()[1]) / KIB_IN_MB for line in lines if line.startswith(PEAK_LINE)), 0.0)
