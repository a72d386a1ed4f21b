"""What lm-evaluation-harness wrote is read whole or refused with the place that is wrong."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.errors import BadInputError, HubError
from training.specs import lm_eval_samples
from training.specs.items import lm_eval_doc_hash
from training.specs.lm_eval_results import Value, read_results
from training.specs.lm_eval_samples import matched, of_filter, read_samples

RECORDED = Path(__file__).parents[1] / "data" / "lm_eval"
RESULTS = (RECORDED / "results.json").read_bytes()
KINDS = {
    "pairs": "multiple_choice",
    "bits": "loglikelihood_rolling",
    "last-word": "generate_until",
}


def lines(task: str) -> bytes:
    return (RECORDED / f"samples_{task}.jsonl").read_bytes()


def read(content: bytes, kind: str = "multiple_choice"):
    return read_samples(io.BytesIO(content), kind)


def one(**changes) -> bytes:
    """The first recorded line of the pairs with some values changed; None takes a key away."""
    row = json.loads(lines("pairs").splitlines()[0]) | changes
    return json.dumps({k: v for k, v in row.items() if v is not None}).encode() + b"\n"


# Results -----------------------------------------------------------------------------------------


def test_the_numbers_of_a_task_with_their_errors():
    told = read_results(RESULTS, task="pairs")
    assert told.values["acc", "none"] == Value(0.46, pytest.approx(0.0500908266))
    assert (told.count, told.filters) == (100, ["none"])
    assert told.value_of("acc", "mine") == told.values["acc", "none"], "there is only one"
    words = read_results(RESULTS, task="last-word")
    assert words.value_of("exact_match", "whole") == Value(0.0, 0.0)
    assert words.value_of("exact_match", None) is None, "two filters: which one is meant?"
    bits = read_results(RESULTS, task="bits")
    assert bits.values["bits_per_byte", "none"] == Value(pytest.approx(3.49657691), None)


def test_how_it_was_made_is_kept_and_nothing_of_the_machine():
    source = read_results(RESULTS, task="pairs").source
    assert source["version"] == "0.4.13" and source["num_fewshot"] == 0
    assert source["config"]["dtype"] == "float32" and source["config"]["batch_size"] == "8"
    kept = json.dumps(source)
    for word in ("/tmp", "AMD", "linux", "pip", "GHz", "x86", "pretty_env", "json_path"):
        assert word.lower() not in kept.lower(), word
    assert "pretrained" not in kept and "pretty_env_info" not in kept


def test_a_model_of_a_hub_is_named_and_a_folder_is_not():
    data = json.loads(RESULTS)
    data["config"]["model_args"] = "pretrained=demo/spam-guard,dtype=bfloat16"
    source = read_results(json.dumps(data).encode(), task="pairs").source
    assert (source["model"], source["config"]["dtype"]) == ("demo/spam-guard", "bfloat16")
    for path in ("/home/ada/models/x", "~/x", "./x", "C:\\x", "file:///x", "a/b/c"):
        data["config"]["model_args"] = {"pretrained": path, "revision": path}
        source = read_results(json.dumps(data).encode(), task="pairs").source
        assert "model" not in source
        assert path == "a/b/c" or "revision" not in source["config"]


def results_with(**values) -> bytes:
    return json.dumps({"results": {"t": values}}).encode()


@pytest.mark.parametrize(
    ("content", "task", "words"),
    [
        (RESULTS, "", "several tasks"),
        (RESULTS, "none", "has no task 'none'"),
        (b"[]", "", "no JSON object"),
        (b"{}", "", "has no results"),
        (b'{"results": {"t": []}}', "", "no numbers"),
        (results_with(alias="t"), "", "no numbers"),
        (b'{"results": {"t": {"acc,none": NaN}}}', "", "NaN"),
        (b'{"results": {"t": {"acc,none": 1e999}}}', "", "too large"),
        (results_with(**{"acc,none": "0.5"}), "", "acc of the task 't' is no number"),
        (results_with(**{"acc,none": 10**399}), "", "no number"),
        (results_with(**{"acc,none": True}), "", "no number"),
        (b'{"results": {"t": {"acc,none": 1, "acc,none": 0}}}', "", "repeats the key"),
        (b'{"results": ' + b"[" * 40 + b"]" * 40 + b"}", "", "nested deeper"),
        (b" " * (4 * 1024**2 + 1), "", "bytes long"),
        (b"\xff\xfe", "", "UTF-8"),
        (b'{"results"', "", "not valid JSON"),
    ],
)
def test_results_that_cannot_be_used_are_refused(content, task, words):
    with pytest.raises(BadInputError, match=words.replace("(", r"\(")):
        read_results(content, task=task)


# Samples -----------------------------------------------------------------------------------------


def test_choices_with_their_log_likelihoods():
    found = read(lines("pairs"))
    assert len(found) == 100
    first = found[0]
    assert first.loglikelihoods == (-103.5209732055664, -105.67461395263672)
    assert (first.prediction, first.target, first.is_tie) == (0, 0, False)
    assert first.metrics == {"acc": 1.0, "acc_norm": 1.0}
    assert first.continuations[0] == "Who should Derek hug after shocking Richard?"
    assert sum(sample.metrics["acc"] for sample in found) == 46
    row = json.loads(lines("pairs").splitlines()[0])
    assert first.doc_hash == lm_eval_doc_hash(row["doc"])


def test_texts_with_bytes_and_answers_under_filters():
    bits = read(lines("bits"), KINDS["bits"])
    assert bits[0].metrics["bits_per_byte"] == (-213.81858825683594, 89.0)
    words = read(lines("last-word"), KINDS["last-word"])
    assert len(words) == 24 and words[0].extracted == "the" and words[0].output == " the"
    whole = of_filter(words, "whole")
    assert len(whole) == 12 and {sample.filter for sample in whole} == {"whole"}
    with pytest.raises(BadInputError, match="first-word, whole"):
        of_filter(words, None)
    assert of_filter(bits, "mine") == bits, "there is only one"


def test_numbers_as_numbers_and_arguments_as_lists_are_read_too():
    row = json.loads(lines("pairs").splitlines()[0])
    row |= {
        "filtered_resps": [[-1.5, True], [-2.5, False]],
        "arguments": [["Q", " a"], ["Q", " b"]],
        "target": 1,
        "acc": True,
    }
    (found,) = read(json.dumps(row).encode())
    assert found.loglikelihoods == (-1.5, -2.5) and found.target == 1
    assert (found.prompts, found.continuations) == (("Q", "Q"), (" a", " b"))
    assert found.metrics["acc"] == 1.0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"[]\n", "Line 1 of the samples is no JSON object"),
        (one() + b"{}\n", "Line 2 of the samples has no doc_hash"),
        (one(doc_hash="abc"), "has no doc_hash"),
        (one(filter=3), "has no filter"),
        (one(filtered_resps=[["nan", "True"], ["-1", "False"]]), "no finite number"),
        (one(filtered_resps=[["inf", "True"], ["-1", "False"]]), "no finite number"),
        (one(filtered_resps=[["-1e999", "True"]]), "no finite number"),
        (one(filtered_resps=[["-1"], ["-1", "False"]]), "no finite number"),
        (one(filtered_resps=["one"]), "no finite number"),
        (one(filtered_resps="-1"), "no list filtered_resps"),
        (one(filtered_resps=[["-1", "True"]] * 65), "at most 64 answers"),
        (one(acc=None), "names the metric 'acc' and has no score"),
        (one(metrics="acc"), "no list of metrics"),
        (one(acc=[1.0] * 9), "too many numbers"),
        (one().replace(b'"acc": 1.0', b'"acc": NaN'), "NaN"),
        (one().replace(b'"acc": 1.0', b'"acc": null'), "has no score for acc"),
        (one(doc={"text": "x" * 300_000}), "exceeds"),
        (b'{"doc": ' + b"[" * 20 + b"]" * 20 + b"}", "nested deeper"),
        (b'{"doc_hash": "\xff"}', "UTF-8"),
    ],
)
def test_a_line_that_cannot_be_used_refuses_the_file(content, words):
    with pytest.raises(HubError, match=words):
        read(content)


@pytest.mark.parametrize(
    ("written", "targets"),
    [
        ("['a', 'b']", ("a", "b")),
        ("[1, True]", ("1", "1")),
        ("[{[]: 1}]", ("[{[]: 1}]",)),  # a mapping's key that no mapping can have
        ("[" + "-" * 3000 + "1]", ("[" + "-" * 3000 + "1]",)),
        ("[" * 2000, ("[" * 2000,)),
        ("[1, 2", ("[1, 2",)),
    ],
)
def test_several_right_answers_are_one_text_and_no_text_is_computed(written, targets):
    (sample,) = read(one(target=written))
    assert sample.target_texts == targets


def test_too_many_lines_and_bytes_are_refused(monkeypatch):
    monkeypatch.setattr(lm_eval_samples, "MAX_ITEMS", 1)
    with pytest.raises(HubError, match="more than 8 lines"):
        read(one() * 9)
    monkeypatch.setattr(lm_eval_samples, "SAMPLES_LIMIT_BYTES", 2_000)
    with pytest.raises(HubError, match="exceed 2000 bytes"):
        read(one() * 5)


# Matching ----------------------------------------------------------------------------------------


def items_of(content: bytes) -> dict[str, list[str]]:
    rows = [json.loads(line) for line in content.splitlines()]
    return {row["doc_hash"]: [f"item {n}"] for n, row in enumerate(rows)}


def test_every_item_gets_its_sample_whatever_the_order():
    content = lines("pairs")
    shuffled = content.splitlines(keepends=True)
    random.Random(3).shuffle(shuffled)
    paired = matched(read(b"".join(shuffled)), items_of(content))
    assert len(paired) == 100
    assert paired["item 0"].loglikelihoods == read(content)[0].loglikelihoods


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows[:-1], "1 of the 100 items of the benchmark have no sample"),
        (lambda rows: [*rows, rows[4]], r"more than once \(lines 5, 101"),
        (lambda rows: [*rows, one(doc_hash="a" * 64)], "1 samples are of rows that are none"),
        (lambda rows: [one(doc_hash="a" * 64), *rows[1:]], "such as line 1"),
    ],
)
def test_missing_doubled_and_foreign_rows_are_refused(change, words):
    content = lines("pairs")
    changed = b"".join(change(content.splitlines(keepends=True)))
    with pytest.raises(BadInputError, match=words):
        matched(read(changed), items_of(content))


def test_equal_rows_are_items_of_their_own():
    items = {json.loads(one())["doc_hash"]: ["first", "second"]}
    assert set(matched(read(one() * 2), items)) == {"first", "second"}
    with pytest.raises(BadInputError, match="1 of the 2 items"):
        matched(read(one()), items)
    with pytest.raises(BadInputError, match="more than once"):
        matched(read(one() * 3), items)


# Anything ----------------------------------------------------------------------------------------


def mutations(content: bytes, count: int, seed: int):
    """`content` with a few bytes changed, cut, doubled or put in."""
    drawn = random.Random(seed)
    for _ in range(count):
        found = bytearray(content)
        for _ in range(drawn.randint(1, 6)):
            place = drawn.randrange(len(found))
            match drawn.randrange(5):
                case 0:
                    found[place] = drawn.randrange(256)
                case 1:
                    del found[place : place + drawn.randint(1, 30)]
                case 2:
                    found[place:place] = found[place : place + drawn.randint(1, 50)]
                case 3:
                    found[place:place] = drawn.choice([b"NaN", b"null", b"{", b"]", b"1e999", b"-"])
                case 4:
                    found[place:place] = drawn.choice([b'"', b"\\u0000", b"\\ud800", b"\0", b"\n"])
            if not found:
                break
        yield bytes(found)


@pytest.mark.parametrize("task", list(KINDS))
def test_damaged_samples_are_read_or_refused_and_nothing_else(task):
    few = b"".join(lines(task).splitlines(keepends=True)[:3])
    for content in mutations(few, 400, seed=7):
        try:
            found = read(content, KINDS[task])
        except HubError as error:
            assert error.http_status < 500 and str(error)
        else:
            assert all(len(sample.doc_hash) == 64 for sample in found)


def test_damaged_results_are_read_or_refused_and_nothing_else():
    for content in mutations(RESULTS[:6000] + RESULTS[-3000:], 150, seed=11):
        try:
            read_results(content, task="pairs")
        except HubError as error:
            assert error.http_status < 500
    for content in mutations(RESULTS, 150, seed=13):
        try:
            told = read_results(content, task="pairs")
        except HubError:
            continue
        assert "/tmp" not in json.dumps(told.source), "a damaged path is no path"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.dictionaries(st.sampled_from(list(json.loads(one()))), JSON))
def test_any_values_in_a_line_are_read_or_refused(changes):
    row = json.loads(one()) | changes
    try:
        content = json.dumps(row).encode()
    except (ValueError, UnicodeEncodeError):
        return
    for kind in KINDS.values():
        try:
            read(content, kind)
        except HubError as error:
            assert error.http_status < 500


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.dictionaries(st.sampled_from([*json.loads(RESULTS), "x"]), JSON))
def test_any_values_in_results_are_read_or_refused(changes):
    data = json.loads(RESULTS) | changes
    try:
        read_results(json.dumps(data).encode(), task="pairs")
    except HubError as error:
        assert error.http_status < 500
