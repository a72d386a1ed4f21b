"""What the demo ships is read by the same readers as everybody's files, and can decide."""

from pathlib import Path

import pytest

from hub.formats.card import parse_card, validate_card
from training.runner.benchmarks import Definition
from training.specs.benchmark import parse_benchmark
from training.specs.gate import GATE_PATH, parse_gate, require_decidable
from training.specs.items import select_items
from training.specs.recipe import parse_recipe
from training.specs.sampling import read_json_lines, select_rows

EXAMPLES = Path(__file__).parents[2] / "examples"
DATASETS = EXAMPLES / "datasets"
MODEL = EXAMPLES / "spam-guard"


def rows(name, file):
    return read_json_lines((DATASETS / name / file).read_bytes().splitlines(), file)


def benchmark(name):
    return parse_benchmark((DATASETS / name / "benchmark.yaml").read_bytes(), place=name)


def items(name):
    definition = benchmark(name)
    return select_items(rows(name, definition.file), definition)


@pytest.mark.parametrize(
    ("folder", "kind"),
    [(path, "dataset") for path in sorted(DATASETS.iterdir())] + [(MODEL, "model")],
    ids=lambda value: getattr(value, "name", value),
)
def test_every_card_is_valid_and_names_its_licence(folder, kind):
    content = (folder / "README.md").read_bytes()
    assert validate_card(content, kind) == ([], [])
    assert parse_card(content, kind).data["license"] in {"apache-2.0", "cc-by-4.0", "mit"}
    if kind == "dataset":
        assert "Attribution:" in content.decode()


@pytest.mark.parametrize("name", sorted(path.name for path in DATASETS.iterdir()))
def test_the_runner_can_ask_every_item(name):
    asked = Definition(name, benchmark(name).runner_definition())
    for item in items(name):
        question = asked.question({"id": item.id, "doc": item.doc, "group": item.group})
        assert len(question.choices) == 2
        assert question.choices[0] != question.choices[1]


def test_the_spam_items_are_balanced():
    labels = [item.group for item in items("sms_spam")]
    assert labels.count("spam") == labels.count("ham") == len(labels) / 2


def test_every_grammar_paradigm_is_asked_equally_often():
    paradigms = [item.doc["uid"] for item in items("blimp")]
    assert len(set(paradigms)) == 67
    assert len({paradigms.count(uid) for uid in set(paradigms)}) == 1


def test_the_gate_can_decide_on_its_items():
    gate = parse_gate((MODEL / GATE_PATH).read_bytes())
    counts = {
        str(each.reference): len(items(each.reference.repo_id.removeprefix("demo/")))
        for each in gate.benchmarks
    }
    require_decidable(gate, counts)


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
