"""The sandboxed part of a gate run: both sides on every benchmark that has no scores yet."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from training.jobs.benchmarks import Benchmark, write_items
from training.jobs.evaluations import Side, find, keep
from training.jobs.inputs import files_of, lay_out
from training.jobs.items import (
    Item,
    ItemsError,
    check_items,
    read_item,
    read_lines,
    with_questions,
)
from training.jobs.lease import Lease
from training.jobs.recorder import Recorder
from training.jobs.sandboxed import Event, RunnerJob
from training.jobs.workspace import Workspace
from training.models import Evaluation, Run
from training.sandbox import collect
from training.specs.items import Item as IssuedItem

QUESTIONS_LIMIT_BYTES = 512 * 1024**2
Pair = tuple[str, str]  # the side's name and the benchmark's key


class Scoring:
    """Scores what is missing; nothing that has an evaluation is ever computed again."""

    def __init__(
        self,
        lease: Lease,
        workspace: Workspace,
        recorder: Recorder,
        *,
        sides: list[Side],
        issued: dict[str, list[IssuedItem]],
        benchmarks: list[Benchmark],
    ) -> None:
        self.lease, self.workspace, self.recorder = lease, workspace, recorder
        self.run_row: Run = lease.run
        self.sides, self.benchmarks, self.issued = sides, benchmarks, issued
        self.files: dict[Pair, IO[str]] = {}

    def evaluations(self) -> dict[Pair, Evaluation]:
        """The evaluation of each side on each benchmark.

        Raises: ItemsError when the results are not exactly those of the items issued.
        """
        found = self._known()
        missing = [pair for pair in self._pairs() if pair not in found]
        if missing:
            seconds = self._run(found)
            for side, benchmark in missing:
                items = self._collected(side, benchmark)
                found[side, benchmark] = self._keep(side, benchmark, items, seconds)
        return found

    def _pairs(self) -> list[Pair]:
        return [(side.name, benchmark.key) for side in self.sides for benchmark in self.benchmarks]

    def _known(self) -> dict[Pair, Evaluation]:
        digest = self.run_row.spec["settings_digest"]
        found = {
            (side.name, benchmark.key): find(self.run_row.repository_id, side, benchmark, digest)
            for side in self.sides
            for benchmark in self.benchmarks
        }
        return {pair: evaluation for pair, evaluation in found.items() if evaluation is not None}

    def _run(self, known: dict[Pair, Evaluation]) -> dict[str, Any]:
        """Score in the sandbox; seconds by side and benchmark."""
        inputs = self.workspace.inputs
        mounts: dict[str, Path] = {}
        for side in self.sides:
            given = self.run_row.inputs(side.name)[0]
            large = lay_out(self.run_row.repository, files_of(given), inputs / side.name)
            mounts |= {f"/in/{side.name}/{path}": place for path, place in large.items()}
        for benchmark in self.benchmarks:
            path = inputs / "items" / f"{benchmark.key}.jsonl"
            write_items(self.issued[benchmark.key], path)
        for pair in self._pairs():
            self._mark_done(pair, whole=pair in known)
        runner = RunnerJob(self.lease, self.workspace, self.recorder)
        runner.on_item = self._take
        with ExitStack() as stack:
            for pair in self._pairs():
                opened = self._items_file(*pair).open("a", encoding="utf-8", buffering=1)
                self.files[pair] = stack.enter_context(opened)
            result = runner.run(self._job(), mounts)
        seconds = result.get("seconds")
        return seconds if isinstance(seconds, dict) else {}

    def _job(self) -> dict[str, Any]:
        return {
            "kind": "evaluate",
            "out": "/out",
            "sides": [{"name": side.name, "model": f"/in/{side.name}"} for side in self.sides],
            "benchmarks": [
                {
                    "name": benchmark.key,
                    "items": f"/in/items/{benchmark.key}.jsonl",
                    "definition": benchmark.definition.runner_definition(),
                }
                for benchmark in self.benchmarks
            ],
            "done": "/in/done",
            **self.run_row.spec["settings"],
        }

    def _items_file(self, side: str, benchmark: str) -> Path:
        place = self.workspace.items / side / f"{benchmark}.jsonl"
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def _mark_done(self, pair: Pair, *, whole: bool) -> None:
        """Take over what earlier attempts scored, and tell the runner what it need not ask."""
        side, benchmark = pair
        rows: dict[str, dict[str, Any]] = {}
        for earlier in self.workspace.earlier_items(side, benchmark):
            rows |= {str(row.get("id")): row for row in read_lines(earlier)}
        with self._items_file(side, benchmark).open("w", encoding="utf-8") as out:
            out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows.values())
        ids = [item.id for item in self.issued[benchmark]] if whole else list(rows)
        place = self.workspace.inputs / "done" / side / f"{benchmark}.jsonl"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("".join(json.dumps({"id": item_id}) + "\n" for item_id in ids))

    def _take(self, event: Event) -> None:
        """Write down one item result as it comes; it is looked at when all have come.

        Raises: ItemsError when it belongs to nothing that was asked.
        """
        file = self.files.get((str(event.get("side")), str(event.get("benchmark"))))
        if file is None:
            raise ItemsError("unknown_items", examples=[str(event.get("benchmark"))[:80]])
        read_item(event)
        file.write(json.dumps(event, ensure_ascii=False) + "\n")

    def _collected(self, side: str, benchmark: str) -> list[Item]:
        items = [read_item(row) for row in read_lines(self._items_file(side, benchmark))]
        name = f"result/questions-{benchmark}.jsonl"
        left = collect(self.workspace.out, {name: QUESTIONS_LIMIT_BYTES})
        return with_questions(check_items(items, self.issued[benchmark]), left.get(name))

    def _keep(
        self, side: str, benchmark: str, items: list[Item], seconds: dict[str, Any]
    ) -> Evaluation:
        model = next(each for each in self.sides if each.name == side)
        asked = next(each for each in self.benchmarks if each.key == benchmark)
        spent = (seconds.get(side) or {}).get(benchmark)
        told = float(spent) if isinstance(spent, int | float) else None
        return keep(self.run_row, model, asked, items, told)
