"""What the clock says in each region, remembered for a while: reading the facts costs more than a claim."""

from datetime import datetime, timedelta

from notifier.delivery.quiet import Place
from notifier.kit.errors import NotFound
from notifier.vocabulary import Channel
from notifier.worker.engine import Engine

# A change of a region's hours is noticed within this time.
_REMEMBERED_FOR = timedelta(seconds=30)


class Clocks:
    """The time zones and quiet hours of regions, as a worker knows them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._places: dict[tuple[str, Channel], Place] = {}
        self._since: datetime | None = None

    def place(self, region: str, channel: Channel) -> Place:
        """Return what the clock says in a region. One that nobody has facts about any more is on UTC."""
        now = self._engine.clock()
        if self._since is None or now - self._since > _REMEMBERED_FOR:
            self._places, self._since = {}, now
        known = self._places.get((region, channel))
        if known is None:
            known = self._places[region, channel] = self._read(region, channel)
        return known

    def _read(self, region: str, channel: Channel) -> Place:
        try:
            found = self._engine.press().papers.atlas.region(region)
        except NotFound:
            return Place(("UTC",))
        return Place(found.timezones, self._engine.quiet.hours(channel, found))
