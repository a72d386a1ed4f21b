"""The catalogue holds every word of the pages, and no other."""

from __future__ import annotations

import gettext
from io import BytesIO

import pytest

pytest.importorskip("babel")

from hub.management.catalogues import (
    faults,
    mo_bytes,
    po_bytes,
    read_catalogue,
    updated,
    used_messages,
)

TEMPLATE = """{% load i18n %}{# a comment's quote #}
<p title="{% translate "It's here" %}">don't</p>
  {% blocktranslate count n=n %}{{ n }} run{% plural %}{{ n }} runs{% endblocktranslate %}
 {% translate "New" context "create a repository" %} {% translate "95 %" %}
"""
CODE = """from django.utils.translation import gettext_lazy as _

WORD = _("Shape")
"""
USED = {
    ("It's here", None),
    (("%(n)s run", "%(n)s runs"), None),
    ("New", "create a repository"),
    ("95 %%", None),
    ("Shape", None),
}


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "a.html").write_text(TEMPLATE, encoding="utf-8")
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "a.py").write_text(CODE, encoding="utf-8")
    return tmp_path


@pytest.fixture
def po(tree):
    return tree / "django.po"


def translated(tree, po, **changes):
    """A catalogue on disk in which every message has a translation."""
    catalogue = updated(read_catalogue(po, "zh_Hans"), used_messages(tree), "zh_Hans")
    words = {"It's here": "在此", "New": "新建", "95 %%": "95 %%", "Shape": "形状", **changes}
    for message in catalogue:
        if message.id:
            plural = not isinstance(message.id, str)
            message.string = ("%(n)s 次运行",) if plural else words[message.id]
    po.write_bytes(po_bytes(catalogue))
    return read_catalogue(po, "zh_Hans")


def test_every_way_to_say_a_word_is_found(tree):
    assert set(used_messages(tree)) == USED


def test_a_whole_catalogue_has_no_fault(tree, po):
    assert faults(translated(tree, po), used_messages(tree)) == []


def test_new_empty_and_unused_messages_are_named(tree, po):
    catalogue = translated(tree, po, Shape="")
    (tree / "hub" / "a.py").write_text(CODE + 'MORE = _("Size")\n', encoding="utf-8")
    (tree / "templates" / "a.html").write_text("", encoding="utf-8")
    found = "\n".join(faults(catalogue, used_messages(tree)))
    assert "missing: 'Size' (hub/a.py)" in found
    assert "empty: 'Shape'" in found
    assert 'unused: "It\'s here"' in found


def test_a_lost_placeholder_is_a_fault(tree, po):
    catalogue = translated(tree, po)
    message = catalogue.get(("%(n)s run", "%(n)s runs"))
    message.string = ("运行",)
    assert faults(catalogue, used_messages(tree)) == ["placeholders differ: '%(n)s run'"]


def test_updating_keeps_what_is_translated_and_adds_the_rest(tree, po):
    catalogue = translated(tree, po)
    (tree / "hub" / "a.py").write_text('from x import _\nW = _("Size")\n', encoding="utf-8")
    fresh = updated(catalogue, used_messages(tree), "zh_Hans")
    assert fresh.get("It's here").string == "在此"
    assert fresh.get("Size").string in (None, "")
    assert fresh.get("Shape") is None


def test_gettext_reads_what_is_compiled_and_it_is_always_the_same(tree, po):
    translated(tree, po)
    one, other = (mo_bytes(read_catalogue(po, "zh_Hans")) for _ in range(2))
    words = gettext.GNUTranslations(BytesIO(one))
    assert one == other
    assert words.gettext("It's here") == "在此"
    assert words.pgettext("create a repository", "New") == "新建"
    assert words.ngettext("%(n)s run", "%(n)s runs", 2) == "%(n)s 次运行"
