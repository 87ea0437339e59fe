"""Who an audience reaches: one row per address, and the written rule where lists disagree."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import literal_column, select, update

from notifier.audiences import segments, slices, suppressions
from notifier.audiences.definitions import Audience
from notifier.audiences.models import Address, ListChoice, Subscription, TopicChoice
from notifier.audiences.permission import with_hold_back
from notifier.audiences.reach import count
from notifier.kit.errors import Invalid, NotFound
from notifier.vocabulary import Channel, Readers, Role, SuppressionReason
from tests.audiences.conftest import School

PARENTS = Audience("victoria-parents", "Parents", Readers.PARENTS, regions=("AU-VIC",), roles=(Role.PARENT, Role.CARER))
HEADER = "id,first name,email,mobile,language,role,year level\n"


def reached(
    school: School, audience: Audience = PARENTS, channel: Channel = Channel.EMAIL, topic: str = "sextortion"
) -> dict[str, Any]:
    with school.database.reading() as session:
        ids = segments.lists_of(session, audience)
        query = segments.members(audience, channel, list_ids=ids, topic=topic, now=school.now, after=0, through=10**9)
        return {row.destination: row for row in session.execute(query)}


def test_a_parent_on_three_lists_is_one_row_with_three_reasons(school: School, another: Callable[..., int]) -> None:
    ids = [school.list_id("northcote-high"), another("preston-primary"), another("footscray-city")]
    for code in ("northcote-high", "preston-primary", "footscray-city"):
        school.upload(f"{HEADER}1,Maria,maria@example.org,,,,\n", code)
    rows = reached(school)
    assert [row.list_ids for row in rows.values()] == [",".join(map(str, ids))]
    assert rows["maria@example.org"].given_name == "Maria"


def test_two_parents_who_share_a_phone_are_one_row_without_a_name(school: School) -> None:
    school.upload(f"{HEADER}1,Maria,m@example.org,0491570006,,,\n1,Nikos,n@example.org,0491570006,,,\n")
    rows = reached(school, channel=Channel.SMS)
    assert [(row.destination, row.given_name, row.list_ids) for row in rows.values()] == [
        ("+61491570006", None, str(school.list_id("northcote-high")))
    ]


def test_the_most_recent_list_that_names_a_language_is_believed(school: School, another: Callable[..., int]) -> None:
    another("preston-primary", language="en")
    school.upload(f"{HEADER}1,M,m@example.org,,Greek,,\n2,N,n@example.org,,Greek,,\n3,O,o@example.org,,,,\n")
    school.upload(
        f"{HEADER}1,M,m@example.org,,Arabic,,\n2,N,n@example.org,,,,\n3,O,o@example.org,,,,\n", "preston-primary"
    )
    languages = {value: row.wanted_language for value, row in reached(school).items()}
    assert languages == {"m@example.org": "ar", "n@example.org": "el", "o@example.org": "en"}
    school.upload(f"{HEADER}1,M,m@example.org,,Turkish,,\n")
    assert reached(school)["m@example.org"].wanted_language == "tr"


def test_the_recipients_own_choice_beats_every_list_and_nobodys_word_leaves_it_to_the_region(school: School) -> None:
    school.upload(f"{HEADER}1,M,m@example.org,,Greek,,\n2,N,n@example.org,,,,\n")
    with school.database.transaction() as session:
        session.execute(update(Address).where(Address.value == "m@example.org").values(language="de"))
    languages = {value: row.wanted_language for value, row in reached(school).items()}
    assert languages == {"m@example.org": "de", "n@example.org": ""}


def test_the_region_is_that_of_the_most_recent_list(school: School, another: Callable[..., int]) -> None:
    another("lindenschule", region="DE", country="DE")
    everywhere = Audience("all", "All", Readers.PARENTS, roles=(Role.PARENT,))
    school.upload(f"{HEADER}1,M,m@example.org,,,,\n", "lindenschule")
    school.upload(f"{HEADER}1,M,m@example.org,,,,\n")
    assert reached(school, everywhere)["m@example.org"].region == "AU-VIC"
    school.upload(f"{HEADER}2,N,n@example.org,,,,\n", "lindenschule")
    assert reached(school, everywhere)["m@example.org"].region == "DE"


def test_students_are_never_part_of_a_parents_audience(school: School, another: Callable[..., int]) -> None:
    another("northcote-students", readers=Readers.YOUNG_PEOPLE)
    school.upload(f"{HEADER}1,Kid,kid@example.org,,,,\n", "northcote-students")
    shown = school.upload(f"{HEADER}2,Kim,kim@example.org,,,student,\n")
    assert shown.refused == 1
    assert reached(school) == {}


def test_an_audience_may_be_of_some_year_levels_roles_and_languages(school: School) -> None:
    school.upload(
        f"{HEADER}1,A,a@example.org,,el,Mother,7\n2,B,b@example.org,,el,guardian,8; 17\n3,C,c@example.org,,,teacher,7\n"
    )
    years = Audience("y", "Y", Readers.PARENTS, roles=(Role.PARENT, Role.CARER), year_levels=("7",))
    carers = Audience("c", "C", Readers.PARENTS, roles=(Role.CARER,))
    arabic = Audience("l", "L", Readers.PARENTS, roles=(Role.PARENT, Role.CARER), languages=("ar",))
    assert list(reached(school, years)) == ["a@example.org"]
    assert list(reached(school, carers)) == ["b@example.org"]
    assert list(reached(school, arabic)) == []


def test_who_is_on_an_excluded_list_is_left_out(school: School, another: Callable[..., int]) -> None:
    another("no-thanks")
    school.upload(f"{HEADER}1,A,a@example.org,,,,\n2,B,b@example.org,,,,\n")
    school.upload(f"{HEADER}1,A,a@example.org,,,,\n", "no-thanks")
    audience = Audience("x", "X", Readers.PARENTS, roles=(Role.PARENT,), excluded_lists=("no-thanks",))
    assert list(reached(school, audience)) == ["b@example.org"]


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("bounced@example.org", "hard_bounce"),
        ("left@example.org", "not_subscribed"),
        ("declined@example.org", "topic_declined"),
        ("paused@example.org", "paused_by_recipient"),
        ("fine@example.org", None),
    ],
)
def test_planner_and_claim_hold_back_for_the_same_reasons(
    school: School, now: datetime, address: str, reason: str | None
) -> None:
    names = ("bounced", "left", "declined", "paused", "fine")
    school.upload(HEADER + "".join(f"{n},{n},{n}@example.org,,,,\n" for n in names))
    list_id = school.list_id("northcote-high")
    with school.database.transaction() as session:
        ids = {n: session.scalars(select(Address.id).where(Address.value == f"{n}@example.org")).one() for n in names}
        suppressions.suppress_address(
            session, ids["bounced"], SuppressionReason.HARD_BOUNCE, source="t", actor="t", now=now
        )
        session.add(ListChoice(address_id=ids["left"], list_id=list_id, wanted=False, changed_at=now))
        session.add(TopicChoice(address_id=ids["declined"], topic="sextortion", wanted=False, changed_at=now))
        session.execute(update(Address).where(Address.id == ids["paused"]).values(paused_until=now + timedelta(days=1)))
    assert reached(school)[address].hold_back == reason
    with school.database.reading() as session:
        deliveries = select(literal_column(str(ids[address.partition("@")[0]])).label("address_id")).subquery()
        claimed = with_hold_back(
            select(deliveries.c.address_id),
            deliveries.c.address_id,
            Channel.EMAIL,
            topic="sextortion",
            now=now,
            list_ids=[list_id],
        )
        assert session.execute(claimed).one().hold_back == reason


def test_an_erased_or_removed_address_is_held_back_at_the_claim(school: School, now: datetime) -> None:
    school.upload(f"{HEADER}1,A,a@example.org,,,,\n2,B,b@example.org,,,,\n")
    gone, list_id = school.address_id("a@example.org"), school.list_id("northcote-high")
    school.upload(f"{HEADER}2,B,b@example.org,,,,\n", mode="replace")
    with school.database.reading() as session:
        ids = (
            select(Address.id.label("id")).where(Address.id == gone).union_all(select(literal_column("999"))).subquery()
        )
        claimed = with_hold_back(select(ids.c.id), ids.c.id, Channel.EMAIL, topic="t", now=now, list_ids=[list_id])
        assert {row.id: row.hold_back for row in session.execute(claimed)} == {gone: "not_subscribed", 999: "erased"}


def test_a_list_that_was_left_is_no_reason_any_more(school: School, another: Callable[..., int], now: datetime) -> None:
    preston = another("preston-primary")
    for code in ("northcote-high", "preston-primary"):
        school.upload(f"{HEADER}1,A,a@example.org,,,,\n", code)
    with school.database.transaction() as session:
        address_id = session.scalars(select(Address.id)).one()
        session.add(
            ListChoice(address_id=address_id, list_id=school.list_id("northcote-high"), wanted=False, changed_at=now)
        )
    row = reached(school)["a@example.org"]
    assert (row.list_ids, row.hold_back) == (str(preston), None)


def test_under_email_then_sms_only_those_without_a_deliverable_email_get_a_text(school: School, now: datetime) -> None:
    school.upload(f"{HEADER}1,A,a@example.org,0491570006,,,\n2,B,,0491570156,,,\n3,C,c@example.org,0491570157,,,\n")
    bounced = school.address_id("c@example.org")
    with school.database.transaction() as session:
        suppressions.suppress_address(session, bounced, SuppressionReason.HARD_BOUNCE, source="t", actor="t", now=now)
    with school.database.reading() as session:
        query = segments.members_not_reached_by_email(
            PARENTS, list_ids=segments.lists_of(session, PARENTS), topic="t", now=now, after=0, through=10**9
        )
        found = {row.destination: row.hold_back for row in session.execute(query)}
    assert found == {"+61491570006": "reached_by_email", "+61491570156": None, "+61491570157": None}


def test_slices_in_the_order_of_ids_cover_every_address_once(school: School) -> None:
    school.upload(HEADER + "".join(f"{n},P,p{n}@example.org,,,,\n" for n in range(25)))
    seen: list[int] = []
    after = 0
    with school.database.reading() as session:
        ids = segments.lists_of(session, PARENTS)
        while (through := slices.slice_end(session, Channel.EMAIL, after, 7)) is not None:
            query = segments.members(
                PARENTS, Channel.EMAIL, list_ids=ids, topic="t", now=school.now, after=after, through=through
            )
            seen += [row.address_id for row in session.execute(query)]
            after = through
        assert seen == list(
            session.scalars(select(Subscription.email_address_id).order_by(Subscription.email_address_id))
        )


def test_a_small_audience_lies_close_around_its_own_addresses(school: School, another: Callable[..., int]) -> None:
    another("preston-primary")
    school.upload(HEADER + "".join(f"{n},P,p{n}@example.org,,,,\n" for n in range(9)))
    school.upload(
        f"{HEADER}1,Q,q@example.org,,,,\n2,R,r@example.org,,,staff,\n3,S,s@example.org,,,,\n", "preston-primary"
    )
    preston = Audience("preston", "P", Readers.PARENTS, lists=("preston-primary",), roles=(Role.PARENT,))
    first, last = school.address_id("q@example.org"), school.address_id("s@example.org")
    with school.database.reading() as session:
        ids = segments.lists_of(session, preston)
        assert slices.span(session, preston, Channel.EMAIL, ids) == slices.Span(first - 1, last)
        assert slices.span(session, preston, Channel.EMAIL, ids, after=first) == slices.Span(last - 1, last)
        assert slices.span(session, preston, Channel.EMAIL, ids, after=last) == slices.Span(last, last)
        assert slices.span(session, preston, Channel.SMS, ids) == slices.Span(0, 0)
        # A large one is not asked for row by row: all the rest may be its.
        assert slices.span(session, preston, Channel.EMAIL, ids, after=3, few=2) == slices.Span(3, last)


def test_combinations_name_each_language_and_region_once(school: School) -> None:
    school.upload(f"{HEADER}1,A,a@example.org,,el,,\n2,B,b@example.org,,el,,\n3,C,c@example.org,,,,\n")
    with school.database.reading() as session:
        ids = segments.lists_of(session, PARENTS)
        assert segments.combinations(session, PARENTS, Channel.EMAIL, ids) == [("", "AU-VIC"), ("el", "AU-VIC")]


def test_the_count_says_who_is_reached_and_who_not_and_why(school: School, now: datetime) -> None:
    school.upload(f"{HEADER}1,A,a@example.org,0491570006,el,,\n2,B,b@example.org,,,,\n")
    opted_out = school.address_id("b@example.org")
    with school.database.transaction() as session:
        suppressions.suppress_address(session, opted_out, SuppressionReason.OPT_OUT, source="t", actor="t", now=now)
    with school.database.reading() as session:
        reach = count(session, PARENTS, topic="", now=now)
    email, sms = reach.channels
    assert (email.reachable, email.languages, email.schools) == (1, {"el": 1}, {"Northcote High": 1})
    assert (email.held_back, sms.reachable) == ({"opt_out": 1}, 1)
    assert reach.left_out == {"no_email": 0, "no_mobile": 1, "other_role": 0}


def test_the_count_says_who_is_of_another_year_or_language_or_excluded_and_where_lists_disagree(
    school: School, another: Callable[..., int], now: datetime
) -> None:
    another("no-thanks")
    another("preston-primary")
    school.upload("Email,Year level\nout@example.org,7\n", code="no-thanks")
    school.upload("Email,Home language,Year level\ngreek@example.org,Greek,7\n", code="preston-primary")
    rows = (
        "greek@example.org,Arabic,7",
        "old@example.org,Greek,9",
        "out@example.org,Greek,7",
        "arab@example.org,Arabic,7",
    )
    school.upload("Email,Home language,Year level\n" + "\n".join(rows) + "\n")
    narrow = replace(PARENTS, year_levels=("7",), languages=("ar",), excluded_lists=("no-thanks",))
    with school.database.reading() as session:
        reach = count(session, narrow, topic="", now=now)
        everybody = count(session, replace(narrow, languages=("el",)), topic="", now=now)
    assert (reach.channels[0].reachable, reach.channels[0].other_language) == (2, 0)
    assert (everybody.channels[0].reachable, everybody.channels[0].other_language) == (0, 2)
    assert reach.channels[0].disagreements == {"language": 1, "region": 0, "given_name": 0}
    assert (reach.left_out["other_year_level"], reach.left_out["on_excluded_list"]) == (1, 1)


def test_a_list_that_is_named_and_not_there_is_said(school: School) -> None:
    audience = Audience("x", "X", Readers.PARENTS, roles=(Role.PARENT,), lists=("nowhere-high",))
    with school.database.reading() as session, pytest.raises(NotFound, match="nowhere-high"):
        segments.lists_of(session, audience)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('title = "T"\nreaders = "parents"\nregion = ["DE"]\n', "line 3: 'region' is no word"),
        ('title = "T"\nreaders = "grandparents"\n', "line 2: 'grandparents' is none of"),
        ('title = "T"\nreaders = "parents"\nroles = [\n  "parent",\n  "student",\n]\n', "line 5: students are never"),
        ('title = "T"\nreaders = "parents"\nlanguages = ["Plattitüde"]\n', "line 3: 'Plattitüde' is no language"),
        ('title = "T"\n', "line 1: 'readers' must be one text"),
        ("title = T\n", "is not a TOML file"),
    ],
)
def test_a_word_nobody_knows_is_refused_with_file_and_line(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(Invalid, match=complaint) as wrong:
        segments.load_audience(tmp_path, "mine")
    assert "mine.toml" in str(wrong.value)


def test_the_digest_of_an_audience_is_of_its_meaning(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('title = "T"\nreaders = "parents"\n')
    before = segments.load_audience(tmp_path, "mine").digest
    (tmp_path / "mine.toml").write_text('# A remark.\nreaders = "parents"\ntitle = "T"\n')
    assert segments.load_audience(tmp_path, "mine").digest == before
    (tmp_path / "mine.toml").write_text('readers = "parents"\ntitle = "T"\nregions = ["DE"]\n')
    assert segments.load_audience(tmp_path, "mine").digest != before


def test_the_audiences_of_the_repository_can_be_read() -> None:
    folder = Path(__file__).parents[2] / "audiences"
    read = {name: segments.load_audience(folder, name) for name in segments.audience_names(folder)}
    assert read["eu-parents"].regions == ("DE", "FR", "GR")
    assert read["victoria-parents"].regions == ("AU-VIC",)
