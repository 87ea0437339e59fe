"""The commands for texts and places, as typed: what they print, what they write, and how they say no."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import chdir
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from notifier.accounts import users
from notifier.accounts.models import UserRole
from notifier.cli import app
from notifier.kit.db import Database

ROOT = Path(__file__).parents[2]
OFFICERS = ("ann@police.example", "ben@police.example")
Run = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A working folder with everything an installation has, and two officers in its database."""
    installation = tmp_path / "installation"
    for name in ("config", "templates"):
        shutil.copytree(ROOT / name, installation / name)
    with chdir(installation):
        yield installation


@pytest.fixture
def run(folder: Path, sqlite_url: str, now: datetime) -> Run:
    database = Database(sqlite_url)
    with database.transaction() as session:
        for email in OFFICERS:
            users.add(session, email=email, name=email.partition("@")[0], role=UserRole.OFFICER, now=now)
        users.add(session, email="school@example.edu", name="School", role=UserRole.SCHOOL, now=now)
    database.close()
    environment = {"NOTIFIER_DATABASE_URL": sqlite_url, "NOTIFIER_HOME": str(folder / "var")}

    def invoke(*words: str) -> Result:
        return CliRunner(env=environment).invoke(app, list(words))

    return invoke


def told(result: Result) -> Any:  # noqa: ANN401 - whatever the command prints
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refusal(result: Result) -> str:
    """Return the sentence of a refusal, as one line."""
    assert result.exit_code == 1, result.output
    return " ".join(result.output.split())


def test_what_is_committed_passes_every_check(run: Run) -> None:
    assert run("advisories", "check").exit_code == 0
    assert run("regions", "check").exit_code == 0
    assert run("advisories", "messages").exit_code == 0


def test_a_planted_fault_is_printed_with_file_line_and_rule(run: Run, folder: Path) -> None:
    path = folder / "templates/advisories/say-no/parents/de/sms.txt"
    path.write_text(path.read_text(encoding="utf-8").replace("{{ link }}", "Call 116 111 {{ link }}"), encoding="utf-8")
    result = run("advisories", "check", "say-no")
    assert result.exit_code == 1
    assert "templates/advisories/say-no/parents/de/sms.txt:8: [digits]" in result.stdout
    found = json.loads(run("advisories", "check", "--json").stdout)
    assert {(one["rule"], one["line"]) for one in found if one["level"] == "fault"} >= {("digits", 8)}
    assert run("advisories", "check", "online-blackmail").exit_code == 0


def test_an_advisory_nobody_knows_is_refused_by_each_command(run: Run) -> None:
    assert "There is no advisory 'nonsense'" in refusal(run("advisories", "check", "nonsense"))
    assert "There is no advisory 'nonsense'" in refusal(run("advisories", "preview", "nonsense"))
    assert "There is no advisory 'nonsense'" in refusal(run("advisories", "stamp", "nonsense"))


def test_the_list_of_advisories_names_texts_and_their_review(run: Run) -> None:
    rows = told(run("advisories", "list", "--json"))
    assert [row["name"] for row in rows] == ["online-blackmail", "say-no"]
    states = {text["state"] for row in rows for text in row["texts"]}
    assert states == {"draft", "translated"}
    assert "AU-VIC" in run("advisories", "list").stdout


def test_a_preview_says_which_language_a_reader_gets_and_why(run: Run) -> None:
    words = ("advisories", "preview", "online-blackmail", "--language", "zh-Hant-HK", "--region", "AU-VIC", "--json")
    previews = told(run(*words))["previews"]
    assert [(one["channel"], one["language"], one["reason"]) for one in previews] == [
        ("email", "zh-Hant", "chain"),
        ("sms", "zh-Hant", "chain"),
    ]
    assert (previews[1]["alphabet"], previews[1]["parts"]) == ("UCS-2", 2)
    assert "Subject: " in run(*words[:-1]).stdout


def test_previews_are_written_with_pages_to_leaf_through(run: Run, folder: Path) -> None:
    result = run("advisories", "preview", "online-blackmail", "--all", "--out", "out")
    assert result.exit_code == 0
    index = (folder / "out/index.html").read_text(encoding="utf-8")
    assert "online-blackmail/parents/ar-AU-VIC/index.html" in index
    page = (folder / "out/online-blackmail/parents/ar-AU-VIC/index.html").read_text(encoding="utf-8")
    assert "not reviewed, sandbox only" in page
    assert (folder / "out/online-blackmail/parents/ar-AU-VIC/email.html").exists()
    assert (folder / "out/online-blackmail/parents/ar-AU-VIC/sms.txt").exists()


def test_a_bilingual_preview_has_both_languages(run: Run) -> None:
    words = ("--language", "ar", "--below", "en-AU", "--channel", "email", "--json")
    (one,) = told(run("advisories", "preview", "online-blackmail", *words))["previews"]
    assert "It is not your child's fault" in one["text"]
    assert "مرحبًا" in one["text"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--region", "ZZ"), "There is no region 'ZZ'"),
        (("--audience", "school-staff"), "has no text for school-staff"),
    ],
)
def test_a_preview_of_what_is_not_there_is_refused(run: Run, words: tuple[str, ...], complaint: str) -> None:
    assert complaint in refusal(run("advisories", "preview", "say-no", *words))


@pytest.mark.parametrize(
    "words", [("--language", "no tag"), ("--audience", "pets"), ("--channel", "fax")], ids=lambda words: words[0]
)
def test_words_that_cannot_be_read_are_wrong_usage(run: Run, words: tuple[str, str]) -> None:
    assert run("advisories", "preview", "say-no", *words).exit_code == 2
    assert run("advisories", "preview").exit_code == 2


def test_a_review_is_recorded_and_undone_by_an_edit(run: Run, folder: Path) -> None:
    words = ("advisories", "review", "online-blackmail", "parents", "ar")
    assert run(*words, "--as", OFFICERS[0]).exit_code == 0
    path = folder / "templates/advisories/online-blackmail/parents/ar/sms.txt"
    assert f'reviewer = "{OFFICERS[0]}"' in path.read_text(encoding="utf-8")
    assert run("advisories", "check", "online-blackmail").exit_code == 0
    path.write_text(path.read_text(encoding="utf-8").replace("{{ link }}", "! {{ link }}"), encoding="utf-8")
    result = run("advisories", "check", "online-blackmail")
    assert result.exit_code == 1
    assert "ar/sms.txt:4: [stale] the text was changed since" in result.stdout


def test_only_a_user_who_may_draft_can_review_or_confirm(run: Run) -> None:
    review = ("advisories", "review", "say-no", "parents", "de", "--as")
    assert "There is no user nobody@police.example" in refusal(run(*review, "nobody@police.example"))
    assert "is school" in refusal(run(*review, "school@example.edu"))
    confirm = ("regions", "confirm", "AU", "emergency", "--as", "nobody@police.example")
    assert "There is no user" in refusal(run(*confirm))


def test_stamping_what_is_stamped_changes_nothing(run: Run) -> None:
    assert "0 translations" in run("advisories", "stamp", "say-no").output


def test_the_list_of_regions_can_be_narrowed_to_a_group(run: Run) -> None:
    assert len(told(run("regions", "list", "--json"))) == 43
    codes = {row["code"] for row in told(run("regions", "list", "--group", "EU", "--json"))}
    assert (len(codes), "GB" in codes, "GR" in codes) == (27, False, True)
    assert "Greece" in run("regions", "list", "--group", "EU").stdout


def test_a_region_is_shown_with_the_reason_for_what_is_hidden(run: Run) -> None:
    facts = {fact["fact"]: fact for fact in told(run("regions", "show", "AU-NSW", "--json"))["facts"]}
    assert facts["police_non_emergency"]["not_shown"] == "the confidence in it is low"
    assert facts["police_non_emergency"]["instead"] == "131 444 of AU"
    assert facts["emergency"]["region"] == "AU"
    assert "families see it" in run("regions", "show", "AU-NSW").stdout
    assert "There is no region" in refusal(run("regions", "show", "ZZ"))


def test_a_check_can_ask_what_a_live_installation_would(run: Run) -> None:
    live = run("regions", "check", "AU", "--live")
    assert live.exit_code == 0
    assert "no officer has checked the live page" in live.stdout
    assert run("regions", "check", "AU", "--live", "--strict").exit_code == 1


def test_a_number_takes_two_officers_to_change(run: Run) -> None:
    change = ("--value", "0800 123", "--source", "https://helpline.example", "--as", OFFICERS[0])
    assert run("regions", "change", "AU", "child_helpline", *change).exit_code == 0
    assert "a second person" in refusal(run("regions", "confirm", "AU", "child_helpline", "--as", OFFICERS[0]))
    assert run("regions", "confirm", "AU", "child_helpline", "--as", OFFICERS[1]).exit_code == 0
    shown = told(run("regions", "show", "AU-VIC", "--json"))
    assert shown["contacts"]["child_helpline"] == "0800 123"
