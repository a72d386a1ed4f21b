"""Markdown cards and comments as HTML: CommonMark with GitHub's tables and links, sanitised last.

Beside them: footnotes, task lists, GitHub's alerts, emoji by name, formulas between dollar signs as
MathML, and diagrams, whose source stands there as code until a script of ours draws it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from html import escape
from itertools import pairwise
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.footnote import footnote_plugin

from hub.rendering import formulas, players
from hub.rendering.alerts import ALERTS, mark_alerts
from hub.rendering.autolinks import link_addresses
from hub.rendering.balance import UNSEEN, balanced
from hub.rendering.bounds import References, bounded_table, parse_inline, quote, shallow
from hub.rendering.code import CLASSES, fence_html
from hub.rendering.direction import MARK_CLASS
from hub.rendering.emojis import name_emojis
from hub.rendering.formulas import Formulas, formula_attribute
from hub.rendering.mentions import NUMBERS, PEOPLE, link_mentions, names_in, plain_texts
from hub.rendering.safe import SanitisedHtml
from hub.rendering.targets import ATTACHMENT, ID_PREFIX, SCHEMES, Attached, LinkMaker, Targets
from hub.rendering.tasks import mark_tasks

MARKDOWN_LIMIT_CHARACTERS = 128 * 1024
TAG_NAMES = (
    "a abbr b blockquote br caption center cite code col colgroup dd del details dfn div dl dt em "
    "figcaption figure h1 h2 h3 h4 h5 h6 hr i img input ins kbd label li mark ol p picture pre q s "
    "samp section small source span strong sub summary sup table tbody td tfoot th thead tr tt u "
    "ul var"
)
TAGS = frozenset({*TAG_NAMES.split(), *formulas.TAGS, *players.TAGS})
ATTRIBUTES = {
    "*": {"id", "title", "lang", "dir", "align"},
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan", "scope"},
    "ol": {"start"},
    "details": {"open"},
    "input": {"checked"},
    "source": {"src", "srcset", "media"},
    **players.ATTRIBUTES,
    **{tag: set(formulas.ATTRIBUTES) for tag in formulas.TAGS},
}
_PICTURES_FOR = re.compile(r"\(prefers-color-scheme:\s*(?:dark|light)\)")
_FRONT_MATTER = re.compile(r"\A\ufeff?---[ \t]*\r?\n.*?^---[ \t]*$", re.DOTALL | re.MULTILINE)
_NOT_IN_SLUGS = re.compile(r"[^\w\- ]")
_ALIGNED = re.compile(r"text-align:(left|right|center)")


@dataclass(frozen=True)
class Heading:
    """One heading of a document; `anchor` is its id in the page."""

    level: int
    text: str
    anchor: str


@dataclass(frozen=True)
class Document:
    """A rendered text: its HTML, its headings, and whether it holds diagrams to be drawn."""

    html: SanitisedHtml
    headings: tuple[Heading, ...] = ()
    has_diagrams: bool = False


@dataclass
class Drafted:
    """What is gathered while one document is rendered."""

    formulas: Formulas = field(default_factory=Formulas)
    headings: list[Heading] = field(default_factory=list)
    has_diagrams: bool = False
    alert_words: Mapping[str, str] = field(default_factory=dict)


def parsed(text: str) -> list[Token]:
    """What the text is made of, front matter left out, as far as documents are read."""
    body = _FRONT_MATTER.sub("", text, count=1)[:MARKDOWN_LIMIT_CHARACTERS]
    return _parser().parse(body, {"draft": Drafted(), "references": References()})


def mentioned_in(text: str) -> Iterator[str]:
    """Names after an @ in the text of Markdown, as they are written; code names nobody."""
    if "@" in text:
        for piece in plain_texts(parsed(text)):
            yield from names_in(piece)


def render_markdown(
    text: str,
    *,
    link: LinkMaker | None = None,
    folder: str = "",
    people: Collection[str] = (),
    numbers: Mapping[str, str] | None = None,
    alert_words: Mapping[str, str] = ALERTS,
    attached: Attached | None = None,
) -> SanitisedHtml:
    """The text as HTML safe to show on our own pages: see `render_document`."""
    return render_document(
        text, link=link, folder=folder, people=people, numbers=numbers, alert_words=alert_words,
        attached=attached,
    ).html  # fmt: skip


def render_document(
    text: str,
    *,
    link: LinkMaker | None = None,
    folder: str = "",
    people: Collection[str] = (),
    numbers: Mapping[str, str] | None = None,
    alert_words: Mapping[str, str] = ALERTS,
    attached: Attached | None = None,
) -> Document:
    """The text as HTML safe to show on our own pages, with what it is made of.

    `link` turns the path of a relative link or image, resolved against `folder`, into an address;
    without it relative targets are dropped. Pictures from other servers are not fetched: their
    text stands for them. Front matter is left out; the first 128 Ki characters after it are read.
    `people`: names in lower case that become links after an @. `numbers`: what is written of
    discussions (`#7`, `owner/name#7`, in lower case) with their addresses. `alert_words` are the
    titles of GitHub's alerts in the reader's language. `attached` gives the pictures of
    `attachment:name`.
    """
    body = _FRONT_MATTER.sub("", text, count=1)[:MARKDOWN_LIMIT_CHARACTERS]
    draft = Drafted(alert_words=alert_words)
    env = {"draft": draft, PEOPLE: people, NUMBERS: numbers or {}, "references": References()}
    html = _parser().render(body, env)
    clean = _sanitised(html, Targets(link, folder, attached), body)
    return Document(clean, tuple(draft.headings), draft.has_diagrams)


def sanitised_html(html: str) -> SanitisedHtml:
    """Somebody's HTML through the same list of what is allowed: no scripts, styles or addresses
    of other servers' pictures. Nested too deep, it comes as text."""
    html = html[:MARKDOWN_LIMIT_CHARACTERS]
    return _sanitised(html, Targets(), html)


def _sanitised(html: str, targets: Targets, source: str) -> SanitisedHtml:
    """What is too deep or too heavy to be put together comes as its source."""
    whole = balanced(html, TAGS, partial(players.player, targets))
    clean = nh3.clean(
        f"<pre>{escape(source)}</pre>" if whole is None else whole,
        tags=set(TAGS),
        clean_content_tags=set(UNSEEN),
        attributes={tag: set(names) for tag, names in ATTRIBUTES.items()},
        attribute_filter=partial(_attribute, targets),
        allowed_classes={
            "span": {*CLASSES.values(), MARK_CLASS},
            "section": {"footnotes"},
            "blockquote": {"alert", *(f"alert--{name}" for name in ALERTS)},
            "p": {"alert-title"},
            "pre": {"diagram"},
            "div": {"formula"},
        },
        set_tag_attribute_values={
            "input": {"type": "checkbox", "disabled": ""},
            "img": {"loading": "lazy"},
            **players.SHOWN,
            # What scrolls sideways on a phone scrolls by keyboard too.
            "pre": {"tabindex": "0"},
            "table": {"tabindex": "0"},
        },
        url_schemes={*SCHEMES, ATTACHMENT},
        link_rel="nofollow ugc noopener noreferrer",
        strip_comments=True,
    )
    return SanitisedHtml(clean)


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True, "highlight": _highlight})
    parser.enable(["table", "strikethrough"])
    parser.use(footnote_plugin, inline=False)
    # A price is no formula: “$5 and $6”.
    parser.use(dollarmath_plugin, allow_space=False, allow_digits=False, double_inline=True)
    parser.core.ruler.at("inline", partial(parse_inline, shallow=shallow(parser)))
    interrupting = ["paragraph", "reference"]
    parser.block.ruler.at("blockquote", quote, {"alt": [*interrupting, "blockquote", "list"]})
    parser.block.ruler.at("table", bounded_table, {"alt": interrupting})
    parser.core.ruler.push("mark_tasks", mark_tasks)
    parser.core.ruler.push("align_cells", _align_cells)
    parser.core.ruler.push("name_emojis", name_emojis)
    parser.core.ruler.push("name_headings", _name_headings)
    parser.core.ruler.push("mark_alerts", mark_alerts)
    parser.core.ruler.push("link_addresses", link_addresses)
    parser.core.ruler.push("link_mentions", link_mentions)
    for name in ("math_inline", "math_inline_double", "math_block", "math_block_label"):
        parser.add_render_rule(name, _formula)
    parser.add_render_rule("fence", _fence)
    parser.add_render_rule("image", players.image)
    return parser


def _formula(
    renderer: RendererHTML, tokens: Sequence[Token], at: int, _options: Any,
    env: MutableMapping[str, Any],
) -> str:  # fmt: skip
    is_block = tokens[at].type != "math_inline"
    made: str = env["draft"].formulas.html(tokens[at].content, is_block=is_block)
    is_alone = tokens[at].type.startswith("math_block")
    return f'<div class="formula">{made}</div>\n' if is_alone else made


def _fence(
    renderer: RendererHTML, tokens: Sequence[Token], at: int, options: Any,
    env: MutableMapping[str, Any],
) -> str:  # fmt: skip
    """A block of code; one of formulas or of a diagram is that."""
    token, draft = tokens[at], env["draft"]
    language = token.info.strip().partition(" ")[0].lower()
    if language == "math":
        return f'<div class="formula">{draft.formulas.html(token.content, is_block=True)}</div>\n'
    if language == "mermaid":
        draft.has_diagrams = True
        return f'<pre class="diagram"><code>{escape(token.content)}</code></pre>\n'
    return RendererHTML.fence(renderer, tokens, at, options, env)


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
        name = f"{slug}-{met[slug]}" if met[slug] else slug
        heading.attrSet("id", name)
        met[slug] += 1
        said = " ".join(_words(inline.children or []).split())
        state.env["draft"].headings.append(Heading(int(heading.tag[1]), said, ID_PREFIX + name))


def _words(tokens: Sequence[Token]) -> str:
    """What a line says without its marks."""
    return "".join(
        token.content if token.type in ("text", "code_inline", "math_inline") else " " * token.block
        for token in tokens
    )


def _attribute(targets: Targets, tag: str, name: str, value: str) -> str | None:
    """The value an attribute may keep, or None to drop it."""
    if name == "id":
        return ID_PREFIX + value.removeprefix(ID_PREFIX)
    if name == "href":
        return targets.leads(value, is_image=False)
    if name == "src":
        is_picture = tag == "img"
        return targets.picture(value) if is_picture else players.source_of(targets, value)
    if name == "poster":
        return targets.picture(value)
    if name == "srcset":  # one picture: a list of them could hide an address of another server
        first = value.replace(",", " ").split()
        return targets.leads(first[0], is_image=True) if first else None
    if name == "media":
        return value if _PICTURES_FOR.fullmatch(value.strip()) else None
    return formula_attribute(name, value) if tag in formulas.TAGS else value
