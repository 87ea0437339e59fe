"""Coverage: which document each recipient will really get and why, and what stands between it and an approval.

Pure functions from counts to lines and findings; the campaign that asks has counted its recipients and decides who may
accept what. A missing translation or an unverified number is never papered over: it is a finding, counted in
recipients.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Any

from notifier.content import sms
from notifier.content.checks import Checker, faults
from notifier.content.documents import Document, ReviewState
from notifier.content.languages import Choice, Reason, canonical
from notifier.content.library import Advisory
from notifier.content.personal import longest, printer
from notifier.content.phrases import INSTEAD, ORDER
from notifier.content.render import RenderContext, Renderer
from notifier.content.settings import ContentSettings
from notifier.kit.errors import NotifierError
from notifier.regions.atlas import is_human_line
from notifier.regions.facts import DIRECTORY, EMERGENCY
from notifier.vocabulary import Channel, Readers


class Weight(StrEnum):
    """What a finding means for an approval: it stands in the way, or a named officer may accept it."""

    BLOCKING = "blocking"
    ACCEPTABLE = "acceptable"


@dataclass(frozen=True, slots=True)
class Wish:
    """How many recipients of a campaign asked for a language ("" if none) in a region on a channel."""

    channel: Channel
    wanted: str
    region: str
    recipients: int


@dataclass(frozen=True, slots=True)
class Line:
    """What the recipients of one wish will get. `language` is None if there is nothing for them.

    `steps` are the languages asked for on the way, `below` the second language of a bilingual email, `units` and
    `parts` those of the longest text message, `cost` is for all its recipients, or None where no price is set.
    """

    channel: Channel
    wanted: str
    region: str
    recipients: int
    language: str | None = None
    reason: Reason | None = None
    steps: tuple[str, ...] = ()
    state: ReviewState | None = None
    below: str | None = None
    alphabet: sms.Alphabet | None = None
    units: int | None = None
    parts: int | None = None
    cost: Decimal | None = None


@dataclass(frozen=True, slots=True)
class CoverageFinding:
    """Something an approver must know. `key` stays the same while the trouble does: an acceptance names it."""

    key: str
    rule: str
    weight: Weight
    recipients: int
    message: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """The whole answer for one campaign."""

    lines: tuple[Line, ...]
    findings: tuple[CoverageFinding, ...]
    currency: str = ""

    @property
    def blocking(self) -> tuple[CoverageFinding, ...]:
        """The findings that stand in the way of an approval."""
        return tuple(finding for finding in self.findings if finding.weight is Weight.BLOCKING)

    @property
    def acceptable(self) -> tuple[CoverageFinding, ...]:
        """The findings a named officer may accept."""
        return tuple(finding for finding in self.findings if finding.weight is Weight.ACCEPTABLE)

    def to_json(self) -> dict[str, Any]:
        """Return everything in plain values, for `--json` and for the hash an approval is bound to."""
        lines = [
            {**asdict(line), "steps": list(line.steps), "cost": None if line.cost is None else str(line.cost)}
            for line in self.lines
        ]
        costs = [line.cost for line in self.lines if line.cost is not None]
        return {
            "lines": lines,
            "findings": [asdict(finding) for finding in self.findings],
            "parts": sum((line.parts or 0) * line.recipients for line in self.lines),
            "cost": str(sum(costs, Decimal(0))) if costs else None,
            "currency": self.currency,
        }


def coverage(
    renderer: Renderer,
    checker: Checker,
    advisory: Advisory,
    readers: Readers,
    wishes: Iterable[Wish],
    context: RenderContext,
    settings: ContentSettings,
) -> Coverage:
    """Say what each recipient of a campaign will get, and find everything that is wrong with it."""
    lines = tuple(
        _line(renderer, advisory, readers, wish, context, settings)
        for wish in sorted(wishes, key=lambda wish: (wish.channel, -wish.recipients, wish.wanted, wish.region))
        if wish.recipients
    )
    findings = [
        *_languages(lines),
        *_regions(renderer, advisory, readers, lines, context),
        *_documents(checker, advisory, readers, lines, live=context.live),
        *_furniture(renderer, lines, live=context.live),
        *_text_messages(advisory, lines),
    ]
    ranked = sorted(findings, key=lambda finding: (finding.weight is not Weight.BLOCKING, -finding.recipients))
    return Coverage(lines, tuple(ranked), settings.sms_currency)


def _line(
    renderer: Renderer,
    advisory: Advisory,
    readers: Readers,
    wish: Wish,
    context: RenderContext,
    settings: ContentSettings,
) -> Line:
    bare = Line(wish.channel, wish.wanted, wish.region, wish.recipients)
    region = renderer.atlas.region(wish.region)
    choice = renderer.library.choose(advisory, readers, wish.channel, wish.wanted or None, region)
    if choice is None:
        return bare
    line = _chosen(bare, choice, advisory.document(readers, wish.channel, choice.language), advisory)
    if wish.channel is not Channel.SMS:
        below = renderer.library.second(advisory, readers, context.second_language, choice.language)
        return replace(line, below=below)
    try:
        message = renderer.sms(advisory, readers, choice.language, wish.region, context)
    except NotifierError:
        return line  # told by the region's own finding
    counted = sms.size(printer(message.text)(longest(message.markers)))
    price = settings.sms_price_per_part.get(region.country)
    return replace(
        line,
        alphabet=counted.alphabet,
        units=counted.units,
        parts=counted.parts,
        cost=None if price is None else price * counted.parts * wish.recipients,
    )


def _chosen(line: Line, choice: Choice, document: Document, advisory: Advisory) -> Line:
    return replace(
        line,
        language=choice.language,
        reason=choice.reason,
        steps=choice.steps,
        state=advisory.state(document),
    )


def _languages(lines: Sequence[Line]) -> Iterator[CoverageFinding]:
    nothing, instead, unreadable = Counter[tuple[str, ...]](), Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
    for line in lines:
        if line.language is None:
            nothing[line.channel, line.wanted or "no language"] += line.recipients
        elif line.wanted and canonical(line.wanted) is None:
            unreadable[line.channel, line.wanted, line.language] += line.recipients
        elif line.wanted and line.reason in {Reason.REGION, Reason.ENGLISH}:
            instead[line.channel, line.wanted, line.language] += line.recipients
    for (channel, wanted), count in nothing.items():
        message = f"{count} recipients who asked for {wanted} have no {channel} text at all"
        yield CoverageFinding(f"no_content:{channel}:{wanted}", "no_content", Weight.BLOCKING, count, message)
    for (channel, wanted, language), count in instead.items():
        message = (
            f"{count} recipients who asked for {wanted} get the {channel} text in {language}: there is no {wanted} one"
        )
        yield CoverageFinding(f"fallback:{channel}:{wanted}:{language}", "fallback", Weight.ACCEPTABLE, count, message)
    for (channel, wanted, language), count in unreadable.items():
        message = f"{count} recipients have {wanted!r} as their language, which is none; they will get {language}"
        yield CoverageFinding(f"bad_tag:{channel}:{wanted}", "bad_tag", Weight.ACCEPTABLE, count, message)


def _regions(
    renderer: Renderer, advisory: Advisory, readers: Readers, lines: Sequence[Line], context: RenderContext
) -> Iterator[CoverageFinding]:
    counts = Counter[str]()
    for line in lines:
        counts[line.region] += line.recipients
    for code, count in counts.items():
        if not any(renderer.atlas.belongs(code, group) for group in advisory.regions):
            message = f"{count} recipients live in {code}, and this advisory is for {', '.join(advisory.regions)}"
            yield CoverageFinding(f"region:{code}", "region", Weight.BLOCKING, count, message)
        yield from _contacts(renderer, readers, code, count, context)


def _contacts(
    renderer: Renderer, readers: Readers, code: str, count: int, context: RenderContext
) -> Iterator[CoverageFinding]:
    contacts = renderer.atlas.contacts(code, today=context.today, live=context.live)
    if EMERGENCY not in contacts:
        message = f"{code} has no emergency number that may be shown; `notifier regions check {code}` says why"
        yield CoverageFinding(f"no_emergency:{code}", "no_emergency", Weight.BLOCKING, count, message)
        return
    if not any(is_human_line(contact) for contact in contacts.values()):
        message = f"{code} has no line on which a person answers: only the emergency number and the directory are shown"
        yield CoverageFinding(f"no_helpline:{code}", "no_helpline", Weight.ACCEPTABLE, count, message)
    without_checks = renderer.atlas.contacts(code, today=context.today, live=False)
    printed = {*ORDER[readers], *INSTEAD.values(), DIRECTORY}
    unchecked = [
        fact
        for fact, contact in without_checks.items()
        if contact.role in printed and renderer.atlas.why_not(contact, today=context.today, live=True) is not None
    ]
    if unchecked:
        does = "leaves out" if context.live else "shows"
        message = f"{code} {does} {len(unchecked)} contacts that no officer has checked lately: {', '.join(unchecked)}"
        yield CoverageFinding(f"unchecked:{code}", "unchecked_contact", Weight.ACCEPTABLE, count, message)


def _documents(
    checker: Checker, advisory: Advisory, readers: Readers, lines: Sequence[Line], *, live: bool
) -> Iterator[CoverageFinding]:
    for (channel, language), count in _recipients_by_document(lines).items():
        document = advisory.document(readers, channel, language)
        state = advisory.state(document)
        where = f"the {channel} text in {language}"
        if state is ReviewState.STALE:
            message = f"{where} ({count} recipients) was changed, or its source was, after it was last looked at"
            yield CoverageFinding(f"stale:{channel}:{language}", "stale", Weight.BLOCKING, count, message)
        elif not state.sendable:
            weight = Weight.BLOCKING if live else Weight.ACCEPTABLE
            message = (
                f"{where} ({count} recipients) has not been reviewed by a second person; it may go to the sandbox only"
            )
            yield CoverageFinding(f"unreviewed:{channel}:{language}", "unreviewed", weight, count, message)
        for finding in faults(checker.document(advisory, document)):
            if finding.rule in {"stale", "sms"}:
                continue  # told above and below, in recipients
            key = f"text:{channel}:{language}:{finding.rule}:{finding.line}"
            yield CoverageFinding(key, finding.rule, Weight.BLOCKING, count, str(finding))


def _furniture(renderer: Renderer, lines: Sequence[Line], *, live: bool) -> Iterator[CoverageFinding]:
    """Find the languages whose footer and labels nobody has reviewed: they are read by families too."""
    counts = Counter[str]()
    for line in lines:
        for language in {renderer.furniture.language(tag) for tag in (line.language, line.below) if tag is not None}:
            counts[language] += line.recipients
    for language, count in counts.items():
        if not renderer.furniture.reviewer(language):
            weight = Weight.BLOCKING if live else Weight.ACCEPTABLE
            message = (
                f"the footer and the labels in {language} ({count} recipients) have not been reviewed by a second "
                "person; they may go to the sandbox only"
            )
            yield CoverageFinding(f"unreviewed:furniture:{language}", "unreviewed", weight, count, message)


def _text_messages(advisory: Advisory, lines: Sequence[Line]) -> Iterator[CoverageFinding]:
    too_long: Mapping[tuple[str, int, int], list[int]] = defaultdict(list)
    for line in lines:
        if line.parts is None or line.language is None:
            continue
        gsm7 = line.alphabet is sms.Alphabet.GSM7
        limit = advisory.limits.sms_parts_gsm7 if gsm7 else advisory.limits.sms_parts_ucs2
        if line.parts > limit:
            too_long[line.language, line.parts, limit].append(line.recipients)
    for (language, parts, limit), counts in too_long.items():
        message = (
            f"the text message in {language} costs {parts} parts for {sum(counts)} recipients; {limit} is the limit"
        )
        yield CoverageFinding(f"sms_parts:{language}:{parts}", "sms_parts", Weight.ACCEPTABLE, sum(counts), message)


def _recipients_by_document(lines: Sequence[Line]) -> Counter[tuple[Channel, str]]:
    counts = Counter[tuple[Channel, str]]()
    for line in lines:
        for language in (line.language, line.below):
            if language is not None:
                counts[line.channel, language] += line.recipients
    return counts
