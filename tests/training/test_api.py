"""The runs API as a program uses it."""

from __future__ import annotations

import pytest

from hub.models import Access
from tests.factories import make_member, make_user
from tests.reviews.factories import make_pull_request
from tests.training.factories import make_model, make_run
from training.models import LogLine, Metric, Run

pytestmark = pytest.mark.django_db
JSON = "application/json"


@pytest.fixture
def model():
    return make_model()


def api(model, rest: str) -> str:
    return f"/{model.api_path}/{rest}"


def test_a_fine_tune_is_started_looked_at_and_cancelled(model, api_for):
    user = make_user()
    client = api_for(user)
    body = {"recipe_path": "recipes/spam.yaml", "title": "Spot spam"}
    started = client.post(api(model, "runs"), body, content_type=JSON)
    assert started.status_code == 201
    assert (started.json()["number"], started.json()["status"]) == (1, "queued")
    shown = api_for().get(api(model, "runs/1")).json()
    assert shown["spec"]["recipe_path"] == "recipes/spam.yaml"
    assert [run["number"] for run in api_for().get(api(model, "runs")).json()["runs"]] == [1]
    cancelled = client.post(api(model, "runs/1/cancel"))
    assert cancelled.json()["status"] == "cancelled"
    again = client.post(api(model, "runs/1/again"))
    assert again.json()["number"] == 2
    assert Run.objects.get(number=2).spec["inputs"] == Run.objects.get(number=1).spec["inputs"]


def test_a_bad_recipe_is_refused_with_the_sentence(model, api_for):
    recipe = {"dataset": {"repo_id": "a/b", "file": "c"}, "completion": "x", "max_stepz": 3}
    answer = api_for(make_user()).post(api(model, "runs"), {"recipe": recipe}, content_type=JSON)
    assert answer.status_code == 400
    assert "Did you mean 'max_steps'?" in answer.json()["error"]
    assert answer["X-Error-Code"] == "BadRequest"


def test_curves_and_log_can_be_followed(model, api_for):
    run = make_run(model)
    points = [("loss", 1, 3.0), ("loss", 2, 2.0), ("learning_rate", 1, 0.1)]
    Metric.objects.bulk_create(Metric(run=run, name=n, step=s, value=v) for n, s, v in points)
    LogLine.objects.bulk_create(LogLine(run=run, attempt=1, text=f"line {i}") for i in range(3))
    curves = api_for().get(api(model, "runs/1/metrics")).json()
    assert curves["live"] is True
    (loss,) = curves["series"]
    assert loss["points"] == [[1, 3.0], [2, 2.0]]
    assert len(api_for().get(api(model, "runs/1/metrics?all=1")).json()["series"]) == 2
    log = api_for().get(api(model, "runs/1/log"))
    assert b"".join(log.streaming_content) == b"line 0\nline 1\nline 2\n"
    assert log["Content-Type"].startswith("text/plain")


def test_the_gate_is_started_for_a_number(model, api_for):
    pull_request = make_pull_request(model, files={"generation_config.json": b"{}"})
    maintainer = make_member(model.namespace, access=Access.WRITE)
    path = api(model, f"discussions/{pull_request.number}/gate")
    moved = api_for(maintainer).post(path, {"head": "0" * 40}, content_type=JSON)
    assert moved.status_code == 409
    started = api_for(maintainer).post(path, {"head": pull_request.head_oid}, content_type=JSON)
    assert started.status_code == 201
    assert started.json()["pullRequest"] == pull_request.number


def test_runs_of_one_repository_are_not_found_through_another(model, api_for):
    make_run(make_model())
    assert api_for().get(api(model, "runs/1")).status_code == 404
