"""Try it: asked on a page or by the API, answered once by a worker, seen by nobody else."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.utils import timezone
from safetensors.numpy import save

from hub.errors import ForbiddenError, ThrottledError, UnprocessableError
from hub.models import Access, ModelLink, Visibility
from tests.factories import actor, make_member, make_repository, make_token, make_user
from tests.killing import kill, other_sessions, start, wait_until
from tests.races import at_once
from tests.reviews.factories import make_pull_request
from tests.training.factories import TINY, commit, large, make_model
from training.actions.trying import askable, cancel_try, submit_try
from training.jobs import tries
from training.models import RunStatus, Try

in_database = pytest.mark.django_db
by_worker = pytest.mark.usefixtures("transactional_db")
PROMPT = "And all of"


@pytest.fixture
def model(settings):
    settings.RUN_THREADS, settings.TRY_WARM = 1, timedelta(0)
    found = make_model()
    found.access = Access.ADMIN
    return found


@pytest.fixture
def person(model):
    return make_member(model.namespace, access=Access.READ)


def ask(model, person, **values):
    return submit_try(model, actor(person), **{"prompt": PROMPT, "max_new_tokens": 8, **values})


def little_adapter() -> dict[str, bytes]:
    """The two files of a LoRA adapter for the tiny model."""
    hidden = json.loads((TINY / "config.json").read_bytes())["hidden_size"]
    name = "base_model.model.model.layers.0.self_attn.q_proj.lora_{}.weight"
    draws = np.random.default_rng(0)
    tensors = {
        name.format("A"): draws.normal(size=(2, hidden)).astype("float32"),
        name.format("B"): draws.normal(size=(hidden, 2)).astype("float32"),
    }
    config = {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 2, "lora_alpha": 2,
        "target_modules": ["layers.0.self_attn.q_proj"],
    }  # fmt: skip
    return {
        "adapter_config.json": json.dumps(config).encode(),
        "adapter_model.safetensors": save(tensors),
    }


@by_worker
class TestAnAnswer:
    def test_questions_that_wait_are_answered_by_one_loaded_model(self, model, person):
        one, two = ask(model, person), ask(model, person, temperature=1.0, seed=3)
        tries.answer(one.pk)
        tries.answer(one.pk)  # a doubled message
        one.refresh_from_db()
        two.refresh_from_db()
        assert (one.status, two.status) == (RunStatus.SUCCEEDED, RunStatus.SUCCEEDED), one.error
        assert one.text and one.text == one.result["text"] and one.result["tokens"] == 8
        assert (one.is_warm, two.is_warm) == (False, True)
        assert (one.attempt, two.attempt) == (1, 1)
        assert two.seconds_to_first > 0
        assert not list((Path(django_settings.RUNS_DIR) / "tries").iterdir())

    def test_a_proposal_is_asked_by_whoever_may_write_and_by_nobody_else(self, model, person):
        pull = make_pull_request(model, author=person, files={"generation_config.json": b"{}"})
        model.access = Access.READ
        with pytest.raises(ForbiddenError, match="write access"):
            ask(model, person, revision=pull.ref)
        owner = make_member(model.namespace, access=Access.WRITE)
        model.access = Access.WRITE
        row = ask(model, owner, revision=pull.ref)
        tries.answer(row.pk)
        row.refresh_from_db()
        assert (row.status, row.oid) == (RunStatus.SUCCEEDED, pull.head_oid)

    def test_who_lost_the_right_meanwhile_gets_no_answer(self, model, person):
        row = ask(model, person)
        type(model).objects.filter(pk=model.pk).update(visibility=Visibility.PRIVATE)
        person.memberships.filter(namespace=model.namespace).delete()
        tries.answer(row.pk)
        row.refresh_from_db()
        assert (row.status, row.text) == (RunStatus.FAILED, "")
        assert "no longer" in row.error

    def test_two_workers_answer_it_once(self, model, person):
        row = ask(model, person)
        at_once(lambda: tries.answer(row.pk), lambda: tries.answer(row.pk))
        row.refresh_from_db()
        assert (row.status, row.attempt, row.fence) == (RunStatus.SUCCEEDED, 1, 1)

    def test_weights_that_do_not_load_are_told_in_words(self, model, person):
        commit(model, [large(model, "model.safetensors", b"\x08" + bytes(15))])
        row = ask(model, person)
        tries.answer(row.pk)
        row.refresh_from_db()
        assert row.status == RunStatus.FAILED
        assert "model.safetensors is no whole safetensors file" in row.error

    def test_an_adapter_that_lies_alone_is_put_on_its_base(self, model, person):
        adapter = make_repository(model.namespace, files=little_adapter())
        adapter.access = Access.READ
        assert "Only an adapter" in askable(adapter, actor(person)).problem
        ModelLink.objects.create(
            repository=adapter, relation="adapter", named=model.repo_id, parent=model, position=0
        )
        row = ask(adapter, person)
        tries.answer(row.pk)
        row.refresh_from_db()
        assert row.status == RunStatus.SUCCEEDED, row.error
        assert row.base == model and row.result["tokens"] == 8
        type(model).objects.filter(pk=model.pk).update(visibility=Visibility.PRIVATE)
        person.memberships.filter(namespace=model.namespace).delete()
        assert "Only an adapter" in askable(adapter, actor(person)).problem

    def test_a_slow_answer_ends_at_its_limit(self, model, person, settings):
        settings.TRY_LOAD_LIMIT = timedelta(seconds=0)
        row = ask(model, person)
        tries.answer(row.pk)
        row.refresh_from_db()
        assert (row.status, row.error) == (
            RunStatus.FAILED, "It took longer than 0 seconds to load.",
        )  # fmt: skip


@by_worker
class TestAKilledWorker:
    def lost(self, row):
        """As a killed worker leaves a row."""
        Try.objects.filter(pk=row.pk).update(
            status=RunStatus.RUNNING, fence=1, attempts_left=1, worker="gone", text="half an ans",
            lease_ends_at=timezone.now() - timedelta(seconds=1),
        )  # fmt: skip

    def test_its_try_is_answered_by_the_next(self, model, person):
        row = ask(model, person)
        self.lost(row)
        assert tries.due() == [row.pk]
        tries.answer(row.pk)
        row.refresh_from_db()
        assert (row.status, row.attempt) == (RunStatus.SUCCEEDED, 2)
        assert not row.text.startswith("half")

    def test_after_two_losses_it_fails_in_words(self, model, person):
        row = ask(model, person)
        self.lost(row)
        Try.objects.filter(pk=row.pk).update(fence=2, attempts_left=0)
        tries.answer(row.pk)
        assert tries.due() == []
        row.refresh_from_db()
        assert (row.status, row.attempt) == (RunStatus.FAILED, 2)
        assert "lost 2 times" in row.error

    def test_what_was_cancelled_meanwhile_is_not_answered(self, model, person):
        row = ask(model, person)
        self.lost(row)
        cancel_try(model, actor(person), row.pk)
        tries.answer(row.pk)
        row.refresh_from_db()
        assert row.status == RunStatus.CANCELLED

    @pytest.mark.drill
    def test_a_kill_in_the_middle_leaves_no_process_and_one_answer(self, model, person):
        row = ask(model, person, max_new_tokens=128)
        code = "from training.jobs import tries; tries.answer(int(sys.argv[1]))"
        worker = start(code, row.pk, RUN_LEASE_SECONDS="3")

        def inside():
            needle = f"tries/{row.pk}-".encode()
            return [
                entry for entry in Path("/proc").iterdir() if entry.name.isdigit()
                and needle in _command(entry)
            ]  # fmt: skip

        wait_until(lambda: bool(inside()), 60)
        kill(worker)
        wait_until(lambda: not inside(), 5)
        tries.answer(row.pk)  # a doubled message, too early: the lease still holds
        row.refresh_from_db()
        assert (row.status, row.fence) == (RunStatus.RUNNING, 1)
        wait_until(lambda: row.pk in tries.due(), 10)
        tries.answer(row.pk)
        tries.answer(row.pk)
        row.refresh_from_db()
        assert (row.status, row.attempt) == (RunStatus.SUCCEEDED, 2), row.error
        assert not list((Path(django_settings.RUNS_DIR) / "tries").iterdir())
        assert other_sessions() == 0


def _command(entry: Path) -> bytes:
    try:
        return (entry / "cmdline").read_bytes()
    except OSError:
        return b""


@in_database
class TestAsking:
    def test_what_waits_can_be_taken_back_at_once(self, model, person):
        row = cancel_try(model, actor(person), ask(model, person).pk)
        assert row.status == RunStatus.CANCELLED
        tries.answer(row.pk)
        row.refresh_from_db()
        assert (row.status, row.attempt) == (RunStatus.CANCELLED, 0)

    def test_limits_of_a_person(self, model, person, settings):
        for _ in range(settings.TRY_WAITING_LIMIT_PER_USER):
            row = ask(model, person)
        with pytest.raises(ThrottledError, match="not answered yet"):
            ask(model, person)
        cancel_try(model, actor(person), row.pk)
        settings.TRY_HOURLY_LIMIT_PER_USER = 2
        with pytest.raises(ThrottledError, match="within an hour"):
            ask(model, person)
        assert ask(model, make_user()).pk, "somebody else's limit is their own"

    def test_only_the_newest_are_kept(self, model, person):
        for _ in range(24):
            row = cancel_try(model, actor(person), ask(model, person).pk)
            Try.objects.filter(pk=row.pk).update(created_at=timezone.now() - timedelta(hours=2))
        ask(model, person)
        assert Try.objects.of(person.pk).count() == 20

    def test_what_cannot_be_tried_says_why(self, model, person, settings):
        assert askable(model, actor(person)).task == "text-generation"
        assert askable(model, actor(person), "nope").problem
        settings.TRY_MODEL_LIMIT_BYTES = 1000
        with pytest.raises(UnprocessableError, match="models of up to"):
            ask(model, person)
        settings.TRY_IT = False
        with pytest.raises(UnprocessableError, match="turned off"):
            ask(model, person)

    def test_nobody_else_sees_a_question(self, client_for, model, person):
        row = ask(model, person, prompt="my secret question")
        for other in (make_member(model.namespace, access=Access.ADMIN), make_user()):
            assert client_for(other).get(row.get_absolute_url()).status_code == 404
            page = client_for(other).get(f"{model.get_absolute_url()}/try").content.decode()
            assert "my secret question" not in page
            token = {"authorization": f"Bearer {make_token(other)}"}
            answer = Client(headers=token).get(f"/{model.api_path}/try")
            assert answer.json() == {"tries": []}
        assert Client().get(f"{model.get_absolute_url()}/try").status_code in (302, 401)

    def test_a_page_asks_and_shows_what_was_written(
        self, client_for, model, person, django_assert_max_num_queries
    ):
        client = client_for(person)
        url = f"{model.get_absolute_url()}/try"
        form = {
            "prompt": "<b>And</b> all", "max_new_tokens": 8, "temperature": 0.5, "top_p": 1,
            "seed": 0,
        }  # fmt: skip
        assert client.post(url, form | {"max_new_tokens": 100_000}).status_code == 422
        sent = client.post(url, form)
        row = Try.objects.get()
        assert (sent.status_code, sent["Location"]) == (302, row.get_absolute_url())
        page = client.get(sent["Location"]).content.decode()
        assert "You are next" in page and 'hx-trigger="every 500ms"' in page
        assert "&lt;b&gt;And&lt;/b&gt; all" in page and "<b>And</b>" not in page
        Try.objects.filter(pk=row.pk).update(
            status=RunStatus.RUNNING, lease_ends_at=timezone.now(), text="of <i>us</i>"
        )
        with django_assert_max_num_queries(6):
            part = client.get(sent["Location"], headers={"hx-request": "true"}).content.decode()
        assert "of &lt;i&gt;us&lt;/i&gt;" in part and "<html" not in part
        assert client.post(f"{sent['Location']}/cancel").status_code == 302
        row.refresh_from_db()
        assert row.cancel_requested_at

    def test_the_api_asks_and_says_what_is_wrong(self, model, person):
        client = Client(headers={"authorization": f"Bearer {make_token(person)}"})
        url = f"/{model.api_path}/try"

        def post(**body):
            return client.post(url, json.dumps(body), content_type="application/json")

        sent = post(prompt=PROMPT, max_new_tokens=4, stop=["\n"])
        assert sent.status_code == 201, sent.content
        told = sent.json()
        assert (told["status"], told["task"], told["before"]) == ("queued", "text-generation", 0)
        assert client.get(f"{url}/{told['id']}").json()["request"]["stop"] == ["\n"]
        assert post(prompt="").status_code == 400
        assert post(prompt=PROMPT, max_new_tokens=100_000).status_code == 400
        assert post(prompt=PROMPT, revision="nope").status_code in (404, 422)
        assert client.post(f"{url}/{told['id']}/cancel").json()["status"] == "cancelled"
        assert client.post(f"{url}/{told['id']}/cancel").status_code == 409
