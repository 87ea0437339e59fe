"""Run a function in a fresh process of its own, so that its memory and its CPU time are nobody else's."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import ParamSpec, TypeVar

from notifier.kit import logs
from notifier.kit.sqlite_threads import stop_counting_memory

P = ParamSpec("P")
T = TypeVar("T")


def apart(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what a function of a module gives in a process started for it alone."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=_begin) as processes:
        return processes.submit(function, *args, **kwargs).result()


def _begin() -> None:
    """Begin as the command line does."""
    stop_counting_memory()
    logs.configure()
