"""Benchmark files: lm-evaluation-harness names, no code, and what the runner makes of them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import BadInputError
from hub.formats.bounded_yaml import load_yaml
from training.runner.definitions import Definition
from training.specs import benchmark as specs
from training.specs.benchmark import parse_benchmark
from training.statistics.verdicts import Direction

SPAM = """
task: sms_spam
output_type: multiple_choice
test_split: test
doc_to_text: "Message: {{text}}\\nIs this message spam or ham? Answer:"
doc_to_choice: [ham, spam]
doc_to_target: "{{label}}"
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
metadata: {version: 1.0}
weighbridge:
  sample: {balance_by: label, per_class: 125, seed: 7}
  group_by: label
"""
BLIMP = """
task: blimp
doc_to_text: ""
doc_to_choice: "{{[sentence_good, sentence_bad]}}"
doc_to_target: 0
target_delimiter: ""
weighbridge: {group_by: phenomenon, cluster_by: uid}
"""
BIAS = """
task: winobias
doc_to_choice: "{{[pro, anti]}}"
doc_to_target: 0
weighbridge: {direction: target, target: 0.5}
"""


def test_a_task_file_is_read():
    found = parse_benchmark(SPAM)
    assert (found.task, found.file, found.repo_id) == ("sms_spam", "test.jsonl", None)
    assert found.choices == ("ham", "spam")
    assert found.direction is Direction.HIGHER
    assert (found.sample.balance_by, found.sample.per_class, found.sample.seed) == ("label", 125, 7)
    assert len(found.digest) == 64
    assert json.loads(json.dumps(found.to_dict()))["direction"] == "higher"


def test_the_runner_asks_what_the_file_says():
    asked = Definition("sms_spam", parse_benchmark(SPAM).runner_definition()).question(
        "1", {"text": "Win!", "label": "spam"}, 0
    )
    assert asked.prompt == "Message: Win!\nIs this message spam or ham? Answer:"
    assert (asked.choices, asked.target) == (("ham", "spam"), 1)


def test_the_runner_fills_in_choices():
    row = {"sentence_good": 'It\'s "she".', "sentence_bad": "It's 'he'."}
    asked = Definition("blimp", parse_benchmark(BLIMP).runner_definition()).question("1", row, 0)
    assert asked.choices == ('It\'s "she".', "It's 'he'.")
    assert (asked.prompt, asked.target) == ("", 0)


def test_a_share_may_have_a_target():
    found = parse_benchmark(BIAS)
    assert (found.direction, found.target) == (Direction.TARGET, 0.5)


def test_a_metric_that_should_fall_says_so():
    lower = SPAM.replace("higher_is_better: true", "higher_is_better: false")
    assert parse_benchmark(lower).direction is Direction.LOWER


@pytest.mark.parametrize(
    ("extra", "file", "revision"),
    [
        ("test_split: validation", "validation.jsonl", None),
        ("dataset_name: en", "en/test.jsonl", None),
        ("dataset_kwargs: {data_files: {test: data/x.jsonl}, revision: v1}", "data/x.jsonl", "v1"),
    ],
)
def test_the_items_file_follows_the_split(extra, file, revision):
    found = parse_benchmark(BLIMP + extra)
    assert (found.file, found.revision) == (file, revision)


@pytest.mark.parametrize(
    "line",
    [
        "doc_to_decontamination_query: !function utils.query",
        "process_results: !function utils.process",
        "custom: !!python/name:os.system ''",
    ],
)
def test_a_file_that_names_code_is_refused_with_the_reason(line):
    with pytest.raises(BadInputError, match="Tags can name code"):
        parse_benchmark(BLIMP + line)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"process_docs": "x"}, "unknown key 'process_docs'"),
        ({"doc_to_txt": "x"}, "Did you mean 'doc_to_text'?"),
        ({"output_type": "greedy_until"}, "one of multiple_choice, loglikelihood"),
        ({"num_fewshot": 5}, "has no fewshot_split"),
        ({"num_fewshot": 65, "fewshot_split": "dev"}, "from 0 to 64"),
        ({"num_fewshot": 2, "fewshot_split": "test"}, "so that no question shows its own answer"),
        ({"num_fewshot": 2, "fewshot_config": {"samples": [{}]}}, "gives 1; lower num_fewshot"),
        ({"fewshot_config": {"sampler": "balanced"}}, "one of seeded, first_n"),
        ({"task": "../x"}, "letters, digits"),
        ({"metric_list": []}, "a list of 1 to 10 metrics"),
        ({"metric_list": [{"metric": "acc"}, {"metric": "acc"}]}, "acc twice"),
        ({"metric_list": [{"metric": "bleu"}]}, "bleu cannot be computed for multiple_choice"),
        ({"metric_list": [{"metric": "mc"}]}, "Did you mean 'mcc'?"),
        ({"metric_list": [{"metric": "acc", "aggregation": "median"}]}, "one of mean"),
        ({"metric_list": [{"metric": "acc", "k": 4}]}, "k means nothing to acc"),
        ({"metric_list": [{"metric": "acc", "filter": "x"}]}, "filter_list has none"),
        ({"metric_list": [{"metric": "macro_f1"}]}, "make doc_to_choice a list"),
        ({"metric_list": ["acc"]}, "a map of keys"),
        ({"metric_list": [{"metric": "acc", "higher_is_better": 1}]}, "true or false"),
        ({"doc_to_choice": ["a"]}, "a list of 2 to 64"),
        ({"doc_to_choice": ["a", "a"]}, "the same choice twice"),
        ({"doc_to_choice": ["{{a}}", "b"]}, 'write "{{[first, second]}}"'),
        ({"doc_to_choice": ["a", ""]}, "doc_to_choice[1]"),
        ({"doc_to_target": -1}, "from 0 to 63"),
        ({"doc_to_target": []}, "1 to 64 right answers"),
        ({"doc_to_text": "{% for x %}"}, "not a valid template"),
        ({"doc_to_text": "{{ x|center(10) }}"}, "the filter 'center'"),
        ({"doc_to_text": "{% include 'x' %}"}, "no template brings in another"),
        ({"dataset_path": "blimp"}, "namespace/name"),
        ({"dataset_kwargs": {"trust_remote_code": True}}, "trust_remote_code"),
        ({"dataset_kwargs": {"data_files": {"test": "../x"}}}, "a path in the repository"),
        ({"dataset_kwargs": {"sample_by": "page"}}, "one of line, paragraph, document"),
        ({"test_split": "../../x"}, "letters, digits"),
        ({"generation_kwargs": {"until": ["."]}}, "generation_kwargs means nothing to multiple"),
        ({"weighbridge": {"direction": "up"}}, "one of higher, lower, target"),
        ({"weighbridge": {"direction": "target"}}, "no target"),
        ({"weighbridge": {"target": 0.5}}, "needs direction"),
        ({"weighbridge": {"sample": {"per_class": 5}}}, "needs balance_by"),
        ({"weighbridge": {"sample": {"order": "random"}}}, "one of seeded, file"),
        ({"weighbridge": {"group": "x"}}, "unknown key 'group'"),
        ({"weighbridge": {"margin": 0}}, "above 0"),
        ({"weighbridge": {"margin": "0%"}}, "such as 0.5%"),
        (
            {"weighbridge": {"margin": "1%", "direction": "target", "target": 0.5}},
            "a margin around a target is in score units",
        ),
        ({"weighbridge": {"language": "English"}}, "a language such as en or zh"),
        ({"weighbridge": {"words": "words.txt"}}, "belong together"),
        ({"weighbridge": {"roles": {"condition": "c"}}}, "is for bbq_bias_ambig"),
        ({"weighbridge": {"hidden": "yes"}}, "true or false"),
    ],
)
def test_a_wrong_value_is_refused_with_what_to_write(values, reason):
    with pytest.raises(BadInputError) as refused:
        parse_benchmark(json.dumps({**load_yaml(BLIMP), **values}))
    assert reason in str(refused.value)


@pytest.mark.parametrize("key", ["task", "doc_to_choice", "doc_to_target"])
def test_what_is_needed_is_named(key):
    values = load_yaml(BLIMP) | {"output_type": "multiple_choice", key: None}
    with pytest.raises(BadInputError, match=f"has no {key}"):
        parse_benchmark(json.dumps(values))


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)


@given(st.sampled_from([*specs._KNOWN_KEYS, "other"]), junk)
def test_any_value_is_read_or_refused(key, value):
    try:
        found = parse_benchmark(json.dumps({**load_yaml(SPAM), key: value}))
    except BadInputError:
        return
    json.dumps(found.to_dict(), allow_nan=False)
