"""`notifier recipients`: what is held about one person, and its erasure."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from notifier.accounts import users
from notifier.accounts.audit import record
from notifier.audiences import forgetting
from notifier.bootstrap import ERASING, House
from notifier.cli.frame import ActorOption, JsonFlag, print_json, print_table, say
from notifier.cli.opening import house
from notifier.delivery import erasing as deliveries
from notifier.delivery import erasures
from notifier.delivery.models import ProviderErasure
from notifier.kit.errors import NotFound, NotifierError
from notifier.providers.base import ErasedBy
from notifier.tracking import erasing as tracks
from notifier.vocabulary import SuppressionReason
from notifier.worker import erasures as at_providers

app = typer.Typer(help="What is held about one person, and its erasure.", no_args_is_help=True)

# What is held of somebody beside lists and suppressions.
_TRACKS = ("events", "messages", "requests")

CountryOption = Annotated[
    str, typer.Option(help="The country a number without + is dialled in (ISO 3166-1 alpha-2, such as AU).")
]


@app.command()
def show(
    address: Annotated[str, typer.Argument(help="An email address or a mobile number.")],
    actor: ActorOption,
    country: CountryOption = "ZZ",
    *,
    as_json: JsonFlag = False,  # noqa: ARG001 - it is always JSON: the document a person is given
) -> None:
    """Print everything that is held about an address, as JSON: the answer to a subject access request.

    The audit trail notes who looked.
    """
    with house() as opened, opened.database.transaction() as session:
        by = users.acting(session, actor, users.MAY_SEE_PEOPLE, "seeing what is held about a person").email
        channel, value = forgetting.read_address(address, country)
        address_id = forgetting.find_address(session, opened.address_secret, channel, value)
        subject = "recipient" if address_id is None else f"address {address_id}"
        record(session, actor=by, action="recipient.shown", subject=subject, at=opened.clock())
        told: dict[str, Any] = dict(tracks.held(session, address_id, value))
        if address_id is None:
            held = forgetting.held_by_key(session, opened.address_secret, channel, value) | told
        else:
            held = forgetting.held(session, address_id) | {"deliveries": deliveries.held(session, address_id)} | told
        _refuse_nothing(held, value)
    print_json(held)


def _refuse_nothing(held: dict[str, Any], value: str) -> None:
    """Raise NotFound where nothing is held, or nothing but the hash that keeps an erased address away."""
    suppressed = held["suppression"]
    if suppressed and suppressed["reason"] == SuppressionReason.ERASED and not any(held[key] for key in _TRACKS):
        raise NotFound(f"Nothing is held about {value} but the keyed hash that keeps it from being written to again")
    if not any(held.values()):
        raise NotFound(f"Nothing is held about {value}")


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
        by = users.acting(session, actor, users.MAY_SEE_PEOPLE, "erasing a person").email
        channel, value = forgetting.read_address(address, country)
        done = forgetting.forget(session, opened.address_secret, channel, value, actor=by, now=now)
        addresses = [(one.id, one.value) for one in done.addresses]
        wiped = deliveries.erase_addresses(session, addresses)
        deliveries.erase_names(session, done.staying, done.names)
        tracks.erase_addresses(session, done.addresses, by=by, now=now)
        asked = erasures.note(session, addresses, erasing=ERASING, in_use=_in_use(opened), now=now)
        held = [one for one in done.addresses if one.id is not None]
        counts = {"addresses": len(held), "rows": done.rows, "shared_rows": done.shared_rows, "deliveries": wiped}
        record(
            session,
            actor=by,
            action="recipient.forgotten",
            subject="recipient",
            at=now,
            detail=counts | {"asked_of_providers": len(asked)},
        )
    at_the_providers = _ask(asked)
    if as_json:
        print_json(counts | {"providers": at_the_providers})
        return
    say(
        f"Erased: {counts['addresses']} addresses, {counts['rows']} rows of contact lists, and the copies on "
        f"{counts['deliveries']} deliveries. No upload can bring them back."
    )
    if done.shared_rows:
        say(f"{done.shared_rows} rows of other people held this address too; it was taken from them, they stay.")
    for line in at_the_providers:
        say(_in_words(line))


@app.command("erasures")
def open_erasures(as_json: JsonFlag = False) -> None:
    """Show what providers were asked to erase and have not taken yet; the scheduler asks again by itself."""
    with house() as opened, opened.database.reading() as session:
        rows = [
            [one.id, one.provider, f"{one.asked_at:%Y-%m-%d %H:%M}", one.tries, one.last_error or ""]
            for one in erasures.rows(session)
        ]
    names = ["id", "provider", "asked_at", "tries", "last_error"]
    if as_json:
        print_json([dict(zip(names, row, strict=True)) for row in rows])
        return
    print_table("What providers have not erased yet", names, rows)


def _in_use(opened: House) -> set[str]:
    chosen = opened.settings.providers
    return {name.strip() for names in (chosen.email, chosen.sms) for name in names.split(",")} - {""}


def _ask(asked: Sequence[int]) -> list[dict[str, Any]]:
    """Ask the providers now, and return what was asked of each and how much of it was taken."""
    with house() as opened:
        trouble = _ask_now(opened) if asked else None
        with opened.database.reading() as session:
            rows = erasures.rows(session, asked)
        names = _in_use(opened) | {row.provider for row in rows}
    return [_line(name, [row for row in rows if row.provider == name], trouble) for name in sorted(names)]


def _ask_now(opened: House) -> str | None:
    """Ask what is due; return why that is not possible here, if it is not: it is asked when it can be."""
    try:
        at_providers.ask(opened.engine)
    except NotifierError as wrong:
        return str(wrong)
    return None


def _line(name: str, rows: Sequence[ProviderErasure], trouble: str | None) -> dict[str, Any]:
    waiting = [row for row in rows if row.done_at is None]
    by = ERASING.get(name)
    return {
        "provider": name,
        "by": by.value if by else None,
        "asked": len(rows),
        "taken": len(rows) - len(waiting),
        "errors": sorted({row.last_error or trouble or "" for row in waiting}),
    }


def _in_words(line: dict[str, Any]) -> str:
    if line["by"] is None:
        return f"{line['provider']}: keeps nothing that it could be asked to erase."
    things = "numbers" if line["by"] == ErasedBy.MOBILE_NUMBER else "addresses"
    waiting = line["asked"] - line["taken"]
    later = f"; {waiting} wait and are asked again ({', '.join(line['errors'])})" if waiting else ""
    return f"{line['provider']}: asked to erase {line['asked']} {things}, {line['taken']} taken{later}."
