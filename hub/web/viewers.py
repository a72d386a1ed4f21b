"""How a file is shown where it is more than lines of text: pictures, sound, notebooks, bytes."""

from __future__ import annotations

import posixpath
from typing import Any
from urllib.parse import quote

from django.core.paginator import Paginator
from django.utils.translation import gettext as _

from hub.actions.contents import Head, head_of
from hub.errors import EntryNotFoundError, HubError
from hub.formats.bounded_json import load_json
from hub.formats.images import HEAD_BYTES, picture_size
from hub.gitstore import Entry
from hub.models import Repository
from hub.rendering import SanitisedHtml, code_lines
from hub.rendering.direction import has_marks
from hub.rendering.hexdump import hex_lines
from hub.rendering.media import AUDIO, DRAWING_SUFFIX, IMAGES, VIDEO
from hub.rendering.notebook import render_notebook

TEXT_LIMIT_BYTES = 1024 * 1024
LINES_A_PAGE = 2000
NOTEBOOK_LIMIT_BYTES, NOTEBOOK_LIMIT_NODES = 8 * 1024**2, 200_000
PICTURE_LIMIT_BYTES, PICTURE_LIMIT_PIXELS = 32 * 1024**2, 100_000_000
PDF_LIMIT_BYTES = 32 * 1024**2
SVG_LIMIT_BYTES = 2 * 1024**2
HEX_BYTES = 512
# Views whose file is text underneath: `?plain=1` shows that.
WITH_SOURCE = {"markdown", "notebook", "svg"}


def suffix_of(entry: Entry) -> str:
    return posixpath.splitext(entry.name)[1].lower()


def special(repository: Repository, entry: Entry, link: Any) -> dict[str, Any] | None:
    """What a kind of file of its own is shown as; None for text and for what nobody knows."""
    suffix = suffix_of(entry)
    if suffix in IMAGES:
        return _picture(repository, entry)
    if suffix in AUDIO or suffix in VIDEO:
        return _media(repository, entry, "audio" if suffix in AUDIO else "video")
    if suffix == ".pdf":
        return _pdf(repository, entry)
    if suffix == DRAWING_SUFFIX:
        return _svg(repository, entry)
    if suffix == ".ipynb":
        return _notebook(repository, entry, link)
    return None


def plain(repository: Repository, entry: Entry, page: str | None) -> dict[str, Any]:
    """Lines of text, a page at a time, or the first bytes of a binary file."""
    try:
        head = head_of(repository, entry, TEXT_LIMIT_BYTES)
    except EntryNotFoundError:
        return {"view": "missing"}
    text = head.text
    if text is None:
        return {"view": "bytes", "hex": hex_lines(head.content[:HEX_BYTES])}
    return lines_of(text, entry, page, is_whole=head.is_whole) | {"encoding": head.encoding}


def lines_of(text: str, entry: Entry, page: str | None, *, is_whole: bool = True) -> dict[str, Any]:
    """One page of a text's lines, coloured."""
    if not text:
        return {"view": "nothing"}
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    if len(lines) <= LINES_A_PAGE:
        shown: list[SanitisedHtml] = code_lines(text, entry.name)
        told = {"before": 0, "is_cut": not is_whole, "has_marks": has_marks(text)}
        return {"view": "code", "lines": shown} | told
    pages = Paginator(range(len(lines)), LINES_A_PAGE).get_page(page)
    before = pages.start_index() - 1
    part = "\n".join(lines[before : pages.end_index()]) + "\n"
    shown = code_lines(part, entry.name)
    return {
        "view": "code",
        "lines": shown,
        "before": before,
        "lines_page": pages,
        "lines_total": len(lines),
        "is_cut": not is_whole,
        "has_marks": has_marks(text),
    }


def _picture(repository: Repository, entry: Entry) -> dict[str, Any]:
    if entry.size > PICTURE_LIMIT_BYTES:
        return _refused(_("This picture is too large to show here"))
    try:
        size = picture_size(head_of(repository, entry, HEAD_BYTES).content)
    except EntryNotFoundError:
        return {"view": "missing"}
    if size is None:
        why = _("Its first bytes are not those of the kind of picture that its name says.")
        return _refused(_("This picture is broken"), why)
    if size[0] * size[1] > PICTURE_LIMIT_PIXELS:
        return _refused(_("This picture is too large to show here"))
    return {"view": "picture", "width": size[0], "height": size[1]}


def _media(repository: Repository, entry: Entry, view: str) -> dict[str, Any]:
    try:
        head = head_of(repository, entry, HEX_BYTES)
    except EntryNotFoundError:
        return {"view": "missing"}
    if not head.content:
        return {"view": "nothing"}
    return {"view": view}


def _pdf(repository: Repository, entry: Entry) -> dict[str, Any]:
    """It is fetched by a script and painted in a frame of its own: see `hub.web.pdf_frame`."""
    try:
        head = head_of(repository, entry, 1024)
    except EntryNotFoundError:
        return {"view": "missing"}
    if b"%PDF-" not in head.content:
        return _refused(_("This is no PDF, whatever its name says"))
    if entry.size > PDF_LIMIT_BYTES:
        return _refused(_("This PDF is too large to show here"))
    return {"view": "pdf"}


def _svg(repository: Repository, entry: Entry) -> dict[str, Any] | None:
    """As the source of an <img>: there no script runs and nothing is fetched."""
    if entry.size > SVG_LIMIT_BYTES:
        return None
    try:
        head = head_of(repository, entry, SVG_LIMIT_BYTES)
    except EntryNotFoundError:
        return {"view": "missing"}
    if head.text is None or "<svg" not in head.text:
        return None
    return {"view": "svg"}


def _notebook(repository: Repository, entry: Entry, link: Any) -> dict[str, Any]:
    if entry.size > NOTEBOOK_LIMIT_BYTES:
        return _refused(_("This notebook is too large to show here"))
    try:
        head: Head = head_of(repository, entry, NOTEBOOK_LIMIT_BYTES)
    except EntryNotFoundError:
        return {"view": "missing"}
    if not head.content.strip():
        return {"view": "nothing"}
    try:
        value = load_json(
            head.content, max_bytes=NOTEBOOK_LIMIT_BYTES, max_nodes=NOTEBOOK_LIMIT_NODES
        )
        notebook = render_notebook(value, link=link, folder=posixpath.dirname(entry.path))
    except HubError as error:
        return _refused(_("This notebook cannot be shown"), str(error)) | {"has_source": True}
    return {"view": "notebook", "notebook": notebook}


def _refused(title: str, text: str = "") -> dict[str, Any]:
    return {"view": "refused", "refusal": title, "refusal_text": text}


def linker(repository: Repository, revision: str) -> Any:
    """Relative links lead to the file's page at this revision, pictures to its bytes."""

    def link(path: str, is_image: bool) -> str:
        view = "resolve" if is_image else "blob"
        return f"/{repository.path}/{view}/{quote(revision, safe='')}/{quote(path)}"

    return link
