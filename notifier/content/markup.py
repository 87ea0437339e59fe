"""Markdown to HTML and to plain text, the same content in both, with placeholders left where they stand.

A small part of CommonMark: headings, paragraphs, lists, strong and emphasised words. Links, images and HTML are text
like any other here, so that a document cannot bring in an address that nobody checked.
"""

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

_BLOCK_PLACEHOLDER = re.compile(r"<p>\s*(\{\{\s*contacts\s*\}\})\s*</p>")
_HEADING_GAP = 1


def to_html(body: str) -> str:
    """Return the HTML of a document's body."""
    return _BLOCK_PLACEHOLDER.sub(r"\1", _reader().render(body)).strip()


def to_text(body: str) -> str:
    """Return the plain text of a document's body: no markup signs, lists with their numbers, one line a paragraph."""
    lines: list[str] = []
    tokens = _reader().parse(body)
    lists: list[int | None] = []
    prefix = ""
    for token in tokens:
        if token.type in {"ordered_list_open", "bullet_list_open"}:
            lists.append(int(token.attrs.get("start", 1)) if token.type.startswith("ordered") else None)
        elif token.type in {"ordered_list_close", "bullet_list_close"}:
            lists.pop()
            prefix = ""
            if not lists:
                lines.append("")
        elif token.type == "list_item_open":
            prefix = _item_prefix(lists)
        elif token.type == "heading_open" and lines:
            lines.extend([""] * _HEADING_GAP)
        elif token.type == "inline":
            lines.append(prefix + _plain(token.children or ()))
            prefix = " " * len(prefix)
        elif token.type in {"paragraph_close", "heading_close"} and not lists:
            prefix = ""
            lines.append("")
    return re.sub(r"\n{4,}", "\n\n\n", "\n".join(lines)).strip()


def _item_prefix(lists: list[int | None]) -> str:
    indent = "  " * (len(lists) - 1)
    number = lists[-1]
    if number is None:
        return f"{indent}- "
    lists[-1] = number + 1
    return f"{indent}{number}. "


def _plain(children: Sequence[Token]) -> str:
    words = {"softbreak": " ", "hardbreak": "\n"}
    return "".join(words.get(child.type, child.content) for child in children)


def _reader() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).disable(
        ["link", "image", "autolink", "html_inline", "html_block", "reference", "code", "fence", "backticks"]
    )
