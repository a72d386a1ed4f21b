"""Markdown cards and comments as HTML: CommonMark with GitHub's tables, sanitised last."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache, partial
from html import escape
from itertools import pairwise
from posixpath import normpath
from urllib.parse import unquote, urlsplit

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.tasklists import tasklists_plugin

from hub.rendering.code import CLASSES, fence_html
from hub.rendering.mentions import PEOPLE, link_mentions, names_in, plain_texts
from hub.rendering.safe import SanitisedHtml

# Where a relative link leads: the path from the repository's root, and whether it is an image.
# None leaves the link without a target.
LinkMaker = Callable[[str, bool], str | None]

MARKDOWN_LIMIT_CHARACTERS = 128 * 1024
NESTING_LIMIT = 300
ID_PREFIX = "user-content-"
TAG_NAMES = (
    "a abbr b blockquote br caption center cite code col colgroup dd del details dfn div dl dt em "
    "figcaption figure h1 h2 h3 h4 h5 h6 hr i img input ins kbd label li mark ol p picture pre q s "
    "samp section small span strong sub summary sup table tbody td tfoot th thead tr tt u ul var"
)
ATTRIBUTES = {
    "*": {"id", "title", "lang", "dir", "align"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "ol": {"start"},
    "details": {"open"},
    "input": {"checked"},
}
SCHEMES = frozenset({"http", "https", "mailto"})
_SPACES_AND_CONTROLS = re.compile(r"[\x00-\x20\x7f-\x9f]")
_FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\r?\n.*?^---[ \t]*$", re.DOTALL | re.MULTILINE)
_NOT_IN_SLUGS = re.compile(r"[^\w\- ]")
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]*)")
_VOID_TAGS = frozenset({"area", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})
_ALIGNED = re.compile(r"text-align:(left|right|center)")


def mentioned_in(text: str) -> Iterator[str]:
    """Names after an @ in the text of Markdown, as they are written; code names nobody."""
    if "@" in text:
        body = _FRONT_MATTER.sub("", text, count=1)[:MARKDOWN_LIMIT_CHARACTERS]
        for piece in plain_texts(_parser().parse(body)):
            yield from names_in(piece)


def render_markdown(
    text: str,
    *,
    link: LinkMaker | None = None,
    folder: str = "",
    people: Collection[str] = (),
) -> SanitisedHtml:
    """The text as HTML safe to show on our own pages.

    `link` turns the path of a relative link or image, resolved against `folder`, into an address;
    without it relative targets are dropped. Pictures from other servers are not fetched: their
    text stands for them. Front matter is left out; the first 128 Ki characters after it are read.
    `people`: names in lower case that become links after an @.
    """
    body = _FRONT_MATTER.sub("", text, count=1)[:MARKDOWN_LIMIT_CHARACTERS]
    html = _parser().render(body, {PEOPLE: people})
    if _depth(html) > NESTING_LIMIT:
        html = f"<pre>{escape(body)}</pre>"
    return _sanitised(html, link, folder)


def sanitised_html(html: str) -> SanitisedHtml:
    """Somebody's HTML through the same list of what is allowed: no scripts, styles or addresses
    of other servers' pictures. Nested too deep, it comes as text."""
    html = html[:MARKDOWN_LIMIT_CHARACTERS]
    if _depth(html) > NESTING_LIMIT:
        html = f"<pre>{escape(html)}</pre>"
    return _sanitised(html, None, "")


def _sanitised(html: str, link: LinkMaker | None, folder: str) -> SanitisedHtml:
    clean = nh3.clean(
        html,
        tags=set(TAG_NAMES.split()),
        clean_content_tags={"script", "style", "template", "noscript", "iframe", "title"},
        attributes={tag: set(names) for tag, names in ATTRIBUTES.items()},
        attribute_filter=partial(_attribute, link, folder),
        allowed_classes={"span": set(CLASSES.values()), "section": {"footnotes"}},
        set_tag_attribute_values={
            "input": {"type": "checkbox", "disabled": ""},
            "img": {"loading": "lazy"},
            # What scrolls sideways on a phone scrolls by keyboard too.
            "pre": {"tabindex": "0"},
            "table": {"tabindex": "0"},
        },
        url_schemes=set(SCHEMES),
        link_rel="nofollow ugc noopener noreferrer",
        strip_comments=True,
    )
    return SanitisedHtml(clean)


def _depth(html: str) -> int:
    """How deep tags are opened in one another; the sanitiser's time grows with its square."""
    depth = most = 0
    for tag in _TAG.finditer(html):
        if tag[2].lower() not in _VOID_TAGS:
            depth += -1 if tag[1] else 1
            most = max(most, depth)
    return most


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True, "highlight": _highlight})
    parser.enable(["table", "strikethrough"])
    parser.use(footnote_plugin).use(tasklists_plugin, label=True)
    parser.core.ruler.push("align_cells", _align_cells)
    parser.core.ruler.push("name_headings", _name_headings)
    parser.core.ruler.push("link_mentions", link_mentions)
    return parser


def _highlight(text: str, language: str, _attributes: str) -> str:
    return fence_html(text, language)


def _align_cells(state: StateCore) -> None:
    """Tables say `align`, since pages allow no inline styles."""
    for token in state.tokens:
        aligned = _ALIGNED.search(str(token.attrs.get("style", "")))
        if aligned:
            token.attrs = {"align": aligned[1]}


def _name_headings(state: StateCore) -> None:
    """Headings get ids made of their words; the second of a name gets -1, the third -2."""
    met: Counter[str] = Counter()
    for heading, inline in pairwise(state.tokens):
        if heading.type != "heading_open":
            continue
        slug = _NOT_IN_SLUGS.sub("", inline.content.strip().lower()).replace(" ", "-")
        heading.attrSet("id", f"{slug}-{met[slug]}" if met[slug] else slug)
        met[slug] += 1


def _attribute(link: LinkMaker | None, folder: str, tag: str, name: str, value: str) -> str | None:
    """The value an attribute may keep, or None to drop it."""
    if name == "id":
        return ID_PREFIX + value.removeprefix(ID_PREFIX)
    if name == "href":
        return _target(value, link, folder, is_image=False)
    if name == "src":
        return _target(value, link, folder, is_image=True)
    return value


def _target(value: str, link: LinkMaker | None, folder: str, *, is_image: bool) -> str | None:
    address = _SPACES_AND_CONTROLS.sub("", value)
    if address.startswith("#"):
        return "#" + ID_PREFIX + address[1:].removeprefix(ID_PREFIX)
    try:
        parts = urlsplit(address)
    except ValueError:
        return None
    if parts.scheme or parts.netloc or address.startswith(("//", "/\\", "\\")):
        return None if is_image or parts.scheme not in SCHEMES else address
    if address.startswith("/"):
        return address
    path = normpath(f"{folder}/{unquote(parts.path)}".lstrip("/")) if parts.path else ""
    made = link(path, is_image) if link and path and not path.startswith("..") else None
    if made is None or not made.startswith(("/", "http://", "https://")):
        return None
    return made + (f"#{parts.fragment}" if parts.fragment else "")
