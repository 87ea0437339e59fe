"""`notifier users`: the people who may act."""

from typing import Annotated, Any

import typer

from notifier.accounts import audit, users
from notifier.accounts.models import UserRole
from notifier.audiences import keepers
from notifier.cli.frame import ActorOption, JsonFlag, print_json, print_table, tell
from notifier.cli.opening import house

app = typer.Typer(help="The people who may act.", no_args_is_help=True)


@app.command()
def add(
    email: str,
    name: Annotated[str, typer.Option(help="The person's name, as the audit trail shows it.")],
    role: Annotated[UserRole, typer.Option(help="What the person may do.")] = UserRole.OFFICER,
    actor: Annotated[
        str | None,
        typer.Option("--as", metavar="EMAIL", help="The administrator who does this; left out: the command line."),
    ] = None,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Add a user."""
    with house() as opened, opened.database.transaction() as session:
        by = users.COMMAND_LINE
        if actor is not None:
            by = users.acting(session, actor, users.MAY_ADD_USERS, "adding a user").email
        user = users.add(session, email=email, name=name, role=role, now=opened.clock(), actor=by)
        facts = {"email": user.email, "name": user.name, "role": user.role}
    sentences = [f"{user.name} <{user.email}> is now {user.role}."]
    if role is UserRole.SCHOOL:
        sentences.append(f"Next: notifier lists entrust LIST --to {user.email} --as EMAIL")
    tell(facts, *sentences, as_json=as_json)


@app.command("list")
def show_all(*, as_json: JsonFlag = False) -> None:
    """Show every user, and which lists a school's user keeps."""
    with house() as opened, opened.database.reading() as session:
        rows = [
            {"email": u.email, "name": u.name, "role": u.role, "lists": keepers.kept_by(session, u)}
            for u in users.everybody(session)
        ]
    if as_json:
        print_json(rows)
        return
    lines = [
        [row["email"], row["name"], row["role"], "all" if row["lists"] is None else ", ".join(row["lists"])]
        for row in rows
    ]
    print_table("Users", ["email", "name", "role", "lists"], lines)


@app.command()
def trail(
    actor: ActorOption,
    by: Annotated[str | None, typer.Option("--by", metavar="EMAIL", help="Only what this user did or saw.")] = None,
    subject: Annotated[
        str | None, typer.Option(help="Only what is about this, such as 'campaign 3' or 'list north'.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many, newest first.")] = 50,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Show the audit trail: who did or saw what, and when."""
    with house() as opened, opened.database.reading() as session:
        users.acting(session, actor, users.MAY_DRAFT, "reading the audit trail")
        found = audit.latest(session, actor=by, subject=subject, limit=limit)
    names = ["at", "actor", "action", "subject", "reason", "detail"]
    rows = [{name: getattr(entry, name) for name in names} for entry in found]
    if as_json:
        print_json(rows)
        return
    lines = [
        [f"{one['at']:%Y-%m-%d %H:%M}", one["actor"], one["action"], one["subject"], _in_words(one)] for one in rows
    ]
    print_table("Audit trail, newest first (UTC)", ["when", "who", "what", "about", "more"], lines)


def _in_words(entry: dict[str, Any]) -> str:
    said = [f"{name}: {value}" for name, value in entry["detail"].items()]
    return "; ".join([*([entry["reason"]] if entry["reason"] else []), *said])
