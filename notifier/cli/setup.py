"""`notifier init` and `notifier doctor`: make an installation, and say what is wrong with one."""

import os
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import tomlkit
import typer

from notifier import config, migrations
from notifier.bootstrap import House
from notifier.cli.frame import JsonFlag, print_json, print_table, tell
from notifier.cli.opening import house
from notifier.kit.advice import advice
from notifier.kit.errors import Conflict, NotifierError
from notifier.kit.tokens import KEY_BYTES
from notifier.sandbox.accounts import generate_signing_key

# Only the person who runs Notifier may read the secrets.
_PRIVATE = 0o600

SANDBOX_ADDRESS = "http://127.0.0.1:8026"


def init(
    sandbox: Annotated[str, typer.Option(help="The address the sandbox will listen on.")] = SANDBOX_ADDRESS,
    *,
    as_json: JsonFlag = False,
) -> None:
    """Make or update an installation: secrets, sandbox accounts, database."""
    with house() as opened:
        made = write_secrets(opened.settings.home, sandbox=sandbox)
    # The settings are read again, now with the secrets.
    with house() as opened:
        before = opened.settings.database_url
        migrations.upgrade(opened.database)
        path = opened.settings.home / config.SECRETS_FILE
    place = before.rpartition("@")[2]
    tell(
        {"secrets": str(path), "secrets_made": made, "database": place},
        f"Secrets: {path} ({'made' if made else 'kept as they are'}).",
        f"Database: {place} is up to date.",
        "Next: notifier users add officer@police.example --name 'An Officer' --role officer",
        as_json=as_json,
    )


def write_secrets(home: Path, *, sandbox: str) -> bool:
    """Write the secrets of a new installation that talks to a sandbox; return False if there are some already.

    Existing ones are never touched: a lost address secret would let erased people be written to again.
    """
    path = home / config.SECRETS_FILE
    if path.exists():
        return False
    private, public = generate_signing_key()
    account = f"AC{secrets.token_hex(16)}"
    content = {
        "keys": {"tokens": f"1:{secrets.token_hex(KEY_BYTES)}", "addresses": secrets.token_hex(KEY_BYTES)},
        "sendgrid": {
            "api_key": f"SG.{secrets.token_urlsafe(16)}",
            "base_url": sandbox,
            "verification_key": public,
        },
        "twilio": {"account_sid": account, "auth_token": secrets.token_hex(16), "base_url": sandbox},
        "sandbox": {"signing_key": private},
    }
    home.mkdir(parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _PRIVATE), "w", encoding="utf-8") as file:  # noqa: PTH123 - the mode must be right from the first byte
        file.write(
            "# Made by `notifier init`. Keep keys.addresses for ever: suppressed addresses are hashed with it.\n"
        )
        file.write(tomlkit.dumps(content))
    return True


def doctor(as_json: JsonFlag = False) -> None:
    """Look at every part of the installation and say what is wrong, and what would be better."""
    with house() as opened:
        found = [_look(name, check, opened) for name, check in _CHECKS.items()]
    if as_json:
        print_json([{**asdict(finding), "ok": finding.trouble is None} for finding in found])
    else:
        rows = [[finding.check, "\n".join([finding.trouble or "well", *finding.advice])] for finding in found]
        print_table("Doctor", ["check", "finding"], rows)
    if any(finding.trouble for finding in found):
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one part: what is wrong, if anything, and what would be better."""

    check: str
    trouble: str | None
    advice: list[str]


def _look(name: str, check: Callable[[House], object], opened: House) -> Finding:
    try:
        check(opened)
        advised = _BETTER[name](opened) if name in _BETTER else []
    except NotifierError as wrong:
        return Finding(name, str(wrong), [])
    return Finding(name, None, advised)


def _check_database(opened: House) -> None:
    if migrations.pending(opened.database):
        raise Conflict("the database is not up to date; run `notifier init`")


_CHECKS: dict[str, Callable[[House], object]] = {
    "database": _check_database,
    "token keys": lambda opened: opened.keyring,
    "address secret": lambda opened: opened.address_secret,
    "languages": lambda opened: opened.languages,
    "regions and advisories": lambda opened: opened.papers,
    "rules for texts": lambda opened: opened.proof,
    "audiences": lambda opened: [opened.papers.audience(name) for name in opened.audience_names()],
    "providers": lambda opened: opened.providers,
}

_BETTER: dict[str, Callable[[House], list[str]]] = {"database": lambda opened: advice(opened.database)}
