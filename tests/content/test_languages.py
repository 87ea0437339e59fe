"""Which language a reader gets: the written chain, the stop at a change of script, the region, English."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.content.languages import Languages, Reason, canonical
from notifier.kit.errors import Invalid, NotFound
from tests.content.texts import LANGUAGES

TAGS = [language.tag for language in LANGUAGES.all()]
VARIETIES = ["zh-Hant-HK", "zh-Hans-CN", "de-AT", "de-CH-1996", "sr-Latn-RS", "pa-Arab-PK", "ar-SY", "fr-BE", "sr-Cyrl"]


@pytest.mark.parametrize(
    ("wanted", "available", "region", "language", "reason"),
    [
        ("de-AT", ["de", "en"], [], "de", Reason.CHAIN),
        ("de", ["de", "en"], [], "de", Reason.WANTED),
        ("zh-Hant-HK", ["zh-Hans", "zh-Hant", "en"], [], "zh-Hant", Reason.CHAIN),
        ("zh-Hant-HK", ["zh-Hans", "en"], [], "en", Reason.ENGLISH),
        ("zh-TW", ["zh-Hans", "zh-Hant"], [], "zh-Hant", Reason.CHAIN),
        ("zh", ["zh-Hans", "zh-Hant"], [], "zh-Hans", Reason.CHAIN),
        ("nb", ["no", "en"], [], "no", Reason.CHAIN),
        ("sr-Latn", ["sr", "en"], [], "en", Reason.ENGLISH),
        ("sr-Cyrl", ["sr", "en"], [], "sr", Reason.CHAIN),
        ("pa-PK", ["pa", "en"], [], "en", Reason.ENGLISH),
        ("en-GB", ["en-AU", "el"], ["el-GR"], "en-AU", Reason.CHAIN),
        ("lb", ["fr", "de", "en"], ["fr-LU", "lb-LU", "de-LU"], "fr", Reason.REGION),
        ("sm", ["en-AU", "vi"], ["en-AU"], "en-AU", Reason.REGION),
        (None, ["nl", "fr"], ["nl-BE", "fr-BE"], "nl", Reason.REGION),
        ("EN_au", ["en-AU"], [], "en-AU", Reason.WANTED),
        ("; drop table", ["en"], ["de"], "en", Reason.ENGLISH),
    ],
)
def test_a_reader_gets(
    wanted: str | None, available: list[str], region: list[str], language: str, reason: Reason
) -> None:
    choice = LANGUAGES.lookup(wanted, available, region)
    assert choice is not None
    assert (choice.language, choice.reason) == (language, reason)
    assert choice.steps[-1] == language


def test_a_reader_gets_nothing_where_no_language_of_the_way_is_there() -> None:
    assert LANGUAGES.lookup("vi", ["fi"], ["en-AU"]) is None


def written_way(tag: str) -> list[str]:
    """The rule again, told independently: what a tag leads to, from the file and RFC 4647 alone."""
    way: list[str] = []
    waiting = [tag]
    while waiting:
        step = waiting.pop(0)
        if step in way:
            continue
        way.append(step)
        waiting = _followers(step) + waiting
    return way


def _followers(tag: str) -> list[str]:
    known = {language.tag: language for language in LANGUAGES.all()}
    if tag in known and (chain := known[tag].chain) is not None:
        return list(chain)
    if "-" not in tag:
        return []
    shorter = tag[: tag.rindex("-")]
    if len(shorter) > 1 and shorter[-2] == "-":
        shorter = shorter[:-2]
    subtags = [part for part in tag.split("-")[1:] if len(part) == 4 and part.isalpha()]
    own = subtags[0] if subtags else known[tag].script if tag in known else ""
    before = [part for part in shorter.split("-")[1:] if len(part) == 4 and part.isalpha()]
    theirs = before[0] if before else known[shorter].script if shorter in known else ""
    return [] if own and own != theirs else [shorter]


@given(
    wanted=st.one_of(st.none(), st.sampled_from(TAGS + VARIETIES)),
    available=st.sets(st.sampled_from(TAGS), max_size=12),
    region=st.lists(st.sampled_from([*TAGS, "de-AT", "fr-BE", "nl-BE"]), max_size=3),
)
def test_every_readers_language_is_the_first_of_the_written_chain_that_exists(
    wanted: str | None, available: set[str], region: list[str]
) -> None:
    ways = [written_way(tag) for tag in [*([wanted] if wanted else []), *region, "en"]]
    expected = next((tag for way in ways for tag in way if tag in available), None)
    choice = LANGUAGES.lookup(wanted, available, region)
    assert (choice.language if choice else None) == expected


@given(st.text(max_size=20))
def test_whatever_a_list_holds_as_a_language_is_a_tag_or_no_wish_at_all(text: str) -> None:
    tag = canonical(text)
    assert tag is None or canonical(tag) == tag
    choice = LANGUAGES.lookup(text, ["en"], [])
    assert choice is not None
    assert choice.language == "en"


def test_a_language_nobody_has_written_down_is_not_found() -> None:
    with pytest.raises(NotFound, match="'tlh'"):
        LANGUAGES.language("tlh")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('[de]\nname = "G"\nnative_name = "D"\ndirection = "up"\n', r":4: de.direction"),
        ('[DE]\nname = "G"\nnative_name = "D"\ndirection = "ltr"\n', r":1: 'DE' is not a language tag"),
        ('[de]\nname = "G"\n', r":1: de.native_name"),
        ("[de", r"is not a TOML file"),
    ],
)
def test_a_wrong_file_of_languages_is_refused_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "languages.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(Invalid, match=complaint):
        Languages.load(path)


def test_every_right_to_left_language_is_marked() -> None:
    right_to_left = {language.tag for language in LANGUAGES.all() if language.direction == "rtl"}
    assert right_to_left == {"ar", "he", "iw", "fa", "prs", "ur", "ps", "ckb", "dv", "yi", "pa-Arab", "pa-PK"}
