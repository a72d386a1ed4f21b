"""Damaged models are caught as often as the calculator promises, and harmless changes pass.

Real gates on the tiny model, in the real sandbox. A gate with one look asks every item on both
sides; what it stored is the population from which smaller benchmarks are drawn and judged again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from hub.gitstore import AddFile
from reviews.models import Discussion
from tests.factories import actor
from tests.training.damage import (
    Tensors,
    in_bfloat16,
    in_shards,
    untied,
    with_faded_rows,
    with_noise,
    with_swapped_rows,
    write,
)
from tests.training.factories import TINY, commit
from tests.training.weighed_models import (
    WEIGHTS,
    Damage,
    Stand,
    damage_of,
    little_tensors,
    make_stand,
    tokens,
)
from training.actions.runs import submit_finetune
from training.jobs.execute import execute
from training.models import Run

# Seconds each on a machine of one's own; neighbours make the sandboxed process much slower.
pytestmark = [pytest.mark.usefixtures("transactional_db"), pytest.mark.timeout(900)]
ITEMS, SAMPLES = 300, 300
# The calculator takes sums of items as normal, and the variance as known.
APPROXIMATION = 0.02
POEMS = """\
dataset: {repo_id: DATA, file: learn.jsonl}
prompt: "{{title}}"
completion: "{{text}}"
max_steps: 16
learning_rate: 5e-3
per_device_train_batch_size: 8
max_length: 64
lora: {r: 8, lora_alpha: 16}
"""


@pytest.fixture
def stand(settings) -> Stand:
    settings.RUN_THREADS = 1
    return make_stand()


def with_own_head(change: Callable[[Tensors], Tensors]) -> dict[str, bytes]:
    """The tiny model's files with a change of its output embedding, no longer that of the input."""
    tensors, config = untied(little_tensors(), (TINY / "config.json").read_bytes())
    return {WEIGHTS: write(change(tensors)), "config.json": config}


def require_promised_power(damage: Damage) -> None:
    """As many are refused as the calculator says, wherever the margin lies beside the true loss.

    Whatever is worse than the margin passes one time in twenty at most.
    """
    assert damage.delta < 0
    error = float(damage.changes.std()) / ITEMS**0.5
    for distance in (-1.0, 0.0, 1.5, 3.0):
        margin = distance * error - damage.delta
        asked = replace(damage, rule=replace(damage.rule, margin=margin, relative_margin=False))
        promised, refused = asked.promised(ITEMS), asked.refused(ITEMS, samples=SAMPLES)
        chance = 3 * (max(promised * (1 - promised), 1 / SAMPLES) / SAMPLES) ** 0.5
        assert refused == pytest.approx(promised, abs=chance + APPROXIMATION), distance
        assert distance > 0 or refused > 0.95 - chance


def test_noise_in_one_layer_is_caught(stand):
    stand.rule("order.yaml, margin: 0.04", "speeches.yaml, margin: 1%")
    record, _run = stand.weigh({WEIGHTS: write(with_noise(little_tensors(), 0, 1.75))})
    for key in ("order", "speeches"):
        require_promised_power(damage_of(stand, record, key))
    assert record.verdict == "fail"


def test_swapped_labels_are_caught(stand):
    stand.rule("next.yaml, margin: 0.03")
    one, other = tokens("to", "of"), tokens("is", "in")
    files = with_own_head(lambda tensors: with_swapped_rows(tensors, [one, other]))
    record, _run = stand.weigh(files)
    require_promised_power(damage_of(stand, record, "next"))
    assert record.verdict == "fail"


def test_added_bias_is_caught(stand):
    stand.rule("preference.yaml, margin: 0.05")
    fading = tokens("you", "your")
    record, _run = stand.weigh(with_own_head(lambda t: with_faded_rows(t, fading, 0.16)))
    require_promised_power(damage_of(stand, record, "preference"))
    assert record.verdict == "fail"


def test_a_fine_tune_that_forgets_its_language_is_caught(stand):
    """It learns Chinese poems, which is what it aims at, and loses its English."""
    stand.rule("poems.yaml, margin: 5%, role: target", "order.yaml, margin: 0.04")
    recipe = POEMS.replace("DATA", stand.data.repo_id)
    commit(stand.model, [AddFile("recipes/poems.yaml", recipe.encode())])
    run = submit_finetune(stand.model, actor(stand.owner), recipe_path="recipes/poems.yaml")
    execute(run.pk)
    run.refresh_from_db()
    assert run.error == ""
    pull_request = Discussion.objects.get(repository=stand.model, number=run.pull_request_number)
    gate = Run.objects.get(kind="compare", pull_request_number=pull_request.number)
    record, _run = stand.carry_out(gate)
    require_promised_power(damage_of(stand, record, "order"))
    poems, order = record.results
    assert (poems["verdict"], poems["label"]) == ("pass", "improved")
    assert (order["verdict"], order["label"]) == ("fail", "regressed")
    assert record.verdict == "fail"


def test_harmless_changes_pass(stand):
    """All of them change the files, so that every one is measured anew."""
    stand.rule("order.yaml, margin: 0.05, limit: 300", "speeches.yaml, margin: 0.5%, limit: 100")
    tensors, config = little_tensors(), (TINY / "config.json").read_bytes()
    cast = {
        WEIGHTS: write(in_bfloat16(tensors)),
        "config.json": config.replace(b"float32", b"bfloat16"),
    }
    record, _run = stand.weigh(cast)
    assert (record.verdict, record.run.spec["settings"]["dtype"]) == ("pass", "float32")
    assert record.results[1]["candidate_score"] != record.results[1]["base_score"]
    for files, without in (
        (in_shards(tensors, 3), (WEIGHTS,)),
        (in_shards(tensors, 1), (WEIGHTS,)),
        ({WEIGHTS: write(dict(reversed(tensors.items())), {"saved by": "hand"})}, ()),
    ):
        record, run = stand.weigh(files, without=without)
        assert run.cpu_seconds, "its scores were not known before"
        assert record.verdict == "pass"
        for result in record.results:
            assert result["candidate_score"] == result["base_score"]
