"""Mail as bytes: what a mail program makes of it is what was written, whatever the values hold."""

import email
from email import policy
from email.message import EmailMessage as Parsed
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.providers.base import AccountTrouble
from notifier.providers.mime import EmailTemplate
from notifier.vocabulary import EmailMessage, Envelope, Part, PersonalField, marker

DATE = "Mon, 23 Nov 2026 09:00:00 GMT"
NAME = {part: marker(PersonalField.GIVEN_NAME, part) for part in Part}
MARKERS = tuple(NAME.values())

# Anything a person or a file may hold, but for the control characters that no text has.
_TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], include_characters="\n\t"), max_size=300)


def message(**changes: object) -> EmailMessage:
    """A message with some of it changed."""
    usual: dict[str, object] = {
        "sender": "advisories@police.example",
        "sender_name": "Police communications team",
        "subject": "Hello",
        "text": "Hello",
        "html": "<p>Hello</p>",
        "language": "en",
        "markers": MARKERS,
    }
    return EmailMessage(**usual | changes)  # type: ignore[arg-type]


def envelope(name: str = "Mina", **changes: object) -> Envelope:
    """An envelope that fills every marker with the same name."""
    usual: dict[str, object] = {
        "reference": "1reference",
        "destination": "p@families.example",
        "values": dict.fromkeys(MARKERS, name),
        "unsubscribe_url": "https://n.police.example/u/1",
    }
    return Envelope(**usual | changes)  # type: ignore[arg-type]


def read(raw: bytes) -> Parsed:
    """The mail as a mail program sees it."""
    parsed = email.message_from_bytes(raw, policy=policy.default)
    assert isinstance(parsed, Parsed)
    return parsed


def body(raw: bytes, kind: str) -> str:
    """The text of one part."""
    (part,) = [part for part in read(raw).iter_parts() if part.get_content_type() == f"text/{kind}"]
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode().replace("\r\n", "\n")


@given(before=_TEXT, name=_TEXT, after=_TEXT)
def test_any_text_with_any_value_arrives_as_written(before: str, name: str, after: str) -> None:
    template = EmailTemplate(
        message(text=f"{before}{NAME[Part.TEXT]}{after}", html=f"{after}{NAME[Part.HTML]}{NAME[Part.HTML]}{before}")
    )
    raw = template.fill(envelope(name), DATE)
    assert body(raw, "plain") == f"{before}{name}{after}"
    assert body(raw, "html") == f"{after}{name}{name}{before}"


@given(before=_TEXT, name=_TEXT)
def test_no_mail_needs_dot_stuffing_or_breaks_a_line_limit(before: str, name: str) -> None:
    template = EmailTemplate(message(text=f"{before}{NAME[Part.TEXT]}", subject=f"{name}{NAME[Part.SUBJECT]}"))
    raw = template.fill(envelope(name), DATE)
    lines = raw.split(b"\r\n")
    assert raw.endswith(b"\r\n")
    assert raw.isascii()
    assert not any(b"\n" in line or b"\r" in line for line in lines)
    assert not any(line.startswith(b".") for line in lines)
    assert max(len(line) for line in lines) <= 998
    head, _, _ = raw.partition(b"\r\n\r\n")
    assert max(len(line) for line in raw[len(head) :].split(b"\r\n")) <= 78


@given(subject=_TEXT, name=_TEXT)
def test_any_subject_arrives_as_written_and_never_adds_a_header(subject: str, name: str) -> None:
    template = EmailTemplate(message(subject=f"{subject}{NAME[Part.SUBJECT]}"))
    parsed = read(template.fill(envelope(name), DATE))
    assert str(parsed["Subject"] or "").split() == f"{subject}{name}".split()
    assert len(parsed.keys()) == len(set(parsed.keys()))
    assert "Bcc" not in parsed


def test_a_line_break_in_a_name_cannot_add_a_header() -> None:
    template = EmailTemplate(message(subject=f"Hello {NAME[Part.SUBJECT]}"))
    parsed = read(template.fill(envelope("Mina\r\nBcc: all@families.example"), DATE))
    assert parsed["Bcc"] is None
    assert parsed["Subject"] == "Hello Mina Bcc: all@families.example"


def test_the_headers_say_what_they_must() -> None:
    parsed = read(
        EmailTemplate(message(reply_to="help@police.example", headers={"List-Id": "<x.police.example>"})).fill(
            envelope(), DATE
        )
    )
    assert parsed["From"] == "Police communications team <advisories@police.example>"
    assert parsed["To"] == "p@families.example"
    assert parsed["Reply-To"] == "help@police.example"
    assert parsed["Message-ID"] == "<1reference@police.example>"
    assert parsed["Auto-Submitted"] == "auto-generated"
    assert parsed["Precedence"] == "bulk"
    assert parsed["List-Id"] == "<x.police.example>"
    assert parsed["List-Unsubscribe"] == "<https://n.police.example/u/1>"
    assert parsed["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert parsed["Content-Language"] == "en"
    assert parsed["MIME-Version"] == "1.0"
    assert parsedate_to_datetime(parsed["Date"]).year == 2026


def test_plain_text_comes_before_html() -> None:
    raw = EmailTemplate(message()).fill(envelope(), DATE)
    assert [part.get_content_type() for part in read(raw).iter_parts()] == ["text/plain", "text/html"]
    assert read(raw).get_content_type() == "multipart/alternative"


def test_a_sender_name_beyond_ascii_arrives_as_written() -> None:
    raw = EmailTemplate(message(sender_name="Αστυνομία Κύπρου")).fill(envelope(), DATE)
    assert str(read(raw)["From"]) == "Αστυνομία Κύπρου <advisories@police.example>"


def test_a_value_that_looks_like_a_marker_is_left_alone() -> None:
    template = EmailTemplate(message(text=f"{NAME[Part.TEXT]}|{NAME[Part.HTML]}"))
    values = {NAME[Part.TEXT]: NAME[Part.HTML], NAME[Part.HTML]: "secret"}
    raw = template.fill(envelope(values=values), DATE)
    assert body(raw, "plain") == f"{NAME[Part.HTML]}|secret"


def test_a_missing_value_is_an_error_and_not_a_marker_in_somebodys_mail() -> None:
    with pytest.raises(KeyError):
        EmailTemplate(message(text=NAME[Part.TEXT])).fill(envelope(values={}), DATE)


def test_without_a_one_click_address_there_is_no_such_header() -> None:
    parsed = read(EmailTemplate(message()).fill(envelope(unsubscribe_url=None), DATE))
    assert parsed["List-Unsubscribe"] is None


def test_a_one_click_address_that_is_too_long_stops_everything() -> None:
    with pytest.raises(AccountTrouble):
        EmailTemplate(message()).fill(envelope(unsubscribe_url="https://x.example/" + "u" * 60), DATE)
