"""One refusal of SendGrid, one test."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.providers.base import REFERENCE_ARGUMENT
from notifier.sandbox.sendgrid_columns import are_surely_fine
from notifier.sandbox.sendgrid_rules import Error, errors_of, look_at_each


def good(**changes: object) -> dict[str, Any]:
    """A request SendGrid would take, with some of it changed; a value of None takes the key out."""
    whole = {
        "personalizations": [person("one@families.example"), person("two@families.example")],
        "from": {"email": "advisories@police.example", "name": "Police"},
        "subject": "Hello",
        "content": [{"type": "text/plain", "value": "Hello"}, {"type": "text/html", "value": "<p>Hello</p>"}],
    } | changes
    return {key: value for key, value in whole.items() if value is not None}


def person(email: str, **changes: object) -> dict[str, Any]:
    """One personalization."""
    return {
        "to": [{"email": email}],
        "substitutions": {"%%name%%": "Mina"},
        "headers": {"List-Unsubscribe": "<https://n.police.example/u/1>"},
        "custom_args": {REFERENCE_ARGUMENT: "reference"},
    } | changes


def one(**changes: object) -> dict[str, Any]:
    """A request for one person with a change in the personalization."""
    return good(personalizations=[person("one@families.example", **changes)])


def test_a_proper_request_is_taken() -> None:
    assert errors_of(good()) == []


REFUSED: list[tuple[str, object, str]] = [
    ("a list instead of an object", [], ""),
    ("an unknown key", good(colour="red"), "colour"),
    ("no sender", good(**{"from": None}), "from.email"),
    ("a sender that is no address", good(**{"from": {"email": "police"}}), "from.email"),
    ("a sender with letters beyond ASCII", good(**{"from": {"email": "pölizei@police.example"}}), "from.email"),
    ("no subject", good(subject=None), "subject"),
    ("an empty subject", good(subject=""), "subject"),
    ("no content", good(content=None), "content"),
    ("an empty text", good(content=[{"type": "text/plain", "value": ""}]), "content.0.value"),
    ("content without a type", good(content=[{"value": "Hello"}]), "content.0.type"),
    (
        "HTML before plain text",
        good(content=[{"type": "text/html", "value": "x"}, {"type": "text/plain", "value": "x"}]),
        "content",
    ),
    (
        "another type before HTML",
        good(content=[{"type": "text/calendar", "value": "x"}, {"type": "text/html", "value": "x"}]),
        "content",
    ),
    (
        "the same type twice",
        good(content=[{"type": "text/plain", "value": "x"}, {"type": "text/plain", "value": "x"}]),
        "content",
    ),
    ("no personalization", good(personalizations=[]), "personalizations"),
    (
        "more than a thousand personalizations",
        good(personalizations=[person(f"p{n}@families.example") for n in range(1001)]),
        "personalizations",
    ),
    (
        "more than a thousand recipients",
        good(
            personalizations=[
                person("x@families.example", to=[{"email": f"p{n}-{m}@families.example"} for m in range(2)])
                for n in range(501)
            ]
        ),
        "personalizations",
    ),
    ("a personalization that is no object", good(personalizations=["x"]), "personalizations.0"),
    (
        "a personalization without to",
        good(personalizations=[{"subject": "Hello"}]),
        "personalizations.0.to",
    ),
    ("an empty to", one(to=[]), "personalizations.0.to"),
    ("an address that is none", one(to=[{"email": "one at families"}]), "personalizations.0.to.0.email"),
    ("an address without a domain", one(to=[{"email": "one@families"}]), "personalizations.0.to.0.email"),
    (
        "the same address twice in one request",
        good(personalizations=[person("one@families.example"), person("One@Families.example")]),
        "personalizations",
    ),
    ("an unknown key in a personalization", one(categories=["x"]), "personalizations.0.categories"),
    ("a header that is not text", one(headers={"X-Number": 1}), "personalizations.0.headers.X-Number"),
    ("a header name with a space", one(headers={"X Number": "1"}), "personalizations.0.headers"),
    ("headers that are no object", one(headers=[]), "personalizations.0.headers"),
    ("a substitution that is not text", one(substitutions={"%%n%%": 1}), "personalizations.0.substitutions"),
    (
        "more than 150 substitutions",
        one(substitutions={f"%%{n}%%": "x" for n in range(151)}),
        "personalizations.0.substitutions",
    ),
    (
        "substitutions over 10,000 bytes",
        one(substitutions={"%%n%%": "é" * 5000}),
        "personalizations.0.substitutions",
    ),
    ("a custom argument that is not text", one(custom_args={"n": 1}), "personalizations.0.custom_args"),
    ("an empty custom argument", one(custom_args={"n": ""}), "personalizations.0.custom_args"),
    ("no custom argument in custom_args", one(custom_args={}), "personalizations.0.custom_args"),
    ("custom arguments over 10,000 bytes", one(custom_args={"n": "x" * 10_000}), "personalizations.0.custom_args"),
    ("a time that is no number", one(send_at="now"), "personalizations.0.send_at"),
    ("an empty personal subject", one(subject=""), "personalizations.0.subject"),
    ("eleven categories", good(categories=[f"c{n}" for n in range(11)]), "categories"),
    ("the same category twice", good(categories=["c", "c"]), "categories"),
    ("a category over 255 characters", good(categories=["c" * 256]), "categories"),
    ("categories that are no list of texts", good(categories=[1]), "categories"),
    ("a reply address that is none", good(reply_to={"email": "x"}), "reply_to"),
    (
        "reply_to and reply_to_list together",
        good(reply_to={"email": "a@b.example"}, reply_to_list=[{"email": "a@b.example"}]),
        "reply_to_list",
    ),
]


@pytest.mark.parametrize(("document", "field"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_request_that_breaks_a_rule_is_refused_and_its_field_named(document: object, field: str) -> None:
    assert field in [error["field"] or "" for error in errors_of(document)]


@pytest.mark.parametrize("name", ["To", "Reply-To", "Subject", "x-sg-eid", "Content-Type", "BCC", "received"])
def test_a_reserved_header_is_refused_wherever_it_stands(name: str) -> None:
    assert errors_of(good(headers={name: "x"}))[0]["field"] == f"headers.{name}"
    assert errors_of(one(headers={name: "x"}))[0]["field"] == f"personalizations.0.headers.{name}"


def test_more_than_ten_thousand_substitutions_in_all_are_refused() -> None:
    many = {f"%%{n}%%": "x" for n in range(101)}
    rows = [person(f"p{n}@families.example", substitutions=many) for n in range(100)]
    assert errors_of(good(personalizations=rows))[0]["field"] == "personalizations"


def test_every_issue_of_a_request_is_named_at_once() -> None:
    assert {error["field"] for error in errors_of(good(subject="", content=[]))} == {"subject", "content"}


_ODD = st.none() | st.integers() | st.text(max_size=3)
_EMAILS: Any = st.sampled_from(
    [
        "a@b.example",
        "A@b.example",
        "c@d.example",
        "refuse@b.example",
        "a@b",
        "@b.example",
        "a b@c.example",
        "a@b@c.d",
        "",
    ]
)
_STRINGS: Any = st.dictionaries(
    st.sampled_from(["List-Unsubscribe", "To", "%%n%%"]), st.text(max_size=4) | st.just("x" * 9999) | _ODD, max_size=3
)
_ROWS: Any = st.lists(
    st.fixed_dictionaries(
        {"to": st.lists(st.fixed_dictionaries({"email": _EMAILS | _ODD}), max_size=2) | _ODD},
        optional={"headers": _STRINGS | _ODD, "substitutions": _STRINGS | _ODD, "custom_args": _STRINGS | _ODD},
    )
    | _ODD,
    min_size=1,
    max_size=4,
)


@given(rows=_ROWS)
def test_what_is_surely_fine_at_a_glance_is_fine_looked_at_one_by_one(rows: list[Any]) -> None:
    found: list[Error] = []
    look_at_each(rows, found)
    assert not (found and are_surely_fine(rows))


def test_the_usual_request_is_judged_at_a_glance() -> None:
    assert are_surely_fine(good()["personalizations"])
