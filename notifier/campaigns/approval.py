"""What an approval is bound to: a hash of the words, the numbers, the audience, the schedule and the channels.

The hash is made when a campaign is submitted, again when it is approved, and again when each wave is planned. If any of
the three differ, what would be sent is not what was approved, and it stops.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path

import orjson

from notifier.audiences.segments import Audience, load_audience
from notifier.campaigns.models import Campaign
from notifier.content.library import Library
from notifier.regions.atlas import Atlas
from notifier.vocabulary import Readers


@dataclass(frozen=True, slots=True)
class Papers:
    """What a campaign is made from: the words, the numbers, and the audiences, as they are on disk now.

    `frame` is a hash of what stands around every text: layouts, fixed sentences, languages, and who signs.
    """

    library: Library
    atlas: Atlas
    audiences_folder: Path
    live: bool
    frame: str = ""

    def audience(self, name: str) -> Audience:
        """Return an audience by name. Raises NotFound or Invalid."""
        return load_audience(self.audiences_folder, name)


def fingerprint(campaign: Campaign, papers: Papers, *, today: date) -> str:
    """Return the hash (SHA-256, hex) of everything that decides what goes to whom and when."""
    advisory = papers.library.advisory(campaign.advisory)
    bound = {
        "advisory": campaign.advisory,
        "readers": campaign.readers,
        "content": advisory.digest(Readers(campaign.readers)),
        "frame": papers.frame,
        # What was answered for with the sandbox in mind must not reach real people once the installation is live.
        "live": papers.live,
        "contacts": _contacts(papers, advisory.regions, today),
        "audience": campaign.audience,
        "audience_definition": papers.audience(campaign.audience).digest,
        "channels": campaign.channels,
        "schedule": campaign.schedule,
        "options": campaign.options,
        "accepted": sorted(entry["key"] for entry in campaign.accepted),
        "urgent": campaign.urgent,
        "expires_at": campaign.expires_at.isoformat() if campaign.expires_at else None,
    }
    return sha256(orjson.dumps(bound, option=orjson.OPT_SORT_KEYS)).hexdigest()


def frame_digest(files: Iterable[Path], signature: Sequence[str]) -> str:
    """Return the hash of what stands around every text: the files that make it, and who signs."""
    frame = sha256("\0".join(signature).encode())
    for path in sorted(files):
        frame.update(path.name.encode() + sha256(path.read_bytes()).digest())
    return frame.hexdigest()


def _contacts(papers: Papers, groups: tuple[str, ...], today: date) -> dict[str, dict[str, list[str | None]]]:
    """Return everything that would be printed about whom to call, by region and name."""
    return {
        region.code: {
            name: [contact.value, contact.operator, contact.hours]
            for name, contact in papers.atlas.contacts(region.code, today=today, live=papers.live).items()
        }
        for region in papers.atlas.regions()
        if any(papers.atlas.belongs(region.code, group) for group in groups)
    }
