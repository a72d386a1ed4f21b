"""A Jupyter notebook as cells that are safe to show; nothing of it runs."""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from html import escape
from typing import Any

from hub.errors import BadInputError
from hub.rendering.code import fence_html
from hub.rendering.formulas import Formulas
from hub.rendering.markdown import render_markdown, sanitised_html
from hub.rendering.safe import SanitisedHtml
from hub.rendering.targets import Attached, LinkMaker
from hub.rendering.terminal import terminal_html

CELLS_SHOWN, OUTPUTS_SHOWN = 500, 40
PICTURE_LIMIT_BYTES, PICTURES_LIMIT_BYTES = 2 * 1024**2, 6 * 1024**2
TIME_LIMIT_SECONDS = 2.0  # for colours: what comes later is plain
_PICTURES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff", "image/gif": b"GIF8"}
# Text in results, base64 in attachments; shown by an <img>, where nothing of it runs.
_DRAWING, _DRAWN = "image/svg+xml", b"<svg"
# A result that is a formula, whatever it is put into.
_FORMULA = re.compile(
    r"\$\$(?P<a>[^$]+)\$\$|\$(?P<b>[^$]+)\$|\\\[(?P<c>.+)\\\]|\\\((?P<d>.+)\\\)|(?P<e>\\begin\{.+)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Output:
    """`kind` is text, error, html or picture; or left, for what is not shown, named in `note`."""

    kind: str
    html: SanitisedHtml = field(default_factory=SanitisedHtml)
    source: str = ""  # of a picture: a data: address
    note: str = ""


@dataclass(frozen=True)
class Cell:
    """`kind` is markdown, code or raw; `count` the number a code cell was run as, "" if never."""

    kind: str
    html: SanitisedHtml
    count: str = ""
    outputs: list[Output] = field(default_factory=list)
    more_outputs: int = 0


@dataclass(frozen=True)
class Notebook:
    language: str
    cells: list[Cell]
    more_cells: int


def render_notebook(value: Any, *, link: LinkMaker | None = None, folder: str = "") -> Notebook:
    """The notebook that the JSON `value` is. Raises: BadInputError when it is none."""
    if not isinstance(value, dict) or not isinstance(value.get("cells"), list):
        raise BadInputError("This is no notebook of format 4: it holds no list of cells.")
    if value.get("nbformat") != 4:
        raise BadInputError(
            f"Only notebooks of format 4 are shown, and this says {_format(value)}."
        )
    maker = _Maker(_language(value), link, folder)
    cells = value["cells"]
    return Notebook(
        maker.language,
        [maker.cell(cell) for cell in cells[:CELLS_SHOWN] if isinstance(cell, dict)],
        max(0, len(cells) - CELLS_SHOWN),
    )


def _format(value: dict[str, Any]) -> str:
    return str(value.get("nbformat"))[:20]


def _language(value: dict[str, Any]) -> str:
    metadata = _dict(value.get("metadata"))
    names = (_dict(metadata.get(key)) for key in ("language_info", "kernelspec"))
    found = [each.get("name") or each.get("language") for each in names]
    return next((name[:40] for name in found if isinstance(name, str)), "python")


class _Maker:
    """Makes cells one after the other, from one purse of time and of pictures."""

    def __init__(self, language: str, link: LinkMaker | None, folder: str) -> None:
        self.language, self._link, self._folder = language, link, folder
        self._ends_at = time.monotonic() + TIME_LIMIT_SECONDS
        self._pictures_left = PICTURES_LIMIT_BYTES
        self._formulas = Formulas()

    def cell(self, cell: dict[str, Any]) -> Cell:
        source = _text(cell.get("source"))
        kind = cell.get("cell_type")
        if kind == "markdown":
            attachments = _dict(cell.get("attachments"))
            return Cell("markdown", self._markdown(source, partial(self._attached, attachments)))
        if kind != "code":
            return Cell("raw", SanitisedHtml(escape(source)))
        outputs = [one for one in _list(cell.get("outputs")) if isinstance(one, dict)]
        count = cell.get("execution_count")
        return Cell(
            "code",
            self._code(source),
            str(count)[:10] if isinstance(count, int) else "",
            [self._output(one) for one in outputs[:OUTPUTS_SHOWN]],
            max(0, len(outputs) - OUTPUTS_SHOWN),
        )

    def _is_late(self) -> bool:
        return time.monotonic() > self._ends_at

    def _markdown(self, source: str, attached: Attached | None = None) -> SanitisedHtml:
        if self._is_late():
            return SanitisedHtml(f"<pre>{escape(source)}</pre>")
        # Front matter is a card's; a cell that begins with a rule keeps it.
        return render_markdown(
            "\n" + source, link=self._link, folder=self._folder, attached=attached
        )

    def _code(self, source: str) -> SanitisedHtml:
        if self._is_late():
            return SanitisedHtml(escape(source))
        return SanitisedHtml(fence_html(source, self.language))

    def _output(self, output: dict[str, Any]) -> Output:
        kind = output.get("output_type")
        if kind == "stream":
            return Output("text", terminal_html(_text(output.get("text"))))
        if kind == "error":
            lines = "\n".join(_texts(output.get("traceback")))
            named = f"{_text(output.get('ename'))}: {_text(output.get('evalue'))}"
            return Output("error", terminal_html(lines or named))
        return self._bundle(_dict(output.get("data")))

    def _bundle(self, data: dict[str, Any]) -> Output:
        """The best that a result offers and is safe: picture, table, Markdown, formula, text."""
        kind = next((each for each in _PICTURES if each in data), "")
        if kind or _DRAWING in data:
            source = self._picture(kind or _DRAWING, _text(data[kind or _DRAWING]))
            if source or kind:
                return Output("picture", source=source) if source else Output("left", note=kind)
        if "text/html" in data and not self._is_late():
            html = sanitised_html(_text(data["text/html"]))
            if html.strip():
                return Output("html", html)
        if "text/markdown" in data:
            return Output("html", self._markdown(_text(data["text/markdown"])))
        if "text/latex" in data and (html := self._latex(_text(data["text/latex"]))):
            return Output("html", html)
        if "text/plain" in data:
            return Output("text", terminal_html(_text(data["text/plain"])))
        return Output("left", note=", ".join(sorted(data))[:200])

    def _latex(self, text: str) -> SanitisedHtml:
        """A formula, or prose with formulas in it; nothing where neither can be read."""
        found = _FORMULA.fullmatch(text.strip())
        if self._is_late() or (found is None and "$" not in text):
            return SanitisedHtml()
        if found is None:
            return self._markdown(text)
        source = next(filter(None, found.groups()), "")
        return sanitised_html(self._formulas.made(source, is_block=True))

    def _attached(self, attachments: dict[str, Any], name: str) -> str | None:
        """The picture that a cell keeps under `name`; each time it is shown counts."""
        bundle = _dict(attachments.get(name))
        kind = next((each for each in (*_PICTURES, _DRAWING) if each in bundle), None)
        return (self._picture(kind, _text(bundle[kind])) or None) if kind else None

    def _picture(self, kind: str, text: str) -> str:
        """A data: address; "" for what is no picture of this kind or too much."""
        if len(text) > PICTURE_LIMIT_BYTES * 3 // 2:
            return ""
        content = _bytes_of(kind, text)
        is_one = _DRAWN in content if kind == _DRAWING else content.startswith(_PICTURES[kind])
        if not is_one or len(content) > self._pictures_left:
            return ""
        self._pictures_left -= len(content)
        return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _bytes_of(kind: str, text: str) -> bytes:
    if kind == _DRAWING and "<" in text:
        return text.encode("utf-8", "replace")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _texts(value: Any) -> Iterable[str]:
    return (one for one in _list(value) if isinstance(one, str))


def _text(value: Any) -> str:
    """A text as notebooks hold it: one string, or its lines."""
    return value if isinstance(value, str) else "".join(_texts(value))
