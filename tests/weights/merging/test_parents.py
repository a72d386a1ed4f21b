"""The digests by which a recipe names weights."""

import pytest

from reviews.weights.digests import tensor_digest
from reviews.weights.errors import WeightsError
from reviews.weights.merging.parents import require_parents, weights_digest
from tests.weights.merging.files import DIGESTS, make_recipe, opened, write_model

TENSORS = {"a": [1.0, 2.0], "b": [3.0], "c": [4.0]}


def digest_of(folder):
    with opened(folder) as (model,):
        return weights_digest({name: tensor_digest(each) for name, each in model.tensors.items()})


def test_a_digest_is_of_weights_and_not_of_files(tmp_path):
    whole = digest_of(write_model(tmp_path / "whole", TENSORS))
    assert digest_of(write_model(tmp_path / "shards", TENSORS, shards=2)) == whole
    for changed in ({"b": [3.5]}, {"b": ([3.0], "F64")}, {"d": [1.0]}):
        assert digest_of(write_model(tmp_path / str(changed)[2], TENSORS | changed)) != whole
    # A recipe takes it as it is.
    assert make_recipe("linear", {}).base.weights != whole
    source = {"revision": "0" * 40, "weights": whole}
    assert make_recipe("linear", {}, base_model=source).base.weights == whole


def test_weights_that_changed_are_refused():
    recipe = make_recipe("linear", {}, {})
    require_parents(recipe, "a" * 64, DIGESTS[:2])
    for base, models in (("x", DIGESTS[:2]), ("a" * 64, DIGESTS[1::-1])):
        with pytest.raises(WeightsError, match="parents_changed"):
            require_parents(recipe, base, models)
