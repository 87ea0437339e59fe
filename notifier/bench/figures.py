"""What a benchmark gives: wall time, CPU and memory of one path, beside the floor of the same run."""

import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_MICROSECONDS = 1_000_000
KIB_IN_MB = 1024
PEAK_LINE = "VmHWM:"


@dataclass(frozen=True, slots=True)
class Spent:
    """What something took: seconds on the clock, seconds of CPU of its process, and the process's peak memory."""

    wall_s: float
    cpu_s: float
    rss_mb: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured path.

    Rates are per second of wall time; `note` says what is special about this run, `more` holds figures of its own.
    """

    name: str
    database: str
    recipients: int
    product: Spent
    floor: Spent
    note: str = ""
    more: Mapping[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Recipients per second of the product."""
        return self.recipients / self.product.wall_s

    @property
    def floor_rate(self) -> float:
        """Recipients per second of the floor."""
        return self.recipients / self.floor.wall_s

    def as_dict(self) -> dict[str, Any]:
        """Return the form programs read."""
        return {
            "name": self.name,
            "database": self.database,
            "recipients": self.recipients,
            "rate": round(self.rate),
            "floor_rate": round(self.floor_rate),
            "ratio": round(self.rate / self.floor_rate, 3),
            "cpu_us": round(self.product.cpu_s / self.recipients * _MICROSECONDS, 2),
            "floor_cpu_us": round(self.floor.cpu_s / self.recipients * _MICROSECONDS, 2),
            "seconds": round(self.product.wall_s, 2),
            "rss_mb": round(self.product.rss_mb),
            **self.more,
            "note": self.note,
        }


class Meter:
    """Measures a block of this process: `with Meter() as meter: …`, then `meter.spent`."""

    spent: Spent

    def __enter__(self) -> Self:
        self._cpu, self._wall = _cpu_s(), time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.spent = Spent(time.perf_counter() - self._wall, _cpu_s() - self._cpu, peak_mb())


def together(*parts: Spent) -> Spent:
    """Return what several parts took, one after the other."""
    return Spent(
        sum(part.wall_s for part in parts), sum(part.cpu_s for part in parts), max(part.rss_mb for part in parts)
    )


def peak_mb() -> float:
    """Return this process's peak memory in MiB.

    From /proc where there is one, because Linux lets a process inherit the peak of the one that started it.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith(PEAK_LINE):
                return int(line.split()[1]) / KIB_IN_MB
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (KIB_IN_MB if sys.platform != "darwin" else KIB_IN_MB**2)


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
