"""Benchmarks of every kind of answer: what the runner is told, and what is refused."""

import json
import re

import pytest

from hub.errors import BadInputError
from hub.formats.bounded_yaml import load_yaml
from training.runner.definitions import Definition
from training.specs.benchmark import parse_benchmark
from training.specs.benchmark_metrics import METRICS_OF, OUTPUT_TYPES
from training.specs.margins import Margin
from training.statistics.metrics import METRICS
from training.statistics.verdicts import Direction

TRANSLATION = """
task: en_zh
output_type: generate_until
doc_to_text: "English: {{en}}\\nChinese:"
doc_to_target: "{{zh}}"
generation_kwargs: {until: ["\\n"], max_gen_toks: 64}
metric_list:
  - {metric: bleu, tokenize: zh}
  - {metric: chrf, higher_is_better: true}
"""
TEXT = """
task: plays
dataset_kwargs: {data_files: {test: test.txt}, sample_by: paragraph}
output_type: loglikelihood_rolling
doc_to_target: "{{text}}"
metric_list: [{metric: bits_per_byte}, {metric: word_perplexity}]
"""
BBQ = """
task: bbq
doc_to_text: "{{context}}\\nQ: {{question}}\\nA:"
doc_to_choice: "{{[ans0, ans1, ans2]}}"
doc_to_target: label
metric_list: [{metric: bbq_bias_ambig}, {metric: acc}]
weighbridge: {roles: {condition: kind}, cluster_by: question_index}
"""
WORDS = """
task: insults
output_type: generate_until
doc_to_text: "{{prompt}}"
metric_list: [{metric: toxicity}]
weighbridge: {words: words/en.txt}
"""
SENTIMENT = """
task: sentiment
output_type: classification
doc_to_text: text
doc_to_target: label
metric_list: [{metric: macro_f1}, {metric: acc}]
"""
INTENTS = """
task: intents
output_type: embedding
doc_to_text: text
doc_to_choice: [card lost, card late]
doc_to_target: label
"""
LAST_WORD = """
task: last_word
output_type: loglikelihood
doc_to_text: "{{text.split(' ')[:-1]|join(' ')}}"
doc_to_target: "{{' '+text.split(' ')[-1]}}"
"""


def changed(text, **values):
    return parse_benchmark(json.dumps(load_yaml(text) | values))


def refusal(text, **values):
    with pytest.raises(BadInputError) as refused:
        changed(text, **values)
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "kind", "metrics"),
    [
        (TRANSLATION, "generate_until", ["bleu", "chrf"]),
        (TEXT, "loglikelihood_rolling", ["bits_per_byte", "word_perplexity"]),
        (BBQ, "multiple_choice", ["bbq_bias_ambig", "acc"]),
        (WORDS, "generate_until", ["toxicity"]),
        (SENTIMENT, "classification", ["macro_f1", "acc"]),
        (INTENTS, "embedding", ["acc"]),
        (LAST_WORD, "loglikelihood", ["acc"]),
    ],
)
def test_every_kind_is_read_and_the_runner_takes_it(text, kind, metrics):
    found = parse_benchmark(text)
    told = found.runner_definition(words=("fool",) if found.words else ())
    assert found.output_type == told["output_type"] == kind
    assert [metric.name for metric in found.metrics] == metrics
    assert Definition(found.task, told).output_type == kind
    assert json.loads(json.dumps(found.to_dict()))["metrics"][0]["name"] == metrics[0]


def test_every_metric_is_one_the_statistics_know():
    known = {name for names in METRICS_OF.values() for name in names}
    assert known == set(METRICS)
    assert set(METRICS_OF) == set(OUTPUT_TYPES)


def test_a_metric_brings_its_direction():
    assert parse_benchmark(TEXT).direction is Direction.LOWER
    assert parse_benchmark(TRANSLATION).direction is Direction.HIGHER
    bias = parse_benchmark(BBQ)
    assert (bias.direction, bias.target) == (Direction.TARGET, 0.0)
    assert bias.metric_named("acc").direction is Direction.HIGHER
    with pytest.raises(BadInputError, match="no metric 'f1': bbq_bias_ambig, acc"):
        bias.metric_named("f1")


def test_a_margin_is_the_files_own_or_the_usual_one():
    assert parse_benchmark(TEXT).default_margin() == Margin(0.005, relative=True)
    assert parse_benchmark(TRANSLATION).default_margin() == Margin(1.0)
    own = changed(TRANSLATION, weighbridge={"margin": "2%"})
    assert own.default_margin() == Margin(0.02, relative=True)
    assert own.default_margin("chrf") == Margin(1.0)


def test_a_generated_answer_ends_where_the_next_example_would_begin():
    plain = changed(TRANSLATION, generation_kwargs=None)
    assert plain.runner_definition()["generation_kwargs"] == {
        "until": ["\n\n"], "max_gen_toks": 256, "do_sample": False, "temperature": 0.0,
        "top_p": 1.0,
    }  # fmt: skip
    other = changed(TRANSLATION, generation_kwargs=None, fewshot_delimiter="###")
    assert other.generation.until == ("###",)
    assert changed(TRANSLATION, generation_kwargs={"until": "."}).generation.until == (".",)


def test_sampling_settings_without_sampling_mean_nothing():
    cold = changed(TRANSLATION, generation_kwargs={"do_sample": False, "temperature": 0.9})
    assert cold.digest == changed(TRANSLATION, generation_kwargs={"temperature": 0.0}).digest


def test_a_file_of_several_filters_uses_the_one_its_metrics_name():
    filters = [
        {"name": "a", "filter": [{"function": "take_first"}]},
        {"name": "b", "filter": [{"function": "regex", "regex_pattern": "x", "group_select": -1}]},
    ]
    metric = {"metric": "exact_match"}
    first = changed(TRANSLATION, filter_list=filters, metric_list=[metric])
    assert first.runner_definition()["filter"] == [{"function": "take_first"}]
    second = changed(TRANSLATION, filter_list=filters, metric_list=[metric | {"filter": "b"}])
    assert second.runner_definition()["filter"] == [
        {"function": "regex", "regex_pattern": "x", "group_select": -1, "fallback": "[invalid]"}
    ]
    both = [metric | {"filter": "b"}, {"metric": "f1", "filter": "a"}]
    assert "different filters" in refusal(TRANSLATION, filter_list=filters, metric_list=both)


def test_examples_are_pinned_by_how_they_are_chosen():
    found = changed(TRANSLATION, num_fewshot=2, fewshot_split="validation", dataset_name="en")
    assert (found.file, found.fewshot.file) == ("en/test.jsonl", "en/validation.jsonl")
    assert found.fewshot.to_dict() == {"count": 2, "sampler": "seeded", "seed": 0}
    inline = changed(
        TRANSLATION, num_fewshot=1, fewshot_config={"samples": [{"en": "Yes.", "zh": "是。"}]}
    )
    assert inline.fewshot.to_dict() == {"samples": [{"en": "Yes.", "zh": "是。"}]}
    assert changed(TRANSLATION, num_fewshot=0, fewshot_split="x").fewshot is None


def test_validation_takes_the_place_of_a_missing_test_split():
    found = changed(TRANSLATION, test_split=None, validation_split="validation")
    assert found.file == "validation.jsonl"
    assert changed(TRANSLATION, test_split="test", validation_split="dev").file == "test.jsonl"


@pytest.mark.parametrize(
    ("text", "values", "reason"),
    [
        (TRANSLATION, {"doc_to_target": None}, "no doc_to_target"),
        (TRANSLATION, {"doc_to_text": None}, "no doc_to_text"),
        (TRANSLATION, {"doc_to_choice": ["a", "b"]}, "doc_to_choice means nothing"),
        (TRANSLATION, {"doc_to_target": 0}, "write a template or a column"),
        (TRANSLATION, {"repeats": 4}, "every answer is the same"),
        (TRANSLATION, {"generation_kwargs": {"do_sample": True, "temperature": 0}}, "raise it"),
        (TRANSLATION, {"generation_kwargs": {"num_beams": 4}}, "unknown key 'num_beams'"),
        (TRANSLATION, {"generation_kwargs": {"max_gen_toks": 5000}}, "from 1 to 2048"),
        (TRANSLATION, {"metric_list": [{"metric": "acc"}]}, "cannot be computed for generate"),
        (TRANSLATION, {"metric_list": [{"metric": "bleu", "tokenize": "mecab"}]}, "one of 13a"),
        (TRANSLATION, {"metric_list": [{"metric": "chrf", "tokenize": "zh"}]}, "means nothing"),
        (TRANSLATION, {"metric_list": [{"metric": "pass_at_k", "k": 2}]}, "at least 2 answers"),
        (TRANSLATION, {"filter_list": [{"function": "custom"}]}, "one of regex, map"),
        (TRANSLATION, {"filter_list": [{"function": "regex", "regex_pattern": "("}]}, "not a reg"),
        (TRANSLATION, {"filter_list": [{"function": "map", "mapping_dict": []}]}, "a map of keys"),
        (TRANSLATION, {"filter_list": [{"function": "lowercase", "x": 1}]}, "unknown key 'x'"),
        (TEXT, {"doc_to_text": "{{text}}"}, "leave doc_to_text empty"),
        (TEXT, {"metric_list": [{"metric": "acc"}]}, "cannot be computed for loglikelihood_rol"),
        (TEXT, {"filter_list": [{"function": "lowercase"}]}, "filter_list means nothing"),
        (WORDS, {"weighbridge": {}}, "belong together"),
        (BBQ, {"weighbridge": {"roles": {"colour": "x"}}}, "unknown key 'colour'"),
        (INTENTS, {"doc_to_choice": None}, "no doc_to_choice"),
        (LAST_WORD, {"metric_list": [{"metric": "exact_match"}]}, "cannot be computed"),
    ],
)
def test_parts_that_mean_nothing_together_are_refused(text, values, reason):
    assert reason in refusal(text, **values)


def test_a_pattern_is_read_and_not_compiled():
    """Forty wide sets under (?i) take seconds to compile, and a file may hold ninety such."""
    wide = "(?i)" + "[ -\\uffff]" * 40
    metric = {"metric": "exact_match", "regexes_to_ignore": [wide]}
    told = changed(TRANSLATION, metric_list=[metric]).runner_definition()
    assert told["metrics"][0]["regexes_to_ignore"] == [wide]
    assert not [key for key in re._cache if wide in key]


@pytest.mark.parametrize("pattern", ["(", "[", "a{99999999999}", "(?P<n>a)(?P<n>b)", "*a", "\\"])
def test_what_is_no_pattern_is_refused(pattern):
    metric = {"metric": "exact_match", "regexes_to_ignore": [pattern]}
    assert "regular expression" in refusal(TRANSLATION, metric_list=[metric])


def test_patterns_are_bounded():
    metric = {"metric": "exact_match", "regexes_to_ignore": [",", "\\$", "(?s).*#### "]}
    told = changed(TRANSLATION, metric_list=[metric]).runner_definition()
    assert told["metrics"][0]["regexes_to_ignore"] == [",", "\\$", "(?s).*#### "]
    assert "regular expression" in refusal(
        TRANSLATION, metric_list=[{"metric": "exact_match", "regexes_to_ignore": ["a" * 501]}]
    )
