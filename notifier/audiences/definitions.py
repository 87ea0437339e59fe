"""An audience as a file says it: `audiences/<audience>.toml`, in words, checked word by word.

    title = "Parents in Victoria"
    readers = "parents"
    regions = ["AU-VIC"]

What is left out does not restrict. Nothing here reads the database.
"""

import json
import re
import tomllib
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from notifier.audiences.judging import year_levels
from notifier.audiences.languages import tag_of
from notifier.kit.errors import Invalid, NotFound
from notifier.vocabulary import ChannelPolicy, Readers, Role

_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_ROLES = {
    Readers.PARENTS: (Role.PARENT, Role.CARER),
    Readers.YOUNG_PEOPLE: (Role.STUDENT,),
    Readers.SCHOOL_STAFF: (Role.STAFF,),
}


@dataclass(frozen=True, slots=True)
class Audience:
    """Who is meant. An empty tuple does not restrict; a region stands for itself and for every region within it.

    `topics` are the topics a campaign for this audience may have; `channels` is the policy a campaign starts from.
    """

    name: str
    title: str
    readers: Readers
    regions: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    excluded_lists: tuple[str, ...] = ()
    roles: tuple[Role, ...] = ()
    year_levels: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    channels: ChannelPolicy = ChannelPolicy.BOTH

    @property
    def digest(self) -> str:
        """The SHA-256 of what the file says, in hex; comments and layout do not count."""
        return sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


_WORDS = {field.name for field in fields(Audience)} - {"name"}


def audience_names(folder: Path) -> list[str]:
    """Return the names of every audience in the folder."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def load_audience(folder: Path, name: str) -> Audience:
    """Read one audience. Raises NotFound, or Invalid with file and line for a word nobody knows."""
    path = folder / f"{name}.toml"
    if not _NAME.fullmatch(name) or not path.is_file():
        known = ", ".join(audience_names(folder)) or "none yet"
        raise NotFound(f"There is no audience {name!r} in {folder}; there are: {known}")
    try:
        return _understood(path, path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise Invalid(f"{path} is not a TOML file: {wrong}") from wrong


def check_against(
    folder: Path,
    audience: Audience,
    *,
    regions: Collection[str],
    topics: Collection[str],
    lists: Collection[str] | None = None,
) -> None:
    """Raise Invalid, with file and line, for a region, a topic or a list that is not there, which would reach nobody.

    `lists` are the codes of every contact list; None if there is no database at hand.
    """
    path = folder / f"{audience.name}.toml"
    text = path.read_text(encoding="utf-8")
    reader = _Reader(path, text, tomllib.loads(text))
    for region in audience.regions:
        if region not in regions and not any(known.startswith(f"{region}-") for known in regions):
            reader.refuse("regions", region, f"there is no region {region!r}; `notifier regions list` shows every one")
    for topic in audience.topics:
        if topic not in topics:
            reader.refuse("topics", topic, f"no advisory is about {topic!r}; there are: {', '.join(sorted(topics))}")
    for word, codes in (("lists", audience.lists), ("excluded_lists", audience.excluded_lists)):
        for code in codes:
            if lists is not None and code not in lists:
                reader.refuse(word, code, f"there is no contact list {code!r}; `notifier lists show` names every one")


# A worker asks for the audience of every batch; the file is read each time, but the same text is understood only once.
@lru_cache(maxsize=64)
def _understood(path: Path, text: str) -> Audience:
    return _Reader(path, text, tomllib.loads(text)).audience(path.stem)


@dataclass(frozen=True, slots=True)
class _Reader:
    """One file being read: it knows the line to point at."""

    path: Path
    text: str
    content: dict[str, Any]

    def audience(self, name: str) -> Audience:
        for word in self.content:
            if word not in _WORDS:
                self.refuse(
                    word, word, f"{word!r} is no word of an audience; the words are {', '.join(sorted(_WORDS))}"
                )
        readers = Readers(self._one("readers", [kind.value for kind in Readers]))
        roles = tuple(Role(role) for role in self._several("roles", [role.value for role in Role]))
        self._check_roles(readers, roles)
        return Audience(
            name=name,
            title=self._one("title"),
            readers=readers,
            regions=self._several("regions"),
            lists=self._several("lists"),
            excluded_lists=self._several("excluded_lists"),
            roles=roles or _ROLES[readers],
            year_levels=tuple(year_levels(level) for level in self._several("year_levels")),
            languages=tuple(self._language(tag) for tag in self._several("languages")),
            topics=self._several("topics"),
            channels=self._policy(),
        )

    def _check_roles(self, readers: Readers, roles: tuple[Role, ...]) -> None:
        if readers is not Readers.YOUNG_PEOPLE and Role.STUDENT in roles:
            self.refuse("roles", "student", f"students are never part of an audience of {readers}")

    def _policy(self) -> ChannelPolicy:
        if "channels" not in self.content:
            return ChannelPolicy.BOTH
        return ChannelPolicy(self._one("channels", [policy.value for policy in ChannelPolicy]))

    def _language(self, text: str) -> str:
        tag = tag_of(text)
        if tag is None:
            self.refuse("languages", text, f"{text!r} is no language; write its tag (ar) or its name (Arabic)")
        return tag or ""

    def _one(self, word: str, allowed: list[str] | None = None) -> str:
        value = self.content.get(word)
        if not isinstance(value, str) or not value.strip():
            self.refuse(word, word, f"{word!r} must be one text" + (f": {', '.join(allowed)}" if allowed else ""))
        return self._allowed(word, str(value), allowed)

    def _several(self, word: str, allowed: list[str] | None = None) -> tuple[str, ...]:
        values = self.content.get(word, [])
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            self.refuse(word, word, f'{word!r} must be a list of texts, such as ["{(allowed or ["…"])[0]}"]')
        return tuple(self._allowed(word, value, allowed) for value in values)

    def _allowed(self, word: str, value: str, allowed: list[str] | None) -> str:
        if allowed is not None and value not in allowed:
            self.refuse(word, value, f"{value!r} is none of {', '.join(allowed)}")
        return value

    def refuse(self, word: str, looked_for: str, sentence: str) -> None:
        """Raise Invalid for something the file says about a word, with its line."""
        lines = self.text.splitlines()
        start = next((at for at, line in enumerate(lines) if re.match(rf'\s*"?{re.escape(word)}"?\s*=', line)), 0)
        line = next((at for at, text in enumerate(lines) if at >= start and looked_for in text), start)
        raise Invalid(f"{self.path}, line {line + 1}: {sentence}")
