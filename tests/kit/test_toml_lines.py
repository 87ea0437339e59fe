"""Finding the line of a key, and writing a file whole."""

from pathlib import Path

import pytest

from notifier.kit.files import replace_text
from notifier.kit.toml_lines import line_of

TEXT = """# A comment.
code = "XA"

[languages]
official = ["de"]

[contacts.emergency]
value = "112"

[[do_not_use]]
value = "1"
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("code",), 2),
        (("languages", "official"), 5),
        (("contacts", "emergency", "value"), 8),
        (("contacts", "emergency", "source"), 7),
        (("do_not_use", "0", "value"), 10),
        (("nothing",), 1),
    ],
)
def test_a_key_is_found_or_else_the_table_around_it(path: tuple[str, ...], line: int) -> None:
    assert line_of(TEXT, *path) == line


def test_a_file_is_replaced_whole_and_keeps_its_permissions(tmp_path: Path) -> None:
    path = tmp_path / "file.toml"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o640)
    replace_text(path, "new\n")
    assert path.read_text(encoding="utf-8") == "new\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [path]
