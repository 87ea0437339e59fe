"""The other benchmarks at a size nobody would measure with."""

from notifier.bench.ground import Kind, Workshop
from notifier.bench.messages import sms, smtp
from notifier.bench.running import Promptness


def test_text_messages_are_handed_over_beside_the_bare_sdk(shop: Workshop) -> None:
    (figure,) = sms(shop, [Kind.SQLITE], 100)
    assert figure.recipients == 99
    assert figure.rate > 0


def test_mail_is_handed_over_with_pipelining_and_without(shop: Workshop) -> None:
    names = [figure.name for figure in smtp(shop, [Kind.SQLITE], 100)]
    assert names == ["smtp: pipelining", "smtp: pipelining", "smtp: conversation"]


def test_an_urgent_figure_is_held_against_the_promise() -> None:
    figure = Promptness("sqlite", 1_000, [0.2, 0.25, 4.0], bulk_left=3).as_dict()
    assert (figure["median_s"], figure["worst_s"], figure["ratio"]) == (0.25, 4.0, 4.0)
