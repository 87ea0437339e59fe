"""What the commands about texts and regions open: the library, the atlas and what checks them, from the settings."""

from dataclasses import dataclass
from pathlib import Path

from notifier.accounts import users
from notifier.accounts.models import User
from notifier.bootstrap import House
from notifier.content.checks import Checker
from notifier.content.furniture import Furniture
from notifier.content.languages import Languages
from notifier.content.library import Library
from notifier.content.render import RenderContext, Renderer
from notifier.content.terms import Terms
from notifier.delivery.numbers import read_numbers
from notifier.kit.clock import utc_now
from notifier.regions.atlas import Atlas

# A preview has no campaign yet, so its code is one that no campaign gets.
PREVIEW_CODE = "preview"


@dataclass(frozen=True, slots=True)
class Words:
    """The texts, the places and the checks of one installation."""

    languages: Languages
    atlas: Atlas
    checker: Checker
    advisories_folder: Path
    layouts_folder: Path

    def library(self) -> Library:
        """Read the advisories. Raises Invalid with file and line."""
        return Library.load(self.advisories_folder, self.languages)

    def renderer(self, library: Library) -> Renderer:
        """Return what renders them."""
        return Renderer(library, self.atlas, self.layouts_folder)


def open_atlas(opened: House) -> Atlas:
    """Read the regions of an installation."""
    settings = opened.settings
    return Atlas.load(Path(settings.folders.config) / "regions", max_age_days=settings.content.contacts_max_age_days)


def open_words(opened: House) -> Words:
    """Read the regions, languages and terms of an installation; the advisories are read when asked for."""
    folders = opened.settings.folders
    config, templates = Path(folders.config), Path(folders.templates)
    languages = Languages.load(config / "languages.toml")
    atlas = open_atlas(opened)
    furniture = Furniture(templates / "locale", languages)
    return Words(
        languages=languages,
        atlas=atlas,
        checker=Checker(languages, atlas, Terms.load(config / "terms.toml"), furniture),
        advisories_folder=templates / "advisories",
        layouts_folder=templates / "layouts",
    )


def preview_context(opened: House) -> RenderContext:
    """Return the context in which a preview is rendered: the settings' sender, today."""
    settings = opened.settings
    return RenderContext(
        code=PREVIEW_CODE,
        public_url=settings.web.public_url,
        sender_name=settings.sender.name,
        sender_email=settings.sender.email,
        reply_to=settings.sender.reply_to,
        sms_sender=read_numbers(settings.sender.sms)[0].value,
        today=utc_now().date(),
        live=settings.live,
    )


def acting_user(opened: House, email: str, doing: str) -> User:
    """Return the user who does something to texts or facts. Raises NotFound or Conflict."""
    with opened.database.reading() as session:
        return users.acting(session, email, users.MAY_DRAFT, doing)
