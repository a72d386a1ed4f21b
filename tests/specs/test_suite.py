"""Suites: named sets of benchmarks, their members found relative to where the suite lies."""

import json

import pytest

from hub.errors import BadInputError
from training.specs.suite import is_suite, parse_suite

SUITE = """
group: english
group_alias: English
task:
  - blimp:benchmark.yaml
  - demo/sms_spam:benchmark.yaml@v1
  - maths/gsm8k.yaml
  - mgsm_en
  - group: bias
    task: [{task: "bbq:benchmark.yaml"}]
aggregate_metric_list:
  - {metric: acc, aggregation: mean, weight_by_size: false}
metadata: {version: 1}
weighbridge: {summary: What we ask of English models., language: en}
"""


def read(text, **options):
    return parse_suite(text, repo_id="me/suites", **options)


def test_members_are_found_from_where_the_suite_lies():
    found = read(SUITE, revision="abc")
    assert [str(member) for member in found.members] == [
        "me/blimp:benchmark.yaml",
        "demo/sms_spam:benchmark.yaml@v1",
        "me/suites:maths/gsm8k.yaml@abc",
        "me/suites:mgsm_en.yaml@abc",
        "me/bbq:benchmark.yaml",
    ]
    assert (found.name, found.label, found.language, found.by_size) == (
        "english", "English", "en", False,
    )  # fmt: skip
    assert json.loads(json.dumps(found.to_dict()))["group"] == "english"


def test_a_suite_is_told_from_a_benchmark():
    assert is_suite(SUITE)
    assert not is_suite("task: blimp\ngroup: old_tag\ndoc_to_choice: [a, b]")


def test_the_harness_weighs_by_size_unless_told_otherwise():
    assert read("group: g\ntask: a\naggregate_metric_list: {metric: acc}").by_size
    assert not read("group: g\ntask: a").by_size


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("task: [a]", "group is None"),
        ("group: g", "names no benchmark"),
        ("group: g\ntask: []", "1 to 100 benchmarks"),
        ("group: g\ntask: [a, a]", "twice"),
        ("group: g\ntask: [7]", "is no benchmark"),
        ("group: g\ntask: [../x.yaml]", "a path in the repository"),
        ("group: g\ntask: ['a:b.txt']", "write namespace/name:benchmark.yaml"),
        ("group: g\ntask: [{task: a, num_fewshot: 3}]", "unknown key 'num_fewshot'"),
        ("group: g\ntask: [a]\ninclude: x", "unknown key 'include'"),
        ("group: g\ntask: [a]\naggregate_metric_list: [{metric: acc, aggregation: max}]", "mean"),
        ("group: g\ntask: " + "[{group: x, task: " * 5 + "a" + "}]" * 5, "nested too deep"),
    ],
)
def test_what_is_no_suite_is_refused(text, reason):
    with pytest.raises(BadInputError, match=reason.replace("[", r"\[")):
        read(text)
