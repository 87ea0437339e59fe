"""Writing a file whole or not at all: nobody ever reads half of one, also after a power cut."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from notifier.kit.errors import Invalid


def replace_text(path: Path, text: str) -> None:
    """Put a text in a file's place in one step, keeping the file's permissions. Raises Invalid if it cannot be."""
    with whole_file(path) as file:
        file.write(text)


@contextmanager
def whole_file(path: Path) -> Iterator[TextIO]:
    """Open a file for writing that takes its place at the end, or never if anything is raised before.

    A pipe or device is written to as it is. Raises Invalid if nothing can be written there.
    """
    try:
        file = _beside(path)
    except OSError as wrong:
        raise Invalid(
            f"{path} cannot be written: {wrong.strerror}. Name a file in a folder that is there and that you may write "
            "to."
        ) from wrong
    if path.exists() and not path.is_file():
        with file:
            yield file
        return
    written = Path(file.name)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        written.chmod((path.stat().st_mode if path.exists() else 0o644) & 0o7777)
        written.replace(path)
    except BaseException:
        written.unlink(missing_ok=True)
        raise


def _beside(path: Path) -> TextIO:
    if path.exists() and not path.is_file():
        return path.open("w", encoding="utf-8", newline="")
    # The context manager above closes it.
    return tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False, newline="")  # type: ignore[return-value]
