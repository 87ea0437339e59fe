"""The documents are part of the build: a setting, command or status without its line fails here."""

import dataclasses
import re
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from notifier import config
from notifier.campaigns.lifecycle import CampaignStatus
from notifier.cli import Contents, app
from notifier.delivery.batches import BatchStatus
from notifier.delivery.status import DeliveryStatus
from notifier.delivery.waves import WaveStatus
from notifier.vocabulary import EventKind, HoldBackReason, SuppressionReason

ROOT = Path(__file__).parents[2]


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("place", sorted(config.places()))
def test_every_setting_stands_in_the_settings_file_with_its_sentence(place: str) -> None:
    section, _, key = place.rpartition(".")
    text = _read("config/notifier.toml")
    within = text.split(f"\n[{section}]\n", 1)[1].split("\n[", 1)[0] if section else text.split("\n[", 1)[0]
    assert re.search(rf"^(# )?{key} = ", within, flags=re.MULTILINE), f"{place} is not in config/notifier.toml"


def test_the_settings_file_says_what_the_program_would_do_without_it() -> None:
    settings = config.load(ROOT, {})
    for section in dataclasses.fields(settings):
        value = getattr(settings, section.name)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            assert value == type(value)(), f"config/notifier.toml changes a default of [{section.name}]"


def _whole() -> TyperGroup:
    """Return the command line with every chapter opened."""
    group = typer.main.get_command(app)
    assert isinstance(group, Contents)
    group.open_all()
    return group


def _commands(group: TyperGroup, prefix: str = "notifier") -> list[str]:
    found: list[str] = []
    for name, command in group.commands.items():
        here = f"{prefix} {name}"
        found += _commands(command, here) if isinstance(command, TyperGroup) else [here]
    return found


@pytest.mark.parametrize("command", sorted(_commands(_whole())))
def test_every_command_has_its_line_in_the_documents(command: str) -> None:
    assert f"`{command}" in _read("docs/commands.md")


@pytest.mark.parametrize(
    "word",
    sorted(
        {
            member.value
            for kind in (
                DeliveryStatus, CampaignStatus, BatchStatus, WaveStatus, HoldBackReason, SuppressionReason, EventKind,
            )
            for member in kind
        }
    ),
)  # fmt: skip
def test_every_status_reason_and_event_has_its_line_in_the_glossary(word: str) -> None:
    assert f"`{word}`" in _read("docs/glossary.md")


PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
# A path as prose names one, in backticks: from the top of the repository, or a room's file without `notifier/`.
_PATH = re.compile(
    r"`([\w-]+/[\w./-]*\w\.(?:py|toml|md|html|po|css|js)|(?:notifier|templates|audiences|config)/[\w/-]+)`"
)
_ADDRESS = re.compile(r"[a-z]+:")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_and_path_in_a_document_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = {link for link in _LINK.findall(text) if not _ADDRESS.match(link)}
    lost = {link for link in links if not (page.parent / link).exists()}
    lost |= {
        path for path in _PATH.findall(text) if not any((top / path).exists() for top in (ROOT, ROOT / "notifier"))
    }
    assert lost == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_document_names_a_command_there_is_not(page: Path) -> None:
    known = {tuple(name.split()[1:]) for name in _commands(_whole())}
    # A group may be named by itself, which the blank stands for.
    known |= {(name[0], "") for name in known}
    named = re.findall(r"(?:^|`)notifier ([a-z][a-z-]*) ?([a-z][a-z-]*)?", page.read_text("utf-8"), flags=re.MULTILINE)
    assert [pair for pair in named if pair not in known and pair[:1] not in known] == []


def _options(group: TyperGroup, prefix: str = "notifier") -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, command in group.commands.items():
        here = f"{prefix} {name}"
        if isinstance(command, TyperGroup):
            found |= _options(command, here)
        else:
            found[here] = {word for parameter in command.params for word in parameter.opts}
    return found


def test_no_document_names_an_option_its_command_has_not() -> None:
    known = _options(_whole())
    lines = re.findall(r"^\| `(notifier(?: [a-z][a-z-]*)+)(.*?)` \|", _read("docs/commands.md"), flags=re.MULTILINE)
    unknown = [
        (command, option)
        for command, rest in lines
        for option in re.findall(r"--[a-z-]+", rest)
        if option not in known[command]
    ]
    assert lines
    assert unknown == []
