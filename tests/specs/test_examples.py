"""What the hub ships is read by the same readers as everybody's files, and can decide."""

from pathlib import Path

import pytest

from hub.formats.card import parse_card, validate_card
from training.runner.definitions import Definition
from training.specs.assembly import assemble
from training.specs.benchmark import parse_benchmark
from training.specs.benchmark_metrics import METRICS_OF, OUTPUT_TYPES
from training.specs.chunks import chunked
from training.specs.gate import GATE_PATH, parse_gate
from training.specs.recipe import parse_recipe
from training.specs.sampling import read_json_lines, select_rows
from training.specs.suite import is_suite, parse_suite
from training.statistics.planning import plan

EXAMPLES = Path(__file__).parents[2] / "examples"
DATASETS = EXAMPLES / "datasets"
FOLDERS = sorted(path for path in DATASETS.iterdir() if path.is_dir())
MODEL = EXAMPLES / "spam-guard"
FILES = sorted(str(path.relative_to(DATASETS)) for path in DATASETS.glob("*/*.yaml"))
BENCHMARKS = [name for name in FILES if not is_suite((DATASETS / name).read_bytes())]
LOOKS = (1 / 3, 2 / 3, 1.0)
SUITES = [name for name in FILES if name not in BENCHMARKS]


def test_beside_the_data_sets_lie_their_chinese_words_alone():
    assert [path.name for path in DATASETS.iterdir() if path not in FOLDERS] == ["chinese.yaml"]


def rows(name, file):
    return read_json_lines((DATASETS / name / file).read_bytes().splitlines(), file)


def benchmark(name):
    return parse_benchmark((DATASETS / name).read_bytes(), place=name)


def assembled(name):
    folder = (DATASETS / name).parent

    def opened(path):
        return (folder / path).open("rb")

    return assemble(benchmark(name), open_rows=opened, open_words=opened)


def items(name):
    return assembled(f"{name}/benchmark.yaml").items


@pytest.mark.parametrize(
    ("folder", "kind"),
    [(path, "dataset") for path in FOLDERS] + [(MODEL, "model")],
    ids=lambda value: getattr(value, "name", value),
)
def test_every_card_is_valid_and_names_its_licence(folder, kind):
    content = (folder / "README.md").read_bytes()
    assert validate_card(content, kind) == ([], [])
    assert parse_card(content, kind).data["license"] in {
        "apache-2.0", "cc-by-4.0", "cc-by-2.0", "cc0-1.0", "mit",
    }  # fmt: skip
    if kind == "dataset":
        assert "Attribution:" in content.decode()


@pytest.mark.parametrize("name", BENCHMARKS)
def test_the_runner_can_ask_every_item(name):
    found = assembled(name)
    asked = Definition(found.definition.task, found.runner_definition(), found.shots)
    for item in chunked(found.items):
        question = asked.question(item.id, item.doc, item.chunk)
        if found.definition.choices:
            assert len(set(question.choices)) == len(question.choices) >= 2
        if found.definition.output_type == "loglikelihood_rolling":
            assert question.expected[0].strip()
        else:
            assert (question.context + question.prompt).strip() or question.choices
    for metric in found.definition.metrics:
        assert metric.name == "toxicity" or question.targets or question.expected
    assert bool(found.words) == (found.definition.words is not None)


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_says_what_it_measures_and_can_decide(name):
    found = assembled(name)
    definition = found.definition
    assert definition.labels.alias
    assert definition.labels.summary.endswith(".")
    assert definition.labels.language in ("en", "zh") or name == "mgsm/both.yaml"
    assert definition.margin is not None
    if definition.primary.unit == "share":
        assert definition.margin.value >= plan(len(found.items), shares=LOOKS)
    assert len(found.items) >= 100
    clusters = {item.cluster for item in found.items}
    assert clusters == {None} or len(clusters) >= 10
    if definition.group_by:
        assert 2 <= len({item.group for item in found.items}) <= 20


def test_every_kind_of_answer_and_nearly_every_metric_is_shipped_in_both_languages():
    found = [benchmark(name) for name in BENCHMARKS]
    assert {each.output_type for each in found} == set(OUTPUT_TYPES) - {"loglikelihood"}
    shipped = {metric.name for each in found for metric in each.metrics}
    known = {name for names in METRICS_OF.values() for name in names}
    assert known - shipped == {"acc_bytes", "brier", "perplexity", "rouge1", "rouge2"}
    for language in ("en", "zh"):
        ours = [each for each in found if each.labels.language == language]
        directions = {each.direction.value for each in ours}
        assert {"higher", "lower"} <= directions
        assert {"multiple_choice", "loglikelihood_rolling", "generate_until"} <= {
            each.output_type for each in ours
        }


@pytest.mark.parametrize("name", SUITES)
def test_a_suite_names_benchmarks_that_are_shipped(name):
    suite = parse_suite((DATASETS / name).read_bytes(), repo_id="demo/suites")
    for member in suite.members:
        place = f"{member.repo_id.removeprefix('demo/')}/{member.path}"
        assert place in BENCHMARKS
        if suite.language:
            assert benchmark(place).labels.language == suite.language


def test_two_files_that_ask_the_same_share_their_digest():
    assert benchmark("bbq/benchmark.yaml").digest == benchmark("bbq/bias.yaml").digest
    digests = [benchmark(name).digest for name in BENCHMARKS]
    assert len(set(digests)) < len(digests)


def test_the_spam_items_are_balanced():
    labels = [item.group for item in items("sms_spam")]
    assert labels.count("spam") == labels.count("ham") == len(labels) / 2


def test_every_grammar_paradigm_is_asked_equally_often():
    paradigms = [item.doc["uid"] for item in items("blimp")]
    assert len(set(paradigms)) == 67
    assert len({paradigms.count(uid) for uid in set(paradigms)}) == 1


def test_examples_are_no_items():
    for name in BENCHMARKS:
        found = assembled(name)
        assert len(found.shots) == (
            found.definition.fewshot.count if found.definition.fewshot else 0
        )
        assert not [shot for shot in found.shots if shot in [item.doc for item in found.items]]


def test_the_gate_can_decide_on_its_items():
    gate = parse_gate((MODEL / GATE_PATH).read_bytes())
    for each in gate.benchmarks:
        count = len(items(each.reference.repo_id.removeprefix("demo/")))
        alpha = gate.level(is_protected=False)
        how = {"alpha": alpha, "shares": gate.looks, "spending": gate.spending}
        assert each.margin.value >= plan(count, each.discordance, power=gate.power, **how)


@pytest.mark.parametrize("name", ["good", "too-hot"])
def test_a_recipe_finds_its_rows(name):
    recipe = parse_recipe((MODEL / "recipes" / f"{name}.yaml").read_bytes(), place=name)
    dataset = recipe.dataset
    found = select_rows(rows(dataset.repo_id.removeprefix("demo/"), dataset.file), dataset.sample)
    labels = [each.row["label"] for each in found]
    assert labels.count("spam") == labels.count("ham") > 400


def test_the_two_recipes_differ_in_how_they_train_and_not_in_what():
    good, hot = (
        parse_recipe((MODEL / "recipes" / f"{name}.yaml").read_bytes())
        for name in ("good", "too-hot")
    )
    differing = {key for key in good.settings if good.settings[key] != hot.settings[key]}
    assert differing == {
        "learning_rate", "max_steps", "per_device_train_batch_size", "seed",
    }  # fmt: skip
    assert good.lora == hot.lora


def test_no_test_message_is_trained_on():
    test = {row["text"] for row in rows("sms_spam", "test.jsonl")}
    train = {row["text"] for row in rows("sms_spam", "train.jsonl")}
    assert not test & train
