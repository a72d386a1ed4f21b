"""Recipes: what people write, how it is refused, and that the runner knows every key."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import BadInputError
from training.runner import recipes as runner
from training.runner.errors import RunnerError
from training.runner.templates import Template
from training.specs import recipe as specs
from training.specs.recipe import parse_recipe, read_recipe

GOOD = """
dataset: {repo_id: demo/sms_spam, file: train.jsonl}
prompt: "Message: {{text}}\\nAnswer:"
completion: "{{label}}"
max_steps: 15
learning_rate: 3e-3
bf16: true
lora: {r: 4, target_modules: [q_proj, v_proj]}
"""


def change(**values):
    return json.dumps({**read_good().to_dict(), **values})


def read_good():
    return parse_recipe(GOOD, place="recipes/good.yaml")


def test_a_recipe_is_read_with_its_defaults():
    recipe = read_good()
    assert recipe.base.repo_id is None
    assert recipe.dataset.file == "train.jsonl"
    assert recipe.settings == {"max_steps": 15, "learning_rate": 0.003, "bf16": True}
    assert recipe.lora == {"r": 4, "lora_alpha": 16, "target_modules": ["q_proj", "v_proj"]}
    assert recipe.method == "lora"


def test_what_it_writes_is_the_same_recipe_again():
    recipe = read_good()
    assert read_recipe(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_the_digest_names_what_is_trained_and_not_how_it_is_written():
    same = parse_recipe("# other comment" + GOOD + "description: A first try.\n")
    assert same.digest == read_good().digest
    assert parse_recipe(GOOD.replace("3e-3", "0.003")).digest == read_good().digest
    assert parse_recipe(GOOD.replace("3e-3", "0.004")).digest != read_good().digest
    assert len(read_good().digest) == 64


def test_the_runner_knows_every_key():
    assert set(specs.TRAINING_KEYS) == runner.TRAINING_KEYS
    assert set(specs.LORA_KEYS) == runner.LORA_KEYS
    assert {*specs.TEXT_KEYS, "prompt", "completion", "lora"} == runner.OWN_KEYS
    known = runner.TRAINING_KEYS | runner.OWN_KEYS
    assert read_good().runner_recipe().keys() <= known


def test_the_runner_fills_in_the_templates():
    recipe = read_good()
    prompt = Template(recipe.prompt, field="prompt", error=RunnerError)
    assert prompt.render({"text": "Win!", "label": "spam"}) == "Message: Win!\nAnswer:"


def test_an_unknown_key_is_named_with_the_nearest_known_one():
    with pytest.raises(BadInputError) as refused:
        parse_recipe(GOOD + "learning_rat: 1\n", place="recipes/good.yaml")
    assert str(refused.value).startswith(
        "recipes/good.yaml has the unknown key 'learning_rat'. Did you mean 'learning_rate'? "
        "Known keys: adam_beta1,"
    )


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"max_steps": 0}, "max_steps is 0; write a whole number from 1 to 1e"),
        ({"max_steps": 1.5}, "max_steps is 1.5"),
        ({"max_steps": True}, "max_steps is True"),
        ({"max_steps": "many"}, "max_steps is 'many'"),
        ({"learning_rate": 0}, "a number above 0 to 1"),
        ({"learning_rate": 2}, "learning_rate is 2"),
        ({"optim": "adamw_8bit"}, "one of adamw_torch"),
        ({"bf16": "yes"}, "write true or false"),
        ({"method": "full"}, "one of lora"),
        ({"lora": {"rank": 8}}, "unknown key 'rank'"),
        ({"lora": {"target_modules": ".*"}}, "all-linear or a list of names"),
        ({"lora": {"target_modules": ["(a+)+"]}}, "the name of a module"),
        ({"lora": {"target_modules": []}}, "a list of 1 to 100"),
        ({"lora": {"lora_dropout": 1.0}}, "below 1"),
        ({"lora": 8}, "a map of keys"),
        ({"dataset": None}, "has no dataset"),
        ({"dataset": {"repo_id": "demo/d"}}, "has no file"),
        ({"dataset": {"repo_id": "d", "file": "a.jsonl"}}, "namespace/name"),
        ({"dataset": {"repo_id": "a/d", "file": "../a.jsonl"}}, "a path in the repository"),
        ({"dataset": {"repo_id": "a/d", "file": "/etc/passwd"}}, "a path in the repository"),
        ({"dataset": {"repo_id": "a/d", "file": "a", "sample": {"per_class": 3}}}, "balance_by"),
        ({"base": {"revision": 1234567}}, "in quotes"),
        ({"base": {"revision": "--upload-pack=x"}}, "a revision"),
        ({"completion": ""}, "has no completion"),
        ({"prompt": "{{text"}, "not a valid template"),
        ({"prompt": "x" * 20_000}, "at most 16384"),
        ({"prompt": ["a"]}, "a text with"),
        ({"warmup_ratio": 0.1, "warmup_steps": 3}, "keep one of them"),
    ],
)
def test_a_wrong_value_is_refused_with_what_to_write(values, reason):
    with pytest.raises(BadInputError) as refused:
        parse_recipe(change(**values))
    assert reason in str(refused.value)


def test_a_recipe_must_say_when_to_stop():
    with pytest.raises(BadInputError, match="when to stop"):
        parse_recipe(GOOD.replace("max_steps: 15\n", ""))
    assert parse_recipe(GOOD.replace("max_steps: 15", "num_train_epochs: 0.5"))


@pytest.mark.parametrize("content", ["", "- a", "a: &x 1", "a: !function f.g", b"\xff", "text"])
def test_what_is_not_a_plain_map_is_refused(content):
    with pytest.raises(BadInputError, match=r"recipes/good\.yaml"):
        parse_recipe(content, place="recipes/good.yaml")


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)


@given(st.sampled_from([*specs._KNOWN_KEYS, "other"]), junk)
def test_any_value_is_read_or_refused(key, value):
    try:
        recipe = read_recipe({**read_good().to_dict(), key: value})
    except BadInputError:
        return
    json.dumps(recipe.to_dict(), allow_nan=False)
