"""`notifier bounces`: read what mail servers and people answered by mail, for senders with a relay of their own.

From a Maildir or mbox folder, or as the command behind a pipe of the mail server (`|notifier bounces read`).
"""

import mailbox
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from notifier.bootstrap import House
from notifier.cli.frame import JsonFlag, print_json, progress, say
from notifier.cli.opening import house
from notifier.kit.clock import utc_now
from notifier.kit.errors import Invalid, NotFound
from notifier.providers.mail_reports import read_mail
from notifier.tracking import inbound, inbox
from notifier.vocabulary import EventKind

app = typer.Typer(help="Delivery reports, complaints and replies that come by mail.", no_args_is_help=True)

_AT_ONCE = 500
_MAX_BYTES = 30_000_000


@app.callback()
def group() -> None:
    """Delivery reports, complaints and replies that come by mail."""


@app.command()
def read(
    folder: Annotated[
        Path | None, typer.Argument(help="A Maildir or an mbox file; left out: one mail from standard input.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Read mails and store what they report; reading the same mail again changes nothing."""
    counts = {"mails": 0, "reports": 0, "replies": 0}
    with house() as opened, progress() as bar:
        task = bar.add_task("Reading mail", total=None)
        some: list[bytes] = []
        for mail in _mails(folder):
            some.append(mail)
            if len(some) == _AT_ONCE:
                _take(opened, some, counts)
                bar.update(task, completed=counts["mails"])
                some = []
        _take(opened, some, counts)
    if as_json:
        print_json(counts)
    else:
        say(f"{counts['mails']} mails read: {counts['reports']} new reports, {counts['replies']} replies.")


def _take(opened: House, mails: list[bytes], counts: dict[str, int]) -> None:
    now = utc_now()
    events = [event for mail in mails for event in read_mail(mail, received_at=now)]
    replies = [event for event in events if event.kind is EventKind.REPLIED]
    reports = [event for event in events if event.kind is not EventKind.REPLIED]
    with opened.database.transaction() as session:
        for reply in replies:
            inbound.hear_mail(session, reply, address_secret=opened.address_secret, keyring=opened.keyring, now=now)
        proven = inbox.only_proven(reports, keyring=opened.keyring)
        counts["reports"] += inbox.store(session, proven, keyring=opened.keyring, now=now)
    counts["mails"] += len(mails)
    counts["replies"] += len(replies)


def _mails(folder: Path | None) -> Iterator[bytes]:
    if folder is None:
        yield sys.stdin.buffer.read(_MAX_BYTES)
        return
    if not folder.exists():
        raise NotFound(f"There is no mail folder {folder}; name a Maildir or an mbox file")
    _refuse_other_things(folder)
    box: mailbox.Mailbox[mailbox.Message] = (
        mailbox.Maildir(folder, create=False) if folder.is_dir() else mailbox.mbox(folder, create=False)
    )
    with closing(box):
        for key in box.iterkeys():
            yield box.get_bytes(key)


def _refuse_other_things(folder: Path) -> None:
    """Refuse what is no mail folder; the library would find no mail in it, and nobody would notice."""
    if folder.is_dir():
        fits = all((folder / part).is_dir() for part in ("cur", "new"))
    else:
        with folder.open("rb") as file:
            fits = file.read(5) in {b"", b"From "}
    if not fits:
        raise Invalid(f"{folder} is neither a Maildir (a folder with cur and new) nor an mbox file")
