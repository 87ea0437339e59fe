"""The atlas: every region, and the contacts a family in one of them may be given today.

Facts of a parent region fill the gaps of a state one by one, after the gate, so that a state's doubtful number gives
way to the country's good one. Nothing here knows a language's words or writes a file.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Self

from notifier.kit.errors import Invalid, NotFound
from notifier.regions.facts import DIRECTORY, EMERGENCY, HUMAN_LINES, Contact, ContactKind, Region, why_not
from notifier.regions.files import SHARED, read_region, read_shared

DEFAULT_MAX_AGE_DAYS = 90


class Atlas:
    """Every region by its code, and the facts that hold in all of them."""

    def __init__(
        self,
        regions: Mapping[str, Region],
        shared: Mapping[str, Contact],
        *,
        folder: Path = Path(),
        max_age_days: int = DEFAULT_MAX_AGE_DAYS,
    ) -> None:
        self.folder = folder
        self.max_age_days = max_age_days
        self._regions = dict(sorted(regions.items()))
        self._shared = dict(shared)
        for region in self._regions.values():
            _check_parents(region, self._regions)

    @classmethod
    def load(cls, folder: Path, *, max_age_days: int = DEFAULT_MAX_AGE_DAYS) -> Self:
        """Read a folder of region files. Raises Invalid with file and line for the first that is wrong."""
        if not folder.is_dir():
            raise Invalid(f"There is no folder {folder} with regions; see [folders] config in the settings")
        paths = sorted(path for path in folder.glob("*.toml") if path.stem != SHARED)
        shared = folder / f"{SHARED}.toml"
        return cls(
            {path.stem: read_region(path) for path in paths},
            read_shared(shared) if shared.exists() else {},
            folder=folder,
            max_age_days=max_age_days,
        )

    def region(self, code: str) -> Region:
        """Return a region. Raises NotFound."""
        try:
            return self._regions[code]
        except KeyError:
            raise NotFound(
                f"There is no region {code!r}; `notifier regions list` shows the {len(self._regions)} there are"
            ) from None

    def regions(self) -> tuple[Region, ...]:
        """Return every region, by code."""
        return tuple(self._regions.values())

    def shared(self) -> Mapping[str, Contact]:
        """Return the facts that hold everywhere."""
        return self._shared

    def belongs(self, code: str, group: str) -> bool:
        """Whether a region is, lies in, or is a member of `group` (a region code, or a group such as "EU")."""
        return any(group == region.code or group in region.groups for region in self.lineage(code))

    def lineage(self, code: str) -> Iterator[Region]:
        """Yield a region, its parent, and so on up."""
        region: Region | None = self.region(code)
        while region:
            yield region
            region = self._regions.get(region.parent)

    def sender_name(self, code: str) -> str:
        """Return the police team's name as families in a region know it, or "" if the settings' name is good there."""
        return next((region.sender_name for region in self.lineage(code) if region.sender_name), "")

    def contacts(self, code: str, *, today: date, live: bool) -> dict[str, Contact]:
        """Return the contacts that may be shown in a region today, by fact.

        A region without any line on which a person answers gives only its emergency number and the INHOPE directory.
        """
        usable: dict[str, Contact] = {}
        for facts in (*(region.facts for region in self.lineage(code)), self._shared):
            for fact, contact in facts.items():
                if fact not in usable and self.why_not(contact, today=today, live=live) is None:
                    usable[fact] = contact
        if not any(is_human_line(contact) for contact in usable.values()):
            return {fact: usable[fact] for fact in (EMERGENCY, DIRECTORY) if fact in usable}
        return usable

    def why_not(self, contact: Contact, *, today: date, live: bool) -> str | None:
        """Say why a contact may not be shown today, or None if it may."""
        return why_not(contact, today=today, live=live, max_age_days=self.max_age_days)


def is_human_line(contact: Contact) -> bool:
    """Whether a person answers there."""
    return contact.role in HUMAN_LINES and contact.kind is ContactKind.PHONE


def _check_parents(region: Region, regions: Mapping[str, Region]) -> None:
    seen = [region.code]
    parent = region.parent
    while parent:
        if parent not in regions:
            raise Invalid(f"{region.path}: the parent {parent!r} is not a region")
        if parent in seen:
            raise Invalid(f"{region.path}: the parents of {region.code} run in a circle: {' > '.join([*seen, parent])}")
        seen.append(parent)
        parent = regions[parent].parent
