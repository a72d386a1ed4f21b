"""Gates of any outcome through the real worker, without a model.

An acted runner reads the job and its items as the real one does and says what a script makes of
each; everything else, from the spec to the stored record, is the hub's own.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import numpy as np

from hub.gitstore import AddFile
from hub.models import Access, Kind, Repository, User
from reviews.models import Discussion
from tests.factories import actor, make_member, make_organization, make_repository
from tests.reviews.factories import make_pull_request
from tests.training.factories import commit, large
from training.actions.gates import start_gate
from training.jobs.execute import execute
from training.jobs.items import read_lines
from training.jobs.sandboxed import RunnerJob
from training.models import GateRecord
from training.statistics.metrics import METRICS

LARGE_BYTES = 1024**2
Doc = dict[str, Any]
# (side, row) -> fields of the runner's item event
Answer = Callable[[str, Doc], dict[str, Any]]
CHOICES = """\
task: NAME
test_split: NAME
doc_to_text: "{{question}}"
doc_to_choice: "{{choices}}"
doc_to_target: "{{label}}"
weighbridge: {group_by: kindMORE}
"""
ROLLING = """\
task: NAME
test_split: NAME
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{text}}"
weighbridge: {sample: {order: file}MORE}
"""
TRANSLATION = """\
task: NAME
test_split: NAME
output_type: generate_until
doc_to_text: "{{question}}"
doc_to_target: "{{answer}}"
metric_list: [{metric: bleu}]
weighbridge: {sample: {order: file}MORE}
"""


@dataclass
class Act:
    """One benchmark of a gate that is played: its file, its rows, and what the sides answer.

    `more` stands in the `weighbridge` part of its file, `rule` in its entry of the gate. `data` is
    the data set that it lies in; the gate's own by default.
    """

    name: str
    rows: list[Doc]
    answer: Answer
    text: str = CHOICES
    more: str = ""
    rule: str = "margin: 0.1"
    data: Repository | None = None

    def files(self) -> dict[str, bytes]:
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in self.rows)
        text = self.text.replace("NAME", self.name).replace("MORE", self.more)
        return {f"{self.name}.yaml": text.encode(), f"{self.name}.jsonl": lines.encode()}


def questions(count: int, *, kinds: Iterable[str] = ("plain",), prefix: str = "question") -> list:
    """Rows of two choices each, of which the first is right."""
    names = list(kinds)
    return [
        {
            "number": number,
            "question": f"{prefix} {number}",
            "choices": ["yes", "no"],
            "label": 0,
            "kind": names[number % len(names)],
        }
        for number in range(count)
    ]


def chooses(lost: Iterable[int] = (), gained: Iterable[int] = ()) -> Answer:
    """Both sides are right, but the candidate on `lost` and the base on `gained`, by number."""
    wrong = {"base": set(gained), "candidate": set(lost)}

    def answer(side: str, doc: Doc) -> dict[str, Any]:
        is_right = doc["number"] not in wrong[side]
        ahead = -1.0 - doc["number"] % 7 / 10
        likelihoods = [ahead, ahead - 1.5] if is_right else [ahead - 0.4, ahead]
        return {
            "metrics": {"acc": float(is_right)},
            "pred": int(not is_right),
            "target": 0,
            "loglikelihoods": likelihoods,
        }

    return answer


def reads(nats_a_byte: Mapping[str, float]) -> Answer:
    """A text costs each side so many nats a byte, a little more or less from row to row."""

    def answer(side: str, doc: Doc) -> dict[str, Any]:
        size = len(doc["text"].encode())
        nll = size * (nats_a_byte[side] + 0.01 * math.sin(len(doc["text"]) + (side == "base")))
        return {
            "metrics": {"bits_per_byte": nll / (math.log(2) * size)},
            "sums": {"bits_per_byte": [nll, math.log(2) * size]},
            "nll": nll,
            "bytes": size,
            "tokens": max(1, size // 4),
        }

    return answer


def translates(says: Callable[[str, Doc], str]) -> Answer:
    """Each side says something; the sums are those of BLEU."""

    def answer(side: str, doc: Doc) -> dict[str, Any]:
        said = says(side, doc)
        sums = bleu_sums(said.split(), doc["answer"].split())
        return {
            "metrics": {"bleu": METRICS["bleu"].value(np.array(sums))},
            "sums": {"bleu": sums},
            "output": said,
            "extracted": said,
        }

    return answer


def bleu_sums(said: list[str], wanted: list[str]) -> list[float]:
    """Lengths, matches and numbers of 1- to 4-grams."""

    def grams(words: list[str], n: int) -> Counter[tuple[str, ...]]:
        return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))

    matches = [(grams(said, n) & grams(wanted, n)).total() for n in range(1, 5)]
    totals = [max(0, len(said) - n + 1) for n in range(1, 5)]
    return [float(value) for value in (len(said), len(wanted), *matches, *totals)]


@dataclass
class Stage:
    """A model's repository with a gate over some acts, and the pull request that it weighs."""

    model: Repository
    data: Repository
    pull_request: Discussion
    maintainer: User
    acts: list[Act]

    @property
    def url(self) -> str:
        return f"{self.model.get_absolute_url()}/discussions/{self.pull_request.number}"

    @property
    def api(self) -> str:
        return f"/api/models/{self.model.repo_id}/discussions/{self.pull_request.number}"

    def play(self) -> GateRecord:
        """Weigh the pull request as it is now; the record. A run that fails is an error here."""
        run = start_gate(self.model, self.pull_request.number, actor(self.maintainer))
        with patch("training.jobs.scoring.RunnerJob", _acting(self.acts)):
            execute(run.pk)
        run.refresh_from_db()
        assert not run.error, run.error
        return run.gate_record


def set_stage(
    *acts: Act,
    gate: str = "",
    author: User | None = None,
    files: dict[str, bytes] | None = None,
    **repository: Any,
) -> Stage:
    """A gate over `acts` and a pull request that changes the model; `gate` is put before its list.

    `files` are those of the proposal, `repository` traits of the model's.
    """
    namespace = repository.pop("namespace", None) or make_organization()
    data = make_repository(namespace, kind=Kind.DATASET, name="data")
    listed = []
    for act in acts:
        place = act.data or data
        commit(place, [_file(place, *named) for named in act.files().items()])
        listed.append(f'  - {{benchmark: "{place.repo_id}:{act.name}.yaml", {act.rule}}}\n')
    rule = f"{gate}benchmarks:\n{''.join(listed)}"
    # Of no other stage: scores are found again by the digest of a model, whoever's it is.
    name = namespace.slug
    base = {".weighbridge/gate.yaml": rule.encode(), "config.json": b'{"of": "%s"}' % name.encode()}
    model = make_repository(namespace, files=base, **repository)
    proposed = {"config.json": b'{"better": "%s"}' % name.encode()} if files is None else files
    pull_request = make_pull_request(model, author=author, files=proposed)
    maintainer = make_member(namespace, access=Access.WRITE)
    model.access = Access.WRITE
    return Stage(model, data, pull_request, maintainer, list(acts))


def _file(place: Repository, path: str, content: bytes) -> Any:
    """A file as a commit takes it: large ones through their pointers."""
    return large(place, path, content) if len(content) > LARGE_BYTES else AddFile(path, content)


def _acting(acts: Iterable[Act]) -> type[RunnerJob]:
    """A runner whose every answer is written down."""
    by_name = {act.name: act for act in acts}

    class ActedJob(RunnerJob):
        def run(self, job: Mapping[str, Any], mounts: Any) -> dict[str, Any]:
            asked = {}
            for benchmark in job["benchmarks"]:
                name = benchmark["name"]
                lines = list(read_lines(self.workspace.inputs / "items" / f"{name}.jsonl"))
                asked[name] = lines
                self._write_questions(name, lines)
            told: set[tuple[str, str, str]] = set()
            for number, stage in enumerate(job["stages"], start=1):
                for side in job["sides"]:
                    for name, lines in asked.items():
                        self._answer(side["name"], name, lines[: stage[name]], told)
                self._tell({"type": "look", "number": number})
                if self._ends_early:
                    break
            return {"seconds": {}}

        def _answer(self, side: str, name: str, lines: list[Doc], told: set) -> None:
            if (self.workspace.inputs / "skip" / name).exists():
                return
            done = self.workspace.inputs / "done" / side / f"{name}.jsonl"
            told |= {(side, name, row["id"]) for row in read_lines(done)}
            for line in lines:
                if (side, name, line["id"]) in told:
                    continue
                told.add((side, name, line["id"]))
                fields = by_name[name].answer(side, line["doc"])
                event = {"type": "item", "side": side, "benchmark": name, "id": line["id"]}
                self._tell(event | fields)

        def _write_questions(self, name: str, lines: list[Doc]) -> None:
            folder = self.workspace.out / "result"
            folder.mkdir(parents=True, exist_ok=True)
            rows = [_question(line["id"], line["doc"]) for line in lines]
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            (folder / f"questions-{name}.jsonl").write_text(text)

    return ActedJob


def _question(item_id: str, doc: Doc) -> Doc:
    choices, label = doc.get("choices", []), doc.get("label")
    expected = choices[label] if label is not None else doc.get("answer", "")
    prompt = doc.get("question") or doc.get("text", "")
    return {"id": item_id, "prompt": prompt, "choices": choices, "expected": expected}
