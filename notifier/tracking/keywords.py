"""What a whole text message can mean: stop, start, help, in English and in the languages of our advisories.

Only a message that is nothing but the word counts ("stop" yes, "please stop" no: a person reads that). Case,
punctuation and spacing are ignored. The words are in `keywords.toml`, by language.
"""

import tomllib
import unicodedata
from enum import StrEnum
from functools import cache
from importlib.resources import files


class Keyword(StrEnum):
    """What a recipient asks for with one word."""

    STOP = "stop"
    START = "start"
    HELP = "help"


def read(text: str) -> Keyword | None:
    """Return what the whole message asks for, or None if it is anything else."""
    return _meanings().get(_bare(text))


def _bare(text: str) -> str:
    """Return the words alone: compatibility forms folded, case and every mark that is no letter or digit dropped."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    visible = [letter for letter in folded if unicodedata.category(letter) != "Cf"]
    kept = "".join(letter if unicodedata.category(letter)[0] in "LMN" else " " for letter in visible)
    return " ".join(unicodedata.normalize("NFC", kept).split())


@cache
def _meanings() -> dict[str, Keyword]:
    tables = tomllib.loads(files("notifier.tracking").joinpath("keywords.toml").read_text(encoding="utf-8"))
    # Stop is written last: a word two languages disagree about must never keep somebody in.
    return {
        _bare(word): keyword
        for keyword in (Keyword.HELP, Keyword.START, Keyword.STOP)
        for words in tables[keyword].values()
        for word in words
    }
