"""A model against itself: other batches and threads round otherwise, and no gate may call it worse.

A run is a whole scoring of its own with a setting of its own, judged against one base scoring.
"""

from __future__ import annotations

import json
import random
from dataclasses import replace
from itertools import islice, product
from pathlib import Path

import pytest

from demo.files import cache_folder
from tests.training.factories import DATASETS, TINY
from tests.training.little_benchmarks import order_rows
from tests.training.repeated import Scored, score_repeatedly
from training.runner.precision import has_bf16
from training.runner.smollm2 import make_model
from training.statistics import looks
from training.statistics.agreement import noise_of
from training.statistics.comparison import Rule, compare
from training.statistics.pairing import ItemScore
from training.statistics.verdicts import Verdict

RUNS = 20
BASE = (2048, 1)
# Tokens a batch, from a few items at a time to all at once.
BATCHES = (64, 128, 256, 512, 768, 1024, 1536, 3072, 4096, 8192)
HOW = [BASE, *islice(product(BATCHES, (1, 2)), RUNS)]
SHARES = (1 / 3, 2 / 3, 1.0)
PAIRS = {
    "output_type": "multiple_choice", "doc_to_text": "", "target_delimiter": "",
    "doc_to_choice": "{{[sentence_good, sentence_bad]}}", "doc_to_target": 0,
    "metrics": [{"name": "acc"}],
}  # fmt: skip
ORDER = PAIRS | {
    "doc_to_text": "{{text}}", "doc_to_choice": "{{choices}}", "doc_to_target": "label",
    "target_delimiter": " ",
}  # fmt: skip


def verdicts_of(scored: list[Scored], margin: float) -> list[Verdict]:
    """What a gate says at its last look of each of the runs, against the first as the base."""
    base, *runs = scored
    assert len(runs) == RUNS
    order = sorted(base.scores)
    random.Random(0).shuffle(order)
    return [_verdict(base, run, order, Rule(margin)) for run in runs]


def _verdict(base: Scored, run: Scored, order: list[str], rule: Rule) -> Verdict:
    for look in looks.plan(len(order), SHARES, alpha=rule.alpha):
        at = replace(rule, alpha=look.alpha, final=look.count == len(order))
        sides = [
            [ItemScore(i, each.scores[i]) for i in order[: look.count]] for each in (base, run)
        ]
        found = compare(*sides, at).verdict
        if found is not Verdict.INCONCLUSIVE:
            return found
    return Verdict.INCONCLUSIVE


def require_no_fail(scored: list[Scored], *, passes_at: float) -> None:
    """No run fails at any margin that a gate would take; every run passes at `passes_at`."""
    base, *runs = scored
    rounded = [run for run in runs if run.loglikelihoods != base.loglikelihoods]
    assert len(rounded) >= RUNS // 2, "the runs were other computations"
    for margin in (0.01, 0.02, 0.05):
        assert set(verdicts_of(scored, margin)) <= {Verdict.PASS, Verdict.INCONCLUSIVE}
    assert set(verdicts_of(scored, passes_at)) == {Verdict.PASS}
    for run in runs:
        scores = [[each.scores[i] for i in sorted(base.scores)] for each in (base, run)]
        assert noise_of(*scores) < passes_at


@pytest.mark.timeout(900)
def test_twenty_runs_of_the_tiny_model_show_no_fail(tmp_path):
    """In bfloat16 wherever it runs; a processor without it computes that slowly: few items."""
    rows = order_rows()[:100]
    scored = score_repeatedly(TINY, rows, ORDER, dtype="bfloat16", how=HOW, folder=tmp_path)
    require_no_fail(scored, passes_at=0.05)


@pytest.mark.real_model
@pytest.mark.timeout(1800)
def test_twenty_runs_of_a_real_model_show_no_fail(tmp_path):
    """In bfloat16, in which batches matter most, where the processor has it.

    The shortest sentences, in half the tokens a batch: as many items in each for half the work.
    """
    lines = (DATASETS / "blimp" / "test.jsonl").read_text().splitlines()
    rows = sorted(map(json.loads, lines), key=lambda row: len(row["sentence_good"]))[:101]
    dtype = "bfloat16" if has_bf16("cpu") else "float32"
    how = [(batch_tokens // 2, threads) for batch_tokens, threads in HOW]
    scored = score_repeatedly(smollm2(), rows, PAIRS, dtype=dtype, how=how, folder=tmp_path)
    require_no_fail(scored, passes_at=0.08)


def smollm2() -> Path:
    cache = cache_folder()
    return make_model(cache / "smollm2-135m-instruct", cache=cache / "wheels")
