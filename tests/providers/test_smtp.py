"""The SMTP adapter against a server that follows a script."""

import email
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email import policy
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from notifier.providers.base import (
    AccountTrouble,
    Ambiguous,
    BadSignature,
    Permanent,
    Receipt,
    Temporary,
    WebhookRequest,
)
from notifier.providers.settings import Security, SmtpSettings
from notifier.providers.smtp import Smtp
from notifier.vocabulary import Envelope, EventKind
from tests.providers.mailserver import DROP, SILENCE, MailServer, mail_server, usual
from tests.sandbox.letters import EMAIL, SMS, emails

ADDRESSES = [f"p{n}@families.example" for n in range(6)]


@asynccontextmanager
async def relay(server: MailServer, **settings: object) -> AsyncIterator[Smtp]:
    """The adapter, talking to this server over one connection unless told otherwise."""
    chosen = {"port": server.port, "security": Security.NONE, "connections": 1, "timeout_s": 5.0} | settings
    opened = Smtp(SmtpSettings(hello_name="police.example", **chosen))  # type: ignore[arg-type]
    try:
        yield opened
    finally:
        await opened.close()


def told(verb: str, part: str, reply: str) -> Callable[[str, str], str | None]:
    """Say `reply` to one command about one address, and the usual otherwise. Commands carry the reference, too."""
    return lambda said, line: reply if said == verb and part in line else None


def kinds(receipts: Sequence[Receipt]) -> list[str]:
    """The receipts as words."""
    return [type(one.error).__name__ if one.error else "taken" for one in receipts]


@pytest.fixture(params=[("PIPELINING", "DSN"), ("8BITMIME",)], ids=["pipelining", "plain"])
def extensions(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """What the server offers, in turn."""
    offered: tuple[str, ...] = request.param
    return offered


async def test_everybody_gets_a_mail_of_their_own(extensions: tuple[str, ...]) -> None:
    async with mail_server(extensions=extensions) as server, relay(server) as smtp:
        receipts = await smtp.send(EMAIL, emails(*ADDRESSES))
    assert kinds(receipts) == ["taken"] * 6
    assert [receipt.message_id for receipt in receipts] == [f"<reference-{n}@police.example>" for n in range(6)]
    assert [recipient for recipient, _ in server.mails] == ADDRESSES
    for place, (_, mail) in enumerate(server.mails):
        assert email.message_from_bytes(mail)["Message-ID"] == f"<reference-{place}@police.example>"


async def test_a_refused_recipient_fails_alone(extensions: tuple[str, ...]) -> None:
    says = told("RCPT", "p2@", "550 5.1.1 no such person")
    async with mail_server(extensions=extensions, says=says) as server, relay(server) as smtp:
        receipts = await smtp.send(EMAIL, emails(*ADDRESSES))
    assert kinds(receipts) == ["taken", "taken", "Permanent", "taken", "taken", "taken"]
    assert receipts[2].error is not None
    assert receipts[2].error.code == "invalid_address"
    assert len(server.mails) == 5


async def test_a_server_that_starts_a_mail_for_nobody_gets_an_empty_one() -> None:
    def says(verb: str, line: str) -> str | None:
        if verb == "RCPT" and "p2@" in line:
            return "550 5.1.1 no such person"
        return "554 5.5.1 no valid recipients" if verb == "." and line == "p2@families.example" else None

    async with mail_server(says=says) as server, relay(server) as smtp:
        receipts = await smtp.send(EMAIL, emails(*ADDRESSES))
    assert kinds(receipts) == ["taken", "taken", "Permanent", "taken", "taken", "taken"]
    assert len(server.mails) == 5


async def test_a_server_that_refuses_data_for_nobody_is_reset() -> None:
    waiting = []

    def says(verb: str, line: str) -> str | None:
        if verb == "RCPT" and "p2@" in line:
            waiting.append(1)
            return "450 4.2.0 later"
        if verb == "DATA" and waiting:
            waiting.clear()
            return "503 5.5.1 no valid recipients"
        return None

    async with mail_server(says=says) as server, relay(server) as smtp:
        receipts = await smtp.send(EMAIL, emails(*ADDRESSES))
    assert kinds(receipts) == ["taken", "taken", "Temporary", "taken", "taken", "taken"]
    assert server.said.count("RSET") == 1


async def test_a_recipient_refused_for_now_is_temporary(extensions: tuple[str, ...]) -> None:
    says = told("RCPT", "p0@", "450 4.2.1 greylisted")
    async with mail_server(extensions=extensions, says=says) as server, relay(server) as smtp:
        receipts = await smtp.send(EMAIL, emails(*ADDRESSES[:2]))
    assert kinds(receipts) == ["Temporary", "taken"]
    assert receipts[0].error is not None
    assert receipts[0].error.code == "450 4.2.1"


async def test_a_refused_text_fails_alone(extensions: tuple[str, ...]) -> None:
    says = told(".", "p1@", "554 5.6.0 refused")
    async with mail_server(extensions=extensions, says=says) as server, relay(server) as smtp:
        receipts = await smtp.send(EMAIL, emails(*ADDRESSES[:3]))
    assert kinds(receipts) == ["taken", "Permanent", "taken"]


async def test_a_domain_that_is_not_authenticated_is_trouble_for_everybody(extensions: tuple[str, ...]) -> None:
    says = told(".", "", "550 5.7.515 access denied")
    async with mail_server(extensions=extensions, says=says) as server, relay(server) as smtp:
        with pytest.raises(AccountTrouble):
            await smtp.send(EMAIL, emails(*ADDRESSES))


async def test_a_refused_sender_is_trouble_for_everybody(extensions: tuple[str, ...]) -> None:
    says = told("MAIL", "", "550 5.7.1 not you")
    async with mail_server(extensions=extensions, says=says) as server, relay(server) as smtp:
        with pytest.raises(AccountTrouble):
            await smtp.send(EMAIL, emails(*ADDRESSES))
    assert sum(line.startswith("MAIL") for line in server.said) == 1


async def test_a_connection_lost_before_the_last_answer_leaves_exactly_that_one_ambiguous(
    extensions: tuple[str, ...],
) -> None:
    says = told(".", "p2@", DROP)
    async with mail_server(extensions=extensions, says=says) as server, relay(server) as smtp:
        receipts = await smtp.send(EMAIL, emails(*ADDRESSES))
    assert kinds(receipts) == ["taken", "taken", "Ambiguous", "taken", "taken", "taken"]
    assert server.visits == 2


async def test_a_server_that_hangs_up_for_good_leaves_the_unsent_temporary(extensions: tuple[str, ...]) -> None:
    taken: list[str] = []

    def says(verb: str, line: str) -> str | None:
        if verb == ".":
            taken.append(line)
        return DROP if verb == "MAIL" and len(taken) >= 2 else None

    async with mail_server(extensions=extensions, says=says) as server, relay(server) as smtp:
        receipts = await smtp.send(EMAIL, emails(*ADDRESSES))
    assert kinds(receipts)[0] == "taken"
    assert kinds(receipts)[2:] == ["Temporary"] * 4
    # With PIPELINING the second mail and the next MAIL travel together, and the answer to the mail may be lost.
    assert kinds(receipts)[1] in {"taken", "Ambiguous"}
    assert len(server.mails) == 2


async def test_a_server_that_says_goodbye_is_visited_again(extensions: tuple[str, ...]) -> None:
    says = told(".", "p1@", "421 4.3.2 too many for one visit")
    async with mail_server(extensions=extensions, says=says) as server, relay(server) as smtp:
        receipts = await smtp.send(EMAIL, emails(*ADDRESSES[:4]))
    assert kinds(receipts) == ["taken", "Temporary", "taken", "taken"]
    assert server.visits == 2


async def test_silence_is_ambiguous_after_the_text_and_temporary_before(extensions: tuple[str, ...]) -> None:
    says = told(".", "p0@", SILENCE)
    async with mail_server(extensions=extensions, says=says) as server, relay(server, timeout_s=0.3) as smtp:
        receipts = await smtp.send(EMAIL, emails(*ADDRESSES[:2]))
    assert isinstance(receipts[0].error, Ambiguous)
    assert isinstance(receipts[1].error, Temporary)


async def test_connections_are_kept_and_used_again(extensions: tuple[str, ...]) -> None:
    async with mail_server(extensions=extensions) as server, relay(server) as smtp:
        for _ in range(3):
            await smtp.send(EMAIL, emails(*ADDRESSES))
        assert server.visits == 1
    assert len(server.mails) == 18
    assert server.said[-1] == "QUIT"


async def test_a_kept_connection_that_was_closed_meanwhile_is_opened_again() -> None:
    async with mail_server() as server, relay(server) as smtp:
        await smtp.send(EMAIL, emails(*ADDRESSES[:1]))

        def once(verb: str, _line: str) -> str | None:
            if verb == "MAIL":
                server.says = usual
                return DROP
            return None

        server.says = once
        receipts = await smtp.send(EMAIL, emails(*ADDRESSES))
    assert kinds(receipts) == ["taken"] * 6
    assert server.visits == 2


async def test_a_connection_carries_no_more_messages_than_it_may() -> None:
    async with mail_server() as server, relay(server, messages_per_connection=2) as smtp:
        receipts = await smtp.send(EMAIL, emails(*ADDRESSES))
    assert kinds(receipts) == ["taken"] * 6
    assert server.visits == 3


async def test_several_connections_share_the_work() -> None:
    async with mail_server() as server, relay(server, connections=3) as smtp:
        receipts = await smtp.send(EMAIL, emails(*ADDRESSES))
    assert kinds(receipts) == ["taken"] * 6
    assert sorted(recipient for recipient, _ in server.mails) == ADDRESSES


async def test_a_server_that_is_not_there_is_temporary() -> None:
    async with mail_server() as server:
        pass
    async with relay(server) as smtp:
        with pytest.raises(Temporary):
            await smtp.send(EMAIL, emails(*ADDRESSES))


async def test_a_refused_password_is_trouble_for_everybody() -> None:
    says = told("AUTH", "", "535 5.7.8 no")
    offered = ("PIPELINING", "AUTH PLAIN")
    async with (
        mail_server(extensions=offered, says=says) as server,
        relay(server, username="police", password="wrong") as smtp,
    ):
        with pytest.raises(AccountTrouble):
            await smtp.send(EMAIL, emails(*ADDRESSES))


async def test_a_server_without_tls_is_not_talked_to_where_tls_is_asked_for() -> None:
    async with mail_server() as server, relay(server, security=Security.STARTTLS) as smtp:
        with pytest.raises(Temporary):
            await smtp.send(EMAIL, emails(*ADDRESSES))
    assert not any(line.startswith("MAIL") for line in server.said)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine that nobody but the test trusts, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "mail.pem"
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(made.public_bytes(Encoding.PEM) + private)
    return path


def _protection(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.mark.parametrize("security", [Security.TLS, Security.STARTTLS])
async def test_a_protected_connection_is_taken_over_like_any_other(certificate: Path, security: Security) -> None:
    context = _protection(certificate)
    starts = {"tls": context} if security is Security.TLS else {}
    offered = ("PIPELINING", "STARTTLS")
    async with (
        mail_server(extensions=offered, protection=context, **starts) as server,
        relay(server, security=security, ca_file=str(certificate)) as smtp,
    ):
        for _ in range(2):
            assert kinds(await smtp.send(EMAIL, emails(*ADDRESSES))) == ["taken"] * 6
    assert len(server.mails) == 12
    assert server.visits == 1


async def test_a_relay_with_a_certificate_nobody_vouches_for_gets_nothing(certificate: Path) -> None:
    async with mail_server(tls=_protection(certificate)) as server, relay(server, security=Security.TLS) as smtp:
        with pytest.raises(Temporary):
            await smtp.send(EMAIL, emails(*ADDRESSES))
    assert server.mails == []


@pytest.mark.parametrize("address", ["two words@families.example", "x@y>\r\nRCPT TO:<z@families.example", "nobody", ""])
async def test_an_address_that_would_break_a_command_never_reaches_the_server(address: str) -> None:
    async with mail_server() as server, relay(server) as smtp:
        receipts = await smtp.send(EMAIL, emails(address, "p1@families.example"))
    assert kinds(receipts) == ["Permanent", "taken"]
    assert len(server.mails) == 1


async def test_an_address_beyond_ascii_needs_a_server_that_knows_how() -> None:
    async with mail_server() as server, relay(server) as smtp:
        receipts = await smtp.send(EMAIL, emails("μαρία@families.example"))
    assert kinds(receipts) == ["Permanent"]
    async with mail_server(extensions=("PIPELINING", "SMTPUTF8")) as server, relay(server) as smtp:
        receipts = await smtp.send(EMAIL, emails("μαρία@families.example"))
    assert kinds(receipts) == ["taken"]
    assert "MAIL FROM:<advisories@police.example> SMTPUTF8" in server.said


async def test_the_return_path_and_the_envelope_id_carry_the_reference() -> None:
    async with mail_server() as server, relay(server, return_path="bounces+{reference}@police.example") as smtp:
        await smtp.send(EMAIL, emails("p0@families.example"))
    assert "MAIL FROM:<bounces+reference-0@police.example> RET=HDRS ENVID=reference-0" in server.said


async def test_a_mail_reads_as_it_was_written() -> None:
    async with mail_server() as server, relay(server) as smtp:
        await smtp.send(EMAIL, emails("p0@families.example", name="Μαρία Ο'Neill"))
    mail = email.message_from_bytes(server.mails[0][1], policy=policy.default)
    text, html = mail.iter_parts()
    assert text.get_content().split() == ["Hello", "Μαρία", "Ο'Neill,", "please", "read", "this."]
    assert html.get_content().strip() == "<p>Hello Μαρία Ο'Neill,</p><p>please read this.</p>"


async def test_a_text_message_is_not_sent_by_email() -> None:
    async with mail_server() as server, relay(server) as smtp:
        with pytest.raises(Permanent):
            await smtp.send(SMS, [Envelope("r", "+61480000001", {})])


def test_a_relay_has_no_webhooks_but_reads_mail() -> None:
    smtp = Smtp(SmtpSettings())
    request = WebhookRequest("", {}, b"From: p@families.example\r\n\r\nThank you", datetime(2026, 11, 23, tzinfo=UTC))
    with pytest.raises(BadSignature):
        smtp.verify(request)
    (event,) = smtp.parse(request)
    assert (event.kind, event.text, event.destination) == (EventKind.REPLIED, "Thank you", "p@families.example")
