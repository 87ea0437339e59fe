"""`notifier advisories`: the texts, whether they are fit to go, and how they look."""

from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from notifier.accounts import audit
from notifier.cli.frame import ActorOption, JsonFlag, paper, print_json, print_table, progress, say, tell
from notifier.cli.opening import house
from notifier.cli.words import acting_user, open_words, preview_context
from notifier.content import catalogues, preview, review
from notifier.content.catalogues import gaps, sources, update
from notifier.content.checks import Level
from notifier.content.languages import Choice, Reason, canonical
from notifier.content.library import Advisory
from notifier.content.preview import Shown
from notifier.content.render import RenderContext, Renderer
from notifier.kit.clock import utc_now
from notifier.kit.errors import Conflict, Invalid, NotFound
from notifier.vocabulary import Channel, Readers

app = typer.Typer(help="Advisories: their texts, their review, their looks.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="ADVISORY", help="The folder's name, such as online-blackmail.")]
PREVIEWS = Path("var/previews")


@app.command("list")
def show_all(*, as_json: JsonFlag = False) -> None:
    """Show every advisory with its readers, languages and review."""
    with house() as opened:
        library = open_words(opened).library()
    rows = [_told(advisory) for advisory in library.advisories()]
    if as_json:
        print_json(rows)
        return
    columns = ["advisory", "regions", "readers", "channel", "languages", "review"]
    print_table("Advisories", columns, [line for row in rows for line in _rows(row)])


@app.command("check")
def check_texts(
    names: Annotated[list[str] | None, typer.Argument(metavar="[ADVISORY]...", help="Advisories; all if none.")] = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Hold every text to the rules; exit 1 if one is broken. Notes say what has not been reviewed."""
    with house() as opened:
        words = open_words(opened)
    findings = words.checker.folder(words.advisories_folder)
    if names:
        wanted = {words.advisories_folder / name for name in names}
        for folder in wanted:
            if not folder.is_dir():
                raise NotFound(f"There is no advisory {folder.name!r} in {words.advisories_folder}")
        findings = [finding for finding in findings if wanted & set(finding.path.parents)]
    faults = [finding for finding in findings if finding.level is Level.FAULT]
    if as_json:
        print_json([{**asdict(finding), "path": str(finding.path)} for finding in findings])
    else:
        for finding in faults:
            paper.print(str(finding), markup=False, soft_wrap=True)
        notes = len(findings) - len(faults)
        say(f"{len(faults)} faults; {notes} texts wait for a second person's review and go to the sandbox only.")
    if faults:
        raise SystemExit(1)


@app.command()
def stamp(
    name: NameArgument,
    *,
    readers: Annotated[Readers | None, typer.Option("--audience", "--readers", help="Only for these readers.")] = None,
    language: Annotated[str | None, typer.Option(help="Only this language.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say that translations belong to their sources as they are now."""
    with house() as opened:
        advisory = open_words(opened).library().advisory(name)
    changed = review.stamp(advisory, readers=readers, language=language)
    told = {"advisory": name, "stamped": [str(path) for path in changed]}
    tell(told, f"{len(changed)} translations of {name} are stamped with their source.", as_json=as_json)


@app.command("review")
def review_texts(
    name: NameArgument,
    readers: Annotated[Readers, typer.Argument(metavar="AUDIENCE", help="For whom the texts are.")],
    language: Annotated[str, typer.Argument(metavar="LANG", help="The language of the texts.")],
    *,
    actor: ActorOption,
    channel: Annotated[Channel | None, typer.Option(help="Only the text of this channel.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Record that you have read the texts and they are right. You cannot be who wrote them."""
    with house() as opened:
        advisory = open_words(opened).library().advisory(name)
        user, now = acting_user(opened, actor, "reviewing a text"), utc_now()
        by = review.Reviewer(user.email, user.name)
        channels = tuple(Channel) if channel is None else (channel,)
        with opened.database.transaction() as session:
            paths = review.review(advisory, readers, language, channels, by=by, on=now.date())
            subject = f"{name} {readers} {language}"
            detail: dict[str, Any] = {"files": [str(path) for path in paths]}
            audit.record(session, actor=user.email, action="advisory.reviewed", subject=subject, at=now, detail=detail)
    said = f"{len(paths)} texts of {name} for {readers} in {language} are reviewed by {user.email}."
    tell({"advisory": name, "reviewed_by": user.email, **detail}, said, as_json=as_json)


@app.command()
def messages(*, as_json: JsonFlag = False) -> None:
    """Bring the catalogues of the fixed sentences up to date; exit 1 while one lacks a translation."""
    with house() as opened:
        folder = open_words(opened).layouts_folder
    locale, places = folder.parent / "locale", sources(folder)
    changed = update(locale, places)
    missing = list(gaps(locale, places))
    wanting = [{"file": str(gap.path), "message": gap.message, "what": gap.what} for gap in missing]
    if not as_json:
        for gap in missing:
            paper.print(f"{gap.path}: {gap.message!r} {gap.what}", markup=False, soft_wrap=True)
    tell(
        {"changed": [str(path) for path in changed], "missing": wanting},
        f"{len(changed)} files were changed; {len(missing)} sentences want a translation.",
        as_json=as_json,
    )
    if missing:
        raise SystemExit(1)


@app.command("review-messages")
def review_messages(
    language: Annotated[str, typer.Argument(metavar="LANG", help="The language of the catalogue.")],
    *,
    actor: ActorOption,
    as_json: JsonFlag = False,
) -> None:
    """Record that you have read the fixed sentences of a language and they are right."""
    with house() as opened:
        folder = open_words(opened).layouts_folder
        user, now = acting_user(opened, actor, "reviewing a catalogue"), utc_now()
        with opened.database.transaction() as session:
            path = catalogues.review(folder.parent / "locale", language, by=user.email, on=now.date())
            detail: dict[str, Any] = {"file": str(path)}
            audit.record(session, actor=user.email, action="messages.reviewed", subject=language, at=now, detail=detail)
    said = f"The fixed sentences in {language} are reviewed by {user.email} ({path})."
    tell({"language": language, "reviewed_by": user.email, **detail}, said, as_json=as_json)


@app.command("preview")
def preview_texts(
    name: Annotated[str | None, typer.Argument(metavar="ADVISORY", help="The advisory; all with --all.")] = None,
    *,
    readers: Annotated[Readers, typer.Option("--audience", "--readers", help="For whom.")] = Readers.PARENTS,
    language: Annotated[str | None, typer.Option(help="The language a reader asks for.")] = None,
    region: Annotated[str | None, typer.Option(help="Where the reader lives.")] = None,
    channel: Annotated[Channel | None, typer.Option(help="Only this channel.")] = None,
    below: Annotated[str | None, typer.Option(help="A second language under the first, in the email.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write files there instead of printing.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Write every text in every region it is for.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show what a reader will really get, as text here or as HTML, text and pages in a folder."""
    with house() as opened:
        words, context = open_words(opened), replace(preview_context(opened), second_language=_tag(below) or "")
    renderer = words.renderer(words.library())
    if everything:
        shown = _everything(renderer, name, context)
        out = out or PREVIEWS
    else:
        if name is None:
            raise typer.BadParameter("name an advisory, or ask for --all")
        channels = tuple(Channel) if channel is None else (channel,)
        shown = _one_reader(renderer, renderer.library.advisory(name), readers, language, region, channels, context)
    files = preview.write(renderer, shown, out) if out else []
    if as_json:
        print_json({"previews": [one.to_json() for one in shown], "files": files})
    elif out:
        say(f"{len(shown)} previews are in {out}; open {out / 'index.html'}")
    else:
        _print_texts(shown)


def _one_reader(
    renderer: Renderer,
    advisory: Advisory,
    readers: Readers,
    language: str | None,
    region: str | None,
    channels: tuple[Channel, ...],
    context: RenderContext,
) -> list[Shown]:
    code = region or _first_region(renderer, advisory)
    place, wanted = renderer.atlas.region(code), _tag(language)
    if not any(renderer.atlas.belongs(code, group) for group in advisory.regions):
        raise Conflict(f"The advisory {advisory.name!r} is for {', '.join(advisory.regions)}; nobody in {code} gets it")
    shown = []
    for channel in channels:
        choice = renderer.library.choose(advisory, readers, channel, wanted, place)
        if choice is None:
            continue
        shown.append(preview.show(renderer, advisory, readers, channel, choice, code, context))
    if not shown:
        meant = ", ".join(advisory.readers)
        raise NotFound(f"The advisory {advisory.name!r} has no text for {readers}; it is for {meant}")
    return shown


def _tag(language: str | None) -> str | None:
    """Return a language tag as it was typed. Anything else is wrong usage."""
    if language is not None and canonical(language) is None:
        raise typer.BadParameter(f"{language!r} is not a language tag; write for example vi or zh-Hant-HK")
    return language


def _everything(renderer: Renderer, name: str | None, context: RenderContext) -> list[Shown]:
    library = renderer.library
    advisories = library.advisories() if name is None else (library.advisory(name),)
    every = list(preview.matrix(renderer, advisories))
    shown = []
    with progress() as bar:
        task = bar.add_task("Rendering", total=len(every))
        for advisory, readers, channel, language, code in every:
            choice = Choice(language, (language,), Reason.WANTED)
            shown.append(preview.show(renderer, advisory, readers, channel, choice, code, context))
            bar.advance(task)
    return shown


def _first_region(renderer: Renderer, advisory: Advisory) -> str:
    for region in renderer.atlas.regions():
        if any(renderer.atlas.belongs(region.code, group) for group in advisory.regions):
            return region.code
    raise Invalid(f"{advisory.path}: none of its regions is there; `notifier regions list` shows them")


def _told(advisory: Advisory) -> dict[str, Any]:
    texts = [
        {
            "readers": document.readers,
            "channel": document.channel,
            "language": document.language,
            "state": advisory.state(document),
            "reviewer": document.reviewer or None,
            "file": str(document.path),
        }
        for _, document in sorted(advisory.documents.items())
    ]
    return {
        "name": advisory.name,
        "title": advisory.title,
        "topic": advisory.topic,
        "regions": list(advisory.regions),
        "channels": list(advisory.channels),
        "readers": dict(advisory.readers),
        "source_document": advisory.source_document,
        "texts": texts,
    }


def _rows(told: dict[str, Any]) -> list[list[Any]]:
    rows = []
    for readers, channel in dict.fromkeys((text["readers"], text["channel"]) for text in told["texts"]):
        texts = [text for text in told["texts"] if (text["readers"], text["channel"]) == (readers, channel)]
        states = Counter(str(text["state"]) for text in texts)
        languages = " ".join(text["language"] for text in texts)
        reviewed = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        rows.append([told["name"], " ".join(told["regions"]), readers, channel, languages, reviewed])
    return rows


def _print_texts(shown: list[Shown]) -> None:
    for one in shown:
        say(f"{one.channel} for {one.readers} in {one.region}: {one.wanted} asked for, {one.language} given")
        if not one.state.sendable:
            say(f"This text is {one.state}: no second person has reviewed it, so it goes to the sandbox only.")
        if one.size:
            say(f"{one.size.parts} parts of {one.size.alphabet} ({one.size.units} units)")
        head = f"Subject: {one.subject}\n\n" if one.subject else ""
        paper.print(f"{head}{one.text}\n", markup=False, soft_wrap=True)
