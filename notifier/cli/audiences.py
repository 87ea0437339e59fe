"""`notifier audiences`: who a campaign would reach, and who not, and why."""

from dataclasses import asdict

import typer

from notifier.audiences.reach import count as count_reach
from notifier.audiences.segments import audience_names, load_audience
from notifier.cli.frame import JsonFlag, print_json, print_table
from notifier.cli.opening import house
from notifier.kit.clock import utc_now

app = typer.Typer(help="Who a campaign would reach.", no_args_is_help=True)


@app.command("list")
def show_all(*, as_json: JsonFlag = False) -> None:
    """Show every audience there is a file for."""
    with house() as opened:
        folder = opened.audiences_folder
        found = [load_audience(folder, name) for name in audience_names(folder)]
    if as_json:
        print_json([asdict(audience) | {"digest": audience.digest} for audience in found])
        return
    columns = ["name", "title", "readers", "regions", "channels"]
    print_table("Audiences", columns, [[_plain(getattr(audience, column)) for column in columns] for audience in found])


@app.command()
def count(name: str, *, topic: str = "", as_json: JsonFlag = False) -> None:
    """Count who an audience reaches by channel, language, region and school, and who is left out, by reason."""
    with house() as opened, opened.database.reading() as session:
        audience = load_audience(opened.audiences_folder, name)
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


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
