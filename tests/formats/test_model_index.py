"""Scores land in the card where huggingface_hub reads them, and nothing else changes a byte."""

from dataclasses import replace

import pytest
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import EvalResult, eval_results_to_model_index
from hypothesis import given
from hypothesis import strategies as st

from hub.formats.card import parse_card, validate_card
from hub.formats.errors import CardError
from hub.formats.model_index import (
    ModelIndexResult,
    identities,
    read_model_index,
    with_model_index,
)

SPAM = ModelIndexResult(
    task_type="text-classification",
    task_name="Spam or ham",
    dataset_type="demo/sms_spam",
    dataset_name="SMS Spam Collection",
    dataset_split="test",
    dataset_revision="5503434ddd753f426f4b38109466949a1217c2bb",
    metric_type="acc",
    metric_name="Accuracy",
    metric_value=0.955,
    source_name="Weighbridge",
    source_url="http://127.0.0.1:8000/demo/guard/pull/1",
)
BLIMP = ModelIndexResult("multiple-choice", "demo/blimp", "BLiMP", "acc", 0.806)
BLOCK_AT = "BLOCK"
README = """---
# a comment of the author
license:   apache-2.0   # aligned by hand
language:
- en
BLOCK
# after the block

tags: ["a",   'b']
released: 2024-01-31
---

# Guard

---
Human text with trailing space \n\n---\n
"""
OLD = """model-index:
- name: guard
  results:
  - task: {type: text-classification}
    dataset:
      type: other/set
      name: Other
    metrics:
    - type: f1
      value: 0.5   # by hand
      verified: true
  - task:
      type: text-classification
    dataset: {type: demo/sms_spam, name: SMS Spam Collection, split: test}
    metrics:
    - {type: acc, value: 0.1, name: Accuracy}
    - {type: f1, value: 0.2}"""


def write(readme, *results):
    return with_model_index(readme.encode(), results, model_name="guard").decode()


def read(readme):
    """The scores as huggingface_hub reads them, by data set and metric."""
    results = ModelCard(readme.removeprefix("\ufeff")).data.eval_results
    return {(each.dataset_type, each.metric_type): each for each in results}


def test_the_client_reads_every_field_back():
    found = read(write(README.replace("BLOCK\n", ""), SPAM, BLIMP))
    spam = found["demo/sms_spam", "acc"]
    assert spam == EvalResult(**{name: getattr(SPAM, name) for name in ModelIndexResult.__slots__})
    assert found["demo/blimp", "acc"].metric_value == 0.806


def test_the_format_is_what_the_client_itself_would_write():
    written = parse_card(write("# Guard\n", SPAM), "model").data["model-index"]
    values = {name: getattr(SPAM, name) for name in ModelIndexResult.__slots__}
    assert written == eval_results_to_model_index("guard", [EvalResult(**values)])


def test_only_the_block_is_rewritten():
    before, after = README.split(BLOCK_AT)
    written = write(README.replace(BLOCK_AT, OLD), SPAM)
    assert written.startswith(before + "model-index:\n")
    assert written.endswith(after)
    assert validate_card(written, "model") == ([], [])


def test_scores_of_others_stay_and_the_same_measurement_is_replaced():
    found = read(write(README.replace(BLOCK_AT, OLD), SPAM))
    assert found["demo/sms_spam", "acc"].metric_value == 0.955
    assert found["demo/sms_spam", "f1"].metric_value == 0.2
    assert found["other/set", "f1"].metric_value == 0.5
    assert found["other/set", "f1"].verified is True
    assert len(found) == 3


def test_the_metrics_of_one_benchmark_stand_together_as_the_client_writes_them():
    more = replace(SPAM, metric_type="f1", metric_name="F1", metric_value=0.9)
    written = parse_card(write("# Guard\n", SPAM, BLIMP, more), "model").data["model-index"]
    values = [
        EvalResult(**{name: getattr(each, name) for name in ModelIndexResult.__slots__})
        for each in (SPAM, more, BLIMP)
    ]
    assert written == eval_results_to_model_index("guard", values)
    assert [len(entry["metrics"]) for entry in written[0]["results"]] == [2, 1]


def test_what_is_written_is_read_back():
    index = parse_card(write("# Guard\n", SPAM, BLIMP), "model").data["model-index"]
    assert read_model_index(index) == [SPAM, BLIMP]


@pytest.mark.parametrize("index", [None, [], "text", [{}], [{"name": "a", "results": [{}]}]])
def test_an_index_that_clients_cannot_read_has_no_scores(index):
    assert read_model_index(index) == []


def test_a_benchmark_of_another_name_on_the_same_data_is_another_measurement():
    shots = replace(SPAM, dataset_name="SMS Spam Collection, 5 examples", metric_value=0.97)
    written = parse_card(write(write("# Guard\n", SPAM), shots), "model").data["model-index"]
    assert [score.metric_value for score in read_model_index(written)] == [0.955, 0.97]


def test_what_is_not_measured_again_is_revised():
    def revise(entry):
        source = {"name": "somebody", "url": "https://example.org"}
        return [] if len(identities(entry)) == 1 else [{**entry, "source": source}]

    two = OLD.replace("verified: true", "verified: true\n    - type: recall\n      value: 1")
    readme = README.replace(BLOCK_AT, two).encode()
    written = with_model_index(readme, [SPAM], model_name="guard", revise=revise).decode()
    found = read(written)
    assert found["other/set", "recall"].source_name == "somebody"
    assert found["demo/sms_spam", "acc"].source_name == "Weighbridge"
    assert ("demo/sms_spam", "f1") not in found, "its entry lost a metric and was taken out"


def test_nothing_to_write_leaves_every_byte():
    for readme in (README.replace(BLOCK_AT, OLD), README.replace("BLOCK\n", ""), "# Guard\n", ""):
        assert write(readme) == readme
    odd = "---\nmodel-index: [ {name: 'x',   results: []} ]   # flow\n---\n"
    assert write(odd) == odd


def test_writing_twice_changes_nothing_more():
    once = write(README.replace("BLOCK\n", ""), SPAM, BLIMP)
    assert write(once, SPAM, BLIMP) == once


@pytest.mark.parametrize(
    "block",
    [
        "model-index:",
        "model-index: []",
        "model-index: null",
        "'model-index':\n- name: x\n  results: []",
        '"model-index" : [{name: x, results: []}]  # flow',
        "model-index:\n  - name: |\n      long\n      name\n    results: []",
        "model-index:\n  - results: []\n    name: >-\n      folded\n\n      name",
        "model-index: [\n  {name: 中文 名字, results: []},\n  ]",
    ],
)
def test_a_block_of_any_shape_is_replaced_whole(block):
    before, after = README.split(BLOCK_AT)
    written = write(README.replace(BLOCK_AT, block), SPAM)
    assert written.startswith(before)
    assert written.endswith(after)
    assert read(written)["demo/sms_spam", "acc"].metric_value == 0.955


def test_line_ends_and_byte_order_mark_are_kept():
    readme = "\ufeff" + README.replace(BLOCK_AT, OLD).replace("\n", "\r\n")
    written = write(readme, SPAM)
    before, after = readme.split(OLD.replace("\n", "\r\n"))
    assert written.startswith(before)
    assert written.endswith(after)
    assert written.count("\n") == written.count("\r\n")
    assert parse_card(written, "model").data["model-index"][0]["name"] == "guard"


def test_indented_front_matter_keeps_its_column():
    written = write("---\n  license: mit\n  model-index:\n  tags: [a]\n---\n", SPAM)
    assert written.startswith("---\n  license: mit\n  model-index:\n  - name: guard\n")
    assert written.endswith("\n  tags: [a]\n---\n")


@pytest.mark.parametrize(
    ("readme", "rest"),
    [
        ("# Guard\n\ntext", "# Guard\n\ntext"),
        ("", ""),
        ("---\nnever closed\n", "---\nnever closed\n"),
        ("\ufeff# Guard\r\n", "# Guard\r\n"),
    ],
)
def test_a_readme_without_front_matter_gets_one(readme, rest):
    written = write(readme, SPAM)
    assert written.startswith("\ufeff---" if readme.startswith("\ufeff") else "---")
    assert written.endswith(rest)
    assert parse_card(written, "model").body == rest
    assert read(written)["demo/sms_spam", "acc"].metric_value == 0.955


@pytest.mark.parametrize("matter", ["", "# only a comment", "license: mit", "license: mit\n"])
def test_front_matter_without_the_block_gets_it_at_its_end(matter):
    written = write(f"---\n{matter}\n---\nbody", SPAM)
    assert written.startswith(f"---\n{matter}")
    assert written.endswith("\n---\nbody")
    assert read(written)["demo/sms_spam", "acc"].metric_value == 0.955


@pytest.mark.parametrize(
    ("readme", "reason"),
    [
        ("---\na: [1\n---\n", "broken"),
        ("---\n- a\n---\n", "not a map"),
        ("---\n{license: mit}\n---\n", "block style"),
        ("---\n? model-index\n: []\n---\n", "block style"),
        ("---\na: 1\n? model-index\n:\n---\n", "begin its line"),
        ("---\nmodel-index: text\n---\n", "cannot be read"),
        ("---\nmodel-index: [{name: a, results: [1]}]\n---\n", "cannot be read"),
        ("---\na: 1\n...\n---\n", "broken|touching"),
    ],
)
def test_what_cannot_be_kept_safely_is_refused(readme, reason):
    with pytest.raises(CardError, match=reason):
        write(readme, SPAM)
    with pytest.raises(CardError, match="UTF-8"):
        with_model_index(b"\xff", [SPAM], model_name="guard")


keys = st.sampled_from(["license", "tags", "数据", "a b", "no"])
values = st.sampled_from(
    ["mit", "[a, 'b']", "|\n  two\n\n  lines", ">-\n  folded", "\n- x\n- y", "\n  k: v  # c", "''"]
)


@given(st.dictionaries(keys, values), st.text(max_size=40), st.integers(0, 5))
def test_other_keys_and_text_survive_any_card(front, body, position):
    lines = [f"{key}: {value}" for key, value in front.items()]
    with_block = [*lines[:position], OLD, *lines[position:]]
    for chosen in (lines, with_block):
        readme = "---\n" + "\n".join(chosen) + "\n---\n" + body
        try:
            written = write(readme, SPAM)
        except CardError:
            continue
        assert written.endswith("\n---\n" + body)
        old, new = parse_card(readme, "model").data, parse_card(written, "model").data
        assert {k: v for k, v in new.items() if k != "model-index"} == {
            k: v for k, v in old.items() if k != "model-index"
        }
        for line in lines:
            assert line in written


# Bodies and keys that look like front matter, like our block, or like nothing at all.
nasty = st.lists(
    st.sampled_from(
        ["---", "...", "model-index:", "- name: x", "\u2028", "\x85", "# a", "~~~", "<!-- -->",
         "'", '"', "\t", "{{ x }}", "中文", "\ufeff", "  - results: []", "key: &a b", "e\u0301"]
    ),
    max_size=12,
)  # fmt: skip


@given(nasty, st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans())
def test_human_text_stays_byte_for_byte_in_nasty_cards(parts, line_break, has_mark, has_block):
    body = line_break.join(parts)
    block = OLD.replace("\n", line_break) if has_block else "tags: [a]"
    mark = "\ufeff" if has_mark else ""
    head = f"{mark}---{line_break}license: mit  # why{line_break}"
    foot = f"{line_break}---{line_break}{body}"
    readme = f"{head}{block}{foot}".encode()
    written = with_model_index(readme, [SPAM, BLIMP], model_name="guard")
    assert written.startswith(head.encode())
    assert written.endswith(foot.encode())
    assert with_model_index(written, [SPAM, BLIMP], model_name="guard") == written
    again = with_model_index(written, [], model_name="guard")
    assert again == written
    found = read_model_index(parse_card(written, "model").data["model-index"])
    assert {SPAM, BLIMP} <= {replace(each, metric_args=None) for each in found}
