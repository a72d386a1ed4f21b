"""Task files of lm-evaluation-harness: what is taken over, what is left out, what is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.errors import BadInputError
from training.runner.definitions import Definition
from training.specs.benchmark import parse_benchmark
from training.specs.suite import is_suite
from training.specs.task_import import import_task

TASKS = Path(__file__).parent / "tasks"
# What a task file may include.
SHARED = {path.name: path.read_bytes() for path in TASKS.iterdir() if path.name != "README.md"}


def imported(name, **options):
    return import_task((TASKS / name).read_bytes(), files=SHARED, **options)


def sentences(notes):
    return [str(note) for note in notes]


@pytest.mark.parametrize(
    ("name", "kind", "metrics", "file"),
    [
        ("arc_easy.yaml", "multiple_choice", ["acc", "acc_norm"], "ARC-Easy/test.jsonl"),
        ("piqa.yaml", "multiple_choice", ["acc", "acc_norm"], "validation.jsonl"),
        ("boolq.yaml", "multiple_choice", ["acc"], "boolq/validation.jsonl"),
        ("sciq.yaml", "multiple_choice", ["acc", "acc_norm"], "test.jsonl"),
        ("mmlu_anatomy.yaml", "multiple_choice", ["acc"], "anatomy/test.jsonl"),
        ("ceval-valid_law.yaml", "multiple_choice", ["acc", "acc_norm"], "law/val.jsonl"),
        ("cb.yaml", "multiple_choice", ["acc"], "cb/validation.jsonl"),
        ("mrpc.yaml", "multiple_choice", ["acc"], "mrpc/validation.jsonl"),
        ("blimp_adjunct_island.yaml", "multiple_choice", ["acc"], "adjunct_island/train.jsonl"),
        ("gsm8k.yaml", "generate_until", ["exact_match"], "main/test.jsonl"),
        ("mgsm_direct_en.yaml", "generate_until", ["exact_match"], "en/test.jsonl"),
        ("triviaqa.yaml", "generate_until", ["exact_match"], "rc.nocontext/validation.jsonl"),
        ("wmt16_en-de.yaml", "generate_until", ["bleu", "chrf"], "de-en/test.jsonl"),
        ("lambada_openai.yaml", "loglikelihood", ["perplexity", "acc"], "default/test.jsonl"),
    ],
)
def test_a_task_of_plain_values_is_taken_over(name, kind, metrics, file):
    found = imported(name)
    assert found.refusals == ()
    assert found.definition.output_type == kind
    assert [metric.name for metric in found.definition.metrics] == metrics
    assert found.file == file
    assert parse_benchmark(found.text) == found.definition
    Definition(found.definition.task, found.definition.runner_definition())
    assert any("is not on this hub: put its rows" in note for note in sentences(found.notes))


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("hellaswag.yaml", ["process_docs: !function utils.process_docs names code"]),
        ("winogrande.yaml", [
            "doc_to_text: !function preprocess_winogrande.doc_to_text names code",
            "doc_to_target: !function preprocess_winogrande.doc_to_target names code",
            "doc_to_choice: !function preprocess_winogrande.doc_to_choice names code",
        ]),
        ("xcopa_zh.yaml", [
            "doc_to_choice: !function utils.doc_to_choice names code",
            "doc_to_text: !function utils.doc_to_text_zh names code",
        ]),
        ("wikitext.yaml", [
            "doc_to_target: !function preprocess_wikitext.wikitext_detokenizer names code",
            "process_results: !function preprocess_wikitext.process_results names code",
        ]),
        ("crows_pairs_english.yaml", [
            "doc_to_choice: !function utils.doc_to_choice names code",
            "process_results: !function utils.process_results names code",
        ]),
        ("toxigen.yaml", ["doc_to_target: !function utils.doc_to_target names code"]),
        ("humaneval.yaml", [
            "unsafe_code runs what the model writes",
            "None of its metrics can be computed here",
            "None of its filters can be applied here",
        ]),
        ("_mmlu.yaml", ["This is a group of tasks"]),
    ],
)  # fmt: skip
def test_a_task_that_needs_code_is_refused_by_key_and_tag(name, reasons):
    found = imported(name)
    assert (found.text, found.definition) == ("", None)
    told = sentences(found.refusals)
    for reason in reasons:
        assert any(reason in sentence for sentence in told), told


def test_an_include_that_was_not_given_along_is_named():
    content = (TASKS / "mgsm_direct_en.yaml").read_bytes()
    (refusal,) = import_task(content).refusals
    assert "include brings in direct_yaml, which is not here" in str(refusal)
    given_along = import_task(content, files={"somewhere/direct_yaml": SHARED["direct_yaml"]})
    assert given_along.refusals == ()


def test_files_that_include_each_other_are_refused():
    with pytest.raises(BadInputError, match="included by what it includes"):
        import_task("include: a\ntask: t", files={"a": "include: b", "b": "include: a"})


def test_the_examples_and_filters_come_along():
    found = imported("gsm8k.yaml", repo_id="demo/gsm8k")
    asked = found.definition
    assert (asked.repo_id, asked.fewshot.file, asked.fewshot.count) == (
        "demo/gsm8k", "main/train.jsonl", 5,
    )  # fmt: skip
    told = asked.runner_definition()
    assert told["filter"] == [
        {
            "function": "regex",
            "regex_pattern": "#### (\\-?[0-9\\.\\,]+)",
            "group_select": 0,
            "fallback": "[invalid]",
        },
        {"function": "take_first"},
    ]
    assert told["metrics"][0]["regexes_to_ignore"] == [",", "\\$", "(?s).*#### ", "\\.$"]
    notes = " ".join(sentences(found.notes))
    assert "The rows of openai/gsm8k are read from demo/gsm8k." in notes
    assert "every item gets the same ones" in notes
    assert "2 filters, and its metrics look through strict-match" in notes


def test_a_data_set_of_this_hub_is_kept():
    found = imported("piqa.yaml", knows=lambda repo_id: repo_id == "baber/piqa")
    assert (found.definition.repo_id, found.dataset_path) == ("baber/piqa", None)
    elsewhere = imported("piqa.yaml")
    assert (elsewhere.definition.repo_id, elsewhere.dataset_path) == (None, "baber/piqa")
    named = imported("piqa.yaml", repo_id="me/piqa", data_file="data/valid.parquet")
    assert (named.definition.repo_id, named.file) == ("me/piqa", "data/valid.parquet")


@pytest.mark.parametrize(
    ("lines", "file", "note"),
    [
        ("dataset_path: json\ndataset_kwargs: {data_files: {test: a/b.json}}", "a/b.json", ""),
        ("dataset_path: csv", "test.csv", ""),
        ("dataset_path: parquet\ndataset_kwargs: {data_files: x.parquet}", "x.parquet", ""),
        ("dataset_path: json\ndataset_kwargs: {data_files: [/home/me/x.jsonl]}", "x.jsonl",
         "data_files names /home/me/x.jsonl"),
        ("dataset_path: json\ndataset_kwargs: {data_files: 'https://a.b/x.json?c=1'}", "x.json",
         "data_files names https://a.b/x.json"),
        ("dataset_path: json\ndataset_kwargs: {trust_remote_code: true}", "test.jsonl",
         "dataset_kwargs.trust_remote_code is left out"),
        ("dataset_path: text\ndataset_kwargs: {sample_by: document}", "test.txt", ""),
    ],
)  # fmt: skip
def test_files_that_come_along_lie_beside_the_benchmark(lines, file, note):
    found = import_task(
        f"task: t\noutput_type: loglikelihood_rolling\ndoc_to_target: text\n{lines}\n"
    )
    assert found.refusals == ()
    assert (found.file, found.definition.repo_id, found.dataset_path) == (file, None, None)
    assert note in " ".join(sentences(found.notes))


BASE = "task: t\ntest_split: test\ndoc_to_text: q\ndoc_to_target: a\n"


@pytest.mark.parametrize(
    ("lines", "note"),
    [
        ("", "It names no output_type: generate_until"),
        ("group: old", "group is read as tag"),
        ("should_decontaminate: true\nrecipe: x", "no number here: should_decontaminate, re"),
        ("doc_to_decontamination_query: !function utils.q", "doc_to_decontamination_query"),
        ("generation_kwargs: {max_gen_toks: 32768}", "lowered from 32768 to 2048"),
        ("metric_list: [{metric: exact_match}, {metric: ter}]", "The metric ter is left out"),
        ("metric_list: [{metric: exact_match, aggregation: !function a.b}, {metric: f1}]",
         "The metric exact_match is left out: metric_list[0].aggregation: !function a.b"),
        ("metric_list: [{metric: f1, stem: true}, {metric: bleu}]",
         "its stem is not known"),
        ("metric_list: [{metric: f1, aggregation: median}, {metric: bleu}]",
         "its aggregation median is not computed"),
        ("filter_list: [{name: vote, filter: [{function: majority_vote}]}, {name: a, filter: []}]",
         "The filter vote is left out: majority_vote"),
        ("num_fewshot: 2\nvalidation_split: dev", "The examples are taken from dev"),
        ("doc_to_choice: {a: x, b: y}", "doc_to_choice is left out: generate_until has no use"),
    ],
)  # fmt: skip
def test_what_is_left_out_is_said(lines, note):
    found = import_task(BASE + lines)
    assert found.refusals == ()
    assert note in " ".join(sentences(found.notes))


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("custom: !!python/name:os.system ''", "custom: !!python/name:os.system names code"),
        ("fewshot_config: {samples: !include x.yaml}", "fewshot_config.samples: !include x.yaml"),
        ("generation_kwargs: {num_beams: 4}", "generation_kwargs.num_beams changes the answers"),
        ("metric_list: [{metric: !function u.f}]", "None of its metrics"),
        ("output_type: greedy_until", "output_type is greedy_until"),
        ("gen_prefix: 'The answer is'", "gen_prefix begins the answer"),
        ("doc_to_image: picture", "doc_to_image shows images"),
        ("num_fewshot: 5", "no fewshot_split"),
        ("num_fewshot: 5\nfewshot_split: test", "so that no question shows its own answer"),
        ("num_fewshot: 1\nfewshot_config: {doc_to_text: x}", "fewshot_config.doc_to_text is not"),
        ("dataset_kwargs: {data_files: {test: [a, b]}}", "several files for test"),
        ("doc_to_text: 5\noutput_type: generate_until", "repeats the key"),
        ("repeats: 8", "every answer is the same"),
    ],
)
def test_what_would_change_the_numbers_is_refused(lines, reason):
    try:
        told = sentences(import_task(BASE + lines).refusals)
    except BadInputError as error:
        told = [str(error)]
    assert reason in " ".join(told)


def test_a_file_without_a_task_is_no_task():
    assert "has no task" in str(import_task("doc_to_text: x").refusals[0])
    assert is_suite((TASKS / "_mmlu.yaml").read_bytes())
    for wrong in (b"\xff", "- a", "a: &x 1\nb: *x", "{" * 40, "a: [!b"):
        with pytest.raises(BadInputError):
            import_task(wrong)


@given(st.text(alphabet="abt:!&*[]{}, \n-|>#'\"%é中", max_size=60))
def test_any_text_is_imported_or_refused(text):
    try:
        found = import_task(BASE + text)
    except BadInputError:
        return
    assert bool(found.refusals) != bool(found.text)
