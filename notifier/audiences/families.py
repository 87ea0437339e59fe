"""Two parents in one row, as most school systems export them: "Parent 1 email", "Parent 2 email"; "Mother", "Father".

Such a row is given on as one row for each parent. Whatever stands in it without saying whose it is (a first name, an
email address) may be the child's, and is left out; the reference, the language and the year levels are everybody's.
Nothing here judges a value.
"""

from collections.abc import Iterator, Mapping, Sequence

from notifier.audiences.columns import LEAVE_OUT, Column, by_precision, known, plain

Places = Mapping[Column, int]

HEADER = tuple(column.value for column in Column)
_OF_ALL = (Column.REFERENCE, Column.LANGUAGE, Column.YEAR_LEVELS)
_ADDRESSES = (Column.EMAIL, Column.MOBILE)
_OWN = tuple(place for place, column in enumerate(Column) if column not in _OF_ALL)
_NUMBERS = {"1": 1, "2": 2, "3": 3, "4": 4, "primary": 1, "secondary": 2}
_PARENTS = {
    word: place
    for place, words in (
        (1, "mother mothers mum mums mom moms mutter mere madre mamma μητερα μητερασ"),
        (2, "father fathers dad dads vater pere padre papa πατερα πατερασ"),
    )
    for word in words.split()
}
_NOBODY_IN_PARTICULAR = """
    parent parents guardian guardians carer caregiver contact elternteil erziehungsberechtigter erziehungsberechtigte
    erz sorgeberechtigter responsable legal tuteur tutor progenitor genitore γονεασ γονεα κηδεμονασ κηδεμονα p"""
_SMALL_WORDS = "s of the de la le du del della dell des der di l d του τησ"
_SOMEBODY, _SMALL = frozenset(_NOBODY_IN_PARTICULAR.split()), frozenset(_SMALL_WORDS.split())


def people_of(header: Sequence[str], mapping: Mapping[str, str] | None = None) -> tuple[dict[Column, int], ...]:
    """Return where the columns of each parent stand, or nothing if a row is about one person.

    `mapping` is what was said about headers of this file (`columns.recognise`); what it names for all parents alike
    counts, and what it leaves out is left out.
    """
    said = {plain(theirs): ours for theirs, ours in (mapping or {}).items()}
    own: dict[int, dict[Column, int]] = {}
    of_all: dict[Column, int] = {}
    for place, bare in by_precision(header):
        if (column := Column(said[bare]) if said.get(bare, LEAVE_OUT) != LEAVE_OUT else known(bare)) in _OF_ALL:
            of_all.setdefault(column, place)
        elif bare not in said and (found := whose(bare)) is not None:
            own.setdefault(found[0], {}).setdefault(found[1], place)
    reached = [own[who] for who in sorted(own) if any(column in own[who] for column in _ADDRESSES)]
    return tuple(of_all | places for places in reached) if len(reached) > 1 else ()


def whose(bare: str) -> tuple[int, Column] | None:
    """Return which parent a header speaks of, from 1, and which column it is: "parent 2 e mail" is (2, EMAIL)."""
    who, somebody, rest = None, False, []
    for word in bare.split():
        stem, digit = word[:-1], word[-1]
        if word in _NUMBERS:
            who = _NUMBERS[word]
        elif word in _PARENTS:
            who, somebody = _PARENTS[word], True
        elif stem in _SOMEBODY and digit in _NUMBERS:
            who, somebody = _NUMBERS[digit], True
        elif word in _SOMEBODY:
            somebody = True
        else:
            rest.append(word)
    if who is None or not somebody:
        return None
    # "of" joins the parent to the rest, and has its place only within a name of a column ("nom de famille").
    while rest and rest[-1] in _SMALL:
        rest.pop()
    short = [word for word in rest if word not in _SMALL]
    column = (known(" ".join(rest)) or known(" ".join(short))) if short else Column.NAME
    return None if column is None else (who, column)


def one_by_one(rows: Iterator[tuple[int, Sequence[str]]], people: Sequence[Places]) -> Iterator[tuple[int, list[str]]]:
    """Give each parent of each row as a row of their own, with the columns of HEADER.

    The number is that of the row times the parents a row has, plus which of them it is. A parent about whom the row
    says nothing is passed over, unless it says nothing about any.
    """
    for number, cells in rows:
        family = [_cells_of(places, cells) for places in people]
        there = [who for who, cells_of in enumerate(family) if any(cells_of[place].strip() for place in _OWN)]
        for who in there or ([0] if any(cells) else []):
            yield number * len(people) + who, family[who]


def _cells_of(places: Places, cells: Sequence[str]) -> list[str]:
    return [cells[places[column]] if places.get(column, len(cells)) < len(cells) else "" for column in Column]
