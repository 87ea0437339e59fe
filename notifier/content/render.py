"""Rendering: one advisory for one kind of readers, in one language and one region, as email, text message or page.

A variant is rendered once; what belongs to a single person stays a marker in it (`personal.py` fills those). LANGUAGE
picks the words and REGION picks the numbers, and neither ever picks the other. Nothing here sends, and nothing loads a
resource from anywhere.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from gettext import NullTranslations
from pathlib import Path
from typing import Any

import css_inline
from jinja2 import FileSystemLoader, StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup

from notifier.content import markup, sms
from notifier.content.contacts import rows
from notifier.content.documents import Document, ReviewState
from notifier.content.furniture import Furniture
from notifier.content.languages import Direction, direction_of
from notifier.content.library import Advisory, Library
from notifier.content.personal import markers_in
from notifier.content.phrases import OPT_OUT_BY_LINK, OPT_OUT_BY_REPLY
from notifier.kit.errors import Conflict, Invalid
from notifier.regions.atlas import Atlas
from notifier.regions.facts import EMERGENCY, Contact
from notifier.vocabulary import Channel, EmailMessage, Part, PersonalField, Readers, SmsMessage, marker

_NUMBER = re.compile(r"\+?[\d ]{3,}")


@dataclass(frozen=True, slots=True)
class RenderContext:
    """What a campaign brings to its texts.

    `code` is the message's short public code, `public_url` the address of the recipients' pages without a slash at the
    end, `today` the day the contacts must be good on, `live` whether real people will read it. `second_language` stands
    below the reader's own in every email, if there is a text in it.
    """

    code: str
    public_url: str
    sender_name: str
    sender_email: str
    reply_to: str
    sms_sender: str
    today: date
    live: bool
    second_language: str = ""

    @property
    def official_page(self) -> str:
        """The page on which anybody can check that the message is real."""
        return f"{self.public_url.rstrip('/')}/v/{self.code}"


@dataclass(frozen=True, slots=True)
class Page:
    """The official text of a message as a fragment for a web page: HTML from `<h2>` down, without personal values."""

    title: str
    html: Markup
    language: str
    direction: Direction
    state: ReviewState


@dataclass(frozen=True, slots=True)
class _Emergency:
    """What `contact` offers a text: the emergency number, and no other."""

    emergency: str


@dataclass(frozen=True, slots=True)
class _Sender:
    name: str


class Renderer:
    """Everything a variant is made of: the texts, the facts, the layouts and the furniture."""

    def __init__(self, library: Library, atlas: Atlas, layouts: Path, *, locale: Path | None = None) -> None:
        self.library = library
        self.atlas = atlas
        self.furniture = Furniture(locale or layouts.parent / "locale", library.languages)
        loader = FileSystemLoader(layouts)
        self._html = SandboxedEnvironment(
            loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        # Plain text is not HTML: escaping it would put &amp; into a letter.
        self._text = SandboxedEnvironment(
            loader=loader,
            autoescape=False,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        # Rules that depend on the reader's screen cannot be inlined; they go into the head as they are.
        self._adapting = f"<style>\n{(layouts / 'adapt.css').read_text(encoding='utf-8')}</style>\n</head>"
        self._inliner = css_inline.CSSInliner(keep_style_tags=False, load_remote_stylesheets=False)

    def translations(self, language: str) -> NullTranslations:
        """Return the gettext catalogue for recipients' pages in a language."""
        return self.furniture.translations(language)

    def email(
        self,
        advisory: Advisory,
        readers: Readers,
        language: str,
        region_code: str,
        context: RenderContext,
    ) -> EmailMessage:
        """Return the email of a variant; with a second language in the context, the same in that one under the first.

        Raises NotFound if there is no such text, Conflict if the region has no emergency number that may be shown.
        """
        below = self.library.second(advisory, readers, context.second_language, language)
        tags = (language,) if below is None else (language, below)
        documents = [advisory.document(readers, Channel.EMAIL, tag) for tag in tags]
        subject = self._fill(
            self._text, documents[0].subject, documents[0], self._values(documents[0], region_code, context)
        )
        page = self._layout("email.html", self._html, documents, region_code, context, Part.HTML, subject)
        html = self._inliner.inline(page).replace("</head>", self._adapting, 1)
        text = self._layout("email.txt", self._text, documents, region_code, context, Part.TEXT, subject)
        return EmailMessage(
            sender=context.sender_email,
            sender_name=self.sender_name(region_code, context),
            subject=subject,
            text=text.strip() + "\n",
            html=html,
            language=language,
            reply_to=context.reply_to or None,
            headers={"Content-Language": ", ".join(tags), "Auto-Submitted": "auto-generated"},
            markers=markers_in(subject, text, html),
        )

    def sms(
        self, advisory: Advisory, readers: Readers, language: str, region_code: str, context: RenderContext
    ) -> SmsMessage:
        """Return the text message of a variant, with its opt-out line, in plain punctuation where that makes it GSM-7.

        Raises NotFound if there is no such text, Conflict if the region has no emergency number that may be shown.
        """
        document = advisory.document(readers, Channel.SMS, language)
        values = self._values(document, region_code, context)
        body = self._fill(self._text, document.body, document, values)
        text = sms.plain(f"{body}\n{self.opt_out_line(language, context)}")
        return SmsMessage(sender=context.sms_sender, text=text, language=language, markers=markers_in(text))

    def page(
        self, advisory: Advisory, readers: Readers, language: str, region_code: str, context: RenderContext
    ) -> Page:
        """Return the official text of a message for its public page."""
        document = advisory.document(readers, Channel.EMAIL, language)
        values = self._values(document, region_code, context)
        return Page(
            title=self._fill(self._text, document.subject, document, values),
            html=Markup(self._body(document, region_code, context, Part.HTML)),  # noqa: S704 - rendered with autoescape
            language=language,
            direction=direction_of(self.library.languages, language),
            state=advisory.state(document),
        )

    def layout(self, name: str, **values: object) -> str:
        """Return one of the layouts with values, for pages that officers look at."""
        return self._html.get_template(name).render(values)

    def opt_out_line(self, language: str, context: RenderContext) -> str:
        """Return the last line of a text message: how to leave. A sender that is only a name cannot be answered."""
        say = self.furniture.say(language)
        if _NUMBER.fullmatch(context.sms_sender):
            return say(OPT_OUT_BY_REPLY)
        token = marker(PersonalField.TOKEN, Part.SMS)
        return say(OPT_OUT_BY_LINK, link=f"{context.public_url.rstrip('/')}/p/{token}")

    def contacts(self, region_code: str, context: RenderContext) -> dict[str, Contact]:
        """Return the contacts a message may show. Raises Conflict if not even the emergency number may be."""
        contacts = self.atlas.contacts(region_code, today=context.today, live=context.live)
        if EMERGENCY not in contacts:
            raise Conflict(
                f"The emergency number of {region_code} may not be shown, so nothing can be sent there; "
                f"`notifier regions check {region_code}` says why"
            )
        return contacts

    def sender_name(self, region_code: str, context: RenderContext) -> str:
        """Return who speaks to a region: its own team, or else the installation's."""
        return self.atlas.sender_name(region_code) or context.sender_name

    def _layout(
        self,
        name: str,
        environment: SandboxedEnvironment,
        documents: list[Document],
        region_code: str,
        context: RenderContext,
        part: Part,
        subject: str,
    ) -> str:
        blocks = [self._block(document, region_code, context, part) for document in documents]
        return environment.get_template(name).render(
            blocks=blocks,
            subject=subject,
            preheader=documents[-1].subject if len(documents) > 1 else documents[0].preheader,
            language=documents[0].language,
            direction=blocks[0]["direction"],
        )

    def _block(self, document: Document, region_code: str, context: RenderContext, part: Part) -> dict[str, Any]:
        """Return one language's part of an email: its frame and its text."""
        furniture_tag = self.furniture.language(document.language)
        in_html = part is Part.HTML
        return {
            "language": document.language,
            "native_name": self.library.languages.language(document.language).native_name,
            "direction": direction_of(self.library.languages, document.language),
            "furniture_language": furniture_tag,
            "furniture_direction": direction_of(self.library.languages, furniture_tag),
            "_": (self.furniture.say_in_html if in_html else self.furniture.say)(document.language),
            "body": Markup(self._body(document, region_code, context, part)),  # noqa: S704 - rendered with autoescape
            "sender": self.sender_name(region_code, context),
            "name": _mark(PersonalField.GIVEN_NAME, part),
            "schools": _mark(PersonalField.SCHOOLS, part),
            "official_page": context.official_page,
            "preferences_page": f"{context.public_url.rstrip('/')}/p/{marker(PersonalField.TOKEN, part)}",
        }

    def _body(self, document: Document, region_code: str, context: RenderContext, part: Part) -> str:
        in_html = part is Part.HTML
        environment = self._html if in_html else self._text
        say = self.furniture.say(document.language)
        contacts = self.contacts(region_code, context)
        direction = direction_of(self.library.languages, document.language)
        block = environment.get_template("contacts.html" if in_html else "contacts.txt").render(
            rows=rows(contacts, document.readers, document.language, say), direction=direction
        )
        values = self._values(document, region_code, context)
        if in_html:
            values["contact"] = _Emergency(_dialled(contacts[EMERGENCY]))
        # A block is a value that is markup already; as a plain string it would be escaped.
        values["contacts"] = Markup(block.strip())  # noqa: S704 - rendered with autoescape
        source = markup.to_html(document.body) if in_html else markup.to_text(document.body)
        return self._fill(environment, source, document, values)

    def _values(self, document: Document, region_code: str, context: RenderContext) -> dict[str, Any]:
        values: dict[str, Any] = {
            "sender": _Sender(self.sender_name(region_code, context)),
            "contact": _Emergency(self.contacts(region_code, context)[EMERGENCY].value),
        }
        if document.channel is Channel.SMS:
            values["link"] = context.official_page
        return values

    def _fill(
        self, environment: SandboxedEnvironment, source: str, document: Document, values: Mapping[str, Any]
    ) -> str:
        try:
            return environment.from_string(source).render(values)
        except TemplateError as wrong:
            raise Invalid(
                f"{document.path}: a placeholder cannot be filled: {wrong.message}; "
                "`notifier advisories check` shows which ones there are"
            ) from wrong


def _mark(name: PersonalField, part: Part) -> Markup:
    return Markup(marker(name, part))  # noqa: S704 - our own mark, no value


def _dialled(contact: Contact) -> Markup:
    """Return a number that a tap calls, kept left to right in any text."""
    return Markup('<a href="tel:{}"><bdi dir="ltr">{}</bdi></a>').format(contact.tel, contact.value)
