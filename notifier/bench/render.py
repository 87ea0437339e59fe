"""`notifier bench render`: personal values put into the real texts, beside plain string joining.

A variant is rendered once; this is what is left to do for each of its readers: their values made harmless, and their
message put together. The floor joins pieces as long with values that nobody looked at. No database and no network.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import cycle, islice
from typing import NamedTuple

from notifier.audiences import samples
from notifier.bench.apart import apart
from notifier.bench.figures import Figure, Meter, Spent
from notifier.bench.ground import Workshop, house
from notifier.bootstrap import House
from notifier.content.personal import Filler, printer
from notifier.providers.mime import EmailTemplate
from notifier.vocabulary import EmailMessage, Envelope, PersonalField, Readers, SmsMessage

ADVISORY, LANGUAGE, REGION = "online-blackmail", "en-AU", "AU-VIC"
_DATE = "Mon, 23 Nov 2026 09:00:00 +0000"
_SENDER_WITHOUT_ANSWER = "VicPolice"  # its texts end in a link of their reader's own instead of "reply STOP"
_DIFFERENT_PEOPLE, _SCHOOLS = 20_000, 40
_MARK = "QZ{}QZ"
_AT_MARKS = re.compile(r"(QZ\w+QZ)")


class Person(NamedTuple):
    """What a worker knows of a reader when it writes to them."""

    name: str
    schools: str
    token: str
    reference: str
    destination: str


class Path(NamedTuple):
    """One way of making a message: the product's, and the floor's for messages as long."""

    product: Callable[[Person], str | bytes]
    floor: Callable[[Person], str | bytes]


def render(shop: Workshop, recipients: int) -> list[Figure]:
    """Measure each kind of message in a process of its own."""
    environment = {**shop.environment, "NOTIFIER_LIVE": "false"}
    figures = []
    for name in PATHS:
        shop.say(f"{name} …")
        product, floor, length = apart(measure, environment, name, recipients)
        figures.append(Figure(name, "none", recipients, product, floor, note=f"{length} bytes each"))
    return figures


def measure(environment: Mapping[str, str], name: str, recipients: int) -> tuple[Spent, Spent, int]:
    """Make a message for each recipient, both ways; return what both took and how long a message is."""
    with house(environment) as opened:
        path = PATHS[name](opened)
    people = list(_people(min(recipients, _DIFFERENT_PEOPLE)))
    product = _run(path.product, people, recipients)
    floor = _run(path.floor, people, recipients)
    return product, floor, len(path.product(people[0]))


def _run(make: Callable[[Person], str | bytes], people: Sequence[Person], recipients: int) -> Spent:
    with Meter() as meter:
        for person in islice(cycle(people), recipients):
            make(person)
    return meter.spent


def _people(amount: int) -> Iterator[Person]:
    for number, row in enumerate(samples.sample(amount, 1, REGION)):
        schools = f"School Number {number // 997 % _SCHOOLS}"
        yield Person(row.given_name, schools, f"1{number:022}", f"1{number:022}", row.email or "one@example.com")


def _as_mail(opened: House) -> Path:
    """One whole mail in MIME, as it goes into an SMTP conversation."""
    message = _email(opened)
    template, fill = EmailTemplate(message), Filler(message.markers)

    def product(person: Person) -> bytes:
        values = fill(person.name, person.schools, person.token)
        leave = f"https://n.example/u/{person.token}"
        return template.fill(Envelope(person.reference, person.destination, values, leave), _DATE)

    values = dict(zip(message.markers, map(_stand_in, message.markers), strict=True))
    leave = "https://n.example/u/" + _MARK.format("token")
    envelope = Envelope(_MARK.format("reference"), _MARK.format("destination"), values, leave)
    return Path(product, _bytes_joiner(template.fill(envelope, _DATE).decode()))


def _as_parts(opened: House) -> Path:
    """Subject, plain text and HTML by themselves, as the outbox writes them."""
    message = _email(opened)
    texts = (message.subject, message.text, message.html)
    return _printed("\0".join(texts), message.markers)


def _as_sms(opened: House) -> Path:
    """One text message."""
    message = _sms(opened)
    return _printed(message.text, message.markers)


def _printed(text: str, markers: Sequence[str]) -> Path:
    fill, put_in = Filler(markers), printer(text)

    def product(person: Person) -> str:
        return put_in(fill(person.name, person.schools, person.token))

    for mark in markers:
        text = text.replace(mark, _stand_in(mark))
    return Path(product, _joiner(text))


def _joiner(text: str) -> Callable[[Person], str]:
    """Return what joins a text with a person's values, cut at stand-ins only once."""
    pieces, places = _cut(text)

    def join(person: Person) -> str:
        copy = pieces.copy()
        for place, column in places:
            copy[place] = person[column]
        return "".join(copy)

    return join


def _bytes_joiner(text: str) -> Callable[[Person], bytes]:
    """Return the same for bytes."""
    words, places = _cut(text)
    pieces = [word.encode() for word in words]

    def join(person: Person) -> bytes:
        copy = pieces.copy()
        for place, column in places:
            copy[place] = person[column].encode()
        return b"".join(copy)

    return join


def _cut(text: str) -> tuple[list[str], list[tuple[int, int]]]:
    """Return the pieces of a text, and which of them are to be which of a person's values."""
    pieces = _AT_MARKS.split(text)
    fields = {_MARK.format(name): place for place, name in enumerate(Person._fields)}
    return pieces, [(place, fields[pieces[place]]) for place in range(1, len(pieces), 2)]


def _stand_in(mark: str) -> str:
    """Return what marks the place of a personal value for the floor."""
    names = {PersonalField.GIVEN_NAME: "name", PersonalField.SCHOOLS: "schools", PersonalField.TOKEN: "token"}
    return next(_MARK.format(name) for field, name in names.items() if mark.startswith(f"%%{field}."))


def _email(opened: House) -> EmailMessage:
    proof = opened.proof
    advisory = proof.papers.library.advisory(ADVISORY)
    return proof.renderer.email(advisory, Readers.PARENTS, LANGUAGE, REGION, proof.context)


def _sms(opened: House) -> SmsMessage:
    proof = opened.proof
    advisory = proof.papers.library.advisory(ADVISORY)
    context = replace(proof.context, sms_sender=_SENDER_WITHOUT_ANSWER)
    return proof.renderer.sms(advisory, Readers.PARENTS, LANGUAGE, REGION, context)


PATHS: Mapping[str, Callable[[House], Path]] = {
    "render: email as MIME": _as_mail,
    "render: email": _as_parts,
    "render: sms": _as_sms,
}
