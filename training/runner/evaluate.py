"""The evaluate job: every side on every benchmark, one event an item."""

import json
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.runner.benchmarks import Question, read_questions
from training.runner.encoding import encode_pair
from training.runner.errors import BadJobError, RunnerError
from training.runner.events import Events
from training.runner.job import EvaluateJob, Side
from training.runner.models import dtype_named, load_side
from training.runner.rows import read_rows
from training.runner.scoring import Ask, Scorer, batches
from training.runner.stopping import Stop

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
SHOWN_CHARACTERS = 4_000


def run(job: EvaluateJob, events: Events, stop: Stop) -> dict[str, Any]:
    """Score what earlier tries left open; counts of items and seconds by side and benchmark."""
    _check_names(job)
    questions = {b.name: read_questions(b) for b in job.benchmarks}
    _write_questions(Path(job.out) / "result", questions)
    progress = Counter(events, len(job.sides) * sum(map(len, questions.values())))
    seconds: dict[str, dict[str, float]] = {}
    for side in job.sides:
        done = {name: _done_ids(Path(job.done) / side.name / f"{name}.jsonl") for name in questions}
        open_names = [n for n, asked in questions.items() if {q.id for q in asked} - done[n]]
        for name in set(questions) - set(open_names):
            progress.add(len(questions[name]))
        if open_names:
            asked = {name: questions[name] for name in open_names}
            seconds[side.name] = SideRun(job, side, events, stop, progress).score(asked, done)
    counts = {name: len(asked) for name, asked in questions.items()}
    return {"items": counts, "seconds": seconds, "dtype": job.dtype, "device": job.device}


class Counter:
    """Tells the worker how many items are behind us."""

    def __init__(self, events: Events, total: int) -> None:
        self.events, self.total, self.done = events, total, 0

    def add(self, count: int) -> None:
        self.done += count
        self.events.progress(self.done, self.total, "items")


class SideRun:
    """One model, loaded once, on the benchmarks it still has to answer."""

    def __init__(
        self, job: EvaluateJob, side: Side, events: Events, stop: Stop, progress: Counter
    ) -> None:
        self.job, self.side, self.events = job, side, events
        self.stop, self.progress = stop, progress

    def score(
        self, questions: dict[str, list[Question]], done: dict[str, set[str]]
    ) -> dict[str, float]:
        """Seconds a benchmark, and for loading the model."""
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as scratch:
            model, tokenizer = load_side(
                Path(self.side.model), self.side.adapters,
                dtype=dtype_named(self.job.dtype), scratch=Path(scratch),
            )  # fmt: skip
        scorer = Scorer(model, self.job.device)
        seconds = {"load": round(time.monotonic() - started, 3)}
        for name, asked in questions.items():
            started = time.monotonic()
            for question, numbers in self._scored(scorer, tokenizer, asked, done[name]):
                self._tell(name, question, numbers)
            seconds[name] = round(time.monotonic() - started, 3)
        return seconds

    def _scored(
        self, scorer: Scorer, tokenizer: Any, asked: list[Question], done: set[str]
    ) -> Iterator[tuple[Question, list[float]]]:
        asks = [Ask(number, _requests(tokenizer, q)) for number, q in enumerate(asked)]
        for batch in batches(asks, self.job.batch_tokens):
            self.stop.check()
            # A batch is skipped only when all of it is known: rounding depends on its neighbours.
            if any(asked[ask.number].id not in done for ask in batch):
                for ask, numbers in zip(batch, scorer.score(batch), strict=True):
                    if asked[ask.number].id not in done:
                        yield asked[ask.number], numbers
            self.progress.add(len(batch))

    def _tell(self, benchmark: str, question: Question, numbers: list[float]) -> None:
        """One item event. A tie for the best choice is wrong, and flagged."""
        best = max(numbers)
        tie = numbers.count(best) > 1
        pred = numbers.index(best)
        group = {} if question.group is None else {"group": question.group}
        self.events.emit(
            "item", side=self.side.name, benchmark=benchmark, id=question.id,
            score=float(pred == question.target and not tie), pred=pred, target=question.target,
            loglikelihoods=[round(number, 6) for number in numbers], tie=tie, **group,
        )  # fmt: skip


def _requests(tokenizer: Any, question: Question) -> tuple[Any, ...]:
    """One request a choice. Without a prompt the choice is the whole text, without delimiter."""
    delimiter = question.delimiter if question.prompt else ""
    return tuple(
        encode_pair(tokenizer, question.prompt, delimiter + choice) for choice in question.choices
    )


def _check_names(job: EvaluateJob) -> None:
    for kind, things in (("side", job.sides), ("benchmark", job.benchmarks)):
        names = [thing.name for thing in things]
        wrong = [name for name in names if not NAME.fullmatch(name)]
        if wrong or not names or len(set(names)) < len(names):
            raise BadJobError(
                f"Every {kind} needs a name of its own of letters, digits, '.', '_', '-'; "
                f"the job has {names}."
            )


def _done_ids(path: Path) -> set[str]:
    """Ids that an earlier try of this job has answered."""
    if not path.is_file():
        return set()
    return {str(row.get("id")) for row in read_rows(path, error=RunnerError)}


def _write_questions(folder: Path, questions: dict[str, list[Question]]) -> None:
    """What each benchmark asked, for people: `questions-BENCHMARK.jsonl`, long prompts cut."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, asked in questions.items():
        with (folder / f"questions-{name}.jsonl").open("w", encoding="utf-8") as file:
            for q in asked:
                row = {
                    "id": q.id, "prompt": q.prompt[:SHOWN_CHARACTERS], "target": q.target,
                    "choices": [choice[:SHOWN_CHARACTERS] for choice in q.choices],
                }  # fmt: skip
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
