"""`notifier bench import` at a size nobody would measure with."""

import pytest

from notifier.bench.ground import Kind, Workshop
from notifier.bench.importing import importing


@pytest.mark.parametrize("kind", list(Kind))
def test_a_file_is_imported_beside_its_floor(kind: Kind, shop: Workshop) -> None:
    figures = [figure.as_dict() for figure in importing(shop, [kind], 500)]
    assert [figure["name"] for figure in figures] == ["import: read and judge", "import: carry out", "import"]
    assert all(figure["database"] == kind and figure["recipients"] == 500 for figure in figures)
    assert all(figure["rate"] > 0 and figure["floor_rate"] > 0 for figure in figures)
