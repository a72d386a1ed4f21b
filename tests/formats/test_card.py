"""Cards: what a README says, what search sees of it, and what the client is told is wrong."""

import json

import pytest
from huggingface_hub import ModelCard
from hypothesis import given
from hypothesis import strategies as st

from hub.formats.card import parse_card, validate_card

MODEL = b"""---
license: apache-2.0
language: [en, no]
library_name: transformers
pipeline_tag: text-generation
tags:
- spam
- 2024-01-31
datasets: demo/sms_spam
base_model: demo/base
base_model_relation: adapter
model-index:
- name: guard
  results:
  - task: {type: text-classification}
    dataset: {type: sms_spam, name: SMS Spam}
    metrics: [{type: acc, value: 0.95, verified: false}]
---
# Guard
"""


def test_a_model_card_gives_its_data_text_and_tags():
    card = parse_card(MODEL, "model")
    assert card.broken is None
    assert card.body == "# Guard\n"
    assert json.loads(json.dumps(card.data)) == card.data
    assert card.data["model-index"][0]["results"][0]["metrics"][0] == {
        "type": "acc", "value": 0.95, "verified": False,
    }  # fmt: skip
    assert card.tags == (
        "en", "no", "transformers", "text-generation", "spam", "2024-01-31",
        "license:apache-2.0", "dataset:demo/sms_spam", "base_model:demo/base",
        "base_model:adapter:demo/base",
    )  # fmt: skip


def test_a_dataset_card_prefixes_its_tags():
    card = parse_card("---\nlanguage: en\nlicense: mit\ntags: [x]\n---\n", "dataset")
    assert card.tags == ("x", "license:mit", "language:en")


@pytest.mark.parametrize(
    ("content", "body"),
    [
        ("# Only text\n", "# Only text\n"),
        ("", ""),
        ("---\nnever: closed\n", "---\nnever: closed\n"),
    ],
)
def test_a_readme_without_front_matter_is_only_text(content, body):
    card = parse_card(content, "model")
    assert (card.data, card.body, card.broken, card.has_front_matter) == ({}, body, None, False)
    assert validate_card(content, "model") == ([], ["empty or missing yaml metadata in repo card"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("---\na: [1\n---\ntext", "not valid YAML"),
        ("---\n- a\n---\ntext", "not a map"),
        ("---\na: &x 1\n---\ntext", "anchor"),
        ("---\na: !!python/name:os.system x\n---\ntext", "tag"),
        (b"---\na: \xff\n---\ntext", "UTF-8"),
        ("---\n" + "a" * 70_000 + "\n---\ntext", "at most"),
    ],
)
def test_a_broken_card_is_shown_as_broken_and_refused_on_commit(content, reason):
    card = parse_card(content, "model")
    assert reason in card.broken
    assert (card.data, card.tags, card.body) == ({}, (), "text")
    errors, _ = validate_card(content, "model")
    assert reason in errors[0]


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ("license: no-such-licence", '"license" must be one of ['),
        ("license: [mit, nope]", '"license" must be one of ['),
        ("license: []", '"license" must be one of ['),
        ("license: 3", '"license" must be one of ['),
        ("license: mit\npipeline_tag: [a]", '"pipeline_tag" must be a string'),
        ("license: mit\ntags: {a: b}", '"tags" must be a string or a list of strings'),
        ("license: mit\ntags: [1]", '"tags" must be a string or a list of strings'),
        ("license: mit\nbase_model: a/b/c", "is not a repository id"),
        ("license: mit\nmodel-index: 1", '"model-index" must be a list'),
        ("license: mit\nmodel-index: [{results: []}]", '"model-index[0].name" is required'),
        ("license: mit\nmodel-index: [{name: a}]", 'results" must be a list'),
        (
            "license: mit\nmodel-index: [{name: a, results: [{task: {type: t}, metrics: []}]}]",
            '"model-index[0].results[0].dataset.type" is required',
        ),
        (
            "license: mit\nmodel-index: [{name: a, results: [{task: {type: t}, dataset: "
            "{type: d, name: d}, metrics: [{value: 1}]}]}]",
            'metrics" must be a list of types and values',
        ),
    ],
)
def test_wrong_metadata_is_an_error_that_names_the_key(content, error):
    errors, _ = validate_card(f"---\n{content}\n---\n", "model")
    assert any(error in each for each in errors)


def test_a_good_card_has_nothing_wrong():
    assert validate_card(MODEL, "model") == ([], [])
    assert validate_card("---\nlicense: [mit, apache-2.0]\n---\n", "dataset") == ([], [])


def test_a_missing_licence_is_a_warning():
    errors, warnings = validate_card("---\ntags: [a]\n---\n", "model")
    assert not errors
    assert "license" in warnings[0]


@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_the_split_is_that_of_the_client(line_break):
    text = MODEL.decode().replace("\n", line_break)
    assert parse_card(text, "model").body == ModelCard(text).text


def test_a_byte_order_mark_hides_nothing():
    card = parse_card(b"\xef\xbb\xbf" + MODEL, "model")
    assert card.data["license"] == "apache-2.0"
    assert parse_card(b"\xef\xbb\xbftext", "model").body == "text"


@given(st.binary(max_size=200) | st.text(max_size=100), st.sampled_from(["model", "dataset"]))
def test_any_readme_is_shown(content, kind):
    wrapped = content if isinstance(content, bytes) else f"---\n{content}\n---\nbody"
    card = parse_card(wrapped, kind)
    json.dumps(card.data)
    assert all(isinstance(tag, str) for tag in card.tags)
    errors, warnings = validate_card(wrapped, kind)
    assert all(isinstance(each, str) for each in [*errors, *warnings])
