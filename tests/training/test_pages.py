"""Pages of runs, the Fine-tune form, and the gate's button."""

from __future__ import annotations

import pytest
from django.utils import timezone

from hub.jobs.refresh import refresh
from hub.models import Access, Kind
from tests.factories import actor, make_member, make_organization, make_repository, make_user
from tests.reviews.factories import make_pull_request
from tests.training.acting import Act, chooses, questions, set_stage
from tests.training.factories import make_model, make_run
from training.actions.runs import submit_finetune
from training.models import LogLine, Metric, Run, RunStatus

pytestmark = pytest.mark.django_db
FORM = {
    "mode": "values",
    "title": "Spot spam",
    "file": "train.jsonl",
    "prompt": "{{text}}",
    "completion": "{{label}}",
    "max_steps": "3",
    "per_device_train_batch_size": "2",
    "max_length": "64",
    "learning_rate": "0.003",
    "r": "4",
    "lora_alpha": "8",
    "seed": "0",
}


@pytest.fixture
def model():
    return make_model()


def url(model, rest: str = "") -> str:
    return f"{model.get_absolute_url()}/{rest}"


def test_the_list_shows_runs_newest_first_in_a_fixed_number_of_queries(
    model, client_for, django_assert_max_num_queries
):
    person = make_user()
    for _ in range(12):
        make_run(model, by=person)
    with django_assert_max_num_queries(8):
        response = client_for().get(url(model, "runs"))
    page = response.content.decode()
    assert page.index("#12 ") < page.index("#1 ")
    assert "Waiting" not in client_for().get(url(model, "runs?kind=compare")).content.decode()


def test_a_run_shows_curve_log_inputs_and_attempts(
    model, client_for, django_assert_max_num_queries
):
    user = make_user()
    model.access = Access.READ
    run = submit_finetune(model, actor(user), recipe_path="recipes/spam.yaml", title="Go")
    Metric.objects.bulk_create(Metric(run=run, name="loss", step=s, value=3 - s) for s in (1, 2))
    LogLine.objects.create(run=run, attempt=1, text="<script>alert(1)</script>")
    with django_assert_max_num_queries(9):
        response = client_for().get(url(model, "runs/1"))
    page = response.content.decode()
    assert "data-loss-chart" in page and "/runs/1/metrics" in page
    assert "&lt;script&gt;alert(1)" in page and "<script>alert(1)" not in page
    assert "model.safetensors" in page and "train.jsonl" in page
    assert 'hx-get="' in page, "it follows the run while it is live"
    assert "/runs/1/cancel" not in page, "only those who may stop it see the button"
    assert "/runs/1/cancel" in client_for(user).get(url(model, "runs/1")).content.decode()


def test_the_live_part_is_a_fragment(model, client_for):
    make_run(model, progress={"done": 2, "total": 8, "unit": "steps"})
    page = client_for().get(url(model, "runs/1?part=live")).content.decode()
    assert "<html" not in page
    assert "2 of 8 steps" in page


def test_an_ended_run_tells_its_error_and_stops_asking(model, client_for):
    make_run(
        model,
        status=RunStatus.FAILED,
        error="The data set has no rows; add some.",
        finished_at=timezone.now(),
    )
    page = client_for(make_user()).get(url(model, "runs/1")).content.decode()
    assert "The data set has no rows" in page
    main = page.partition('id="main"')[2]
    assert "hx-get" not in main and "data-url" not in main
    assert "/runs/1/again" in page


def test_the_form_starts_a_run_and_commits_nothing(model, client_for):
    user = make_user()
    before = model.store().resolve("main")
    form = FORM | {"dataset": f"{model.namespace.slug}/data"}
    response = client_for(user).post(url(model, "finetune"), form)
    assert response.status_code == 302, response.context["values_form"].errors
    run = Run.objects.get()
    assert (response.status_code, response["Location"]) == (302, run.get_absolute_url())
    assert run.spec["recipe"]["lora"]["r"] == 4
    assert model.store().resolve("main") == before
    chosen = {"mode": "recipe", "recipe_path": "recipes/spam.yaml", "title": "Again"}
    assert client_for(user).post(url(model, "finetune"), chosen).status_code == 302


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("dataset", "no/where", "There is no data set no/where"),
        ("file", "no.jsonl", "has no file no.jsonl"),
        ("learning_rate", "7", "learning_rate is 7.0; write a number"),
        ("completion", "{{ x", "is not a valid template"),
    ],
)
def test_a_refusal_stands_at_its_field(model, client_for, field, value, words):
    form = FORM | {"dataset": f"{model.namespace.slug}/data", field: value}
    response = client_for(make_user()).post(url(model, "finetune"), form)
    assert response.status_code == 422
    assert words in str(response.context["values_form"].errors[field])
    assert not Run.objects.exists()


def test_the_form_is_for_people_and_for_models(model, client_for):
    response = client_for().get(url(model, "finetune"))
    assert response.status_code == 302 and "/-/sign-in" in response["Location"]
    data = make_repository(make_organization(), kind=Kind.DATASET)
    assert client_for(make_user()).get(url(data, "finetune")).status_code == 403
    page = client_for(make_user()).get(url(model, "finetune")).content.decode()
    assert "recipes/spam.yaml" in page and "the first run will tell" in page


def test_the_button_starts_the_gate_for_the_head_that_was_seen(model, client_for):
    pull_request = make_pull_request(model, files={"generation_config.json": b"{}"})
    maintainer = make_member(model.namespace, access=Access.WRITE)
    start = url(model, f"discussions/{pull_request.number}/gate")
    assert client_for(make_user()).post(start).status_code == 403
    assert client_for(maintainer).post(f"{start}?head={'0' * 40}").status_code == 409
    response = client_for(maintainer).post(f"{start}?head={pull_request.head_oid}")
    assert response["Location"] == Run.objects.get().get_absolute_url()


def test_runs_of_a_pull_request_are_listed(client_for):
    stage = set_stage(Act("words", questions(300), chooses()))
    record = stage.play()
    page = client_for().get(f"{stage.url}/runs").content.decode()
    assert f"{stage.model.get_absolute_url()}/runs/{record.run.number}" in page


def test_only_what_can_be_loaded_is_offered_for_runs(client_for, model):
    plain = make_repository(make_organization(), files={"README.md": b"# Notes\n"})
    for repository, offered in ((plain, False), (model, True)):
        refresh(repository.pk)
        person = make_member(repository.namespace, access=Access.WRITE)
        page = client_for(person).get(repository.get_absolute_url()).content.decode()
        for word in ("/finetune", "/evaluate", "/try", "pipeline("):
            assert (word in page) == offered, word
