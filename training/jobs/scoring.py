"""The sandboxed part of an evaluation: every side on every benchmark that has no scores yet."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from django.conf import settings as hub_settings

from training.jobs.benchmarks import PinnedBenchmark, write_items, write_shots
from training.jobs.evaluations import How, Side, find, items_of, keep, settings_digest
from training.jobs.inputs import files_of, lay_out
from training.jobs.items import Item, ItemsError, check_items, read_item, read_lines
from training.jobs.lease import Lease
from training.jobs.questions import adopt_questions, keep_questions
from training.jobs.recorder import Recorder
from training.jobs.sandboxed import Event, RunnerJob
from training.jobs.workspace import Workspace
from training.models import Benchmark, Evaluation, Run
from training.sandbox import collect
from training.specs.items import Item as IssuedItem

QUESTIONS_LIMIT_BYTES = 512 * 1024**2
Pair = tuple[str, str]  # the side's name and the benchmark's key


@dataclass(frozen=True)
class Asked:
    """A benchmark with the items that are issued and the order in which they are asked.

    `issued` is the canonical order, `order` the one of this run: both hold the same items, and
    the items of a chunk stand together in both. `count` caps how many of `order` are asked.
    """

    pinned: PinnedBenchmark
    row: Benchmark
    issued: list[IssuedItem]
    order: list[IssuedItem]
    count: int

    @property
    def key(self) -> str:
        return self.pinned.key

    @property
    def cluster_count(self) -> int | None:
        """In how many clusters the items come; None for a part of them, or without."""
        return self.row.cluster_count if self.count == len(self.order) else None

    @cached_property
    def by_id(self) -> dict[str, IssuedItem]:
        return {item.id: item for item in self.issued}

    def read(self, event: Mapping[str, Any]) -> Item:
        """The item in an event of the runner, with the group and cluster that we know of it: looks
        are decided while items come.

        Raises: ItemsError `malformed_item`, `scores_not_finite` or `unknown_items`.
        """
        item = read_item(event, self.pinned.metric_names)
        if (issued := self.by_id.get(item.id)) is None:
            raise ItemsError("unknown_items", count=1, examples=[item.id])
        return replace(item, group=issued.group, cluster=issued.cluster)


@dataclass
class Look:
    """What is known when the items up to a look are answered."""

    number: int
    last: bool
    items: dict[Pair, dict[str, Item]]


@dataclass(frozen=True)
class Decision:
    """After a look: benchmarks that need no more items, and whether the run may end."""

    settled: frozenset[str] = frozenset()
    is_final: bool = False


Decide = Callable[[Look], Decision]


@dataclass
class Scored:
    """What came of it: the evaluations by side and benchmark, and their items by id."""

    evaluations: dict[Pair, Evaluation] = field(default_factory=dict)
    items: dict[Pair, dict[str, Item]] = field(default_factory=dict)


class Scoring:
    """Scores what is missing; nothing that has a score is ever computed again.

    `stages` gives by look how many items of each benchmark's order it looks at; `decide` is
    called after each, from what is known by then. `settings` take the place of the run's own.
    Without `keeps` no evaluation is written: the items are for the caller alone.
    """

    def __init__(
        self,
        lease: Lease,
        workspace: Workspace,
        recorder: Recorder,
        *,
        sides: Sequence[Side],
        asked: Sequence[Asked],
        stages: Sequence[Mapping[str, int]] = (),
        decide: Decide | None = None,
        settings: dict[str, Any] | None = None,
        keeps: bool = True,
    ) -> None:
        self.lease, self.workspace, self.recorder = lease, workspace, recorder
        self.run_row: Run = lease.run
        self.sides, self.asked = list(sides), {each.key: each for each in asked}
        self.stages = [dict(stage) for stage in stages] or [{e.key: e.count for e in asked}]
        self.decide = decide or (lambda look: Decision())
        self.settings = settings or self.run_row.spec["settings"]
        self.keeps = keeps
        self.known: dict[Pair, dict[str, Item]] = {}
        self.files: dict[Pair, IO[str]] = {}
        self.decided: Decision | None = None
        self.looks_done = 0

    def run(self) -> Scored:
        """Evaluate; every item that was answered is stored, whatever was decided, if any are.

        Raises: ItemsError when the results are not exactly those of the items asked.
        """
        found = self._take_known()
        self._pass_known_looks()
        seconds: dict[str, Any] = {}
        if not self._is_over():
            seconds = self._run_sandboxed()
        return self._kept(found, seconds)

    # What is there already -------------------------------------------------------------------

    def _take_known(self) -> dict[Pair, Evaluation]:
        digest = settings_digest(self.settings, self.run_row.spec["versions"])
        found: dict[Pair, Evaluation] = {}
        for side in self.sides:
            for key, asked in self.asked.items():
                row = find(self.run_row.repository, side.digest, asked.row, digest)
                stored = [] if row is None else items_of(row)
                self.known[side.name, key] = {item.id: item for item in stored}
                if row is not None:
                    found[side.name, key] = row
        return found

    def _pass_known_looks(self) -> None:
        """Decide on the looks whose items are all there: nothing need run for them."""
        while not self._is_over() and self._has_look(self.looks_done):
            self._look()

    def _has_look(self, number: int) -> bool:
        return all(
            item.id in self.known[side.name, key]
            for key in self._open()
            for side in self.sides
            for item in self.asked[key].order[: self.stages[number][key]]
        )

    def _open(self) -> Iterable[str]:
        settled = self.decided.settled if self.decided else frozenset()
        return [key for key in self.asked if key not in settled]

    def _is_over(self) -> bool:
        final = self.decided is not None and self.decided.is_final
        return final or self.looks_done == len(self.stages)

    def _look(self) -> None:
        """Decide on the look whose items are complete."""
        self.looks_done += 1
        last = self.looks_done == len(self.stages)
        self.decided = self.decide(Look(self.looks_done, last, self.known))

    # What runs -------------------------------------------------------------------------------

    def _run_sandboxed(self) -> dict[str, Any]:
        """Score in the sandbox; seconds by side and benchmark."""
        mounts = self._lay_out()
        for pair in self._pairs():
            self._mark_done(pair)
        runner = RunnerJob(self.lease, self.workspace, self.recorder)
        runner.on_item, runner.on_look = self._take, lambda event: self._looked(runner, event)
        with ExitStack() as stack:
            for pair in self._pairs():
                opened = self._items_file(*pair).open("a", encoding="utf-8", buffering=1)
                self.files[pair] = stack.enter_context(opened)
            result = runner.run(self._job(), mounts)
        seconds = result.get("seconds")
        return seconds if isinstance(seconds, dict) else {}

    def _pairs(self) -> list[Pair]:
        return [(side.name, key) for side in self.sides for key in self.asked]

    def _lay_out(self) -> dict[str, Path]:
        """Put models and items where the job file says; large files are mounted, not copied."""
        inputs = self.workspace.emptied_inputs()
        mounts: dict[str, Path] = {}
        for side in self.sides:
            given = self.run_row.inputs(side.name)[0]
            large = lay_out(self.run_row.repository, files_of(given), inputs / side.name)
            mounts |= {f"/in/{side.name}/{path}": place for path, place in large.items()}
        (inputs / "skip").mkdir(parents=True, exist_ok=True)
        for key, asked in self.asked.items():
            write_items(asked.order[: self._lines(asked)], inputs / "items" / f"{key}.jsonl")
            write_shots(asked.pinned, asked.issued, inputs / "shots" / f"{key}.jsonl")
        return mounts

    def _lines(self, asked: Asked) -> int:
        """The items to hand over: whole chunks, so that a cut chunk rounds like a whole one."""
        count = asked.count
        while 0 < count < len(asked.order) and (
            asked.order[count].chunk == asked.order[count - 1].chunk
        ):
            count += 1
        return count

    def _job(self) -> dict[str, Any]:
        return {
            "kind": "evaluate",
            "out": "/out",
            "sides": [{"name": side.name, "model": f"/in/{side.name}"} for side in self.sides],
            "benchmarks": [
                {
                    "name": key,
                    "items": f"/in/items/{key}.jsonl",
                    "definition": asked.pinned.runner_definition(),
                    "fewshot": f"/in/shots/{key}.jsonl" if asked.pinned.has_shots else None,
                }
                for key, asked in self.asked.items()
            ],
            "done": "/in/done",
            "skip": "/in/skip",
            "stages": self.stages[self.looks_done :],
            "memory_bytes": hub_settings.RUN_MEMORY_LIMIT_BYTES,
            **self.settings,
        }

    @property
    def _space(self) -> str:
        """Results made with other settings lie apart: a later attempt must not mix them."""
        return settings_digest(self.settings, self.run_row.spec["versions"])[:16]

    def _items_file(self, side: str, key: str) -> Path:
        place = self.workspace.items / self._space / side / f"{key}.jsonl"
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def _mark_done(self, pair: Pair) -> None:
        """Take over what earlier attempts scored, and tell the runner what it need not ask."""
        side, key = pair
        rows: dict[str, dict[str, Any]] = {}
        for earlier in self.workspace.earlier_items(f"{self._space}/{side}", key):
            rows |= {str(row.get("id")): row for row in read_lines(earlier)}
        for item_id, row in rows.items():
            if item_id not in self.known[pair]:
                self.known[pair][item_id] = self.asked[key].read(row)
        with self._items_file(side, key).open("w", encoding="utf-8") as out:
            out.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows.values())
        place = self.workspace.inputs / "done" / side / f"{key}.jsonl"
        place.parent.mkdir(parents=True, exist_ok=True)
        known = self.known[pair]
        place.write_text("".join(json.dumps({"id": item_id}) + "\n" for item_id in known))

    def _take(self, event: Event) -> None:
        """Write down one item result as it comes.

        Raises: ItemsError when it belongs to nothing that was asked, or comes twice.
        """
        pair = (str(event.get("side")), str(event.get("benchmark")))
        file = self.files.get(pair)
        if file is None:
            raise ItemsError("unknown_items", examples=[str(event.get("benchmark"))[:80]])
        item = self.asked[pair[1]].read(event)
        if item.id in self.known[pair]:
            raise ItemsError("duplicate_items", examples=[item.id])
        self.known[pair][item.id] = item
        file.write(json.dumps(event, ensure_ascii=False) + "\n")

    def _looked(self, runner: RunnerJob, event: Event) -> None:
        """Decide once a look is complete; tell the runner what it may leave out."""
        if self._is_over() or not self._has_look(self.looks_done):
            return
        self._look()
        for key in self.decided.settled if self.decided else ():
            (self.workspace.inputs / "skip" / key).touch()
        if self._is_over():
            runner.end_early()

    # What is kept ----------------------------------------------------------------------------

    def _kept(self, found: dict[Pair, Evaluation], seconds: dict[str, Any]) -> Scored:
        """Store every benchmark's texts and every pair's items."""
        self._require_whole()
        self._keep_questions()
        scored = Scored()
        for side in self.sides:
            for key, asked in self.asked.items():
                pair = (side.name, key)
                known = self.known[pair]
                order = [item for item in asked.issued if item.id in known]
                items = check_items(known.values(), order)
                scored.items[pair] = {item.id: item for item in items}
                if not self.keeps:
                    continue
                row = found.get(pair)
                if row is None or row.item_count < len(items):
                    spent = (seconds.get(side.name) or {}).get(key)
                    told = float(spent) if isinstance(spent, int | float) else None
                    row = keep(self._how(told), side, asked.row, asked.issued, items)
                scored.evaluations[pair] = row
        return scored

    def _how(self, seconds: float | None) -> How:
        return How(self.run_row, self.settings, self.run_row.spec["versions"], seconds)

    def _require_whole(self) -> None:
        """What every look so far asked for must be there. Raises: ItemsError."""
        if not self._is_over():
            # The runner has ended without saying that a look is complete: it is looked at here.
            missing = [
                item.id
                for key in self._open()
                for side in self.sides
                for item in self.asked[key].order[: self.stages[self.looks_done][key]]
                if item.id not in self.known[side.name, key]
            ]
            if missing:
                raise ItemsError("missing_items", count=len(missing), examples=missing[:5])
            self._look()
            self._require_whole()

    def _keep_questions(self) -> None:
        wanted = {
            f"result/questions-{key}.jsonl": key
            for key, asked in self.asked.items()
            if not asked.row.questions_sha256
        }
        if not wanted:
            return
        left = collect(self.workspace.out, dict.fromkeys(wanted, QUESTIONS_LIMIT_BYTES))
        for name, key in wanted.items():
            asked = self.asked[key]
            keep_questions(asked.row, asked.issued, left.get(name))
            adopt_questions(asked.row)
