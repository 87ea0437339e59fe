"""`notifier bench render` at a size nobody would measure with."""

from notifier.bench.ground import Workshop
from notifier.bench.render import PATHS, render


def test_every_kind_of_message_is_made_beside_plain_joining(shop: Workshop) -> None:
    figures = [figure.as_dict() for figure in render(shop, 200)]
    assert [figure["name"] for figure in figures] == list(PATHS)
    assert all(figure["rate"] > 0 and figure["floor_rate"] > 0 for figure in figures)
    assert all(figure["recipients"] == 200 and figure["database"] == "none" for figure in figures)
