"""Addresses that stand bare in Markdown become links, as GitHub's extension has them.

Known by `http://`, `https://`, `www.` or an @ alone: a name with a dot in it, like `model.py`, is
no address. Chinese, Japanese and Korean go on behind an address without a space: it ends there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from hub.rendering.mentions import outside_links, text_token

# Spaces and brackets; quotation marks, dashes, marks of direction, arrows and signs; wide scripts.
_ENDS = r"\s<>`\u2000-\u206f\u2190-\u2bff\u1100-\u11ff\u2e80-\ua4cf\ua960-\ua97f\uac00-\ud7ff"
_ENDS += r"\uf900-\ufaff\ufe30-\uffef\U0001f000-\U0003ffff"
_LABEL = r"[A-Za-z0-9\u00a1-\u1fff_-]{1,63}"
_HOST = rf"(?:{_LABEL}(?:\.{_LABEL}){{0,30}}|\[[0-9A-Fa-f:.]{{2,45}}\])"
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
ADDRESS = re.compile(
    rf"(?<![A-Za-z0-9])(?:(?P<web>https?://{_HOST}|www\.{_LABEL}(?:\.{_LABEL}){{1,30}})"
    rf"(?P<rest>(?::\d{{1,5}})?(?:[/?#][^{_ENDS}]{{0,2000}})?)"
    rf"|(?<![._+/@-])(?P<mail>[A-Za-z0-9][A-Za-z0-9._+-]{{0,63}}@{_NAME}(?:\.{_NAME}){{1,10}})"
    r"(?![A-Za-z0-9@_-]))",
    re.IGNORECASE,
)
_SIGNS = re.compile(r"://|www\.|@", re.IGNORECASE)
_NOT_LAST = frozenset("?!.,:;*_~'\"|")
_PAIRS = {")": "(", "]": "["}


def link_addresses(state: StateCore) -> None:
    """A rule of the parser: what is text outside of links and holds addresses is parted at them."""
    for block in state.tokens:
        if block.type == "inline" and block.children and _SIGNS.search(block.content):
            block.children = [
                made
                for child, is_outside in outside_links(block.children)
                for made in (_parted(child) if is_outside else (child,))
            ]


def _parted(token: Token) -> Iterator[Token]:
    start, text = 0, token.content
    for found in ADDRESS.finditer(text):
        written = found[0] if found["mail"] else _trimmed(found[0])
        if not found["mail"] and len(written) < len(found["web"]):
            continue  # not even the host is whole
        if found.start() > start:
            yield text_token(text[start : found.start()], token.level)
        address = written if found["web"] and written[:4].lower() != "www." else ""
        prefix = "" if address else "mailto:" if found["mail"] else "http://"
        yield Token("link_open", "a", 1, attrs={"href": prefix + written}, level=token.level)
        yield text_token(written, token.level + 1)
        yield Token("link_close", "a", -1, level=token.level)
        start = found.start() + len(written)
    if start < len(text):
        yield text_token(text[start:], token.level)


def _trimmed(address: str) -> str:
    """Without what belongs to the sentence: marks at its end, a bracket that was opened before."""
    while address:
        last = address[-1]
        is_open = last in _PAIRS and address.count(last) > address.count(_PAIRS[last])
        if last not in _NOT_LAST and not is_open:
            break
        address = address[:-1]
    return address
