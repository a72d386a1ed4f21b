"""The words of templates and code against a catalogue of translations, without GNU gettext."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.utils.translation import templatize

if TYPE_CHECKING:
    from babel.messages.catalog import Catalog

APPS = ("hub", "reviews", "training")
JINJA = "templates/jinja"
KEYWORDS: dict[str, Any] = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
HEADER = """# Weighbridge in {language}.
msgid ""
msgstr ""
"Project-Id-Version: Weighbridge\\n"
"Language: {locale}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plural_forms};\\n"
"""
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd]")
EPOCH = datetime(2020, 1, 1, tzinfo=UTC)  # files change only when words do

MessageKey = tuple[str | tuple[str, ...], str | None]  # (msgid, or singular and plural), context


def used_messages(root: Path) -> dict[MessageKey, str]:
    """Every message of the templates and the code below `root`, and one file that says it."""
    found: dict[MessageKey, str] = {}
    for path in sorted((root / JINJA).glob("*.html")):
        for key in _jinja_messages(path.read_bytes()):
            found.setdefault(key, path.relative_to(root).as_posix())
    for path in sorted((root / "templates").rglob("*.html")):
        if path.is_relative_to(root / JINJA):
            continue
        source = templatize(path.read_text(encoding="utf-8"), origin=path.name)
        code = "\n".join(line.lstrip() for line in source.split("\n"))
        for key in _messages(code.encode()):
            found.setdefault(key, path.relative_to(root).as_posix())
    for app in APPS:
        for path in sorted((root / app).rglob("*.py")):
            for key in _messages(path.read_bytes()):
                found.setdefault(key, path.relative_to(root).as_posix())
    return found


def _jinja_messages(template: bytes) -> Iterator[MessageKey]:
    from jinja2.ext import babel_extract

    for _line, function, said, _comments in babel_extract(
        BytesIO(template), list(KEYWORDS), (), {}
    ):
        texts = [said] if isinstance(said, str) else [each for each in said or () if each]
        has_context = function in ("pgettext", "npgettext")
        context, texts = (texts[0], texts[1:]) if has_context else (None, texts)
        yield (texts[0] if len(texts) == 1 else tuple(texts)), context


def _messages(code: bytes) -> Iterator[MessageKey]:
    from babel.messages.extract import extract

    for _line, msgid, _comments, context in extract("python", BytesIO(code), KEYWORDS):
        if msgid:
            yield msgid, context


def read_catalogue(path: Path, locale: str) -> Catalog:
    """The catalogue at `path`; an empty one where there is no file."""
    from babel.messages.catalog import Catalog
    from babel.messages.pofile import read_po

    if not path.exists():
        return Catalog(locale=locale)
    with path.open("rb") as file:
        return read_po(file, locale=locale)


def faults(catalogue: Catalog, used: dict[MessageKey, str]) -> list[str]:
    """What is wrong, one line a message: missing, empty, fuzzy, unused, placeholders differ."""
    found = [
        f"missing: {_shown(msgid)} ({path})"
        for (msgid, context), path in used.items()
        if catalogue.get(msgid, context) is None
    ]
    for message in catalogue:
        if not message.id:
            continue
        strings = message.string if isinstance(message.string, (list, tuple)) else [message.string]
        if (message.id, message.context) not in used:
            found.append(f"unused: {_shown(message.id)}")
        elif not all(strings):
            found.append(f"empty: {_shown(message.id)}")
        elif message.fuzzy:
            found.append(f"fuzzy: {_shown(message.id)}")
        elif any(_placeholders(str(text)) != _placeholders(message.id) for text in strings):
            found.append(f"placeholders differ: {_shown(message.id)}")
    return found


def updated(catalogue: Catalog, used: dict[MessageKey, str], locale: str) -> Catalog:
    """The catalogue with exactly the used messages; new ones have no translation yet."""
    from babel.messages.catalog import Catalog

    fresh = Catalog(locale=locale)
    for msgid, context in used:
        known = catalogue.get(msgid, context)
        string = known.string if known else None
        fresh.add(msgid, string, context=context, flags=known.flags if known else ())
    return fresh


def po_bytes(catalogue: Catalog) -> bytes:
    """The catalogue as a .po file, sorted, without dates and places."""
    from babel.messages.pofile import write_po

    body = BytesIO()
    write_po(body, catalogue, width=100, omit_header=True, sort_output=True, no_location=True)
    locale = catalogue.locale
    head = HEADER.format(
        language=locale.english_name if locale else "",
        locale=str(locale),
        plural_forms=catalogue.plural_forms.rstrip(";"),
    )
    return head.encode() + b"\n" + body.getvalue()


def mo_bytes(catalogue: Catalog) -> bytes:
    """The catalogue as the .mo file that Django reads; the same words give the same bytes."""
    from babel.messages.mofile import write_mo

    catalogue.creation_date = catalogue.revision_date = EPOCH
    out = BytesIO()
    write_mo(out, catalogue)
    return out.getvalue()


def _shown(msgid: str | tuple[str, ...] | list[str]) -> str:
    return repr(msgid if isinstance(msgid, str) else msgid[0])


def _placeholders(msgid: str | tuple[str, ...] | list[str]) -> set[str]:
    """Of a plural message the last form counts: `1 item` may leave its number out."""
    text = msgid if isinstance(msgid, str) else msgid[-1]
    return set(PLACEHOLDER.findall(text.replace("%%", "")))
