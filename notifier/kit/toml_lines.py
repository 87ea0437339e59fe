"""Where a key stands in a TOML text, so that an error about a file a person wrote can name the line.

The standard library's reader gives values without positions. This page finds them again by reading the headers; it
never changes a file.
"""

import re

_HEADER = re.compile(r"^\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"^\s*([A-Za-z0-9_\"'-]+)\s*=")


def line_of(text: str, *path: str) -> int:
    """Return the number (from 1) of the line of the key at `path`, of the closest table around it, or 1."""
    wanted = [str(part) for part in path]
    best, best_depth, table = 1, 0, list[str]()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            table = [part.strip().strip("\"'") for part in header[1].split(".")]
            here = table
        elif key := _KEY.match(line):
            here = [*table, key[1].strip("\"'")]
        else:
            continue
        if len(here) > best_depth and here == wanted[: len(here)]:
            best, best_depth = number, len(here)
    return best
