"""`notifier recipients`: what is held about one person, and its erasure."""

from typing import Annotated

import typer

from notifier.accounts import users
from notifier.accounts.audit import record
from notifier.audiences import forgetting
from notifier.cli.frame import ActorOption, JsonFlag, house, print_json, say
from notifier.delivery import erasing as deliveries
from notifier.tracking import erasing as tracks

app = typer.Typer(help="What is held about one person, and its erasure.", no_args_is_help=True)

CountryOption = Annotated[
    str, typer.Option(help="The country a number without + is dialled in (ISO 3166-1 alpha-2, such as AU).")
]


@app.command()
def show(
    address: Annotated[str, typer.Argument(help="An email address or a mobile number.")],
    country: CountryOption = "ZZ",
) -> None:
    """Print everything that is held about an address, as JSON: the answer to a subject access request."""
    with house() as opened, opened.database.reading() as session:
        channel, value = forgetting.read_address(address, country)
        address_id = forgetting.find_address(session, channel, value)
        print_json(
            forgetting.held(session, address_id)
            | {"deliveries": deliveries.held(session, address_id)}
            | tracks.held(session, address_id, value)
        )


@app.command()
def forget(
    address: Annotated[str, typer.Argument(help="An email address or a mobile number.")],
    actor: ActorOption,
    country: CountryOption = "ZZ",
    *,
    as_json: JsonFlag = False,
) -> None:
    """Erase an address everywhere; what stays is a keyed hash, so that no upload brings it back."""
    with house() as opened, opened.database.transaction() as session:
        now = opened.clock()
        by = users.find(session, actor).email
        channel, value = forgetting.read_address(address, country)
        done = forgetting.forget(session, opened.address_secret, channel, value, actor=by, now=now)
        ids = [address_id for address_id, _, _ in done.addresses]
        wiped = deliveries.erase_addresses(session, ids)
        tracks.erase_addresses(session, done.addresses, by=by, now=now)
        counts = {"addresses": len(ids), "rows": done.rows, "shared_rows": done.shared_rows, "deliveries": wiped}
        record(session, actor=by, action="recipient.forgotten", subject="recipient", at=now, detail=counts)
    if as_json:
        print_json(counts)
        return
    say(
        f"Erased: {counts['addresses']} addresses, {counts['rows']} rows of contact lists, and the copies on "
        f"{counts['deliveries']} deliveries. No upload can bring them back."
    )
    if done.shared_rows:
        say(f"{done.shared_rows} rows of other people held this address too; it was taken from them, they stay.")
