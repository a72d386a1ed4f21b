import pytest
import yaml
from huggingface_hub import eval_result_entries_to_yaml, parse_eval_result_entries
from hypothesis import given
from hypothesis import strategies as st

from hub.formats.errors import YamlError
from hub.formats.eval_results import (
    EvalResultEntry,
    dump_eval_results,
    entries_of,
    eval_results_path,
    load_eval_results,
    with_eval_results,
)

ENTRY = EvalResultEntry(
    dataset_id="demo/sms_spam",
    task_id="spam",
    value=0.955,
    dataset_revision="5503434ddd753f426f4b38109466949a1217c2bb",
    date="2026-11-22T12:00:00Z",
    source_url="http://127.0.0.1:8000/demo/guard/pull/1",
    source_name="Weighbridge",
    notes="250 items, 95 % interval 0.93 to 0.98",
)


def test_the_client_reads_every_field_back():
    written = dump_eval_results([ENTRY, EvalResultEntry("demo/blimp", "blimp", 0.8)])
    spam, blimp = parse_eval_result_entries(yaml.safe_load(written))
    for name in EvalResultEntry.__slots__:
        assert getattr(spam, name) == getattr(ENTRY, name)
    assert (blimp.dataset_id, blimp.value, blimp.source_url) == ("demo/blimp", 0.8, None)


def test_what_the_client_writes_is_read():
    entries = parse_eval_result_entries(yaml.safe_load(dump_eval_results([ENTRY])))
    content = yaml.dump(eval_result_entries_to_yaml(entries)).encode()
    assert load_eval_results(content) == [ENTRY]


@pytest.mark.parametrize(
    ("benchmark", "path"),
    [
        ("demo/sms_spam:benchmark.yaml", ".eval_results/demo-sms_spam-benchmark.yaml"),
        ("../../x", ".eval_results/x.yaml"),
        ("中文", ".eval_results/benchmark.yaml"),
    ],
)
def test_a_benchmark_names_its_file(benchmark, path):
    assert eval_results_path(benchmark) == path


@pytest.mark.parametrize(
    "content",
    [b"a: 1", b"- 1", b"- dataset: {id: a}\n  value: 1", b"- dataset: {id: a, task_id: b}"],
)
def test_a_file_of_another_shape_is_refused(content):
    with pytest.raises(YamlError):
        load_eval_results(content)


FOREIGN = b"""\
- dataset: {id: demo/hle, task_id: default}
  value: 20.9
  verifyToken: a.b.c
  source: {url: https://example.org, org: somebody}
- dataset: {id: demo/sms_spam, task_id: spam}
  value: 0.1
"""


def test_entries_of_others_keep_what_we_do_not_know():
    written = with_eval_results(FOREIGN, [ENTRY])
    new, kept = parse_eval_result_entries(yaml.safe_load(written))
    assert (new.task_id, new.value) == ("spam", 0.955)
    assert (kept.verify_token, kept.source_org, kept.value) == ("a.b.c", "somebody", 20.9)
    assert with_eval_results(written, [ENTRY]) is None, "nothing changes any more"


def test_a_file_that_says_nothing_new_is_left_alone():
    assert with_eval_results(FOREIGN, []) is None
    assert with_eval_results(None, []) is None
    assert with_eval_results(b"[: broken", []) is None
    assert with_eval_results(b"[: broken", [ENTRY]) == dump_eval_results([ENTRY])
    assert with_eval_results(None, [ENTRY]) == dump_eval_results([ENTRY])


def test_entries_that_are_not_measured_again_are_revised():
    written = with_eval_results(FOREIGN, [ENTRY], revise=lambda entry: entry | {"notes": "old"})
    assert [entry.get("notes") for entry in entries_of(written)] == [ENTRY.notes, "old"]


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_replaced(content):
    written = with_eval_results(content, [ENTRY])
    assert load_eval_results(written or content)[0] == ENTRY
