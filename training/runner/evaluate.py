"""The evaluate job: every side on every benchmark, one event an item, look by look."""

import json
import re
import time
from pathlib import Path
from typing import Any

from training.runner.benchmarks import Asked, read_benchmark
from training.runner.definitions import Question
from training.runner.errors import BadJobError, RunnerError
from training.runner.events import Events
from training.runner.job import EvaluateJob, Side
from training.runner.rows import read_rows
from training.runner.sides import Models
from training.runner.stopping import Stop

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
SHOWN_CHARACTERS = 4_000
NOTHING: dict[str, Any] = {
    "metrics": {}, "sums": {}, "pred": None, "target": None, "loglikelihoods": [], "greedy": [],
    "tie": False, "truncated": False, "output": None, "outputs": [], "extracted": None,
    "nll": None, "bytes": None, "tokens": None,
}  # fmt: skip


def run(job: EvaluateJob, events: Events, stop: Stop) -> dict[str, Any]:
    """Score what earlier tries left open; counts of items and seconds by side and benchmark."""
    _check_names(job)
    asked = {benchmark.name: read_benchmark(benchmark) for benchmark in job.benchmarks}
    _write_questions(Path(job.out) / "result", asked)
    evaluation = Evaluation(job, asked, events, stop)
    evaluation.run()
    counts = {name: len(each.questions) for name, each in asked.items()}
    return {
        "items": counts, "seconds": evaluation.seconds(), "dtype": job.dtype, "device": job.device,
    }  # fmt: skip


class Evaluation:
    """The stages of one job, each over all sides and benchmarks."""

    def __init__(
        self, job: EvaluateJob, asked: dict[str, Asked], events: Events, stop: Stop
    ) -> None:
        self.job, self.asked, self.events, self.stop = job, asked, events, stop
        everything = {name: len(each.questions) for name, each in asked.items()}
        self.stages = job.stages or [everything]
        self.models = Models(job, stop)
        self.done = {
            (side.name, name): _done_ids(Path(job.done) / side.name / f"{name}.jsonl")
            for side in job.sides
            for name in asked
        }
        self.spent: dict[tuple[str, str], float] = {}
        self.passed = 0
        self.total = len(job.sides) * sum(
            sum(map(len, each.chunks(stop=max(stage.get(name, 0) for stage in self.stages))))
            for name, each in asked.items()
        )

    def run(self) -> None:
        before = dict.fromkeys(self.asked, 0)
        for number, stage in enumerate(self.stages, start=1):
            for side in self.job.sides:
                for name in self.asked:
                    for chunk in self.asked[name].chunks(before[name], stage.get(name, 0)):
                        self._chunk(side, name, chunk)
            before = {name: max(before[name], stage.get(name, 0)) for name in before}
            self.events.emit("look", number=number)

    def seconds(self) -> dict[str, dict[str, float]]:
        """Seconds by side: for loading the model as `load`, and for each benchmark."""
        found = {side: {"load": seconds} for side, seconds in self.models.seconds.items()}
        for (side, name), seconds in self.spent.items():
            found[side][name] = round(seconds, 3)
        return found

    def _chunk(self, side: Side, name: str, chunk: list[Question]) -> None:
        """Answer the questions of a chunk that are wanted and that no earlier try has answered."""
        done = self.done[side.name, name]
        settled = (Path(self.job.skip) / name).exists()
        if settled or all(question.id in done for question in chunk):
            self._pass(len(chunk))
            return
        way = self.models.way(side, self.asked[name])
        started = time.monotonic()
        for batch in way.batches(chunk):
            self.stop.check()
            questions = [chunk[ask.number] for ask in batch]
            # A batch is skipped only when all of it is known: rounding depends on its neighbours.
            if any(question.id not in done for question in questions):
                for question, fields in zip(questions, way.answers(chunk, batch), strict=True):
                    if question.id not in done:
                        self._tell(side, name, question, fields)
            self._pass(len(batch))
        key = side.name, name
        self.spent[key] = self.spent.get(key, 0.0) + time.monotonic() - started

    def _tell(self, side: Side, name: str, question: Question, fields: dict[str, Any]) -> None:
        known = {"side": side.name, "benchmark": name, "id": question.id}
        self.events.emit("item", **known, **NOTHING | {"target": question.target} | fields)

    def _pass(self, count: int) -> None:
        self.passed += count
        self.events.progress(self.passed, self.total, "items")


def _check_names(job: EvaluateJob) -> None:
    for kind, things in (("side", job.sides), ("benchmark", job.benchmarks)):
        names = [thing.name for thing in things]
        wrong = [name for name in names if not NAME.fullmatch(name)]
        if wrong or not names or len(set(names)) < len(names):
            raise BadJobError(
                f"Every {kind} needs a name of its own of letters, digits, '.', '_', '-'; "
                f"the job has {names}."
            )
    known = {benchmark.name for benchmark in job.benchmarks}
    for stage in job.stages:
        if unknown := sorted(set(stage) - known):
            raise BadJobError(f"A stage names {unknown[0]}; the benchmarks are {sorted(known)}.")


def _done_ids(path: Path) -> set[str]:
    """Ids that an earlier try of this job has answered."""
    if not path.is_file():
        return set()
    return {str(row.get("id")) for row in read_rows(path, error=RunnerError)}


def _write_questions(folder: Path, asked: dict[str, Asked]) -> None:
    """What each benchmark asked, for people: `questions-BENCHMARK.jsonl`, long texts cut.

    The prompt is the item's own; the examples before it are the same for all.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, each in asked.items():
        with (folder / f"questions-{name}.jsonl").open("w", encoding="utf-8") as file:
            for q in each.questions:
                row = {
                    "id": q.id, "prompt": q.prompt[:SHOWN_CHARACTERS], "target": q.target,
                    "choices": [choice[:SHOWN_CHARACTERS] for choice in q.choices],
                    "expected": (q.expected or ("",))[0][:SHOWN_CHARACTERS], "context": "",
                }  # fmt: skip
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
