"""Tokens: short, keyed, bound to one purpose."""

from hashlib import blake2b

from hypothesis import given
from hypothesis import strategies as st

from notifier.kit.tokens import Keyring, Purpose, address_key

RING = Keyring({"1": bytes(range(32))})
NUMBERS = st.integers(0, 2**48 - 1)


@given(NUMBERS, st.integers(0, 2**32 - 1))
def test_a_token_opens_to_what_was_sealed(subject: int, context: int) -> None:
    assert RING.open(Purpose.UNSUBSCRIBE, RING.seal(Purpose.UNSUBSCRIBE, subject, context)) == (subject, context)


@given(NUMBERS)
def test_a_token_for_one_thing_opens_nothing_else(subject: int) -> None:
    token = RING.seal(Purpose.UNSUBSCRIBE, subject)
    assert RING.open(Purpose.PREFERENCES, token) is None


@given(NUMBERS, st.integers(0, 22), st.sampled_from("ABab09-_"))
def test_a_changed_token_opens_nothing(subject: int, place: int, letter: str) -> None:
    token = RING.seal(Purpose.UNSUBSCRIBE, subject)
    changed = token[:place] + letter + token[place + 1 :]
    assert changed == token or RING.open(Purpose.UNSUBSCRIBE, changed) is None


@given(st.text())
def test_nothing_that_can_be_typed_breaks_the_opening(text: str) -> None:
    assert RING.open(Purpose.UNSUBSCRIBE, text) is None


def test_an_old_key_still_opens_and_the_newest_signs() -> None:
    old = RING.seal(Purpose.DELIVERY, 7)
    both = Keyring({"1": bytes(range(32)), "2": bytes(32)})
    assert both.open(Purpose.DELIVERY, old) == (7, 0)
    assert both.seal(Purpose.DELIVERY, 7).startswith("2")


def test_a_token_fits_the_one_click_header() -> None:
    assert len(f"<https://notify.police.example/u/{RING.seal(Purpose.UNSUBSCRIBE, 2**48 - 1)}>") <= 77


def test_an_address_key_depends_on_channel_value_and_secret() -> None:
    keys = {address_key(b"a" * 32, "email", "x@example.org"), address_key(b"a" * 32, "sms", "x@example.org")}
    keys |= {address_key(b"b" * 32, "email", "x@example.org"), address_key(b"a" * 32, "email", "y@example.org")}
    assert len(keys) == 4


def test_many_tokens_are_opened_in_one_pass_and_bad_ones_are_none() -> None:
    old, both = Keyring({"1": bytes(32)}), Keyring({"1": bytes(32), "2": bytes(range(32))})
    tokens = [old.seal(Purpose.DELIVERY, 1), "", both.seal(Purpose.DELIVERY, 2, 9), "1" + "A" * 22, "é" * 23]
    assert both.open_many(Purpose.DELIVERY, tokens) == [(1, 0), None, (2, 9), None, None]


def test_the_key_of_an_address_is_sixteen_bytes_of_keyed_blake2b() -> None:
    secret = bytes(range(32))
    expected = blake2b(b"email\0maria@example.org", key=secret, digest_size=16).digest()
    assert address_key(secret, "email", "maria@example.org") == expected
