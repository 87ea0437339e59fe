"""What a recipient decides: the language they are answered in, and that nobody searches the whole ledger for it."""

from datetime import datetime

from sqlalchemy import event, text

from notifier.kit.db import Database
from notifier.tracking import optout
from tests.tracking.ledger import a_campaign, a_delivery, a_variant, an_address, the_delivery


def test_whoever_chose_no_language_is_spoken_to_in_that_of_the_last_message(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        address = an_address(session, "p@example.org", now)
        for language in ("de", "el"):
            campaign = a_campaign(session, now)
            a_delivery(session, address, campaign_id=campaign, variant_id=a_variant(session, campaign, language, now))
        assert optout.spoken_language(session, address) == "el"
        assert optout.leave_by_one_click(session, address, campaign_id=campaign, now=now) == "el"


def test_an_opt_out_is_noted_on_the_last_message_that_left(database: Database, now: datetime) -> None:
    with database.transaction() as session:
        address = an_address(session, "p@example.org", now)
        first, last, waiting = (
            a_delivery(session, address, campaign_id=number, status=status)
            for number, status in enumerate(("delivered", "accepted", "queued"), 1)
        )
        optout.note_opt_out(session, address, now=now)
        noted = {each: the_delivery(session, each).opted_out_at for each in (first, last, waiting)}
    assert noted == {first: None, last: now, waiting: None}


def test_postgresql_never_walks_the_ledger_back_to_find_the_last_message(postgres_url: str, now: datetime) -> None:
    """Without sorting, the only other way to the newest is the ledger from its end, which is what is ruled out."""
    database = Database(postgres_url)
    asked: list[tuple[str, object]] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def _note(_connection: object, _cursor: object, statement: str, values: object, *_: object) -> None:
        asked.append((statement, values))

    with database.reading() as session:
        optout.spoken_language(session, 1)
        optout.note_opt_out(session, 1, now=now)
        questions = [each for each in asked if "deliveries" in each[0]]
        session.execute(text("SET LOCAL enable_sort TO off"))
        session.execute(text("SET LOCAL enable_bitmapscan TO off"))
        for statement, values in questions:
            plan = "\n".join(
                line
                for (line,) in session.connection().exec_driver_sql(f"EXPLAIN {statement}", values)  # type: ignore[arg-type]
            )
            assert "Backward" not in plan, plan
    database.close()
    assert len(questions) == 2
