"""The conditions for averaging: each holds or says what stands against it."""

from __future__ import annotations

import json

import pytest

from reviews.weights.merging.conditions import conditions
from tests.weights.merging.files import opened, write_model

TENSORS = {"a.weight": [1.0, 2, 3], "b.weight": [[1.0, 0], [0, 1]], "position_ids": ([0, 1], "I64")}
FIRST = TENSORS | {"a.weight": [1.5, 2, 3]}
CONFIG = {"model_type": "llama", "num_hidden_layers": 2, "_name_or_path": "base"}
TOKENIZER = {"model": {"vocab": {"a": 0, "b": 1, "c": 2}}}


def checked(folder, second, *, same_ancestor=True, config=CONFIG, tokenizer=TOKENIZER):
    """The conditions, by code, of a base, a first model that is like it, and `second`."""
    own = {"config": CONFIG, "tokenizer": TOKENIZER}
    folders = [
        write_model(folder / "base", TENSORS, **own),
        write_model(folder / "first", FIRST, **own | {"config": CONFIG | {"_name_or_path": "x"}}),
        write_model(folder / "second", second, config=config, tokenizer=tokenizer),
    ]
    with opened(*folders) as (base, *models):
        found = conditions(base, models, same_ancestor=same_ancestor)
    json.dumps([each.to_dict() for each in found], allow_nan=False)
    return {each.code: each for each in found}


def failing(found):
    return [code for code, condition in found.items() if not condition.holds]


def test_two_models_of_one_base_may_be_averaged(tmp_path):
    found = checked(tmp_path, TENSORS | {"a.weight": [1.5, 2.5, 3]})
    assert failing(found) == []
    (pair,) = found["task_vectors_agree"].parameters["cosines"]
    assert pair["models"] == [0, 1]
    assert pair["cosine"] == pytest.approx(0.5**0.5)
    assert found["only_learned_tensors_differ"].parameters["copied"] == 1


def without(name):
    return {key: value for key, value in TENSORS.items() if key != name}


@pytest.mark.parametrize(
    ("second", "code", "examples"),
    [
        (without("b.weight"), "same_names", ["b.weight"]),
        (TENSORS | {"new.weight": [1.0]}, "same_names", ["new.weight"]),
        (TENSORS | {"b.weight": [[1.0, 0]]}, "same_shapes", ["b.weight"]),
        (TENSORS | {"b.weight": ([[1.0, 0], [0, 1]], "BF16")}, "same_dtypes", ["b.weight"]),
        (TENSORS | {"position_ids": ([0, 2], "I64")}, "only_learned_tensors_differ",
         ["position_ids"]),
    ],
)  # fmt: skip
def test_what_differs_is_named(tmp_path, second, code, examples):
    found = checked(tmp_path, second)
    assert failing(found) == [code]
    assert found[code].parameters["examples"] == examples
    assert found[code].parameters["count"] == 1
    assert not found[code].confirmable


def test_another_ancestor_is_said(tmp_path):
    assert failing(checked(tmp_path, TENSORS, same_ancestor=False)) == ["same_ancestor"]


@pytest.mark.parametrize("config", [CONFIG | {"num_hidden_layers": 3}, {"model_type": "gpt2"}])
def test_another_config_is_said(tmp_path, config):
    found = checked(tmp_path, TENSORS, config=config)
    assert failing(found) == ["same_config"]
    assert "num_hidden_layers" in found["same_config"].parameters["examples"]


@pytest.mark.parametrize(
    ("vocabulary", "at"),
    [({"a": 0, "b": 1, "d": 2}, 2), ({"b": 0, "a": 1, "c": 2}, 0), ({"a": 0, "b": 1}, 2)],
)
def test_another_tokenizer_is_said_with_the_first_token_that_differs(tmp_path, vocabulary, at):
    found = checked(tmp_path, TENSORS, tokenizer={"model": {"vocab": vocabulary}})
    assert failing(found) == ["same_tokenizer"]
    assert found["same_tokenizer"].parameters["token"] == at
    assert found["same_tokenizer"].parameters["model"] == 1


@pytest.mark.parametrize("change", [-0.5, 0.0])
def test_deltas_that_pull_apart_need_a_person_to_confirm(tmp_path, change):
    found = checked(tmp_path, TENSORS | {"a.weight": [1 + change, 2, 3 + (change == 0)]})
    assert failing(found) == ["task_vectors_agree"]
    assert found["task_vectors_agree"].confirmable


def test_a_model_that_changed_nothing_agrees_with_all(tmp_path):
    found = checked(tmp_path, TENSORS)
    assert found["task_vectors_agree"].holds
    assert found["task_vectors_agree"].parameters["cosines"][0]["cosine"] is None


def test_a_model_with_nan_agrees_with_none(tmp_path):
    found = checked(tmp_path, TENSORS | {"a.weight": [float("nan"), 2, 3]})
    assert failing(found) == ["task_vectors_agree"]
    assert found["task_vectors_agree"].parameters["cosines"][0]["cosine"] is None


def test_without_config_and_tokenizer_both_are_said_to_be_unknown(tmp_path):
    folders = [write_model(tmp_path / name, TENSORS) for name in "abc"]
    with opened(*folders) as (base, *models):
        found = {each.code: each for each in conditions(base, models, same_ancestor=True)}
    for code in ("same_config", "same_tokenizer"):
        assert found[code].holds
        assert found[code].parameters == {"known": False}
