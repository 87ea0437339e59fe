"""Previews: what each reader will really see, as files an officer can leaf through before anything is sent.

The same rendering as the real thing, with one made-up person's values filled in. Nothing is sent and nobody's data is
used.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from notifier.content import sms
from notifier.content.documents import ReviewState
from notifier.content.languages import Choice, Reason
from notifier.content.library import Advisory
from notifier.content.personal import Filler, printer
from notifier.content.render import RenderContext, Renderer
from notifier.vocabulary import Channel, Readers

SAMPLE_NAME = "Sam"
SAMPLE_SCHOOLS = "Example School"
SAMPLE_TOKEN = "1ExampleTokenExampleTok"  # noqa: S105 - opens nothing


@dataclass(frozen=True, slots=True)
class Shown:
    """One text as one reader sees it. `html` and `subject` are empty for a text message."""

    advisory: str
    readers: Readers
    channel: Channel
    wanted: str
    language: str
    reason: Reason
    region: str
    state: ReviewState
    text: str
    subject: str = ""
    preheader: str = ""
    sender: str = ""
    html: str = ""
    size: sms.SmsSize | None = None

    @property
    def file(self) -> str:
        """The place of this preview below the folder of previews, without its ending."""
        return f"{self.advisory}/{self.readers}/{self.wanted}-{self.region}/{self.channel}"

    def to_json(self) -> dict[str, Any]:
        """Return everything but the HTML, in plain values."""
        told = {key: value for key, value in asdict(self).items() if key not in {"html", "size"}}
        if self.size:
            counted = {"alphabet": self.size.alphabet, "units": self.size.units, "parts": self.size.parts}
            told |= counted | {"forced_by": list(self.size.forced_by)}
        return told


def show(
    renderer: Renderer,
    advisory: Advisory,
    readers: Readers,
    channel: Channel,
    choice: Choice,
    region: str,
    context: RenderContext,
) -> Shown:
    """Render one text and fill in the made-up person."""
    language = choice.language
    document = advisory.document(readers, channel, language)
    if channel is Channel.SMS:
        message = renderer.sms(advisory, readers, language, region, context)
        text = _filled(message.text, message.markers)
        parts: dict[str, Any] = {"text": text, "size": sms.size(text), "sender": message.sender}
    else:
        email = renderer.email(advisory, readers, language, region, context)
        parts = {
            "text": _filled(email.text, email.markers),
            "html": _filled(email.html, email.markers),
            "subject": _filled(email.subject, email.markers),
            "preheader": document.preheader,
            "sender": f"{email.sender_name} <{email.sender}>",
        }
    return Shown(
        advisory=advisory.name,
        readers=readers,
        channel=channel,
        wanted=choice.steps[0],
        language=language,
        reason=choice.reason,
        region=region,
        state=advisory.state(document),
        **parts,
    )


def matrix(renderer: Renderer, advisories: Sequence[Advisory]) -> Iterator[tuple[Advisory, Readers, Channel, str, str]]:
    """Yield every text there is, in each region of its advisory where its language is at home, or else in the first."""
    atlas = renderer.atlas
    for advisory in advisories:
        regions = [
            region for region in atlas.regions() if any(atlas.belongs(region.code, group) for group in advisory.regions)
        ]
        for readers, channel, language in sorted(advisory.documents):
            home = [
                region.code
                for region in regions
                if any(language in renderer.library.languages.way(tag) for tag in region.official_languages)
            ]
            abroad = [region.code for region in regions if language in region.community_languages]
            for code in home or abroad or [region.code for region in regions[:1]]:
                yield advisory, readers, channel, language, code


def write(renderer: Renderer, shown: Sequence[Shown], folder: Path) -> list[Path]:
    """Write previews below a folder with a page for each reader and an index, and return the files."""
    written: list[Path] = []
    pages: dict[str, list[Shown]] = {}
    for one in shown:
        pages.setdefault(one.file.rpartition("/")[0], []).append(one)
        for ending, text in (("txt", one.text), ("html", one.html)):
            if text:
                written.append(_put(folder / f"{one.file}.{ending}", text))
    for place, together in pages.items():
        languages = renderer.library.languages
        page = renderer.layout(
            "preview.html",
            shown=together,
            first=together[0],
            direction=languages.language(together[0].language).direction,
            native_name=languages.language(together[0].language).native_name,
            english_name=languages.language(together[0].language).name,
        )
        written.append(_put(folder / place / "index.html", page))
    return [*written, _put(folder / "index.html", renderer.layout("index.html", pages=pages))]


def _put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _filled(text: str, markers: Sequence[str]) -> str:
    return printer(text)(Filler(markers)(SAMPLE_NAME, SAMPLE_SCHOOLS, SAMPLE_TOKEN))
