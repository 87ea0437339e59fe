"""The official text as it was approved, kept whole, so that its public page shows it after the files have changed.

A page is kept for every language and region that somebody gets. For the other languages the files of today may be
shown, but only while everything the page is made from is what it was: that is what `basis` says. Nothing here is
written to the database; whoever makes a variant keeps what it gets from here.
"""

from dataclasses import dataclass
from hashlib import sha256

import orjson

from notifier.content.library import Advisory
from notifier.content.render import RenderContext, Renderer
from notifier.kit.errors import NotFound
from notifier.vocabulary import Readers


@dataclass(frozen=True, slots=True)
class OfficialPage:
    """What the page of a message shows: HTML with the region's contacts in it, who signs, and what it was made from."""

    title: str
    html: str
    language: str
    direction: str
    sender: str
    basis: str


def official_page(
    renderer: Renderer,
    advisory: Advisory,
    readers: Readers,
    language: str,
    region_code: str,
    context: RenderContext,
    *,
    frame: str,
) -> OfficialPage | None:
    """Return the page of a text as the files are now, or None where there is no text for a page in this language.

    `frame` is the hash of the layouts and fixed sentences around it. Raises Conflict if the region's emergency number
    may not be shown.
    """
    try:
        page = renderer.page(advisory, readers, language, region_code, context)
    except NotFound:
        return None
    return OfficialPage(
        title=page.title,
        html=str(page.html),
        language=language,
        direction=page.direction,
        sender=renderer.sender_name(region_code, context),
        basis=basis(renderer, advisory, readers, region_code, context, frame=frame),
    )


def basis(
    renderer: Renderer, advisory: Advisory, readers: Readers, region_code: str, context: RenderContext, *, frame: str
) -> str:
    """Return the hash (SHA-256, hex) of everything a region's pages are made from, in all languages.

    Raises Conflict if the region's emergency number may not be shown.
    """
    contacts = {
        name: [contact.value, contact.operator, contact.hours]
        for name, contact in renderer.contacts(region_code, context).items()
    }
    made_from = [frame, advisory.digest(readers), contacts, renderer.sender_name(region_code, context)]
    return sha256(orjson.dumps(made_from, option=orjson.OPT_SORT_KEYS)).hexdigest()
