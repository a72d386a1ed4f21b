"""Recipes: what they say, how they are written, and what is refused."""

import random

import pytest
import yaml

from hub.errors import BadInputError
from reviews.weights.merging.methods import Method
from reviews.weights.merging.recipe import MergeRecipe
from reviews.weights.merging.recipe_file import parse_recipe, read_recipe

OID = "4f0c" * 10
PLAIN = {
    "merge_method": "ties",
    "base_model": {"revision": OID, "weights": "9a3e" * 16},
    "models": [
        {
            "model": {"revision": OID, "weights": "blake3:" + "77b0" * 16},
            "parameters": {"weight": 1.0, "density": 0.5},
        },
        {
            "model": {"repo_id": "demo/other", "revision": OID, "weights": "51aa" * 16},
            "parameters": {"weight": 0.5, "density": 0.25},
        },
    ],
    "parameters": {"lambda": 0.9},
    "dtype": "bfloat16",
    "seed": 7,
    "rules": [
        {"tensors": ["model.embed_tokens.*", "lm_head.*"], "merge_method": "ours"},
        {
            "layers": [4, 11],
            "tensors": ["*.q_proj.*"],
            "merge_method": "linear",
            "parameters": {"weights": [0.3, 0.7]},
        },
        {"files": ["model-00002-*"], "merge_method": "slerp", "parameters": {"t": 0.25}},
    ],
}


def recipe_with(**changes) -> MergeRecipe:
    return read_recipe(PLAIN | changes)


def test_a_recipe_reads_back_from_what_it_writes():
    recipe = recipe_with()
    assert recipe.to_dict() == PLAIN
    assert parse_recipe(recipe.dump()) == recipe
    assert parse_recipe(recipe.dump()).dump() == recipe.dump()


def test_the_digest_is_of_what_a_recipe_says_and_not_of_how():
    written = yaml.safe_dump(PLAIN, default_flow_style=True, sort_keys=True)
    assert parse_recipe(written).digest == recipe_with().digest
    assert recipe_with(seed=8).digest != recipe_with().digest
    bare = {key: PLAIN[key] for key in ("merge_method", "base_model", "models")}
    assert read_recipe(bare).digest == read_recipe(bare | {"seed": 0, "rules": []}).digest


@pytest.mark.parametrize(
    ("name", "file", "method"),
    [
        ("model.embed_tokens.weight", "model.safetensors", "ours"),
        ("model.layers.4.self_attn.q_proj.weight", "model.safetensors", "linear"),
        ("model.layers.11.self_attn.q_proj.weight", "model-00002-of-00002.safetensors", "linear"),
        ("model.layers.12.self_attn.q_proj.weight", "model.safetensors", "ties"),
        ("model.layers.4.self_attn.k_proj.weight", "model-00002-of-00002.safetensors", "slerp"),
        ("model.norm.weight", "model.safetensors", "ties"),
    ],
)
def test_the_first_rule_that_fits_counts(name, file, method):
    assert recipe_with().choose(name, file).method == method


def test_a_rule_goes_before_the_recipe_and_the_recipe_before_the_method():
    recipe = recipe_with()
    other = recipe.choose("model.norm.weight", "model.safetensors")
    assert (other.weights, other.densities, other.scale) == ((1.0, 0.5), (0.5, 0.25), 0.9)
    assert (other.normalize, other.t) == (True, 0.5)
    linear = recipe.choose("model.layers.5.self_attn.q_proj.weight", "model.safetensors")
    assert linear.weights == (0.3, 0.7)
    assert recipe.choose("x", "model-00002-of-00002.safetensors").t == 0.25
    added = recipe_with(merge_method="task_arithmetic", rules=[])
    assert not added.choose("x", "model.safetensors").normalize


SOURCE = PLAIN["base_model"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"merge_methods": "ties"}, "Did you mean 'merge_method'?"),
        ({"merge_method": "tie"}, "one of ours, theirs"),
        ({"merge_method": None}, "has no merge_method"),
        ({"merge_method": ["ties"]}, "one of ours"),
        ({"base_model": "demo/base"}, "a map of keys"),
        ({"base_model": {"revision": "main", "weights": "9a3e" * 16}}, "a commit's full oid"),
        ({"base_model": {"revision": OID}}, "has no weights"),
        ({"base_model": SOURCE | {"weights": "../../etc"}}, "a digest of weights"),
        ({"base_model": SOURCE | {"repo_id": "../x"}}, "namespace/name"),
        ({"models": []}, "a list of 1 to 16"),
        ({"models": [{"model": SOURCE}] * 17}, "a list of 1 to 16"),
        ({"models": [{"model": SOURCE, "parameters": {"weight": "1"}}]}, "-10 to 10"),
        ({"models": [{"model": SOURCE, "parameters": {"density": 0}}]}, "above 0 to 1"),
        ({"models": [{"model": SOURCE, "parameters": {"t": 0.5}}]}, "unknown key 't'"),
        (
            {"merge_method": "slerp", "models": [{"model": SOURCE}], "rules": []},
            "slerp takes 2 models; 1",
        ),
        (
            {"merge_method": "theirs", "models": [{"model": SOURCE}] * 3, "rules": []},
            "theirs takes 2 models",
        ),
        (
            {"merge_method": "model_stock", "models": [{"model": SOURCE}], "rules": []},
            "at least 2 models",
        ),
        ({"parameters": {"lambda": True}}, "a number from -10 to 10"),
        ({"parameters": {"t": 1.5}}, "a number from 0 to 1"),
        ({"parameters": {"normalize": 1}}, "true or false"),
        ({"parameters": {"weights": [1, 1]}}, "unknown key 'weights'"),
        ({"dtype": "int8"}, "one of bfloat16"),
        ({"dtype": ["float32"]}, "one of bfloat16"),
        ({"seed": -1}, "a whole number from 0"),
        ({"seed": 2**53}, "a whole number from 0"),
        ({"rules": [{"merge_method": "ours"}]}, "fits nothing"),
        ({"rules": [{"layers": [5, 4], "merge_method": "ours"}]}, "in this order"),
        ({"rules": [{"layers": [1], "merge_method": "ours"}]}, "such as [4, 11]"),
        ({"rules": [{"tensors": [], "merge_method": "ours"}]}, "a list of 1 to 50"),
        ({"rules": [{"tensors": "a\nb", "merge_method": "ours"}]}, "a pattern"),
        ({"rules": [{"tensors": "*", "merge_method": "ours"}] * 201}, "a list of 0 to 200"),
        (
            {"rules": [{"tensors": "*", "merge_method": "ties", "parameters": {"weights": [1]}}]},
            "a list of 2 numbers",
        ),
        (
            {
                "rules": [
                    {"tensors": "*", "merge_method": "linear", "parameters": {"weights": [1, -1]}}
                ]
            },
            "a sum above 0",
        ),
        (
            {"merge_method": "linear", "parameters": {"normalize": False}},
            "linear makes the weights sum to 1",
        ),
    ],
)
def test_what_cannot_be_carried_out_is_refused_and_says_why(changes, said):
    with pytest.raises(BadInputError) as refused:
        read_recipe(PLAIN | changes)
    assert said in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"[]", b"merge_method: &a ties", b"\xff", b"a: !!int 1"])
def test_a_file_that_is_no_map_is_refused(content):
    with pytest.raises(BadInputError):
        parse_recipe(content)


ODD = (None, True, -1, 0, 1e300, "", "x" * 5_000, [], [[]], {}, {"a": 1}, "*" * 400, "ours", 2**60)


def broken(value, random_):
    """`value` with one place in it replaced, taken out or renamed."""
    if random_.random() < 0.2 or not isinstance(value, dict | list) or not value:
        return random_.choice(ODD)
    if isinstance(value, list):
        at = random_.randrange(len(value))
        return [*value[:at], broken(value[at], random_), *value[at + 1 :]]
    key = random_.choice(list(value))
    changed = {each: part for each, part in value.items() if each != key}
    named = key if random_.random() < 0.8 else random_.choice(["", "x", "model", 3])
    return changed | {named: broken(value[key], random_)}


def test_any_broken_recipe_is_refused_or_reads_back():
    random_ = random.Random(5)
    read = 0
    for _ in range(3_000):
        try:
            recipe = read_recipe(broken(PLAIN, random_))
        except BadInputError:
            continue
        read += 1
        assert parse_recipe(recipe.dump()) == recipe
        for name in ("model.layers.4.mlp.up_proj.weight", ""):
            assert recipe.choose(name, "model.safetensors").method in Method
    assert read > 20


def test_any_broken_text_is_refused_or_reads_back():
    random_ = random.Random(6)
    text = recipe_with().dump().encode()
    for _ in range(500):
        at = random_.randrange(len(text))
        changed = text[:at] + random_.randbytes(random_.randint(0, 3)) + text[at + 1 :]
        try:
            recipe = parse_recipe(changed)
        except BadInputError:
            continue
        assert parse_recipe(recipe.dump()) == recipe
