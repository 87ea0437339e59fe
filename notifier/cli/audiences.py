"""`notifier audiences`: who a campaign would reach, and who not, and why."""

from collections.abc import Collection
from dataclasses import asdict
from typing import Annotated

import typer

from notifier.audiences.definitions import Audience, check_against
from notifier.audiences.lists import codes
from notifier.audiences.reach import count as count_reach
from notifier.audiences.segments import audience_names, load_audience
from notifier.bootstrap import House
from notifier.cli.frame import JsonFlag, print_json, print_table
from notifier.cli.opening import house
from notifier.kit.clock import utc_now
from notifier.kit.errors import NotFound

app = typer.Typer(help="Who a campaign would reach.", no_args_is_help=True)


@app.command("list")
def show_all(*, as_json: JsonFlag = False) -> None:
    """Show every audience there is a file for."""
    with house() as opened:
        found = [_load(opened, name) for name in audience_names(opened.audiences_folder)]
    if as_json:
        print_json([asdict(audience) | {"digest": audience.digest} for audience in found])
        return
    columns = ["name", "title", "readers", "regions", "channels"]
    print_table("Audiences", columns, [[_plain(getattr(audience, column)) for column in columns] for audience in found])


@app.command()
def count(
    name: Annotated[str, typer.Argument(metavar="AUDIENCE", help="The audience: its file's name without .toml.")],
    *,
    topic: Annotated[str, typer.Option(help="Leave out who declined this topic.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Count who an audience reaches by channel, language, region and school, and who is left out, by reason."""
    with house() as opened, opened.database.reading() as session:
        audience = _load(opened, name, lists=codes(session))
        if topic and topic not in _topics(opened):
            raise NotFound(f"No advisory is about {topic!r}; there are: {', '.join(sorted(_topics(opened)))}")
        reach = count_reach(session, audience, topic=topic, now=utc_now())
    if as_json:
        print_json(asdict(reach))
        return
    for channel in reach.channels:
        rows = [["reachable", "", channel.reachable]]
        if audience.languages:
            rows.append(["another language", "", channel.other_language])
        for what in ("languages", "regions", "schools", "held_back", "disagreements"):
            rows += [
                [what.replace("_", " "), name or "(list or region decides)", n]
                for name, n in getattr(channel, what).items()
            ]
        print_table(f"{audience.title}: {channel.channel}", ["what", "which", "addresses"], rows)
    rows = [[reason.replace("_", " "), number] for reason, number in reach.left_out.items()]
    print_table("Left out", ["why", "rows"], rows)


def _load(opened: House, name: str, lists: Collection[str] | None = None) -> Audience:
    """Read an audience and hold it against the regions, the topics and the lists there are."""
    folder = opened.audiences_folder
    audience = load_audience(folder, name)
    regions = {region.code for region in opened.atlas.regions()}
    check_against(folder, audience, regions=regions, topics=_topics(opened), lists=lists)
    return audience


def _topics(opened: House) -> set[str]:
    return {advisory.topic for advisory in opened.library.advisories()}


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
