"""`notifier users`: the people who may act."""

from typing import Annotated

import typer

from notifier.accounts import users
from notifier.accounts.models import UserRole
from notifier.cli.frame import JsonFlag, house, print_json, print_table, say
from notifier.kit.clock import utc_now

app = typer.Typer(help="The people who may act.", no_args_is_help=True)


@app.command()
def add(
    email: str,
    name: Annotated[str, typer.Option(help="The person's name, as the audit trail shows it.")],
    role: Annotated[UserRole, typer.Option(help="What the person may do.")] = UserRole.OFFICER,
) -> None:
    """Add a user."""
    with house() as opened, opened.database.transaction() as session:
        user = users.add(session, email=email, name=name, role=role, now=utc_now())
        say(f"{user.name} <{user.email}> is now {user.role}.")


@app.command("list")
def show_all(*, as_json: JsonFlag = False) -> None:
    """Show every user."""
    with house() as opened, opened.database.reading() as session:
        rows = [{"email": u.email, "name": u.name, "role": u.role} for u in users.everybody(session)]
    if as_json:
        print_json(rows)
        return
    print_table("Users", ["email", "name", "role"], [[row["email"], row["name"], row["role"]] for row in rows])
