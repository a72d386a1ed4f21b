"""Comparing weights by the job: what is told when, found again, and left behind by a crash."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial

import numpy as np
import pytest
from django.utils import timezone
from safetensors.numpy import load_file, save

from hub.errors import ThrottledError
from hub.gitstore import AddFile
from hub.jobs import working
from hub.jobs.working import due
from hub.models import Repository
from hub.models.leases import ATTEMPTS
from hub.models.work import WorkState
from reviews.actions.weights import ask_comparison, request_comparison, side_at
from reviews.jobs import comparing
from reviews.models import TensorComparison, WeightsComparison
from tests.factories import make_repository, make_user
from tests.races import at_once
from tests.training.factories import TINY, commit, large

pytestmark = pytest.mark.usefixtures("transactional_db")
EDITED = "model.layers.1.self_attn.q_proj.weight"


def tensors() -> dict[str, np.ndarray]:
    return load_file(TINY / "model.safetensors")


@pytest.fixture
def model() -> Repository:
    repository = make_repository()
    files = [AddFile(p.name, p.read_bytes()) for p in sorted(TINY.iterdir()) if p.suffix == ".json"]
    weights = (TINY / "model.safetensors").read_bytes()
    commit(repository, [*files, large(repository, "model.safetensors", weights)])
    return repository


def changed(repository: Repository, edit, ref: str = "refs/heads/main") -> str:
    """A commit whose weights are `edit`'s; its oid."""
    held = tensors()
    edit(held)
    return commit(repository, [large(repository, "model.safetensors", save(held))], ref)


def rank_four(held: dict[str, np.ndarray]) -> None:
    generator = np.random.default_rng(0)
    rows, columns = held[EDITED].shape
    left, right = generator.normal(size=(rows, 4)), generator.normal(size=(4, columns))
    held[EDITED] = (held[EDITED] + 0.01 * left @ right).astype(np.float32)


def compared(repository: Repository, base_oid: str, oid: str) -> WeightsComparison:
    row = request_comparison(side_at(repository, base_oid), side_at(repository, oid))
    comparing.carry_out(row.pk)
    row.refresh_from_db()
    return row


def test_an_edit_is_told_with_its_tensor_its_size_and_its_rank(model):
    base = model.store().resolve("main")
    row = compared(model, base, changed(model, rank_four))
    assert (row.state, row.error, row.problems) == (WorkState.DONE, {}, [])
    touched = [each for each in row.structure if each["kind"] != "same"]
    (edited,) = touched
    assert edited["name"] == EDITED and edited["rank"] == 4
    assert 0 < edited["relative"] < 1 and edited["changed_share"] > 0.9
    codes = [fact["code"] for fact in row.summary["facts"]]
    assert "low_rank_change" in codes and "no_nan" in codes
    assert len(row.structure) == len(tensors())


def test_equal_tensors_are_compared_once_whoever_proposes_them(model):
    base = model.store().resolve("main")
    first = compared(model, base, changed(model, rank_four))
    rows = list(TensorComparison.objects.values_list("pk", flat=True))

    def the_same_and_a_scale(held: dict[str, np.ndarray]) -> None:
        rank_four(held)
        held["model.norm.weight"] = held["model.norm.weight"] * np.float32(2)

    oid = changed(model, the_same_and_a_scale)
    second = compared(model, base, oid)
    assert second.pk != first.pk
    new = TensorComparison.objects.exclude(pk__in=rows)
    assert new.count() == 1, "the edited projection was known"
    again = request_comparison(side_at(model, base), side_at(model, oid))
    assert again.pk == second.pk


def test_an_adapter_beside_its_base_is_told_as_what_it_does_to_it(model):
    base = model.store().resolve("main")
    generator = np.random.default_rng(1)
    factors = {
        f"base_model.model.model.layers.1.self_attn.q_proj.lora_{side}.weight": generator.normal(
            size=shape
        ).astype(np.float32)
        for side, shape in (("A", (3, 192)), ("B", (192, 3)))
    }
    settings = {"peft_type": "LORA", "r": 3, "lora_alpha": 6, "target_modules": ["q_proj"]}
    files = [
        AddFile("adapter_config.json", json.dumps(settings).encode()),
        large(model, "adapter_model.safetensors", save(factors)),
    ]
    row = compared(model, base, commit(model, files))
    (edited,) = [each for each in row.structure if each["kind"] != "same"]
    assert (edited["name"], edited["rank"]) == (EDITED, 3)
    assert row.problems == []


def test_what_is_wrong_is_named_and_what_was_wrong_before_is_not(model):
    base = model.store().resolve("main")

    def broken(held: dict[str, np.ndarray]) -> None:
        held[EDITED][3, 5] = np.nan
        del held["model.norm.weight"]

    oid = changed(model, broken)
    row = compared(model, base, oid)
    assert {(each["code"], each["tensor"]) for each in row.problems} == {
        ("nan", EDITED),
        ("missing", "model.norm.weight"),
    }
    later = compared(model, oid, changed(model, lambda held: (broken(held), rank_four(held))))
    assert later.problems == []


def test_a_worker_that_dies_leaves_its_claim_to_the_next(model, monkeypatch):
    base, oid = model.store().resolve("main"), changed(model, rank_four)
    row = request_comparison(side_at(model, base), side_at(model, oid))
    claimed = WeightsComparison.objects.claim(row.pk)
    assert claimed is not None and WeightsComparison.objects.claim(row.pk) is None
    assert due(WeightsComparison.objects.all()) == []
    expired = timezone.now() - timedelta(seconds=1)
    WeightsComparison.objects.filter(pk=row.pk).update(lease_ends_at=expired)
    assert due(WeightsComparison.objects.all()) == [row.pk]
    comparing.carry_out(row.pk)
    row.refresh_from_db()
    assert row.state == WorkState.DONE
    # The first worker wakes up and finds that it has lost.
    assert not WeightsComparison.objects.held(claimed).update(structure=[])
    assert due(WeightsComparison.objects.all()) == []


def test_the_work_ends_when_the_claim_is_lost(model, monkeypatch):
    base, oid = model.store().resolve("main"), changed(model, rank_four)
    row = request_comparison(side_at(model, base), side_at(model, oid))
    monkeypatch.setattr(working, "TOLD_EVERY_SECONDS", 0.0)
    real = comparing.diff

    def stolen(*args, **more):
        for change in real(*args, **more):
            WeightsComparison.objects.filter(pk=row.pk).update(fence=99)
            yield change

    monkeypatch.setattr(comparing, "diff", stolen)
    comparing.carry_out(row.pk)
    row.refresh_from_db()
    assert (row.state, row.fence, row.problems) == (WorkState.RUNNING, 99, None)


def test_weights_that_kill_every_worker_are_given_up_and_can_be_tried_again(model):
    base, oid = model.store().resolve("main"), changed(model, rank_four)
    sides = side_at(model, base), side_at(model, oid)
    row = request_comparison(*sides)
    for _attempt in range(ATTEMPTS):
        assert WeightsComparison.objects.claim(row.pk) is not None
        WeightsComparison.objects.update(lease_ends_at=timezone.now() - timedelta(seconds=1))
    assert due(WeightsComparison.objects.all()) == []
    row.refresh_from_db()
    assert (row.state, row.error["code"]) == (WorkState.FAILED, "workers_died")
    assert ask_comparison(*sides, by=make_user()).state == WorkState.WAITING
    comparing.carry_out(row.pk)
    row.refresh_from_db()
    assert (row.state, row.error) == (WorkState.DONE, {})


def test_bytes_that_are_gone_are_said(model):
    base, oid = model.store().resolve("main"), changed(model, rank_four)
    row = request_comparison(side_at(model, base), side_at(model, oid))
    weights = next(f for f in row.candidate_files if f["path"] == "model.safetensors")
    path = model.blobs().path(weights["sha256"])
    path.unlink()
    comparing.carry_out(row.pk)
    row.refresh_from_db()
    assert (row.state, row.error["code"]) == (WorkState.FAILED, "refused")


def test_of_two_workers_at_once_one_has_the_work(model):
    base, oid = model.store().resolve("main"), changed(model, rank_four)
    row = request_comparison(side_at(model, base), side_at(model, oid))
    claims = at_once(*[lambda: WeightsComparison.objects.claim(row.pk)] * 4)
    assert sum(claim is not None for claim in claims) == 1


def test_asked_twice_at_once_there_is_one_comparison(model):
    base, oid = model.store().resolve("main"), changed(model, rank_four)
    sides = side_at(model, base), side_at(model, oid)
    found = at_once(*[lambda: request_comparison(*sides).pk] * 4)
    assert len(set(found)) == 1 == WeightsComparison.objects.count()


def test_one_person_asks_for_so_many_comparisons_at_a_time(model, settings):
    settings.WEIGHTS_COMPARISONS_LIMIT = 2
    base, person = side_at(model, model.store().resolve("main")), make_user()

    def scaled(by: float):
        def edit(held: dict[str, np.ndarray]) -> None:
            held["model.norm.weight"] = held["model.norm.weight"] * np.float32(by)

        return edit

    sides = [side_at(model, changed(model, scaled(2.0 + number))) for number in range(4)]

    def ask(side, by=person) -> str:
        try:
            return ask_comparison(base, side, by=by).state
        except ThrottledError as error:
            assert "You have asked for 2 comparisons" in str(error)
            return "refused"

    told = at_once(*[partial(ask, side) for side in sides])
    assert sorted(told) == ["refused", "refused", "waiting", "waiting"]
    waiting = [side for side, said in zip(sides, told, strict=True) if said == "waiting"]
    refused = [side for side, said in zip(sides, told, strict=True) if said == "refused"]
    assert ask(waiting[0]) == "waiting", "what is known may be asked for again"
    assert ask(refused[0], make_user()) == "waiting", "others may ask"
    comparing.carry_out(WeightsComparison.objects.get(candidate_digest=waiting[0].digest).pk)
    assert ask(refused[1]) == "waiting", "one is finished"


def test_what_cannot_be_read_is_told_and_stops_nothing_here(model):
    """Whether weights that nobody reads may be merged is for the gate to say."""
    base = model.store().resolve("main")
    settings = {"peft_type": "LORA", "r": 2, "lora_alpha": 2, "use_dora": True}
    factors = {
        f"base_model.model.model.layers.1.self_attn.q_proj.lora_{side}.weight": np.ones(shape)
        for side, shape in (("A", (2, 192)), ("B", (192, 2)))
    }
    files = [
        AddFile("pytorch_model.bin", b"never opened"),
        AddFile("adapter_config.json", json.dumps(settings).encode()),
        large(model, "adapter_model.safetensors", save(factors)),
    ]
    row = compared(model, base, commit(model, files))
    assert row.error == {}
    assert {(each["code"], each["blocks"]) for each in row.problems} == {
        ("not_readable", False),
        ("adapter_not_supported", False),
    }


def with_config(repository: Repository, held: dict[str, np.ndarray], **config) -> str:
    """A commit of `held` and of the model's configuration with `config` in it."""
    told = json.loads((TINY / "config.json").read_text()) | config
    files = [
        AddFile("config.json", json.dumps(told).encode()),
        large(repository, "model.safetensors", save(held)),
    ]
    return commit(repository, files)


def codes(row: WeightsComparison) -> set[str]:
    return {fact["code"] for fact in row.summary["facts"]}


def test_a_token_that_comes_as_nan_blocks(model):
    """The rows that both sides have are compared; the new ones have nothing beside them."""
    base = model.store().resolve("main")
    held = tensors()
    new = np.full((1, 192), np.nan, dtype=np.float32)
    held["model.embed_tokens.weight"] = np.concatenate([held["model.embed_tokens.weight"], new])
    row = compared(model, base, with_config(model, held, vocab_size=1025))
    assert [(each["code"], each["tensor"], each["blocks"]) for each in row.problems] == [
        ("nan", "model.embed_tokens.weight", True)
    ]
    assert "nan" in codes(row) and "no_nan" not in codes(row)
    (embeddings,) = [each for each in row.structure if each["kind"] == "reshaped"]
    assert embeddings["not_finite"] == 192


def test_infinity_in_a_tensor_of_another_shape_blocks(model):
    base = model.store().resolve("main")
    held = tensors()
    for name in list(held):
        if name.endswith(("up_proj.weight", "gate_proj.weight")):
            held[name] = held[name][:256].copy()
        if name.endswith("down_proj.weight"):
            held[name] = held[name][:, :256].copy()
    held["model.layers.2.mlp.down_proj.weight"][3, 5] = np.inf
    row = compared(model, base, with_config(model, held, intermediate_size=256))
    assert [(each["code"], each["tensor"]) for each in row.problems] == [
        ("inf", "model.layers.2.mlp.down_proj.weight")
    ]
    assert "no_nan" not in codes(row)


def test_an_output_parted_from_the_embeddings_is_told_and_must_not_contradict_its_config(model):
    base = model.store().resolve("main")
    held = tensors()
    held["lm_head.weight"] = held["model.embed_tokens.weight"] * np.float32(1.25)
    row = compared(model, base, with_config(model, held))
    assert [(each["code"], each["tensor"]) for each in row.problems] == [
        ("tie_contradicted", "lm_head.weight")
    ]
    row = compared(model, base, with_config(model, held, tie_word_embeddings=False))
    assert row.problems == []
    assert "ties_broken" in codes(row)


def test_a_file_that_was_not_read_before_hides_no_other(model):
    commit(model, [AddFile("pytorch_model.bin", b"never opened")])
    base = model.store().resolve("main")
    oid = commit(model, [AddFile("consolidated.pth", b"nor this")])
    row = compared(model, base, oid)
    assert [(each["code"], each["parameters"].get("file")) for each in row.problems] == [
        ("not_readable", "consolidated.pth")
    ]
