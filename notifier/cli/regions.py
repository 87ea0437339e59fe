"""`notifier regions`: the places messages go to, and the numbers families there are given."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from notifier.accounts import audit
from notifier.cli.frame import ActorOption, JsonFlag, paper, print_json, print_table, say, tell
from notifier.cli.opening import house
from notifier.cli.words import acting_user, open_atlas
from notifier.kit.clock import utc_now
from notifier.regions import keeping
from notifier.regions.atlas import Atlas
from notifier.regions.checks import FactFinding, Level, check
from notifier.regions.facts import Contact, Region

app = typer.Typer(help="Regions and the numbers families there are given.", no_args_is_help=True)

CodeArgument = Annotated[str, typer.Argument(metavar="CODE", help="A region such as AU-VIC; `_shared` for all.")]
FactArgument = Annotated[str, typer.Argument(metavar="FACT", help="A fact such as child_helpline.")]


@app.command("list")
def show_all(
    *, group: Annotated[str, typer.Option(help="Only regions of a group, such as EU.")] = "", as_json: JsonFlag = False
) -> None:
    """Show every region."""
    with house() as opened:
        atlas, live = open_atlas(opened), opened.settings.live
    chosen = [region for region in atlas.regions() if not group or atlas.belongs(region.code, group)]
    rows = [_told(atlas, region, live=live) for region in chosen]
    if as_json:
        print_json(rows)
        return
    columns = ["code", "name", "languages", "emergency", "child helpline", "contacts shown"]
    print_table("Regions", columns, [_row(row) for row in rows])


@app.command()
def show(code: CodeArgument, *, as_json: JsonFlag = False) -> None:
    """Show a region and each of its contacts: its value, its source, and whether families see it."""
    with house() as opened:
        atlas, live = open_atlas(opened), opened.settings.live
    told = _told(atlas, atlas.region(code), live=live)
    shown = atlas.contacts(code, today=utc_now().date(), live=live)
    facts = [_fact(atlas, contact, shown, live=live) for contact in _known(atlas, code).values()]
    if as_json:
        print_json({**told, "facts": facts})
        return
    say(f"{told['name']} ({code}): {', '.join(told['languages'])}; {', '.join(told['timezones'])}")
    columns = ["fact", "value", "operator", "families see it"]
    rows = [[f["fact"], f["value"], f["operator"], _seen(f)] for f in facts]
    print_table(f"Contacts of {code}", columns, rows)


@app.command("check")
def check_facts(
    codes: Annotated[list[str] | None, typer.Argument(metavar="[CODE]...", help="Regions; all if none.")] = None,
    *,
    live: Annotated[
        bool, typer.Option("--live", help="Ask for officers' checks, as a live installation does.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 also if anything is hidden.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """List what may not be shown to families and why; exit 1 if a file has a fault."""
    with house() as opened:
        atlas, live = open_atlas(opened), live or opened.settings.live
    findings = check(atlas, codes or [], today=utc_now().date(), live=live)
    if as_json:
        print_json([{**asdict(finding), "path": str(finding.path)} for finding in findings])
    else:
        _print_findings(findings)
    wanting = {Level.FAULT, Level.HIDDEN} if strict else {Level.FAULT}
    if any(finding.level in wanting for finding in findings):
        raise SystemExit(1)


@app.command()
def confirm(code: CodeArgument, fact: FactArgument, *, actor: ActorOption, as_json: JsonFlag = False) -> None:
    """Record that you opened the live page today and found the value right."""
    with house() as opened:
        atlas, user, now = open_atlas(opened), acting_user(opened, actor, "confirming a contact"), utc_now()
        with opened.database.transaction() as session:
            kept = keeping.confirm(atlas, code, fact, by=user.email, on=now.date())
            detail: dict[str, Any] = {"value": kept.after, "file": str(kept.path)}
            audit.record(
                session, actor=user.email, action="region.confirmed", subject=f"{code} {fact}", at=now, detail=detail
            )
    told = {"region": code, "fact": fact, "value": kept.after, "checked_by": user.email, "file": str(kept.path)}
    tell(told, f"{code} {fact} is {kept.after}, checked by {user.email} today ({kept.path}).", as_json=as_json)


@app.command()
def change(
    code: CodeArgument,
    fact: FactArgument,
    *,
    value: Annotated[str, typer.Option(help="The new number or address.")],
    source: Annotated[str, typer.Option(help="The page on which you read it.")],
    actor: ActorOption,
    as_json: JsonFlag = False,
) -> None:
    """Change a number; families see it after a second person has confirmed it."""
    with house() as opened:
        atlas, user, now = open_atlas(opened), acting_user(opened, actor, "changing a contact"), utc_now()
        with opened.database.transaction() as session:
            kept = keeping.change(atlas, code, fact, value=value, source=source, by=user.email, on=now.date())
            detail: dict[str, Any] = {"before": kept.before, "after": kept.after, "source": source}
            audit.record(
                session, actor=user.email, action="region.changed", subject=f"{code} {fact}", at=now, detail=detail
            )
    tell(
        {"region": code, "fact": fact, "before": kept.before, "value": kept.after, "file": str(kept.path)},
        f"{code} {fact} is now {kept.after} and shown to nobody until a second person runs "
        f"`notifier regions confirm {code} {fact} --as EMAIL`.",
        as_json=as_json,
    )


def _known(atlas: Atlas, code: str) -> dict[str, Contact]:
    """Return every fact of a region: the one families see, or else the nearest, so that the reason can be told."""
    facts: dict[str, Contact] = {}
    for holder in (*(region.facts for region in atlas.lineage(code)), atlas.shared()):
        for fact, contact in holder.items():
            facts.setdefault(fact, contact)
    return facts


def _told(atlas: Atlas, region: Region, *, live: bool) -> dict[str, Any]:
    shown = atlas.contacts(region.code, today=utc_now().date(), live=live)
    return {
        "code": region.code,
        "name": region.name,
        "country": region.country,
        "parent": region.parent or None,
        "groups": list(region.groups),
        "timezones": list(region.timezones),
        "languages": list(region.languages),
        "official_languages": list(region.official_languages),
        "may_say_not_in_trouble": region.may_say_not_in_trouble,
        "sender_name": atlas.sender_name(region.code) or None,
        "contacts": {fact: contact.value for fact, contact in shown.items()},
    }


def _row(told: dict[str, Any]) -> list[Any]:
    contacts = told["contacts"]
    languages = " ".join(told["official_languages"])
    return [
        told["code"],
        told["name"],
        languages,
        contacts.get("emergency", "none may be shown"),
        contacts.get("child_helpline", ""),
        len(contacts),
    ]


def _seen(fact: dict[str, Any]) -> str:
    if fact["not_shown"] is None:
        return "yes"
    return f"no: {fact['not_shown']}" + (f"; instead {fact['instead']}" if fact["instead"] else "")


def _fact(atlas: Atlas, contact: Contact, shown: dict[str, Contact], *, live: bool) -> dict[str, Any]:
    """Tell everything about a fact, and what families see in its place if it is hidden."""
    hidden = atlas.why_not(contact, today=utc_now().date(), live=live)
    if hidden is None and contact.fact not in shown:
        hidden = "the region has no line on which a person answers"
    other = shown.get(contact.fact)
    told = {key: value for key, value in asdict(contact).items() if key not in {"path", "line"}}
    return {
        **told,
        "confidence": str(contact.confidence),
        "languages": list(contact.languages),
        "also": list(contact.also),
        "file": f"{contact.path}:{contact.line}",
        "not_shown": hidden,
        "instead": f"{other.value} of {other.region}" if hidden and other else None,
    }


def _print_findings(findings: list[FactFinding]) -> None:
    for finding in findings:
        paper.print(f"{finding.level}: {finding}", markup=False, soft_wrap=True)
    faults = sum(finding.level is Level.FAULT for finding in findings)
    hidden = sum(finding.level is Level.HIDDEN for finding in findings)
    say(f"{faults} faults; {hidden} facts are kept from families.")
