"""Weighing exactly what is decided already: the known record comes back and nothing is spent."""

from __future__ import annotations

import pytest

from hub.models import Access, TokenScope
from tests.factories import commit_files, make_member
from tests.reviews.factories import push
from tests.training.acting import Act, chooses, questions, set_stage
from training.models import Benchmark, GateRecord, Pin, Run, RunStatus

pytestmark = pytest.mark.django_db
STRICT = "strict: true\nlooks: 1\n"


@pytest.fixture
def stage():
    return set_stage(Act("words", questions(400), chooses()), gate=STRICT)


def asked(stage, api_for):
    writer = api_for(stage.maintainer, scope=TokenScope.WRITE)
    return writer.post(f"{stage.api}/gate", {}, content_type="application/json")


def test_the_same_version_is_not_weighed_again(stage, api_for, client_for):
    first = asked(stage, api_for)
    assert first.status_code == 201
    record = stage.play()
    again = asked(stage, api_for)
    assert again.status_code == 200
    assert again.json()["number"] == first.json()["number"] == record.run.number
    assert "has been weighed" in again.json()["note"]
    assert (Run.objects.count(), GateRecord.objects.count()) == (1, 1)
    page = client_for(stage.maintainer).post(f"{stage.url}/gate", follow=True)
    assert page.redirect_chain[-1][0] == f"{stage.url}/benchmarks"
    assert "Exactly this version has been weighed" in page.content.decode()


def test_an_attempt_is_a_version_and_not_a_press_of_the_button(stage):
    levels = [stage.play().results[0]["alpha"] for _again in range(3)]
    push(stage.pull_request, {"config.json": b'{"better": "still"}'})
    second = stage.play()
    assert levels == [levels[0]] * 3
    assert second.results[0]["alpha"] == pytest.approx(levels[0] / 4)
    commit_files(stage.model, {"notes.txt": b"The base moves.\n"})
    assert stage.play().results[0]["alpha"] == pytest.approx(levels[0] / 9)


def test_an_error_may_be_tried_again_and_is_the_same_attempt(stage):
    record = stage.play()
    GateRecord.objects.update(verdict="error")
    again = stage.play()
    assert (record.attempt, again.attempt) == (1, 2)
    assert again.results[0]["alpha"] == record.results[0]["alpha"]


def test_a_new_pin_asks_another_question(stage):
    stage.play()
    Pin.objects.create(
        repository=stage.model, benchmark=Benchmark.objects.get(), item_id="0" * 64,
        reference=f"{stage.data.repo_id}:words.yaml", pinned_by=stage.maintainer,
    )  # fmt: skip
    again = stage.play()
    assert again.attempt == 2
    assert stage.play().pk == again.pk


def test_what_the_benchmark_asks_now_is_weighed_by_it(stage):
    stage.play()
    rows = b"".join(
        b'{"number": %d, "question": "q %d", "choices": ["yes", "no"], "label": 0, "kind": "x"}\n'
        % (number, number)
        for number in range(400)
    )
    commit_files(stage.data, {"words.jsonl": rows})
    assert stage.play().attempt == 2


def test_a_verdict_outlives_a_later_run_that_could_not_run(stage, api_for):
    record = stage.play()
    spec = record.run.spec
    writer = make_member(stage.data.namespace, access=Access.WRITE)
    Run.objects.create(
        repository=stage.model, number=99, kind="compare", status=RunStatus.FAILED, spec=spec,
        spec_digest="0" * 64, title="x", created_by=writer, error="No disk.",
        pull_request_number=stage.pull_request.number, finished_at=record.created_at,
    )  # fmt: skip
    assert api_for().get(f"{stage.api}/gate").json()["verdict"] == "pass"
    push(stage.pull_request, {"config.json": b"[2]"})
    spec["change"]["head_oid"] = stage.pull_request.head_oid
    Run.objects.filter(number=99).update(spec=spec)
    told = api_for().get(f"{stage.api}/gate").json()
    assert (told["verdict"], told["sentence"]) == ("error", "No disk.")
