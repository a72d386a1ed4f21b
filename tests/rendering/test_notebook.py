"""Notebooks: what people see of them, and what must never come out of them."""

from __future__ import annotations

import base64
import random
from html.parser import HTMLParser
from typing import Any

import pytest

from hub.errors import BadInputError
from hub.rendering.notebook import Notebook, render_notebook
from hub.rendering.terminal import terminal_html

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 20).decode()
HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)><a href='javascript:alert(1)'>a</a>"
    "<iframe srcdoc='<script>alert(1)</script>'></iframe><svg onload=alert(1)></svg>"
    "<style>*{display:none}</style><form action=//evil><input name=password></form>"
)


def notebook(*cells: dict[str, Any]) -> dict[str, Any]:
    return {"nbformat": 4, "metadata": {"language_info": {"name": "python"}}, "cells": list(cells)}


def code(source: Any, *outputs: Any) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "execution_count": 3, "outputs": list(outputs)}


def result(**data: Any) -> dict[str, Any]:
    return {
        "output_type": "execute_result",
        "data": {k.replace("_", "/"): v for k, v in data.items()},
    }


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def everything(made: Notebook) -> str:
    outputs = [output.html for cell in made.cells for output in cell.outputs]
    return "".join([*(cell.html for cell in made.cells), *outputs])


def test_cells_come_with_their_results():
    made = render_notebook(
        notebook(
            {"cell_type": "markdown", "source": ["# Title\n", "*text*"]},
            code(
                "print(1)",
                {"output_type": "stream", "text": ["1\n", "\x1b[31mred\x1b[0m"]},
                result(text_html="<table><tr><td>7</td></tr></table>", text_plain="7"),
                result(image_png=PNG, text_plain="<Figure>"),
                {"output_type": "error", "traceback": ["\x1b[1;31mValueError\x1b[0m: no"]},
                result(application_json={"a": 1}),
            ),
            {"cell_type": "raw", "source": "<b>"},
        )
    )
    markdown, cell, raw = made.cells
    assert "<h1" in markdown.html and "<em>text</em>" in markdown.html
    assert cell.count == "3" and 'class="f"' in cell.html
    kinds = [output.kind for output in cell.outputs]
    assert kinds == ["text", "html", "picture", "error", "left"]
    assert '<span class="ansi-31">red</span>' in cell.outputs[0].html
    assert "<td>7</td>" in cell.outputs[1].html
    assert cell.outputs[2].source == f"data:image/png;base64,{PNG}"
    assert '<span class="ansi-1 ansi-31">ValueError</span>: no' in cell.outputs[3].html
    assert raw.html == "&lt;b&gt;"


def test_nothing_of_a_hostile_notebook_is_active():
    streams = {"output_type": "stream", "text": HOSTILE}
    made = render_notebook(
        notebook(
            {"cell_type": "markdown", "source": HOSTILE},
            code(HOSTILE, streams, result(text_html=HOSTILE), result(text_markdown=HOSTILE)),
            code("", {"output_type": "error", "traceback": [HOSTILE]}, result(image_png=HOSTILE)),
            {"cell_type": "raw", "source": HOSTILE},
        )
    )
    tags = Tags()
    tags.feed(everything(made))
    for tag, attributes in tags.found:
        assert tag not in {"script", "iframe", "svg", "style", "form", "object", "embed"}
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        assert "javascript:" not in (attributes.get("href") or "")
    assert made.cells[2].outputs[1].kind == "left"


SVG = "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"


def attached(source: str, **pictures: Any) -> dict[str, Any]:
    return {"cell_type": "markdown", "source": source, "attachments": pictures}


def test_pictures_kept_in_a_cell_are_shown_in_it():
    kept = {
        "a b.png": {"image/png": PNG},
        "c.svg": {"image/svg+xml": base64.b64encode(SVG.encode()).decode()},
    }
    source = "![x](attachment:a%20b.png) <img src='attachment:c.svg'> [x](attachment:c.svg)"
    made = render_notebook(notebook(attached(source, **kept), attached(source)))
    tags = Tags()
    tags.feed(made.cells[0].html)
    pictures = [attributes["src"] for tag, attributes in tags.found if tag == "img"]
    assert pictures[0] == f"data:image/png;base64,{PNG}"
    assert pictures[1] == f"data:image/svg+xml;base64,{kept['c.svg']['image/svg+xml']}"
    assert [attributes.get("href") for tag, attributes in tags.found if tag == "a"] == [None]
    assert "data:" not in made.cells[1].html and "attachment:" not in made.cells[1].html


@pytest.mark.parametrize(
    "bundle",
    [
        {"image/png": "x"},
        {"text/html": "<b>"},
        {"image/svg+xml": "<p>"},
        [],
        None,
        {"image/png": [1]},
    ],
)
def test_what_is_no_picture_is_not_attached(bundle):
    made = render_notebook(notebook(attached("![x](attachment:a)", a=bundle)))
    assert "src" not in made.cells[0].html


def test_each_use_of_an_attached_picture_counts(monkeypatch):
    monkeypatch.setattr("hub.rendering.notebook.PICTURES_LIMIT_BYTES", 90)
    made = render_notebook(notebook(attached("![x](attachment:a) " * 100, a={"image/png": PNG})))
    assert made.cells[0].html.count("data:") == 3


def test_a_drawing_is_the_source_of_a_picture():
    (cell,) = render_notebook(
        notebook(
            code(
                "",
                result(**{"image/svg+xml": SVG}, text_plain="<Figure>"),
                result(**{"image/svg+xml": "none"}, text_plain="as text"),
            )
        )
    ).cells
    drawn, text = cell.outputs
    assert drawn.source == f"data:image/svg+xml;base64,{base64.b64encode(SVG.encode()).decode()}"
    assert drawn.html == "" and (text.kind, text.html) == ("text", "as text")


@pytest.mark.parametrize(
    ("source", "holds"),
    [
        (r"$\displaystyle x^{2}$", "<msup>"),
        (r"$$\begin{aligned} a &= b \\ c &= d \end{aligned}$$", "<mtable"),
        (r"\[ \frac{a}{b} \]", "<mfrac>"),
        (r"\begin{align} a &= b \end{align}", "<mtable"),
        ("The area is $x^2$.", "The area is <math"),
        (r"\begin{tabular}{l} <script> \end{tabular", "plain"),
        (HOSTILE, "plain"),
        (f"${HOSTILE}$", ""),
    ],
)
def test_results_in_latex_are_formulas(source, holds):
    (cell,) = render_notebook(
        notebook(code("", result(text_latex=source, text_plain="plain")))
    ).cells
    html = cell.outputs[0].html
    assert holds in html and "<script" not in html and "<iframe" not in html


@pytest.mark.parametrize("value", [[], {}, {"cells": 1}, {"nbformat": 3, "cells": []}, None, "x"])
def test_what_is_no_notebook_is_refused(value):
    with pytest.raises(BadInputError):
        render_notebook(value)


def test_any_json_is_a_notebook_or_refused():
    chance = random.Random(5)
    atoms = [None, 1, "x", [], {}, ["a", 1, None], {"text/html": 1}, {"image/png": ["a"]}, True]
    keys = ["cell_type", "source", "outputs", "execution_count", "metadata"]
    for _ in range(300):
        cell = {key: chance.choice([*atoms, "code", "markdown"]) for key in keys}
        out = {"output_type": chance.choice(["stream", "error", 7]), "data": chance.choice(atoms),
               "text": chance.choice(atoms), "traceback": chance.choice(atoms)}  # fmt: skip
        cell["outputs"] = chance.choice([[out], cell["outputs"]])
        render_notebook(notebook(cell) | {"metadata": chance.choice(atoms)})


def test_pictures_share_one_purse(monkeypatch):
    monkeypatch.setattr("hub.rendering.notebook.PICTURES_LIMIT_BYTES", 40)
    made = render_notebook(notebook(code("", result(image_png=PNG), result(image_png=PNG))))
    assert [output.kind for output in made.cells[0].outputs] == ["picture", "left"]


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("\x1b[1mb\x1b[22m n", '<span class="ansi-1">b</span> n'),
        ("\x1b]8;;http://evil\x07link\x1b]8;;\x07", "link"),
        ("\x1b[2J\x1b[Hclean", "clean"),
        ("10%\r50%\r100%\ndone", "100%\ndone"),
        ("\x1b[38;5;196mfar\x1b[0m", "far"),
        ("\x1b[31m<b>\x1b[0m", '<span class="ansi-31">&lt;b&gt;</span>'),
        ("\x1b[31", "[31"),
    ],
)
def test_terminals_are_told_colours_alone(text, html):
    assert terminal_html(text) == html
