"""Keys of a card are changed, and every other byte stays."""

from __future__ import annotations

import pytest

from hub.formats.bounded_yaml import load_yaml
from hub.formats.card import split_front_matter
from hub.formats.card_writing import with_card_data

VALUES = {"base_model": ["a/b", "c/d"], "base_model_relation": "merge"}
BODY = b"\n# Mine\r\n\xff\xfe not UTF-8 \x00 --- \n---\nbase_model: x\n"


def front(content: bytes) -> str:
    matter = split_front_matter(content.decode("utf-8", "surrogateescape"))
    assert matter is not None
    return matter.yaml


@pytest.mark.parametrize(
    "before",
    [
        "license: mit # ours\ntags:\n- a\n- b",
        "base_model: a/b\nlicense: mit",
        "# first\nbase_model:\n  - a/b\n  - e/f\n# between\nlicense: mit",
        "base_model:\n- a/b\nbase_model_relation: finetune",
        "base_model: [a/b,\n  c/d]\nlicense: mit",
        "license: mit\r\nbase_model: a/b",
        "base_model: >\n  a/b\n\nlicense: mit",
        "",
    ],
)
def test_only_the_keys_change(before):
    readme = b"---\n" + before.encode() + b"\n---\n" + BODY
    written = with_card_data(readme, VALUES)
    assert written.endswith(b"\n---\n" + BODY)
    assert load_yaml(front(written)) == (load_yaml(before) or {}) | VALUES
    for line in before.splitlines():
        if line.startswith(("#", "license")):
            assert line in front(written)
    assert with_card_data(written, VALUES) == written


def test_a_text_without_front_matter_gets_one():
    written = with_card_data(BODY, VALUES)
    assert written.endswith(b"---\n" + BODY) and load_yaml(front(written)) == VALUES


@pytest.mark.parametrize("broken", [b"a: [", b"- a\n- b", b"a: !!python/object:os.system x"])
def test_a_front_matter_that_cannot_be_read_is_left_alone(broken):
    readme = b"---\n" + broken + b"\n---\n" + BODY
    assert with_card_data(readme, VALUES) == readme


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("# a\nlicense: mit\ntags:\n- a\n- b\n# z\nx: 1", "# a\nlicense: mit\n# z\nx: 1"),
        ("license: mit\r\ntags: [a,\r\n  b]", "license: mit"),
        ("tags: a\nlicense: mit", "license: mit"),
        ("tags: a", ""),
        ("license: mit", "license: mit"),
    ],
)
def test_a_key_goes_and_nothing_else(before, after):
    readme = b"---\n" + before.encode() + b"\n---\n" + BODY
    written = with_card_data(readme, {}, without=["tags"])
    assert front(written) == after
    assert written.endswith(b"\n---\n" + BODY)
    assert with_card_data(BODY, {}, without=["tags"]) == BODY
