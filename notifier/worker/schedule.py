"""The scheduler: APScheduler as a ticker. It only says when to look; what is due is a row in the database."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from notifier.worker import doubts, duties, erasures, planning, recurrence
from notifier.worker.engine import Engine

log = structlog.get_logger("notifier.scheduler")


def duties_of(engine: Engine) -> dict[str, tuple[Callable[[Engine], object], float]]:
    """Return every duty by name, with its interval in seconds. A new duty is one line here."""
    ticks = engine.ticks
    return {
        "plan due waves": (planning.plan_due, ticks.plan_s),
        "take over from dead workers": (duties.take_over, ticks.take_over_s),
        "apply provider events": (duties.apply_events, ticks.apply_s),
        "finish campaigns": (duties.finish, ticks.finish_s),
        "open rounds": (recurrence.open_rounds, ticks.finish_s),
        "watch over campaigns": (duties.watch, ticks.watch_s),
        "judge canaries": (duties.judge_canaries, ticks.finish_s),
        "settle doubts": (doubts.settle, ticks.settle_s),
        "keep counts": (duties.count, ticks.count_s),
        "forget": (duties.forget, ticks.forget_s),
        "have providers erase": (erasures.ask, ticks.forget_s),
    }


@contextmanager
def scheduler(engine: Engine) -> Iterator[BackgroundScheduler]:
    """Tick in the background until the block ends; what is running then is finished first."""
    # A duty that takes longer than its interval is nothing to warn of: the next tick does what was left.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    wanted = duties_of(engine)
    ticker = BackgroundScheduler(timezone="UTC", executors={"default": ThreadPoolExecutor(len(wanted))})
    for name, (duty, seconds) in wanted.items():
        ticker.add_job(
            partial(_do, name, duty, engine), "interval", seconds=seconds, id=name, coalesce=True, max_instances=1
        )
    ticker.start()
    try:
        yield ticker
    finally:
        ticker.shutdown(wait=True)


def _do(name: str, duty: Callable[[Engine], object], engine: Engine) -> None:
    """Do one duty; trouble is logged and the next tick tries again, because what is due stays due."""
    try:
        duty(engine)
    except Exception:
        log.exception("duty.trouble", duty=name)
