"""One word, one meaning; anything longer is for a person to read."""

import pytest

from notifier.tracking.keywords import Keyword, read


@pytest.mark.parametrize(
    "text",
    [
        "STOP",
        "stop",
        " Stop. ",
        "“Stop!”",
        "stop all",
        "OPT-OUT",
        "Revoke",
        "Ｓｔｏｐ",
        "stop\u200e",
        "ΣΤΟΠ",
        "διακοπή",
    ],
)
def test_the_stop_family_is_known_whatever_its_case_and_punctuation(text: str) -> None:
    assert read(text) is Keyword.STOP


@pytest.mark.parametrize("text", ["توقف", "إلغاء الاشتراك", "停止", "退訂", "dừng", "बंद करें", "arrêt", "alto", "stopp"])
def test_stop_is_known_in_the_languages_of_our_advisories(text: str) -> None:
    assert read(text) is Keyword.STOP


@pytest.mark.parametrize("text", ["START", "unstop", "ναι", "开始", "Ja"])
def test_the_start_family_is_known(text: str) -> None:
    assert read(text) is Keyword.START


@pytest.mark.parametrize("text", ["help", "Info?", "مساعدة", "帮助"])
def test_the_help_family_is_known(text: str) -> None:
    assert read(text) is Keyword.HELP


@pytest.mark.parametrize("text", ["", "   ", "please stop", "stop it", "non-stop", "who is this?", "👍", "."])
def test_anything_else_is_no_keyword(text: str) -> None:
    assert read(text) is None
