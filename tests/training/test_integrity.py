"""Results that do not add up are an error or are resumed: never a silent pass (threat J6).

A process that broke out of its model's arithmetic could tell the worker anything. Here the worker
hears such stories in place of the real runner's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from hub.models import Access, CommitStatus, Repository
from tests.factories import actor, make_member
from tests.reviews.factories import make_pull_request
from tests.training.factories import make_model
from training.actions.gates import start_gate
from training.jobs import scoring
from training.jobs.benchmarks import benchmarks_of
from training.jobs.evaluations import items_of
from training.jobs.execute import execute
from training.jobs.sandboxed import RunnerJob
from training.jobs.workspace import Workspace
from training.models import Evaluation, GateRecord, Run

pytestmark = pytest.mark.usefixtures("transactional_db")
Story = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


@pytest.fixture
def run() -> Run:
    """A gate that waits for its worker."""
    model = make_model()
    model.access = Access.ADMIN
    owner = make_member(model.namespace, access=Access.ADMIN)
    pull_request = make_pull_request(model, files={"generation_config.json": b'{"max_length": 7}'})
    return start_gate(model, pull_request.number, actor(owner))


def told(run: Run) -> list[dict[str, Any]]:
    """What an honest runner tells of this gate: every item right on both sides."""
    (pinned,) = benchmarks_of(run.spec)
    items = [
        {
            "type": "item", "side": side, "benchmark": pinned.key, "id": item.id,
            "metrics": {"acc": 1.0}, "sums": {}, "pred": 0, "target": 0,
            "loglikelihoods": [-1.0, -2.0], "tie": False,
        }
        for side in ("base", "candidate")
        for item in pinned.items()
    ]  # fmt: skip
    return [*items, {"type": "look", "number": 1}, {"type": "done", "result": {"seconds": {}}}]


def carry_out(run: Run, monkeypatch: Any, story: Story) -> Run:
    """Let a worker hear `story` of what an honest runner would tell."""
    events = story(told(run))

    class Teller(RunnerJob):
        def run(self, job: Any, mounts: Any) -> dict[str, Any]:
            for event in events:
                self._take(json.dumps(event).encode())
            return self.result or {}

    monkeypatch.setattr(scoring, "RunnerJob", Teller)
    execute(run.pk)
    run.refresh_from_db()
    return run


def without_last_item(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    last = max(n for n, event in enumerate(events) if event["type"] == "item")
    return [*events[:last], *events[last + 1 :]]


def with_changed(place: int, **facts: Any) -> Story:
    return lambda events: [e | facts if n == place else e for n, e in enumerate(events)]


def with_more(**facts: Any) -> Story:
    return lambda events: [events[0], events[0] | facts, *events[1:]]


def as_it_is(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return events


def test_the_honest_story_passes(run, monkeypatch):
    carry_out(run, monkeypatch, as_it_is)
    assert GateRecord.objects.get().verdict == "pass"


@pytest.mark.parametrize(
    ("story", "code"),
    [
        pytest.param(without_last_item, "missing_items", id="missing"),
        pytest.param(lambda events: events[-2:], "missing_items", id="nothing at all"),
        pytest.param(with_more(), "duplicate_items", id="doubled"),
        pytest.param(with_more(metrics={"acc": 0.0}), "duplicate_items", id="doubled and unlike"),
        pytest.param(with_more(id="f" * 64), "unknown_items", id="foreign"),
        pytest.param(with_more(benchmark="other"), "unknown_items", id="foreign benchmark"),
        pytest.param(with_more(side="third"), "unknown_items", id="foreign side"),
        pytest.param(with_changed(3, metrics={"acc": None}), "scores_not_finite", id="NaN"),
        pytest.param(with_changed(3, metrics={}), "scores_not_finite", id="no score"),
        pytest.param(with_changed(3, metrics={"acc": "1.0"}), "scores_not_finite", id="a text"),
        pytest.param(
            with_changed(3, loglikelihoods=[None, -1.0]), "scores_not_finite", id="NaN ll"
        ),
        pytest.param(with_changed(3, id=None), "malformed_item", id="no id"),
    ],
)
def test_any_other_story_is_an_error_that_says_how(run, monkeypatch, story, code):
    carry_out(run, monkeypatch, story)
    record = GateRecord.objects.get()
    assert (record.verdict, record.results[0]["reason"]) == ("error", code)
    assert not Evaluation.objects.exists(), "nothing of it is kept"
    status = CommitStatus.objects.get(context="gate")
    assert (status.state, status.description[:11]) == ("error", "No verdict.")


def test_a_look_that_is_told_before_its_items_decides_nothing(run, monkeypatch):
    """The runner says when a look is over; whether it is, the worker knows by itself."""

    def early(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"type": "look", "number": 1}, *events]

    carry_out(run, monkeypatch, early)
    assert GateRecord.objects.get().verdict == "pass"


def test_what_a_lost_worker_had_heard_is_taken_over(run, monkeypatch):
    """The worker died half-way: the next one asks for the rest alone, and nothing counts twice."""
    events = told(run)
    first_half = [e for e in events if e["type"] == "item"][:130]
    lost = Run.objects.claim(run.pk, worker="lost")
    assert lost is not None
    Run.objects.update(lease_ends_at=timezone.now() - timedelta(seconds=1))
    workspace = Workspace(lost)
    workspace.prepare()
    for side in ("base", "candidate"):
        heard = [event for event in first_half if event["side"] == side]
        space = scoring.settings_digest(run.spec["settings"], run.spec["versions"])[:16]
        place = workspace.items / space / side / "next-word.jsonl"
        place.parent.mkdir(parents=True)
        torn = b'{"type": "item", "id": "to'
        place.write_bytes(b"".join(json.dumps(e).encode() + b"\n" for e in heard) + torn)

    def rest(whole: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [event for event in whole if event not in first_half]

    carry_out(run, monkeypatch, rest)
    record = GateRecord.objects.get()
    assert (record.verdict, record.results[0]["n"], run.attempt) == ("pass", 100, 2)
    counts = [len(items_of(row)) for row in Evaluation.objects.all()]
    assert counts == [100, 100]


def test_absence_is_not_run(client_for):
    model = make_model()
    pull_request = make_pull_request(model, files={"generation_config.json": b"{}"})
    told = client_for().get(f"/{model.api_path}/discussions/{pull_request.number}/gate").json()
    assert told == {"verdict": "not-run"}
    assert not Repository.objects.get(pk=model.pk).evaluations.exists()
