"""What names a benchmark: everything its numbers depend on, and nothing that only judges them."""

import pytest

from training.specs.benchmark import benchmark_digest, parse_benchmark

MATHS = """
task: gsm8k
task_alias: Word problems
tag: math
dataset_kwargs: {data_files: {test: test.jsonl, train: train.jsonl}}
output_type: generate_until
fewshot_split: train
num_fewshot: 2
fewshot_config: {sampler: seeded, seed: 3}
description: "Solve."
doc_to_text: "Question: {{question}}\\nAnswer:"
doc_to_target: "{{answer}}"
generation_kwargs: {until: ["Question:"], max_gen_toks: 64, do_sample: true, temperature: 0.7}
repeats: 4
filter_list:
  - name: strict
    filter: [{function: regex, regex_pattern: "#### (\\\\d+)"}, {function: take_first}]
  - name: other
    filter: [{function: lowercase}]
metric_list:
  - {metric: exact_match, ignore_case: true, filter: strict}
  - {metric: pass_at_k, k: 2, filter: strict}
weighbridge:
  margin: 0.02
  language: en
  summary: Grade-school word problems.
  group_by: kind
  sample: {limit: 200, seed: 1}
"""


def digest(text=MATHS):
    return parse_benchmark(text).digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Answer:", "Reply:"),
        ("{{answer}}", "{{solution}}"),
        ('"Solve."', '"Think."'),
        ("num_fewshot: 2", "num_fewshot: 3"),
        ("sampler: seeded, seed: 3", "sampler: seeded, seed: 4"),
        ("sampler: seeded, seed: 3", "sampler: first_n"),
        ('["Question:"]', '["Q:"]'),
        ("max_gen_toks: 64", "max_gen_toks: 65"),
        ("temperature: 0.7", "temperature: 0.8"),
        ("repeats: 4", "repeats: 5"),
        ("(\\\\d+)", "(\\\\d*)"),
        ("ignore_case: true, ", ""),
        ("k: 2", "k: 3"),
        ("limit: 200", "limit: 199"),
        ("seed: 1", "seed: 2"),
        ("group_by: kind", "cluster_by: kind"),
        ("repeats: 4", "repeats: 4\ntarget_delimiter: ''"),
        ("repeats: 4", "repeats: 4\nfewshot_delimiter: '\\n'"),
    ],
)
def test_whatever_changes_the_numbers_changes_the_digest(old, new):
    assert old in MATHS
    assert digest(MATHS.replace(old, new)) != digest()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("task: gsm8k", "task: maths"),
        ("Word problems", "Sums"),
        ("tag: math", "tag: [math, word]"),
        ("margin: 0.02", "margin: 0.5%"),
        ("margin: 0.02", "direction: lower"),
        ("language: en", "language: zh"),
        ("summary: Grade-school word problems.", "hidden: true"),
        ("group_by: kind", "group_by: level"),
        ("test.jsonl", "data/test.jsonl"),
        ("train.jsonl", "data/train.jsonl"),
        ("function: lowercase", "function: uppercase"),
        ("strict", "narrow"),
        ("repeats: 4", "repeats: 4\nmetadata: {version: 2}\nshould_decontaminate: true"),
        ("ignore_case: true", "higher_is_better: true, ignore_case: true"),
    ],
)
def test_what_only_shows_or_judges_them_does_not(old, new):
    assert old in MATHS
    assert digest(MATHS.replace(old, new)) == digest()


def test_which_metric_comes_first_makes_no_difference():
    first, second = MATHS.index("  - {metric: exact"), MATHS.index("  - {metric: pass")
    end = MATHS.index("weighbridge")
    swapped = MATHS[:first] + MATHS[second:end] + MATHS[first:second] + MATHS[end:]
    assert parse_benchmark(swapped).metric == "pass_at_k"
    assert digest(swapped) == digest()


def test_the_bytes_of_every_file_count():
    definition = parse_benchmark(MATHS)
    files = {"items_sha256": "a", "shots_sha256": "b", "words_sha256": "c"}
    named = {benchmark_digest(definition, **files)}
    named |= {benchmark_digest(definition, **{**files, name: "x"}) for name in files}
    named.add(benchmark_digest(definition, **files, seed=9))
    assert len(named) == 5
    assert benchmark_digest(definition, **files, seed=1) == benchmark_digest(definition, **files)
