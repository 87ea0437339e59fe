"""In which time zones an audience lives, by the regions of its contact lists."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from notifier.audiences.models import ContactList
from notifier.audiences.segments import Audience, lists_of
from notifier.kit.errors import NotFound
from notifier.regions.atlas import Atlas


def zones_of(session: Session, audience: Audience, atlas: Atlas) -> dict[str, list[str]]:
    """Return the regions of each time zone an audience reaches.

    A region with several zones counts with its first, where most of it lives. A region nobody has facts about is left
    out; its people are reached with the last zone.
    """
    list_ids = lists_of(session, audience)
    zones: dict[str, list[str]] = {}
    for code in session.scalars(
        select(ContactList.region).where(ContactList.id.in_(list_ids)).distinct().order_by(ContactList.region)
    ):
        try:
            zones.setdefault(atlas.region(code).timezones[0], []).append(code)
        except NotFound:
            continue
    return zones
